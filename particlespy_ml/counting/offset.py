"""How many atoms the thinnest component of a mixture stands for, with the doubt in it."""

from __future__ import annotations

import numpy as np

# The curve of cross-sections against numbers of atoms does not run through the origin along its first increments: it
# bends by channelling and by scattering that interferes along the column, and an error of the background moves all of
# it. Of five curves simulated with abTEM (those of `benchmarks.counting.totals`), and of simulated images fitted with
# Gaussians, the number of atoms of a component less its mean over the increment beyond it was between -0.6 and 0.6 for
# up to four atoms, and fell below that for more, where increments have become smaller.
EXPECTED, BEND = 0.15, 0.03
SPREAD, RELATIVE_SPREAD = 0.28, 0.1
# that the thinnest component is made of what is no column, as a multiple of it being single atoms
FALSE = 0.2
UNDECIDED = 0.95  # probability of the number of atoms below which it is said to be uncertain


def first_count_posterior(ratio: float, error: float = 0.0) -> np.ndarray:
    """Return the probabilities that the thinnest component has 0, 1, 2, ... atoms.

    The number of atoms less *ratio* is normally distributed, with a mean and a width that simulated cross-sections
    gave. Few particles have no thin columns: the prior falls as one over the number of atoms. No atoms means that what
    was found is no column.

    Parameters
    ----------
    ratio
        Mean of the component in increments.
    error
        Standard error of the ratio.

    Returns
    -------
    numpy.ndarray
        Shape (m,), sums to one.

    Raises
    ------
    ValueError
        If the ratio is no finite number.

    References
    ----------
    G. T. Martinez et al., Ultramicroscopy 137, 12 (2014) and J. M. LeBeau et al., Nano Lett. 10, 4405 (2010) for
    cross-sections that are not in proportion to the number of atoms.

    Examples
    --------
    >>> from particlespy_ml.counting.offset import first_count_posterior
    >>> first_count_posterior(1.0).round(2)[:3]
    array([0.  , 0.99, 0.01])
    >>> first_count_posterior(1.45).round(1)[:3]
    array([0. , 0.4, 0.6])
    """
    if not np.isfinite(ratio):
        raise ValueError(f"ratio={ratio}; expected a finite number.")
    ratio = max(float(ratio), 0.0)
    numbers = np.arange(int(np.ceil(1.5 * ratio)) + 5)
    spread = np.sqrt(SPREAD**2 + (RELATIVE_SPREAD * ratio) ** 2 + error**2)
    away = numbers - ratio - (EXPECTED - BEND * max(ratio - 1, 0) ** 2)
    prior = np.concatenate([[FALSE], 1 / numbers[1:]])
    weight = prior * np.exp(-0.5 * (away / spread) ** 2)
    return weight / weight.sum() if weight.sum() > 0 else np.eye(len(numbers))[max(1, round(ratio))]
