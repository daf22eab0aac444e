"""The atoms of the particle of each frame."""

from __future__ import annotations

import numpy as np

from particlespy_ml.columns.table import Flag, describe_flags
from particlespy_ml.counting.counts import total_count


def total_counts(table, confidence: float = 0.95):
    """Return the number of atoms of the particle of each frame, with its interval.

    The interval holds for columns whose errors are independent. A wrong library, or a wrong offset of a mixture, is an
    error of all columns and is not in it; where the cross-sections show that a library is wrong, ``doubt`` says so.

    Parameters
    ----------
    table
        Counted column table.
    confidence
        Confidence of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each frame: navigation values, number of columns and of those counted, total with bounds, why
        columns are not counted, and why counts are to be doubted.
    """
    import pandas as pd

    from particlespy_ml.particles.dataframe import navigation_columns

    if "count" not in table.columns:
        raise ValueError("The columns are not counted; call count_atoms() first.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}; expected a number between 0 and 1.")
    columns = navigation_columns(table)
    rows = []
    for frame in table._frames():
        counted = frame["count"] >= 0
        total = (np.nan,) * 3
        if counted.any():
            total = total_count(frame["expected_count"][counted], frame["count_error"][counted], confidence)
        left_out = int(np.bitwise_or.reduce(frame["flags"][~counted])) if (~counted).any() else 0
        doubt = int(np.bitwise_or.reduce(frame["flags"][counted])) & int(Flag.LIBRARY_MISFIT) if counted.any() else 0
        rows.append((len(frame), int(counted.sum()), *total, describe_flags(left_out), describe_flags(doubt)))
    names = ("columns", "counted", "total", "low", "high", "not_counted_because", "doubt")
    return pd.DataFrame({**columns, **dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))})
