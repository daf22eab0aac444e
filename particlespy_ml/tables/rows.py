"""Rows of a frame: structured arrays, and columns added to them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def add_columns(rows: np.ndarray, columns: list[tuple], without: Iterable[str] = ()) -> np.ndarray:
    """Return rows with more columns at their end, which hold zeros.

    Parameters
    ----------
    rows
        Structured array.
    columns
        Names and dtypes, as numpy takes them; columns of these names that the rows have are replaced.
    without
        Names of columns that are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.tables.rows import add_columns
    >>> rows = np.array([(1.0, 2.0)], dtype=[("x", float), ("y", float)])
    >>> add_columns(rows, [("cluster", "i4")], without=["y"]).dtype.names
    ('x', 'cluster')
    """
    left_out = {*without, *(column[0] for column in columns)}
    kept = [name for name in rows.dtype.names if name not in left_out]
    out = np.zeros(len(rows), [*((name, rows.dtype[name]) for name in kept), *columns])
    for name in kept:
        out[name] = rows[name]
    return out
