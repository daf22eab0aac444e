"""Models on disk: a folder with weights (safetensors) and a card (JSON), checked when loaded; and what they do."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from particlespy_ml._threads import one_torch_thread

FORMAT_VERSION = 1
DEFAULT_MODELS = {"HAADF": "isomer-haadf", "HRTEM": "crystallinity-hrtem"}
UNDEFINED = "undefined"  # the class of particles that have none
SEGMENTATION = "segmentation"  # the task of models that find particles; all others classify them

_REQUIRED = (
    "format_version",
    "name",
    "signal_type",
    "task",
    "architecture",
    "pixel_size",
    "pixel_size_range_angstrom",
    "diameter_range_nm",
    "sha256",
)
_REQUIRED_TO_CLASSIFY = ("classes", "windows", "temperature", "min_probability")

_networks: dict[str, object] = {}
_networks_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Model:
    """A network and its card, as loaded from a folder; see `load_model`.

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
        with _networks_lock:
            if self.sha256 not in _networks:
                _networks[self.sha256] = _build(self.card, self.weights)
            return _networks[self.sha256]


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

        if len(windows) == 0:
            return np.zeros((0, self.embedding_width), np.float32)
        trunk, head = self._network()
        parts = []
        with torch.inference_mode(), one_torch_thread(workers_only=True):
            for start in range(0, len(windows), batch_size):
                batch = torch.from_numpy(np.ascontiguousarray(windows[start : start + batch_size]))[:, None]
                parts.append(head[:-1](trunk(batch)).numpy())
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

        rows, columns = frame.shape
        padded = np.pad(
            frame, [(0, -rows % 16), (0, -columns % 16)], mode="symmetric" if min(rows, columns) > 15 else "edge"
        )
        result = np.empty((2, *padded.shape), np.float32)
        network = self._network()
        with torch.inference_mode(), one_torch_thread(workers_only=True):
            for inner, outer in _tiles(padded.shape, tile, overlap):
                found = network(torch.from_numpy(np.ascontiguousarray(padded[outer]))[None, None])[0].sigmoid()
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


def list_models() -> list[str]:
    """Return the names of the bundled models.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.list_models()
    ['crystallinity-hrtem', 'isomer-haadf', 'particles-hrtem']
    """
    root = _bundled_folder()
    return sorted(entry.name for entry in root.iterdir() if (entry / "card.json").is_file())


def load_model(model: str | Path | Model) -> Model:
    """Load a model by the name of a bundled one, or from a folder of the user's own.

    Nothing is downloaded and nothing is unpickled.

    Parameters
    ----------
    model
        Name, or folder that holds ``model.safetensors`` and ``card.json``. A loaded model is returned as it is.

    Raises
    ------
    ValueError
        If there is no such model, a file is damaged (its hash differs from the card's), or the card does not fit.
    TypeError
        If *model* is no name, folder or model.
    """
    if isinstance(model, Model):
        return model
    if not isinstance(model, (str, Path)):
        raise TypeError(f"Expected the name or the folder of a model, or a loaded model, not {type(model).__name__}.")
    names = list_models()
    if isinstance(model, str) and model in names:
        return _load_folder(str(_bundled_folder() / model))
    folder = Path(model)
    if not folder.is_dir():
        raise ValueError(
            f"Unknown model {str(model)!r}: expected one of {names}, or the folder of a model of your own."
        )
    return _load_folder(str(folder.resolve()))


def default_model(signal_type: str) -> str:
    """Return the name of the model that goes with a signal type.

    Raises
    ------
    ValueError
        If there is none.
    """
    if signal_type not in DEFAULT_MODELS:
        raise ValueError(
            f"There is no default model for the signal type {signal_type!r}, only for {sorted(DEFAULT_MODELS)}; give "
            f"model=, one of {list_models()} or a folder of your own, or measure without classes: measure_particles()."
        )
    return DEFAULT_MODELS[signal_type]


def _bundled_folder() -> Path:
    from importlib.resources import files

    return Path(str(files("particlespy_ml.weights")))


