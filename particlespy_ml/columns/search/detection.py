"""Is there a column? A likelihood-ratio test with a stated rate of false positives."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr


def expected_false_columns(threshold: float, area: float) -> float:
    """Return how many places of an empty area reach a significance by chance.

    The significance of a Gaussian of the width s at every place of white noise is a random field whose correlation is a
    Gaussian of the width sqrt(2) s. The expected number of its maxima above a high threshold u is its expected Euler
    characteristic, area / (2 s^2) (2 pi)^(-3/2) u exp(-u^2 / 2).

    Parameters
    ----------
    threshold
        Significance u in standard deviations.
    area
        Area searched, in squares of the width s.

    References
    ----------
    K. J. Worsley et al., Human Brain Mapping 4, 58 (1996). R. J. Adler and J. E. Taylor, Random Fields and Geometry
    (2007).

    Examples
    --------
    >>> from particlespy_ml.columns.search.detection import expected_false_columns
    >>> bool(expected_false_columns(4.0, 1000.0) < 0.05)
    True
    """
    return float(area / 2 * (2 * np.pi) ** -1.5 * threshold * np.exp(-(threshold**2) / 2))


def significance_threshold(false_positives: float, area: float) -> float:
    """Return the significance that is reached by chance *false_positives* times in an empty area, on average.

    Parameters
    ----------
    false_positives
        Expected number of false columns in the whole area, between 0 and 1.
    area
        Area searched, in squares of the width of a column.

    Raises
    ------
    ValueError
        If the rate is not between 0 and 1.
    """
    if not 0 < false_positives < 1:
        raise ValueError(f"false_positives={false_positives}; expected a number between 0 and 1.")
    if expected_false_columns(1.0, area) <= false_positives:  # the area of less than a column: one test of a normal
        return 1.0
    return float(brentq(lambda u: expected_false_columns(u, area) - false_positives, 1.0, 40.0))


def sites_threshold(false_positives: float, sites: int, area: float) -> float:
    """Return the significance that is reached by chance *false_positives* times at all of many small areas, on average.

    The expected Euler characteristic of each area is that of `expected_false_columns` and, since it is small, the
    chance of a normal deviate at a point, and the term of half of the circumference of a disk.

    Parameters
    ----------
    false_positives
        Expected number of false columns at all sites together, between 0 and 1.
    sites
        Number of places.
    area
        Area in which a column may lie around each place, in squares of the width of a column.

    References
    ----------
    K. J. Worsley et al., Human Brain Mapping 4, 58 (1996).

    Examples
    --------
    >>> from particlespy_ml.columns.search.detection import sites_threshold
    >>> round(sites_threshold(0.05, 100, 0.0), 2)  # a normal deviate of the probability 0.05 / 100
    3.29
    """
    if not 0 < false_positives < 1:
        raise ValueError(f"false_positives={false_positives}; expected a number between 0 and 1.")
    # half of the circumference of the disk, in correlation lengths of the field
    edge = np.sqrt(np.pi * area) / np.sqrt(2)

    def expected(u):
        line = edge * np.exp(-(u**2) / 2) / (2 * np.pi)
        return sites * (ndtr(-u) + line + expected_false_columns(u, area))

    return float(brentq(lambda u: expected(u) - false_positives, 0.0, 40.0))


def poisson_significance(significance: np.ndarray, skewness: np.ndarray) -> np.ndarray:
    """Return the significance that a normal deviate of equal probability has, for a skewed statistic.

    Sums of few electrons are skewed, so that three standard deviations are reached more often than by normal noise. The
    statistic is taken as that of a Poisson variable of the same skewness, whose signed root of the likelihood ratio is
    close to normal.

    Parameters
    ----------
    significance
        Excess in standard deviations of the noise without a column.
    skewness
        Third cumulant over the cube of the standard deviation; one over the root of the number of electrons.

    References
    ----------
    D. A. Pierce and D. W. Schafer, J. Am. Stat. Assoc. 81, 977 (1986).
    """
    significance, skewness = np.broadcast_arrays(np.asarray(significance, float), np.asarray(skewness, float))
    expected = 1 / np.maximum(skewness, 1e-6) ** 2
    found = np.maximum(expected + significance * np.sqrt(expected), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(found > 0, found * np.log(found / expected), 0) - (found - expected)
    return np.sign(significance) * np.sqrt(np.maximum(2 * ratio, 0))


def matched_significance(excess, variance, cubed, template) -> tuple[np.ndarray, np.ndarray]:
    """Return amplitude and significance of a template at every pixel.

    Parameters
    ----------
    excess
        Image minus what is known, shape (rows, columns).
    variance
        Variance of its pixels without a column.
    cubed
        Third cumulant of its pixels: the gain times the part of the variance that is shot noise.
    template
        Values of a column of volume one along an axis, shape (m,); the column is their outer product.

    Returns
    -------
    volume
        Weighted least-squares volume of a column at every pixel.
    significance
        Normal deviate of the likelihood ratio.
    """
    from scipy.ndimage import correlate1d

    def sums(image, power):
        kernel = np.asarray(template) ** power
        return correlate1d(correlate1d(image, kernel, axis=0, mode="constant"), kernel, axis=1, mode="constant")

    weight = 1 / variance
    information = np.maximum(sums(weight, 2), 1e-300)
    score = sums(weight * excess, 1)
    third = sums(weight**3 * cubed, 3)
    deviate = score / np.sqrt(information)
    return score / information, poisson_significance(deviate, third / information**1.5)
