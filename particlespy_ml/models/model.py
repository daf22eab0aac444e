"""Models: a network and its card, and what they do with windows and frames."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from particlespy_ml.core.progress import bar
from particlespy_ml.core.threads import side_by_side
from particlespy_ml.models.networks import CPU_ONLY, load_network, torch_device

if TYPE_CHECKING:
    import torch

_networks: dict[str, object] = {}
_networks_lock = threading.Lock()

# Probability of a class from which two views of a window are enough: `benchmarks.hrtem` prints by how little those of
# all eight differ.
SURE = 0.9


@dataclass(frozen=True, eq=False)
class Model:
    """A network and its card, as loaded from a folder; see `particlespy_ml.load_model`.

    Parameters
    ----------
    card
        What the model is and what it reaches.
    weights
        Parameters of the network by name.
    device
        Where the network runs unless a call says otherwise: "cpu", "cuda", "cuda:1" ...; by default "cuda" where there
        is a GPU, found anew in each process. An atlas of templates stays on the CPU.
    """

    card: dict
    weights: dict[str, np.ndarray] = field(repr=False)
    device: str | None = None

    makes_maps: ClassVar[bool] = False  # whether outputs are images of the input's size

    def __post_init__(self):
        if self.device is not None:
            self._device(self.device)

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

    @property
    def in_channels(self) -> int:
        """Number of images that the network sees together."""
        return int(self.card["architecture"].get("in_channels", 1))

    @property
    def purpose(self) -> str:
        """What the model is for, in a few words."""
        return str(self.card["task"])

    def _device(self, device: str | None = None) -> str:
        """Where the network runs for a call with some device=."""
        device = self.device if device is None else device
        if self.card["architecture"]["name"] not in CPU_ONLY:
            return torch_device(device)
        if torch_device(device or "cpu") != "cpu":
            raise ValueError(f"The model {self.name!r} runs on the CPU alone, not on {device!r}.")
        return "cpu"

    def _network(self, device: str = "cpu") -> torch.nn.Module:
        """The network, built once in each process for each device."""
        key = self.sha256 + json.dumps(self.card["architecture"], sort_keys=True) + device
        with _networks_lock:
            if key not in _networks:
                _networks[key] = load_network(self.card["architecture"], self.weights, device)
            return _networks[key]

    def _check_channels(self, images: np.ndarray, ndim: int, axes: tuple[str, ...]) -> None:
        """Check that images, of *ndim* axes where there is one channel, have the channels of the network."""
        channels = self.in_channels
        if images.ndim == ndim and channels == 1:
            return
        if images.ndim != ndim + 1 or images.shape[-3] != channels:
            wanted = [*axes[:-2], *([] if channels == 1 else [str(channels)]), *axes[-2:]]
            raise ValueError(
                f"The model {self.name!r} sees {channels} channel{'' if channels == 1 else 's'}: expected an array of "
                f"shape ({', '.join(wanted)}), got {images.shape}."
            )


class Classifier(Model):
    """A model that gives each particle the probabilities of some classes."""

    @property
    def purpose(self) -> str:
        """The classes that it tells apart."""
        return ", ".join(self.classes)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the probabilities."""
        return tuple(self.card["classes"])

    @property
    def windows(self) -> tuple[int, ...]:
        """Edges in pixels of the windows that the model takes, ascending."""
        return tuple(sorted(int(edge) for edge in self.card["windows"]))

    @property
    def coarser(self) -> tuple[float, ...]:
        """Factors, ascending, by which the pixels of a window may be larger for particles that no window holds."""
        return tuple(sorted(float(factor) for factor in self.card.get("coarser_views", [])))

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

    def predict(
        self, windows: np.ndarray, batch_size: int = 64, calibrated: bool = True, device: str | None = None
    ) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        windows
            Standardised windows at the model's pixel size, shape (n, edge, edge), float32; (n, channels, edge, edge)
            for a model of several channels.
        batch_size
            Windows that go through the network at a time.
        calibrated
            Whether the logits are divided by the temperature on the card, so that probabilities are shares of right
            classes.
        device
            Where the network runs; by default as when it was loaded.

        Returns
        -------
        numpy.ndarray
            Probabilities, shape (n, classes), float32. Each row sums to one or, if the model `rejects`, to the
            probability that the window shows one of the classes at all.

        Raises
        ------
        ValueError
            If the windows have another number of channels than the network, or there is no such device.
        """
        import torch

        from particlespy_ml.models.layers import Views

        if len(windows) == 0:
            return np.zeros((0, len(self.classes)), np.float32)
        device = self._device(device)
        network = self._network(device)
        temperature = float(self.card["temperature"]) if calibrated else 1.0

        def is_sure(logits: torch.Tensor) -> torch.Tensor:
            return torch.softmax(logits / float(self.card["temperature"]), dim=1).amax(1) > SURE

        def probabilities(batch: torch.Tensor) -> np.ndarray:
            logits = network.until_sure(batch, is_sure) if isinstance(network, Views) else network(batch)
            logits = logits / temperature
            return torch.softmax(logits, dim=1)[:, : len(self.classes)].cpu().numpy()

        return self._in_batches(probabilities, windows, batch_size, device)

    @property
    def embedding_width(self) -> int:
        """Length of the vectors of `embed`."""
        return self._network(self._device())[1][-1].in_features

    def embed(self, windows: np.ndarray, batch_size: int = 64, device: str | None = None) -> np.ndarray:
        """Return what the last layer sees, before it decides on a class: a vector for each window.

        Parameters
        ----------
        windows, batch_size, device
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
        device = self._device(device)
        trunk, head = network = self._network(device)
        features = network.features if isinstance(network, Views) else lambda batch: [trunk(batch)]
        return self._in_batches(
            lambda batch: torch.stack([head[:-1](seen) for seen in features(batch)]).mean(0).cpu().numpy(),
            windows,
            batch_size,
            device,
        )

    def _in_batches(self, function: Callable, windows: np.ndarray, size: int, device: str) -> np.ndarray:
        """What a function makes of windows as tensors of shape (n, channels, edge, edge), batch by batch."""
        import torch

        self._check_channels(windows, 3, ("n", "edge", "edge"))
        together = device == "cpu" and self.card["architecture"]["name"] not in CPU_ONLY
        if together:  # a batch for each thread
            size = min(size, -(-len(windows) // torch.get_num_threads()))

        def run(start: int) -> np.ndarray:
            batch = torch.from_numpy(np.ascontiguousarray(windows[start : start + size]))
            with torch.inference_mode():
                return function((batch[:, None] if batch.ndim == 3 else batch).to(device))

        starts = list(range(0, len(windows), size))
        parts = side_by_side(run, starts) if together else [part for s in starts for part in side_by_side(run, [s])]
        return np.concatenate(parts)


class MapModel(Model):
    """A model that makes maps of a frame, of the same size, with one value a pixel for each output."""

    makes_maps = True

    def _maps(
        self,
        frame: np.ndarray,
        activation: Callable[[torch.Tensor], torch.Tensor],
        tile: int,
        overlap: int,
        device: str | None,
    ) -> np.ndarray:
        """Return the maps of a frame that goes through the network in tiles.

        Parameters
        ----------
        frame
            Shape (rows, columns), or (channels, rows, columns) for a network of several channels.
        activation
            What makes probabilities of the logits of a tile, shape (outputs, rows, columns).
        tile, overlap, device
            See `ParticleFinder.maps`.

        Returns
        -------
        numpy.ndarray
            Shape (outputs, rows, columns), float32.
        """
        import torch

        from particlespy_ml.models.layers import product_type

        self._check_channels(frame, 2, ("rows", "columns"))
        rows, columns = frame.shape[-2:]
        room = [(0, 0)] * (frame.ndim - 2) + [(0, -rows % 16), (0, -columns % 16)]
        padded = np.pad(frame, room, mode="symmetric" if min(rows, columns) > 15 else "edge")
        result = np.empty((self.card["architecture"]["outputs"], *padded.shape[-2:]), np.float32)
        device = self._device(device)
        network = self._network(device)
        # a GPU has single precision to spare
        is_short = device == "cpu" and product_type() == torch.bfloat16

        def fill(tile: tuple) -> None:
            inner, outer = tile
            seen = torch.from_numpy(np.ascontiguousarray(padded[(..., *outer)]))
            seen = seen[None, None] if seen.ndim == 2 else seen[None]
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_short):
                found = activation(network(seen.to(device))[0].float())
                start = [own.start - whole.start for own, whole in zip(inner, outer, strict=True)]
                part = tuple(
                    slice(first, first + own.stop - own.start) for first, own in zip(start, inner, strict=True)
                )
                result[(slice(None), *inner)] = found[(slice(None), *part)].cpu().numpy()
            steps.update()

        tiles = _tiles(padded.shape[-2:], tile, overlap)
        with bar(len(tiles), f"Finding ({self.name})", "tile") as steps:
            for group in [tiles] if device == "cpu" else [[one] for one in tiles]:
                side_by_side(fill, group)
        return result[:, :rows, :columns]


class ParticleFinder(MapModel):
    """A model that finds particles: it maps a frame to where particles are, and how deep inside of one."""

    @property
    def purpose(self) -> str:
        """That it finds particles."""
        return "finds particles"

    @property
    def threshold(self) -> float:
        """Probability from which a pixel belongs to a particle."""
        return float(self.card["threshold"])

    @property
    def of_one_view(self) -> ParticleFinder:
        """The model that sees each frame once, not from several sides: quicker, and less certain."""
        return replace(self, card={**self.card, "architecture": {**self.card["architecture"], "views": 1}})

    def maps(
        self, frame: np.ndarray, tile: int = 1024, overlap: int = 176, device: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the probability that a pixel belongs to a particle, and its relative depth in the particle.

        Parameters
        ----------
        frame
            Frame at the model's pixel size, scaled by `scale_frame`, shape (rows, columns), float32; (channels, rows,
            columns) for a model of several channels.
        tile
            Large frames go through the network in tiles of at most the pixels of a square of this edge.
        overlap
            Pixels by which neighbouring tiles overlap on each side. More than the network sees of the surroundings, so
            that seams do not show; a multiple of 16.
        device
            Where the network runs; by default as when it was loaded.

        Returns
        -------
        probability, depth
            Shape (rows, columns), float32, between 0 and 1. The depth is the distance from the particle's edge
            relative to that of its middle.
        """
        import torch

        probability, depth = self._maps(frame, torch.sigmoid, tile, overlap, device)
        return probability, depth


def _tiles(shape: tuple[int, int], tile: int, overlap: int) -> list[tuple]:
    """Pairs of slices: the part of a frame that a tile fills, and the part that it sees.

    No tile sees more pixels than a square of an edge *tile* with the overlap about it. Of all divisions of the frame
    it is the one whose tiles see the fewest in all: what they see twice is work done twice.
    """
    plans = []
    for rows, columns in np.ndindex(*(-(-size // tile) for size in shape)):
        axes = [_spans(size, n + 1, overlap) for size, n in zip(shape, (rows, columns), strict=True)]
        lengths = [[whole.stop - whole.start for _, whole in spans] for spans in axes]
        fits = max(lengths[0]) * max(lengths[1]) <= (tile + 2 * overlap) ** 2
        plans.append((not fits, sum(lengths[0]) * sum(lengths[1]), len(plans), axes))
    axes = min(plans)[-1]
    return [((own_rows, own), (rows, seen)) for own_rows, rows in axes[0] for own, seen in axes[1]]


def _spans(size: int, parts: int, overlap: int) -> list[tuple[slice, slice]]:
    """Divide an axis into about equal parts of multiples of 16, each with what overlaps."""
    edge = -(-size // (16 * parts)) * 16
    inner = [slice(start, min(start + edge, size)) for start in range(0, size, edge)]
    return [(own, slice(max(own.start - overlap, 0), min(own.stop + overlap, size))) for own in inner]