def _load_folder(folder: str) -> Model:
    stamp = tuple(
        (path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else None
        for path in (Path(folder) / "card.json", Path(folder) / "model.safetensors")
    )
    return _load_folder_cached(folder, stamp)


@lru_cache(maxsize=8)
def _load_folder_cached(folder: str, stamp: tuple) -> Model:
    path = Path(folder)
    card = _read_card(path / "card.json")
    weights_path = path / "model.safetensors"
    if not weights_path.is_file():
        raise ValueError(f"The model {card['name']!r} has no weights: {weights_path} is missing.")
    content = weights_path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card["sha256"]:
        raise ValueError(
            f"The weights {weights_path} are damaged or not those of their card: their sha256 is {found}, the card "
            f"says {card['sha256']}. Install the package, or copy the model's folder, again."
        )
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights = load(content)
    except SafetensorError as error:
        raise ValueError(f"{weights_path} is no safetensors file: {error}.") from error
    _build(card, weights)
    return (ParticleFinder if card["task"] == SEGMENTATION else Classifier)(card, weights)


def _read_card(path: Path) -> dict:
    if not path.is_file():
        raise ValueError(f"{path.parent} is no model: it lacks card.json.")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"The card {path} is not valid JSON: {error}.") from error
    if not isinstance(card, dict):
        raise ValueError(f"The card {path} is no JSON object, but a {type(card).__name__}.")
    required = _REQUIRED + (("threshold",) if card.get("task") == SEGMENTATION else _REQUIRED_TO_CLASSIFY)
    missing = [key for key in required if key not in card]
    if missing:
        raise ValueError(f"The card {path} lacks {', '.join(missing)}.")
    if card["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"The card {path} has the format version {card['format_version']}; this version of particlespy_ml reads "
            f"{FORMAT_VERSION}."
        )
    for key, (expected, is_valid) in _VALID.items():
        if key not in card and key not in required:
            continue
        value = card[key]
        if not is_valid(value):
            raise ValueError(f"The card {path} has {key} = {value!r}; expected {expected}.")
    return card


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_range(value) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and 0 <= value[0] < value[1]


def _is_pixel_size(value) -> bool:
    if not isinstance(value, dict) or value.get("unit") not in ("Å", "angstrom"):
        return False
    return _is_number(value.get("value")) and value["value"] > 0


def _is_windows(value) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(edge, int) and edge > 0 for edge in value)


def _is_classes(value) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(name, str) and name for name in value)
        and len({*value, UNDEFINED}) == len(value) + 1
    )


# What a wrong card would otherwise turn into wrong results, or into an error far from its cause.
_VALID = {
    "architecture": ("an object with a name", lambda value: isinstance(value, dict) and "name" in value),
    "classes": (f"two or more different names, none of them {UNDEFINED!r}", _is_classes),
    "pixel_size": ('{"value": a positive number, "unit": "Å"}', _is_pixel_size),
    "windows": ("a list of positive integers", _is_windows),
    "pixel_size_range_angstrom": ("[low, high]", _is_range),
    "diameter_range_nm": ("[low, high]", _is_range),
    "temperature": ("a positive number", lambda value: _is_number(value) and value > 0),
    "rejects": ("true or false", lambda value: isinstance(value, bool)),
    "threshold": ("a number between 0 and 1", lambda value: _is_number(value) and 0 < value < 1),
    "min_probability": ("a number between 0 and 1", lambda value: _is_number(value) and 0 <= value <= 1),
}


def _build(card: dict, weights: dict[str, np.ndarray]):
    """Build the network and fill it; a card that does not fit its weights is an error."""
    import torch

    from particlespy_ml.models.networks import build_network, fuse

    try:
        network = build_network(card["architecture"])
        network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in weights.items()})
        network = fuse(network).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            edge = min(card.get("windows", [64]))
            shape = tuple(network(torch.zeros(1, 1, edge, edge)).shape)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The card of the model {card['name']!r} does not fit its weights: {error}") from error
    if card["task"] == SEGMENTATION:
        wanted, what = (1, 2, edge, edge), "two maps (particle, depth)"
    else:
        wanted = (1, len(card["classes"]) + bool(card.get("rejects", False)))
        what = f"{wanted[1]} outputs (one for each class, and one more for what is none of them if it rejects)"
    if shape != wanted:
        raise ValueError(
            f"The card of the model {card['name']!r} needs {what}, but the network gives an array of {shape}."
        )
    return network
