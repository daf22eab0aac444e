"""Matches that do not count: across the boundary of grains, and by chance."""

from __future__ import annotations

import numpy as np

from particlespy_ml.strain.deformation import affine_maps

WITNESSES = 2  # neighbours that are matched themselves, or a match is taken for chance
# of the distance between neighbours: how far a column may lie from where the others of its match say
LARGEST_DEVIATION = 0.1
DEVIATIONS = 4.5  # standard deviations: the same where columns scatter more


def with_strangers(points: np.ndarray, template: np.ndarray, known: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Return which matches hold a column that lies elsewhere than the others say: of another grain, shape (n,).

    For each column of a match it is told from an affine map of all others where it should lie. How much columns scatter
    is the same for all matches.

    Parameters
    ----------
    points, template, known
        See `particlespy_ml.strain.deformation.affine_maps`.
    nearest
        Distance between neighbours in the unit of the template, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.agreement import with_strangers
    >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [-1, 0.0]])
    >>> places = np.stack([square, square * [1.1, 1], square])
    >>> places[2, 2] += 0.3
    >>> with_strangers(places, np.stack(3 * [square]), np.ones((3, 5), bool), np.ones(3)).tolist()
    [False, False, True]
    """
    maps = affine_maps(points, template, known)
    unit = np.sqrt(np.abs(np.linalg.det(maps.matrices))) * nearest
    with np.errstate(invalid="ignore", divide="ignore"):
        free = maps.freedom > 0
        # the median of chi squared over its freedom, by Wilson and Hilferty
        expected = (1 - 2 / (9 * maps.freedom[free])) ** 3
        variances = maps.squares[free] / unit[free] ** 2 / maps.freedom[free] / expected
        scatter = np.sqrt(np.nanmedian(variances)) if np.isfinite(variances).any() else 0.0
        left = 1 - maps.leverages
        told = known & (left > 1e-6)  # the others lie on no line
        away = np.where(told, maps.residuals / left, 0) / unit[:, None]
        limit = np.maximum(LARGEST_DEVIATION, DEVIATIONS * scatter / np.sqrt(np.where(told, left, 1)))
        return (away > limit).any(1)


def with_witnesses(matched: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Return which matches have two neighbours at least that are matched too, and rest on such, shape (n,).

    Parameters
    ----------
    matched
        Shape (n,).
    neighbours
        Numbers of the columns that each was matched with, -1 for none, shape (n, k).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.agreement import with_witnesses
    >>> neighbours = np.array([[1, 2], [0, 2], [0, 1], [0, 1]])
    >>> with_witnesses(np.array([True, True, True, False]), neighbours).tolist()
    [True, True, True, False]
    """
    kept = matched.copy()
    while True:
        witnesses = np.append(kept, False)[neighbours].sum(1)  # the last is that of -1
        alone = kept & (witnesses < WITNESSES)
        if not alone.any():
            return kept
        kept[alone] = False
