"""The verb `class_fractions`: how many particles are of each class, frame by frame, over a series or its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.dynamics.comparison import series_fractions, step_fractions
from particlespy_ml.tables.as_classes import as_classes
from particlespy_ml.tables.classes import UNDEFINED
from particlespy_ml.tables.dataframe import navigation_columns

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike


def class_fractions(
    table: BaseSignal, per: str | int | ArrayLike = "frame", confidence: float = 0.95, by: str = "class"
) -> pd.DataFrame:
    """Return the fraction of each class, frame by frame, over the whole series or over its steps.

    Parameters
    ----------
    table
        Particle table. A lazy one is computed.
    per
        "frame": one row for each frame with its navigation values, the number of particles, and a column for each
        class and for undefined particles; frames without particles have fractions that are NaN. "series": one row for
        each class with its fraction of all classified particles and frames, the bounds of its confidence interval,
        which knows how long particles keep their class, and the same corrected by the model's confusion matrix. Frames
        that are unevenly spaced in time have the weight of the time they stand for. Frames with several particles must
        be tracked for that. Otherwise rows for each step and class: the name of a navigation axis, such as
        "temperature", a number of frames for each step, or one value for each frame; see
        `particlespy_ml.dynamics.comparison.step_fractions`, and `compare_fractions` for several tables.
    confidence
        Confidence of the intervals.
    by
        "class", or "cluster" or another column of whole numbers or names, whose values are taken for classes.

    Raises
    ------
    ValueError
        If the particles are not classified, or there is no such column or axis.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().classify_particles()
    >>> table.class_fractions()["particles"].tolist()
    [6]
    """
    table = as_classes(table, by)
    if isinstance(per, str) and per == "frame":
        return frame_fractions(table)
    if isinstance(per, str) and per == "series":
        return series_fractions(table, confidence)
    return step_fractions(table, per, confidence)


def frame_fractions(table: BaseSignal) -> pd.DataFrame:
    """Return the fraction of each class in each frame, see `class_fractions`."""
    import pandas as pd

    columns = navigation_columns(table)
    frames = list(table.data.ravel())
    columns["particles"] = np.array([len(rows) for rows in frames])
    for index, name in enumerate((*table.classes, UNDEFINED)):
        wanted = index if name != UNDEFINED else -1
        columns[name] = np.array(
            [np.mean(rows["class_index"] == wanted) if len(rows) else np.nan for rows in frames], dtype=float
        )
    return pd.DataFrame(columns)
