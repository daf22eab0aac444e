"""Columns that follow from others, and those that tell particles apart by their shape."""

from __future__ import annotations

import numpy as np

# What each derived column needs.
DERIVED = {
    "aspect_ratio": ("major_axis_length", "minor_axis_length"),
    "elliptic_compactness": ("major_axis_length", "minor_axis_length", "equivalent_circular_diameter", "perimeter"),
}


# Size, elongation, and compactness beside an ellipse: three numbers that no shift, rotation or gain of the image
# changes, and of which none follows from the others, as circularity follows from the elongation of an ellipse.
DEFAULT_COLUMNS = ("equivalent_circular_diameter", "aspect_ratio", "elliptic_compactness")


def column_of(rows: np.ndarray, name: str) -> np.ndarray:
    """Return a column of the rows of a table as float, shape (rows,) or (rows, k).

    Two are derived where the table has none of the name: ``aspect_ratio``, the ratio of the axes, and
    ``elliptic_compactness``, the perimeter of the ellipse of the same area and ratio over that of the particle: 1 for
    ellipses, 0.89 for squares, and less for what is dented.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> from particlespy_ml.tables.derive import column_of
    >>> rows = pml.data.gold_on_carbon().measure_particles().data[0]
    >>> bool((column_of(rows, "elliptic_compactness") < 1.02).all())
    True
    """
    if name in rows.dtype.names or name not in DERIVED:
        return rows[name].astype(float)
    major, minor = (rows[f"{axis}_axis_length"].astype(float) for axis in ("major", "minor"))
    ratio = np.divide(major, minor, out=np.full(len(rows), np.nan), where=minor > 0)
    if name == "aspect_ratio":
        return ratio
    from scipy.special import ellipe

    long = rows["equivalent_circular_diameter"] / 2 * np.sqrt(ratio)
    around = 4 * long * ellipe(1 - 1 / ratio**2)
    return np.divide(around, rows["perimeter"], out=np.full(len(rows), np.nan), where=rows["perimeter"] > 0)
