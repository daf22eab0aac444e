"""Intervals of shares."""

from __future__ import annotations

import numpy as np


def wilson_interval(share, n, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of Wilson's interval of shares.

    `scipy.stats.binomtest` has it for one whole number of successes. Here shares may be many, and *n* may be the
    effective number of correlated observations, which is no whole number.

    Parameters
    ----------
    share
        Observed shares, 0 to 1.
    n
        Number of independent observations of each, above zero.
    confidence
        Confidence of the interval.

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Examples
    --------
    >>> from particlespy_ml.core.proportions import wilson_interval
    >>> low, high = wilson_interval([0.0, 0.8], 50)
    >>> low.round(3), high.round(3)
    (array([0.  , 0.67]), array([0.071, 0.888]))
    """
    from scipy.special import ndtri

    share = np.asarray(share, dtype=float)
    z = ndtri(0.5 + confidence / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half
