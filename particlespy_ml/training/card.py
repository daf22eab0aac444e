"""A model folder: weights and the card that says what they are."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.core.files import replacing
from particlespy_ml.models.networks import build_network

if TYPE_CHECKING:
    import torch

FORMAT_VERSION = 1
_PACKAGES = ("torch", "numpy", "scipy", "ase", "particlespy-ml")


def write_model(folder: str | Path, network: torch.nn.Module, card: dict) -> Path:
    """Write a model folder: beside it first, then renamed, so there is never half a model.

    Parameters
    ----------
    folder
        Folder of the model; an older model there is replaced.
    network
        Network whose weights are written.
    card
        Card without the fields that follow from the weights (``format_version``, ``sha256``), which are added.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    weights = {name: _stored(name, tensor).contiguous() for name, tensor in network.state_dict().items()}
    with replacing(folder) as part:
        part.mkdir(parents=True)
        save_file(weights, part / "model.safetensors")
        (part / "model.safetensors").chmod(0o644)  # safetensors makes files that other users cannot read
        card = {"format_version": FORMAT_VERSION, **card, "sha256": sha256(part / "model.safetensors")}
        (part / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder


def _stored(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Matrices of the reader of a network in half precision, which changes its probabilities by less than 0.01."""
    return tensor.half() if name.startswith("reader.") and tensor.ndim == 2 else tensor


def model_folder(model: str | Path) -> Path:
    """Folder of a model, given as a folder or as the name of a bundled one."""
    if Path(model).is_dir():
        return Path(model)
    from importlib.resources import files

    return Path(str(files("particlespy_ml.weights"))) / str(model)


def update_card(folder: str | Path, **changes) -> dict:
    """Change fields of the card of a model folder and return the new card."""
    path = Path(folder) / "card.json"
    card = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    with replacing(path) as part:
        part.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return card


def read_model(folder: str | Path) -> tuple[torch.nn.Module, dict]:
    """Read a model folder: network in evaluation mode, and card.

    Raises
    ------
    ValueError
        If the weights are not those that the card was written for.
    """
    from safetensors.torch import load_file

    folder = Path(folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    if sha256(folder / "model.safetensors") != card["sha256"]:
        raise ValueError(f"The weights in {folder} are damaged: their sha256 is not the one on the card.")
    network = build_network(card["architecture"])
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network.eval(), card


def sha256(path: str | Path) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter to a training."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def make_card(recipe: dict, n_training: int, calibration: dict, results: dict) -> dict:
    """Return the card of a model that was just trained.

    Parameters
    ----------
    recipe
        Tables of the recipe, with the seed that was used.
    n_training
        Number of PRISM simulations trained on.
    calibration
        ``temperature`` and ``min_probability``.
    results
        Result of `particlespy_ml.training.isomer.evaluate.measure`.
    """
    from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe
    from particlespy_ml.training.isomer.batches import CANONICAL, MULTIPLE

    model, card = dict(recipe["model"]), dict(recipe["card"])
    simulation = IsomerLibraryRecipe.from_dict(recipe["simulation"])
    classes, outputs = list(simulation.isomers), len(simulation.classes)
    low, high = card.pop("window_range")
    conditions = "held-out PRISM images, random orientation, 0.4 Å pixels, 0.8 Å source (DetectorRecipe.nominal)"
    return {
        **model,
        "architecture": {**model["architecture"], "n_classes": outputs},
        "classes": classes,
        "rejects": outputs > len(classes),
        "pixel_size": {"value": CANONICAL, "unit": "Å"},
        "window_multiple": MULTIPLE,
        "windows": list(range(low, high + 1, MULTIPLE)),
        "normalisation": "window-standardised",
        **calibration,
        **evaluation_of(results, conditions),
        "training": {
            "recipe": recipe["training"],
            "seed": recipe["training"]["seed"],
            "simulation": recipe["simulation"],
            "detector": recipe["detector"],
            "prism_simulations": n_training,
        },
        "versions": versions(),
        **card,
    }


def evaluation_of(results: dict, conditions: str) -> dict:
    """Return the fields of a card that say how good a classifier of isomers is.

    Parameters
    ----------
    results
        Result of `particlespy_ml.training.isomer.evaluate.measure`.
    conditions
        What was imaged and how, in words.
    """
    return {
        "confusion_matrix": {
            "rows": "true class",
            "conditions": f"{conditions}, 1000 e/Å²",
            "values": results["confusion"]["1000"],
            "values_above_min_probability": results["confusion_above_min_probability"],
        },
        "evaluation": results["nominal"],
        "evaluation_conditions": f"{conditions}; intervals of 95 % over structures",
        "evaluation_harsh": results["harsh"],
        "evaluation_harsh_conditions": "the same structures with everything that the detector recipe draws",
        "evaluation_incoherent": results.get("incoherent", {}),
        "evaluation_by_size": results["by_size_at_1000"],
        "evaluation_by_pixel_size": results["by_pixel_size_at_1000"],
        "evaluation_by_source_size": results["by_source_size_at_1000"],
        "evaluation_by_off_centring": results["by_off_centring_at_1000"],
        "out_of_range": results["out_of_range"],
        "calibration_error": results["calibration_error_harsh"],
        "coverage": results["coverage_nominal_1000"],
    }
