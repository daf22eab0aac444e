"""From the likelihood of every number of atoms to counts, their probabilities and totals."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

UNDEFINED_COUNT = -1
CANDIDATES = 3


def count_columns_dtype() -> list[tuple[str, str]]:
    """Return names and types of what counting adds to a column."""
    names: list[tuple[str, str]] = [("count", "i4"), ("probability", "f4")]
    for number in range(2, CANDIDATES + 1):
        names += [(f"count_{number}", "i4"), (f"probability_{number}", "f4")]
    return [*names, ("expected_count", "f8"), ("count_error", "f8")]


def rank_counts(posterior: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the most probable counts of each column.

    Parameters
    ----------
    posterior
        Probability of each count, shape (n, c); rows sum to one. Rows with NaN are not counted.
    counts
        The numbers of atoms that they are of, shape (c,).

    Returns
    -------
    numpy.ndarray
        Structured, shape (n,): ``count`` with its ``probability``, the two next ones, and mean and standard deviation
        of the posterior. Where there are fewer candidates, and in columns that are not counted, counts are
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
    known = np.isfinite(posterior).all(1) if posterior.shape[1] else np.zeros(len(posterior), bool)
    for rank in range(CANDIDATES):
        suffix = "" if rank == 0 else f"_{rank + 1}"
        if rank < order.shape[1]:
            chosen = order[:, rank]
            out[f"count{suffix}"] = np.where(known, counts[chosen], UNDEFINED_COUNT)
            out[f"probability{suffix}"] = np.where(known, np.take_along_axis(posterior, order, 1)[:, rank], np.nan)
        else:
            out[f"count{suffix}"], out[f"probability{suffix}"] = UNDEFINED_COUNT, np.nan
    mean = posterior @ counts
    out["expected_count"] = mean
    out["count_error"] = np.sqrt(np.maximum(posterior @ counts**2 - mean**2, 0))
    return out


def undefined_counts(n: int) -> np.ndarray:
    """Return the rows of columns that are not counted."""
    return rank_counts(np.full((n, 1), np.nan), np.zeros(1, int))


def total_count(expected: np.ndarray, error: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the number of atoms of all columns with its interval, columns being independent.

    Parameters
    ----------
    expected, error
        Means and standard deviations of the posterior of each column.
    confidence
        Confidence of the interval.

    Returns
    -------
    total, low, high
        NaN where a column is not counted.
    """
    total = float(np.sum(expected))
    spread = float(norm.ppf(0.5 + confidence / 2) * np.sqrt(np.sum(np.square(error))))
    return total, total - spread, total + spread
