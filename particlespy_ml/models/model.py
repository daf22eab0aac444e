"""Models: a network and its card, and what they do with windows and frames."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

import numpy as np

from particlespy_ml.core.threads import one_torch_thread
from particlespy_ml.models.card import network_of

_networks: dict[str, object] = {}
_networks_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Model:
    """A network and its card, as loaded from a folder; see `particlespy_ml.load_model`.

    Parameters
    ----------
    card
        What the model is and what it reaches.
    weights
        Parameters of the network by name.
    """

    card: dict
    weights: dict[str, np.ndarray] = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card["name"]

    @property
    def pixel_size(self) -> float:
        """Pixel size in nm to which images are resampled."""
        return float(self.card["pixel_size"]["value"]) * 0.1

    @property
    def sha256(self) -> str:
        """Hash of the weights' file."""
        return self.card["sha256"]

    def in_pixel_range(self, nanometres: tuple[float, float]) -> bool:
        """Whether pixels of some size, in nm along rows and columns, resolve what the model looks at."""
        low, high = self.card["pixel_size_range_angstrom"]
        sizes = np.array(nanometres) * 10
        return bool((sizes >= low).all() and (sizes <= high).all())

    def _network(self):
        """The network, built once in each process."""
        key = self.sha256 + json.dumps(self.card["architecture"], sort_keys=True)
        with _networks_lock:
            if key not in _networks:
                _networks[key] = network_of(self.card, self.weights)
            return _networks[key]


class Classifier(Model):
    """A model that gives each particle the probabilities of some classes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the probabilities."""
        return tuple(self.card["classes"])

    @property
    def windows(self) -> tuple[int, ...]:
        """Edges in pixels of the windows that the model takes, ascending."""
        return tuple(sorted(int(edge) for edge in self.card["windows"]))

    @property
    def min_probability(self) -> float:
        """Probability below which a particle is left undefined by default."""
        return float(self.card["min_probability"])

    def confusion_matrix(self, min_probability: float = 0.0) -> np.ndarray:
        """Return the share of each predicted class (columns) for each true class (rows) on held-out images.

        Rows sum to less than one where *min_probability* leaves particles undefined. The card knows it for 0 and for
        the model's own; for others, and where there is none on the card, the array is empty.
        """
        known = self.card.get("confusion_matrix", {})
        names = {0.0: "values", self.min_probability: "values_above_min_probability"}
        return np.array(known.get(names.get(float(min_probability)), []), dtype=float)

    @property
    def rejects(self) -> bool:
        """Whether the network has one more output, for what is none of the classes."""
        return bool(self.card.get("rejects", False))

    def predict(self, windows: np.ndarray, batch_size: int = 64, calibrated: bool = True) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        windows
            Standardised windows at the model's pixel size, shape (n, edge, edge), float32.
        batch_size
            Windows that go through the network at a time.
        calibrated
            Whether the logits are divided by the temperature on the card, so that probabilities are shares of right
            classes.

        Returns
        -------
        numpy.ndarray
            Probabilities, shape (n, classes), float32. Each row sums to one or, if the model `rejects`, to the
            probability that the window shows one of the classes at all.
        """
        import torch

        if len(windows) == 0:
            return np.zeros((0, len(self.classes)), np.float32)
        network = self._network()
        parts = []
        with torch.inference_mode(), one_torch_thread(workers_only=True):
            for start in range(0, len(windows), batch_size):
                batch = torch.from_numpy(np.ascontiguousarray(windows[start : start + batch_size]))[:, None]
                logits = network(batch) / (float(self.card["temperature"]) if calibrated else 1.0)
                parts.append(torch.softmax(logits, dim=1)[:, : len(self.classes)].numpy())
        return np.concatenate(parts)

    @property
    def embedding_width(self) -> int:
        """Length of the vectors of `embed`."""
        return self._network()[1][-1].in_features

    def embed(self, windows: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """Return what the last layer sees, before it decides on a class: a vector for each window.

        Parameters
        ----------
        windows, batch_size
            As for `predict`.

        Returns
        -------
        numpy.ndarray
            Shape (n, embedding_width), float32.
        """
        import torch

        from particlespy_ml.models.layers import Views

        if len(windows) == 0:
            return np.zeros((0, self.embedding_width), np.float32)
        trunk, head = network = self._network()
        features = network.features if isinstance(network, Views) else lambda batch: [trunk(batch)]
        parts = []
        with torch.inference_mode(), one_torch_thread(workers_only=True):
            for start in range(0, len(windows), batch_size):
                batch = torch.from_numpy(np.ascontiguousarray(windows[start : start + batch_size]))[:, None]
                parts.append(torch.stack([head[:-1](seen) for seen in features(batch)]).mean(0).numpy())
        return np.concatenate(parts)


class ParticleFinder(Model):
    """A model that finds particles: it maps a frame to where particles are, and how deep inside of one."""

    @property
    def threshold(self) -> float:
        """Probability from which a pixel belongs to a particle."""
        return float(self.card["threshold"])

    def maps(self, frame: np.ndarray, tile: int = 768, overlap: int = 176) -> tuple[np.ndarray, np.ndarray]:
        """Return the probability that a pixel belongs to a particle, and its relative depth in the particle.

        Parameters
        ----------
        frame
            Frame at the model's pixel size, scaled by `scale_frame`, shape (rows, columns), float32.
        tile
            Edge of the tiles in which large frames go through the network, a multiple of 16.
        overlap
            Pixels by which neighbouring tiles overlap on each side. More than the network sees of the surroundings, so
            that seams do not show; a multiple of 16.

        Returns
        -------
        probability, depth
            Shape (rows, columns), float32, between 0 and 1. The depth is the distance from the particle's edge
            relative to that of its middle.
        """
        import torch

        from particlespy_ml.models.layers import product_type

        rows, columns = frame.shape
        padded = np.pad(
            frame, [(0, -rows % 16), (0, -columns % 16)], mode="symmetric" if min(rows, columns) > 15 else "edge"
        )
        result = np.empty((2, *padded.shape), np.float32)
        network = self._network()
        short = torch.autocast("cpu", torch.bfloat16, enabled=product_type() == torch.bfloat16)
        with torch.inference_mode(), one_torch_thread(workers_only=True), short:
            for inner, outer in _tiles(padded.shape, tile, overlap):
                found = network(torch.from_numpy(np.ascontiguousarray(padded[outer]))[None, None])[0].float().sigmoid()
                start = [own.start - whole.start for own, whole in zip(inner, outer, strict=True)]
                part = tuple(
                    slice(first, first + own.stop - own.start) for first, own in zip(start, inner, strict=True)
                )
                result[(slice(None), *inner)] = found[(slice(None), *part)].numpy()
        return result[0, :rows, :columns], result[1, :rows, :columns]


def _tiles(shape: tuple[int, int], tile: int, overlap: int):
    """Pairs of slices: the part of a frame that a tile fills, and the part that it sees."""
    axes = []
    for size in shape:
        if size <= tile + 2 * overlap:
            axes.append([(slice(0, size), slice(0, size))])
            continue
        starts = range(0, size, tile)
        inner = [slice(start, min(start + tile, size)) for start in starts]
        axes.append([(own, slice(max(own.start - overlap, 0), min(own.stop + overlap, size))) for own in inner])
    for own_rows, rows in axes[0]:
        for own_columns, columns in axes[1]:
            yield (own_rows, own_columns), (rows, columns)
