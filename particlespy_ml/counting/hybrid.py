"""Counting with a library whose scale is not known: simulation gives the shape, the columns give the factor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from particlespy_ml.counting.library import LibraryCounts, count_with_library

DECISIVE = 3.0  # log-likelihood between the best factor and the next that counts otherwise


@dataclass(frozen=True)
class HybridCounts:
    """Counts with a fitted factor.

    Parameters
    ----------
    counts
        With the best factor.
    factors, log_likelihoods
        Factors tried and what each gave.
    reason
        Why the factor is not sure; empty where it is.
    tried
        Counts with each of the factors.
    """

    counts: LibraryCounts
    factors: np.ndarray
    log_likelihoods: np.ndarray
    reason: str
    tried: list[LibraryCounts]


def count_hybrid(
    values, errors, cross_sections, scatter: float | None = None, factors: tuple[float, float] = (0.8, 1.25)
) -> HybridCounts:
    """Count with a library times a factor that is fitted, as where the calibration of the detector is not trusted.

    Parameters
    ----------
    values, errors, cross_sections, scatter
        See `particlespy_ml.counting.library.count_with_library`.
    factors
        Smallest and largest factor.

    References
    ----------
    A. De wael et al., Ultramicroscopy 177, 69 (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.hybrid import count_hybrid
    >>> values = 1.1 * np.repeat([1.0, 2.0, 2.9, 3.7], 10) + 0.02 * np.random.default_rng(0).normal(size=40)
    >>> round(count_hybrid(values, np.full(40, 0.02), np.array([1.0, 2.0, 2.9, 3.7])).counts.factor, 1)
    1.1
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    cross_sections = np.asarray(cross_sections, float)
    if not 0 < factors[0] <= factors[1]:
        raise ValueError(f"factors={factors}; expected the smallest and the largest factor, above zero.")
    grid = np.exp(np.arange(np.log(factors[0]), np.log(factors[1]) + 0.0025, 0.005))
    if scatter is None:
        scatter = 0.03
    tried = [count_with_library(values, errors, factor * cross_sections, scatter, iterations=40) for factor in grid]
    likelihood = np.array([run.log_likelihood for run in tried])
    best = int(np.argmax(likelihood))
    chosen = tried[best].posterior.argmax(1)
    reason = ""
    for other in np.argsort(-likelihood):
        if likelihood[other] < likelihood[best] - DECISIVE:
            break
        if np.mean(tried[other].posterior.argmax(1) != chosen) > 0.1:
            reason = (
                f"the factor of the library is not unique: {grid[best]:.2f} and {grid[other]:.2f} fit as well "
                f"and count otherwise; take more dose, or calibrate the detector"
            )
            break
    if not reason and best in (0, len(grid) - 1) and len(grid) > 1:
        reason = f"the best factor of the library, {grid[best]:.2f}, lies at the end of the range {factors}"
    counts = count_with_library(values, errors, grid[best] * cross_sections, scatter)
    tried = [replace(run, factor=float(factor)) for run, factor in zip(tried, grid, strict=True)]
    return HybridCounts(replace(counts, factor=float(grid[best])), grid, likelihood, reason, tried)
