"""Models that map where the columns of an image are, of which kind, and how many atoms they have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.models.model import MapModel

PLACE_OUTPUTS = 3  # the vector to the column, and the logarithm of its error
LARGEST_SET = 160  # columns that are read together
_FARTHEST = 4.0  # in the logarithm, so that no error is zero or without bound


@dataclass(frozen=True)
class ColumnMaps:
    """What a network says of every pixel.

    Parameters
    ----------
    background
        Probability that there is no column, shape (rows, columns).
    columns
        Probability of a column of each kind and height that has a map, shape (outputs, rows, columns).
    offsets
        Vector to the nearest column, rows first, in Å, shape (2, rows, columns).
    errors
        Its standard error along each axis in Å, shape (rows, columns).
    """

    background: np.ndarray
    columns: np.ndarray
    offsets: np.ndarray
    errors: np.ndarray


def mapped_kinds(card: dict) -> tuple[tuple[str, int], ...]:
    """Return the kinds of a card and for how many numbers of atoms the network has a map of its own.

    Atoms of the kind that a reader counts are not told by maps: all columns of this kind have one.
    """
    read = card.get("reader", {}).get("kind")
    return tuple((one["kind"], 1 if one["kind"] == read else int(one["heights"])) for one in card["columns"])


class ColumnMapper(MapModel):
    """A model that finds atomic columns."""

    @property
    def purpose(self) -> str:
        """What kinds of columns it finds."""
        told = [f"{kind} of 1 to {heights}" if heights > 1 else kind for kind, heights in self.kinds]
        return f"columns: {', '.join(told)}"

    @property
    def kinds(self) -> tuple[tuple[str, int], ...]:
        """Kinds of columns and the largest number of atoms that is told of each."""
        return tuple((one["kind"], int(one["heights"])) for one in self.card["columns"])

    @property
    def outputs(self) -> tuple[tuple[str, int], ...]:
        """Kind and number of atoms of every output but the background."""
        return tuple((kind, height) for kind, heights in self.kinds for height in range(1, heights + 1))

    @property
    def read_kind(self) -> int | None:
        """Number of the kind whose atoms are counted from features of the columns found; None where maps tell all."""
        read = self.card.get("reader", {}).get("kind")
        return None if read is None else [kind for kind, _ in self.kinds].index(read)

    def read(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of each number of atoms.

        All columns of an image are read together; where they are more than `LARGEST_SET`, every second one, every third
        and so on, as many as training had.

        Parameters
        ----------
        features
            Of the columns of the kind that is read, from `particlespy_ml.columns.features.column_features`.
        """
        import torch

        device = self._device()
        shown = torch.from_numpy(np.ascontiguousarray(features)).to(device)
        told = np.empty((len(features), self.kinds[self.read_kind][1]), np.float32)
        parts = max(-(-len(features) // LARGEST_SET), 1)
        with torch.inference_mode():
            for first in range(parts):
                logits = self._network(device).reader(shown[first::parts])
                told[first::parts] = torch.softmax(logits, 1).cpu().numpy()
        return told

    def strangeness(self, features: np.ndarray) -> float:
        """Mean square of features, in standard deviations of those that the reader was trained on: about one of these.

        Parameters
        ----------
        features
            As for `read`.
        """
        known = (features - self.weights["reader.middle"]) / self.weights["reader.spread"]
        return float(np.mean(np.clip(known, -6, 6) ** 2))

    @property
    def channels(self) -> tuple[str, ...]:
        """What is shown of each image, see `particlespy_ml.columns.network.network_input`."""
        return tuple(self.card.get("channels", ["local"]))

    @property
    def images(self) -> int:
        """Number of images that are seen together."""
        return self.in_channels // len(self.channels)

    @property
    def threshold(self) -> float:
        """Probability from which there is a column."""
        return float(self.card["threshold"])

    def maps(self, images: np.ndarray, tile: int = 768, overlap: int = 112, device: str | None = None) -> ColumnMaps:
        """Return the maps of an image.

        Parameters
        ----------
        images
            At the model's pixel size, from `particlespy_ml.columns.network.network_input`, shape (channels, rows,
            columns), float32; (rows, columns) will do for a model of one channel.
        tile, overlap, device
            See `particlespy_ml.models.model.ParticleFinder.maps`.
        """
        from torch import cat, softmax

        n = 1 + sum(number for _, number in mapped_kinds(self.card))

        def activation(found):
            # a radial Laplace distribution of the scale s has the standard deviation √3 s along each axis
            errors = 3**0.5 * found[n + 2 :].clamp(-_FARTHEST, _FARTHEST).exp()
            return cat([softmax(found[:n], 0), found[n : n + 2], errors])

        maps = self._maps(images, activation, tile, overlap, device)
        scale = np.float32(self.card.get("error_scale", 1.0))
        return ColumnMaps(maps[0], maps[1:n], maps[n : n + 2], maps[n + 2] * scale)
