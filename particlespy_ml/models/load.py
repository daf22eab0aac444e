"""Models by name or by folder, checked when they are loaded."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from particlespy_ml.models.card import read_card
from particlespy_ml.models.model import Classifier, Model
from particlespy_ml.models.networks import load_network
from particlespy_ml.models.tasks import TASKS

# the classifier of each signal type
DEFAULT_MODELS = {
    signal_type: name
    for task in TASKS.values()
    if issubclass(task.model, Classifier)
    for signal_type, name in task.default_models.items()
}


def list_models() -> list[str]:
    """Return the names of the bundled models.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.list_models()[:4]
    ['ceria-hrtem', 'columns-hrtem', 'crystallinity-hrtem', 'graphene-hrtem']
    """
    root = _bundled_folder()
    return sorted(entry.name for entry in root.iterdir() if (entry / "card.json").is_file())


def describe_models() -> list[str]:
    """Return what each bundled model is for, in a line that starts with its name; no network is built.

    Examples
    --------
    >>> from particlespy_ml.models.load import describe_models
    >>> describe_models()[2]
    'crystallinity-hrtem: HRTEM, monocrystalline, polycrystalline, amorphous; 0.9 to 13 nm'
    """
    lines = []
    for name in list_models():
        card = read_card(_bundled_folder() / name / "card.json")
        task = TASKS[card["task"]]
        sizes = "any size" if task.any_scale else "{:g} to {:g} nm".format(*card["diameter_range_nm"])
        lines.append(f"{name}: {card['signal_type']}, {task.model(card, {}).purpose}; {sizes}")
    return lines


def load_model(model: str | Path | Model, device: str | None = None) -> Model:
    """Load a model by the name of a bundled one, or from a folder of the user's own.

    Nothing is downloaded and nothing is unpickled.

    Parameters
    ----------
    model
        Name, or folder that holds ``model.safetensors`` and ``card.json``. A loaded model is returned as it is.
    device
        Where its network runs: "cpu", "cuda" or one of several GPUs, "cuda:1"; by default "cuda" where there is a GPU.

    Raises
    ------
    ValueError
        If there is no such model, a file is damaged (its hash differs from the card's), the card does not fit, or
        there is no such device.
    TypeError
        If *model* is no name, folder or model.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.load_model("isomer-haadf", device="cpu").classes
    ('icosahedron', 'decahedron', 'cuboctahedron', 'amorphous')
    """
    if isinstance(model, Model):
        return model if device in (None, model.device) else replace(model, device=device)
    if not isinstance(model, (str, Path)):
        raise TypeError(f"Expected the name or the folder of a model, or a loaded model, not {type(model).__name__}.")
    names = list_models()
    if isinstance(model, str) and model in names:
        return load_model(_load_folder(str(_bundled_folder() / model)), device)
    folder = Path(model)
    if not folder.is_dir():
        raise ValueError(
            f"Unknown model {str(model)!r}: expected one of {names}, or the folder of a model of your own."
        )
    return load_model(_load_folder(str(folder.resolve())), device)


def bundled_card(name: str) -> dict:
    """Return the card of a bundled model, without its weights.

    Examples
    --------
    >>> bundled_card("isomer-haadf")["task"]
    'isomer'
    """
    return read_card(_bundled_folder() / name / "card.json")


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
    card = read_card(path / "card.json")
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
    _check_network(card, weights)
    return TASKS[card["task"]].model(card, weights)


def _check_network(card: dict, weights: dict) -> None:
    """Check that the weights are those of the card's architecture, and its outputs what the task needs."""
    task = TASKS[card["task"]]
    try:
        shape = task.output_shape(card, load_network(card["architecture"], weights))
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The card of the model {card['name']!r} does not fit its weights: {error}") from error
    if shape != task.wanted_shape(card):
        raise ValueError(
            f"The card of the model {card['name']!r} needs {task.wanted_outputs(card)[1]}, but the network gives an "
            f"array of {shape}."
        )
