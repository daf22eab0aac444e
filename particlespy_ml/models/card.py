"""The card of a model, read and checked."""

from __future__ import annotations

import json
from pathlib import Path

from particlespy_ml.models import fields
from particlespy_ml.models.tasks import TASKS, Classification

FORMAT_VERSION = 1

# What every card has; what else it needs depends on its task.
_FIELDS = {
    "format_version": fields.ANYTHING,
    "name": fields.ANYTHING,
    "signal_type": fields.ANYTHING,
    "task": fields.Field(f"one of {sorted(TASKS)}", lambda value: isinstance(value, str) and value in TASKS),
    "architecture": fields.ARCHITECTURE,
    "sha256": fields.ANYTHING,
}
_SCALE = {
    "pixel_size": fields.PIXEL_SIZE,
    "pixel_size_range_angstrom": fields.RANGE,
    "diameter_range_nm": fields.RANGE,
}


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
    if "task" in card:
        _check(path, card, {"task": _FIELDS["task"]})
    task = TASKS[card["task"]] if "task" in card else Classification  # most models classify
    general = _FIELDS if task.any_scale else {**_FIELDS, **_SCALE}
    missing = [key for key in (*general, *task.required) if key not in card]
    if missing:
        raise ValueError(f"The card {path} lacks {', '.join(missing)}.")
    if card["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"The card {path} has the format version {card['format_version']}; this version of particlespy_ml reads "
            f"{FORMAT_VERSION}."
        )
    # a wrong card would otherwise turn into wrong results, or into an error far from its cause
    _check(path, card, {**general, **task.required, **task.optional})
    return card


def _check(path: Path, card: dict, known: dict[str, fields.Field]) -> None:
    for key, field in known.items():
        if key in card and not field.is_valid(card[key]):
            raise ValueError(f"The card {path} has {key} = {card[key]!r}; expected {field.expected}.")
