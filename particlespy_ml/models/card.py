"""The card of a model: read, checked, and turned into the network that it describes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.tables.classes import UNDEFINED

if TYPE_CHECKING:
    import torch

FORMAT_VERSION = 1
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


def read_card(path: Path) -> dict:
    """Read and check a card.

    Raises
    ------
    ValueError
        If it is missing, is no JSON object, lacks something or has a value that cannot be.
    """
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


def network_of(card: dict, weights: dict[str, np.ndarray]) -> torch.nn.Module:
    """Build the network and fill it; a card that does not fit its weights is an error."""
    import torch

    from particlespy_ml.models.networks import build_network, fuse

    try:
        network = build_network(card["architecture"])
        network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in weights.items()})
        network = fuse(network).to(memory_format=torch.channels_last)
        edge = min(card.get("windows", [64]))
        with torch.inference_mode():
            if card["architecture"]["name"] == "template_atlas":  # whose templates take seconds to make
                _check_pixel_size(card)
                shape = tuple(network[1](torch.zeros(1, network[0].n_features)).shape)
            else:
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


def _check_pixel_size(card: dict) -> None:
    templates, windows = card["architecture"].get("pixel_size"), card["pixel_size"]["value"]
    if templates != windows:
        raise ValueError(f"its templates have pixels of {templates} Å, its windows of {windows} Å.")
