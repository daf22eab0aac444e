"""Columns that follow from others, and those that tell particles apart by their shape."""

from __future__ import annotations

import numpy as np

DERIVED = ("aspect_ratio",)


# Size, elongation and compactness: three numbers that are nearly normal within a population once their logarithm is
# taken, and that no shift, rotation or gain of the image changes.
DEFAULT_COLUMNS = ("equivalent_circular_diameter", "aspect_ratio", "circularity")


def column_of(rows: np.ndarray, name: str) -> np.ndarray:
    """Return a column of the rows of a table as float, shape (rows,) or (rows, k); ``aspect_ratio`` is derived."""
    if name == "aspect_ratio" and name not in rows.dtype.names:
        minor = rows["minor_axis_length"].astype(float)
        return np.divide(rows["major_axis_length"], minor, out=np.full(len(rows), np.nan), where=minor > 0)
    return rows[name].astype(float)
