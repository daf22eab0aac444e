"""Recipes as data classes, made from the tables of a recipe file."""

from __future__ import annotations

from dataclasses import fields


def from_table(cls, values: dict, what: str):
    """Make a data class from a mapping, lists as tuples.

    Raises
    ------
    ValueError
        If the mapping has a key that is no field; *what* names the table in the message.
    """
    known = {field.name for field in fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"Unknown {what} settings {unknown}; expected some of {sorted(known)}.")
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
