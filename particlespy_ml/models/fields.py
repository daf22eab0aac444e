"""What the fields of a card may hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from particlespy_ml.tables.classes import UNDEFINED


class Field(NamedTuple):
    """A field of a card: what it must be, in words, and the check of it."""

    expected: str
    is_valid: Callable[[object], bool]


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


def _is_factors(value) -> bool:
    return isinstance(value, list) and all(_is_number(factor) and factor > 1 for factor in value)


def _is_classes(value) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(name, str) and name for name in value)
        and len({*value, UNDEFINED}) == len(value) + 1
    )


def _is_columns(value) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(one, dict) and isinstance(one.get("kind"), str) and one["kind"] for one in value)
        and len({one["kind"] for one in value}) == len(value)
        and all(isinstance(one.get("heights"), int) and one["heights"] > 0 for one in value)
    )


def _is_coefficients(value) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))


ANYTHING = Field("anything", lambda value: True)
ARCHITECTURE = Field("an object with a name", lambda value: isinstance(value, dict) and "name" in value)
CLASSES = Field(f"two or more different names, none of them {UNDEFINED!r}", _is_classes)
COEFFICIENTS = Field("a list of four numbers", _is_coefficients)
COLUMNS = Field('a list of {"kind": a name, "heights": a positive integer}, no name twice', _is_columns)
FLAG = Field("true or false", lambda value: isinstance(value, bool))
PIXEL_SIZE = Field('{"value": a positive number, "unit": "Å"}', _is_pixel_size)
POSITIVE = Field("a positive number", lambda value: _is_number(value) and value > 0)
PROBABILITY = Field("a number between 0 and 1", lambda value: _is_number(value) and 0 <= value <= 1)
READER = Field('{"kind": a name}', lambda value: isinstance(value, dict) and isinstance(value.get("kind"), str))
RANGE = Field("[low, high]", _is_range)
THRESHOLD = Field("a number between 0 and 1", lambda value: _is_number(value) and 0 < value < 1)
FACTORS = Field("a list of numbers above 1", _is_factors)
WINDOWS = Field("a list of positive integers", _is_windows)
