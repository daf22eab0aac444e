"""From the likelihood of every number of atoms to counts, their probabilities and totals."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

UNDEFINED_COUNT = -1
CANDIDATES = 3
SHARED_DRAWS = 64  # a multiple of them is the resolution of the probabilities of what columns share


def count_columns_dtype() -> list[tuple]:
    """Return names and types of what counting adds to a column."""
    names: list[tuple] = [("count", "i4"), ("probability", "f4")]
    for number in range(2, CANDIDATES + 1):
        names += [(f"count_{number}", "i4"), (f"probability_{number}", "f4")]
    names += [("expected_count", "f8"), ("count_error", "f8"), ("best_count", "i4"), ("best_probability", "f4")]
    return [*names, ("shared_draws", "f4", (SHARED_DRAWS,))]


def rank_counts(posterior: np.ndarray, counts: np.ndarray, decided=None, draws=None, error=None) -> np.ndarray:
    """Return the most probable counts of each column.

    Parameters
    ----------
    posterior
        Probability of each count, shape (n, c); rows sum to one. Rows with NaN are not counted, and nothing is known
        of them.
    counts
        The numbers of atoms that they are of, shape (c,); 0 is no column.
    decided
        Columns whose count is certain enough to be given, shape (n,); by default all. Of others the best guess is.
    draws
        Expected counts under equally probable values of what columns share, shape (n, `SHARED_DRAWS`); by default they
        share nothing.
    error
        Standard deviation of the count, shape (n,); by default that of the posterior.

    Returns
    -------
    numpy.ndarray
        Structured, shape (n,): ``count`` with its ``probability``, the two next ones, mean and standard deviation
        of the posterior, ``best_count`` with ``best_probability``, which columns that are not decided have as well, and
        ``shared_draws``. Where there are fewer candidates, and in columns that are not counted, counts are
        `UNDEFINED_COUNT`.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.counts import rank_counts
    >>> rank_counts(np.array([[0.1, 0.7, 0.2]]), np.array([3, 4, 5]))[["count", "count_2"]]
    array([(4, 5)], dtype={'names': ['count', 'count_2'], ...})
    """
    posterior, counts = np.asarray(posterior, float), np.asarray(counts, int)
    out = np.zeros(len(posterior), count_columns_dtype())
    order = np.argsort(-posterior, axis=1, kind="stable")[:, :CANDIDATES]
    ranked = np.take_along_axis(posterior, order, 1)
    known = np.isfinite(posterior).all(1) if posterior.shape[1] else np.zeros(len(posterior), bool)
    given = known if decided is None else known & np.asarray(decided, bool)
    names = [("best_count", "best_probability", 0, known)]
    for rank in range(CANDIDATES):
        suffix = "" if rank == 0 else f"_{rank + 1}"
        names.append((f"count{suffix}", f"probability{suffix}", rank, given))
    for count, probability, rank, which in names:
        if rank < order.shape[1]:
            out[count] = np.where(which, counts[order[:, rank]], UNDEFINED_COUNT)
            out[probability] = np.where(which, ranked[:, rank], np.nan)
        else:
            out[count], out[probability] = UNDEFINED_COUNT, np.nan
    mean = posterior @ counts
    out["expected_count"] = mean
    out["count_error"] = np.sqrt(np.maximum(posterior @ counts**2 - mean**2, 0)) if error is None else error
    out["shared_draws"] = mean[:, None] if draws is None else draws
    return out


def undefined_counts(n: int) -> np.ndarray:
    """Return the rows of columns that are not counted."""
    return rank_counts(np.full((n, 1), np.nan), np.zeros(1, int))


def total_count(expected: np.ndarray, error: np.ndarray, confidence: float = 0.95, draws=None):
    """Return the median of the sum of counts, and the shortest interval that holds the sum.

    Parameters
    ----------
    expected, error
        Mean and standard deviation of the number of atoms of each column, shape (n,).
    confidence
        Confidence of the interval.
    draws
        Expected counts under equally probable values of what columns share, shape (n, s); by default columns are
        independent. Under each of them the sum is normally distributed.

    Returns
    -------
    total, low, high
        NaN where nothing is known of a column.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.counts import total_count
    >>> total_count([5.0, 6.0], [0.3, 0.4])
    (11.0, 10.0..., 11.9...)
    >>> total_count([5.5, 6.5], [0.5, 0.5], draws=[[5.0, 6.0], [6.0, 7.0]])  # the same step of both
    (12.0, 11.0, 13.0)
    >>> total_count([5.25, 6.25], [0.433, 0.433], draws=[[5.0] * 3 + [6.0], [6.0] * 3 + [7.0]])  # of which one is rarer
    (11.0, 11.0, 13.0)
    """
    expected, error = np.asarray(expected, float), np.asarray(error, float)
    total = float(np.sum(expected))
    if draws is None:
        spread = float(norm.ppf(0.5 + confidence / 2) * np.sqrt(np.sum(np.square(error))))
        return total, total - spread, total + spread
    draws = np.asarray(draws, float)
    sums = draws.sum(0)
    own = np.sqrt(np.sum(np.maximum(np.square(error) - draws.var(1), 0)))
    if not np.isfinite(total + own) or not np.isfinite(sums).all():
        return total, np.nan, np.nan
    if np.ptp(sums) <= 1e-3 * own:
        return total_count([total], [own], confidence)
    steps = (np.arange(QUANTILES) + 0.5) / QUANTILES
    points = np.sort((sums[:, None] + own * norm.ppf(steps)).ravel())
    held = min(int(np.ceil(confidence * len(points))), len(points) - 1)
    start = int(np.argmin(points[held:] - points[: len(points) - held]))
    return float(np.median(points)), float(points[start]), float(points[start + held])


QUANTILES = 200
