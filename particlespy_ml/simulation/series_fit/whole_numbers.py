"""Which whole numbers of atoms columns have, of which parts of atoms were fitted."""

from __future__ import annotations

import numpy as np

# what a fit does not know of: strength of scattering, which all columns share, and an offset; then of each column alone
SCALE, OFFSET = 0.07, 0.1  # over one, and in atoms
OWN, OWN_SHARE = 0.1, 0.045  # atoms, and of the number of atoms: displacements of atoms are not alike
_DOUBT = 1.5  # variance of what the fit tells over that which it has
_FROM_BEFORE = 0.15  # power of the probabilities known before, of each column alone: what they are off by is shared
_OUTLIER = -2.5  # logarithm of the likelihood of a column that is none, or is unlike all others
_GRIDS = (np.linspace(-3, 3, 61), np.linspace(-2.5, 2.5, 21), np.linspace(-2.5, 2.5, 15))
_FAINTEST = 1e-3


def whole_numbers(
    heights: np.ndarray,
    covariance: np.ndarray,
    highest: int,
    before: np.ndarray,
    own_share: float = OWN_SHARE,
) -> np.ndarray:
    """Return the probability of each whole number of atoms, shape (n, highest).

    Errors that columns share, such as those of the lens, move all numbers by parts of an atom: the shared error that
    brings most of them to whole numbers is the most probable. The three largest shared errors are tried on a grid, and
    columns are independent of each other then.

    Parameters
    ----------
    heights
        Fitted numbers of atoms, not whole ones, shape (n,).
    covariance
        Of these, shape (n, n).
    highest
        Largest number, which stands for all above it.
    before
        Probability of each number as known before, of one atom on, shape (n, m).
    own_share
        Of a column's number of atoms: what the fit does not know of this column alone.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.series_fit.whole_numbers import whole_numbers
    >>> heights = np.array([0.7, 1.7, 2.7, 3.7])
    >>> together = 0.2**2 * np.ones((4, 4)) + 0.02**2 * np.eye(4)
    >>> (whole_numbers(heights, together, 6, np.full((4, 6), 1 / 6)).argmax(1) + 1).tolist()
    [1, 2, 3, 4]
    """
    covariance = _DOUBT * covariance + SCALE**2 * np.outer(heights, heights) + OFFSET**2
    variances, axes = np.linalg.eigh(covariance)
    largest = np.argsort(-variances)[: len(_GRIDS)]
    shared = axes[:, largest] * np.sqrt(variances[largest])
    own = np.sqrt(np.maximum(np.diag(covariance - shared @ shared.T), 0) + OWN**2 + (own_share * heights) ** 2)
    tried = np.stack(np.meshgrid(*_GRIDS[: len(largest)], indexing="ij"), -1).reshape(-1, len(largest))
    # columns above the highest number have theirs, so that they do not pull the others down
    numbers = np.arange(1, max(highest, int(np.ceil(heights.max(initial=1.0))) + 3) + 1)
    known = np.full((len(heights), len(numbers)), _FAINTEST)
    common = min(len(numbers), before.shape[1])
    known[:, :common] = np.maximum(before[:, :common], _FAINTEST)
    # the last number of what was known stands for all above it
    known[:, common:] = known[:, common - 1 : common]
    result, total, best = np.zeros((len(heights), len(numbers))), 0.0, -np.inf
    for part in np.array_split(tried, max(1, len(tried) // 500)):
        middle = heights + part @ shared.T
        likelihood = -0.5 * ((numbers - middle[:, :, None]) / own[:, None]) ** 2
        weight = np.logaddexp(np.logaddexp.reduce(likelihood, axis=2), _OUTLIER).sum(1) - 0.5 * (part**2).sum(1)
        likelihood += _FROM_BEFORE * np.log(known)
        likelihood -= np.logaddexp.reduce(likelihood, axis=2)[:, :, None]
        if weight.max() > best:
            result, total = (one * np.exp(best - weight.max()) for one in (result, total))
            best = weight.max()
        weight = np.exp(weight - best)
        result = result + np.einsum("s,snh->nh", weight, np.exp(likelihood))
        total = total + weight.sum()
    result = result / total
    result[:, highest - 1] += result[:, highest:].sum(1)
    return result[:, :highest]
