"""The verb `unusual_frames`: frames whose number of particles does not fit those around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.tables.dataframe import navigation_columns

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike

# Frames on each side that tell what is usual, of which blurred ones in a row shall be fewer than half.
AROUND = 11  # odd, so that a few on one side do not make a median of both
# How much more or less it must be, in shares of the usual number and in its spread over the series.
SHARE, SPREADS = 0.5, 5.0


def unusual_counts(counts: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return which counts of a series do not fit those around them, and what would.

    Parameters
    ----------
    counts
        Numbers of particles, shape (frames,).

    Returns
    -------
    unusual : numpy.ndarray
        Booleans: off by more than half of what is usual, and by more than five times the robust spread of the series.
    usual : numpy.ndarray
        Median of eleven frames before or after, of that side which fits better: a change that lasts is none.

    Examples
    --------
    >>> from particlespy_ml.tables.unusual_frames import unusual_counts
    >>> unusual, usual = unusual_counts([80, 79, 81, 22, 80, 78])
    >>> unusual.tolist(), float(usual[3])
    ([False, False, False, True, False, False], 79.0)
    """
    counts = np.asarray(counts, float)
    usual = counts.copy()
    for k in range(len(counts)):
        sides = [part for part in (counts[max(k - AROUND, 0) : k], counts[k + 1 : k + 1 + AROUND]) if len(part)]
        usual[k] = min((float(np.median(part)) for part in sides), key=lambda n: abs(n - counts[k]), default=counts[k])
    off = np.abs(counts - usual)
    spread = max(1.4826 * float(np.median(off)), 1.0) if len(off) else 1.0
    return (off > SHARE * usual) & (off > SPREADS * spread), usual


def unusual_frames(table: BaseSignal) -> pd.DataFrame:
    """Return the frames of a series whose number of particles jumps against the frames around them.

    So do frames that motion blurred, in which only the largest particles are found, frames in which the stage jumped,
    and frames in which noise was outlined.

    Parameters
    ----------
    table
        Table of a series along one axis. A lazy one is computed.

    Returns
    -------
    pandas.DataFrame
        A row for each such frame: ``frame``, the value of its axis, ``count`` and what is ``usual`` there, the median
        of eleven frames before or after.

    Raises
    ------
    ValueError
        If the table has more than one navigation axis.

    See Also
    --------
    track_particles : keeps tracks through such frames, and marks their rows in the column ``unusual_frame``.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.isomer_movie().inav[:8].measure_particles(lazy_output=False)
    >>> len(table.unusual_frames())
    0
    """
    import pandas as pd

    dimension = table.axes_manager.navigation_dimension
    if dimension > 1:
        raise ValueError(
            f"Frames follow each other along one axis, but the table has {dimension}; choose a series with inav."
        )
    table = table._computed()
    counts = np.array([len(rows) for rows in table.data.ravel()])
    unusual, usual = unusual_counts(counts)
    return pd.DataFrame({**navigation_columns(table), "count": counts, "usual": usual})[unusual].reset_index(drop=True)


def unusual_text(counts: ArrayLike, rows_are: str = "particles") -> str:
    """Return a warning about the frames of a series that do not fit; empty where all do."""
    unusual, usual = unusual_counts(counts)
    if not unusual.any():
        return ""
    numbers = np.flatnonzero(unusual)
    listed = [f"{k} ({int(np.asarray(counts)[k])}, usual {usual[k]:.0f})" for k in numbers[:5]]
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return (
        f"The number of {rows_are} jumps in {len(numbers)} of {len(unusual)} frames: {', '.join(listed)}{more}. "
        "They may be blurred, or the stage moved; table.unusual_frames() lists them."
    )
