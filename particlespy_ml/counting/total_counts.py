"""The atoms of the particle of each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.flags import Flag, describe_flags
from particlespy_ml.counting.counts import total_count

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal


DOUBTS = (
    Flag.LIBRARY_MISFIT
    | Flag.UNCERTAIN_OFFSET
    | Flag.UNRESOLVED
    | Flag.UNCERTAIN_SCALE
    | Flag.TOO_FEW_COLUMNS
    | Flag.BEYOND_LIBRARY
    | Flag.OUTLIER
)


def total_counts(table: BaseSignal, confidence: float = 0.95) -> pd.DataFrame:
    """Return the number of atoms of the particle of each frame, with its interval.

    The total is that of all columns that have an ``expected_count``: those that are counted, and those that have a best
    guess alone (``best_count``), as all of a frame where the components are not resolved. A column that fits no number
    of atoms is in it with the probability that it is a column. Columns that are saturated or cut by the border of the
    image, and frames without a lattice, have no estimate and are not in it; neither are columns that were not found.

    It is the median of the distribution of the sum, where columns share nothing the sum of ``expected_count``, and the
    interval is the shortest that holds the sum with that confidence. What is uncertain of all columns at once
    moves all of them together in it: the number of atoms of the thinnest ones, the increment and the number of
    components of a mixture, the factor of ``"hybrid"`` (in ``shared_draws``); the rest is independent. An error of a
    library is not in it; where the cross-sections show that a library is wrong, ``doubt`` says so.

    Parameters
    ----------
    table
        Counted column table, or rows of one: the total is that of the rows that are there.
    confidence
        Confidence of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each frame: navigation values, number of columns and of those counted, total with bounds, why
        columns are not counted, why counts are to be doubted, and number of the columns that are in the total.
    """
    import pandas as pd

    from particlespy_ml.tables.dataframe import navigation_columns

    if "count" not in table.columns:
        raise ValueError("The columns are not counted; call count_atoms() first.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}; expected a number between 0 and 1.")
    columns = navigation_columns(table)
    rows = []
    for frame in table._frames():
        counted = frame["count"] >= 0
        known = np.isfinite(frame["expected_count"])
        total = (np.nan,) * 3
        if known.any():
            draws = frame["shared_draws"][known] if "shared_draws" in frame.dtype.names else None
            total = total_count(frame["expected_count"][known], frame["count_error"][known], confidence, draws)
        left_out = int(np.bitwise_or.reduce(frame["flags"][~counted])) if (~counted).any() else 0
        doubt = int(np.bitwise_or.reduce(frame["flags"][known])) & int(DOUBTS) if known.any() else 0
        texts = describe_flags(left_out & ~int(Flag.UNCERTAIN_OFFSET)), describe_flags(doubt)
        rows.append((len(frame), int(counted.sum()), *total, *texts, int(known.sum())))
    names = ("columns", "counted", "total", "low", "high", "not_counted_because", "doubt", "in_total")
    return pd.DataFrame({**columns, **dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))})
