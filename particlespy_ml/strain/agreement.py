"""Matches that do not count: across the boundary of grains, and by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.strain.deformation import AffineMaps, affine_maps

WITNESSES = 2  # neighbours that are matched themselves, or a match is taken for chance
# of the distance between neighbours: how far a column may lie from where the others of its match say
LARGEST_DEVIATION = 0.1
DEVIATIONS = 4.5  # standard deviations: the same where columns scatter more
LEAST_SCATTER = 0.005  # of the distance between neighbours: strain varies from place to place


@dataclass(frozen=True)
class Fits:
    """How the points of matches lie to the affine maps of these.

    Parameters
    ----------
    maps
        From the templates to the columns.
    strange
        Which matches hold a column that lies elsewhere than the others say, shape (n,).
    squares
        Of each point: squared distance from where the others say, over its variance, shape (n, k).
    scatter
        Standard deviation of the columns along x and y, over the distance between neighbours.
    """

    maps: AffineMaps
    strange: np.ndarray
    squares: np.ndarray
    scatter: float


def fit_matches(points: np.ndarray, template: np.ndarray, known: np.ndarray, nearest: np.ndarray) -> Fits:
    """Tell for each column of a match, from an affine map of all others, where it should lie.

    How much columns scatter is the same for all matches.

    Parameters
    ----------
    points, template, known
        See `particlespy_ml.strain.deformation.affine_maps`.
    nearest
        Distance between neighbours in the unit of the template, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.agreement import fit_matches
    >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [-1, 0.0]])
    >>> places = np.stack([square, square * [1.1, 1], square])
    >>> places[2, 2] += 0.3
    >>> fit_matches(places, np.stack(3 * [square]), np.ones((3, 5), bool), np.ones(3)).strange.tolist()
    [False, False, True]
    """
    maps = affine_maps(points, template, known)
    unit = np.sqrt(np.abs(np.linalg.det(maps.matrices))) * nearest
    with np.errstate(invalid="ignore", divide="ignore"):
        free = maps.freedom > 0
        # the median of chi squared over its freedom, by Wilson and Hilferty
        expected = (1 - 2 / (9 * maps.freedom[free])) ** 3
        variances = maps.squares[free] / unit[free] ** 2 / maps.freedom[free] / expected
        scatter = float(np.sqrt(np.nanmedian(variances))) if np.isfinite(variances).any() else 0.0
        left = 1 - maps.leverages
        told = known & (left > 1e-6)  # the others lie on no line
        left = np.where(told, left, 1)
        away = np.where(told, maps.residuals / left, 0) / unit[:, None]
        limit = np.maximum(LARGEST_DEVIATION, DEVIATIONS * scatter / np.sqrt(left))
        squares = np.nan_to_num(away) ** 2 * left / max(scatter, LEAST_SCATTER) ** 2
        return Fits(maps, (away > limit).any(1), squares, scatter)


def with_witnesses(matched: np.ndarray, neighbours: np.ndarray, agree: np.ndarray) -> np.ndarray:
    """Return which matches have witnesses, shape (n,): two neighbours at least that are matched too, and rest on such.

    One is enough that has two itself: columns at the rim and at boundaries may have no more.

    Parameters
    ----------
    matched
        Shape (n,).
    neighbours
        Numbers of the columns that each was matched with, -1 for none, shape (n, k).
    agree
        Which of them, where they are matched, lie in the same lattice, shape (n, k).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.agreement import with_witnesses
    >>> neighbours = np.array([[1, 2], [0, 2], [0, 1], [0, 4], [3, -1]])
    >>> with_witnesses(np.array([True, True, True, True, False]), neighbours, np.ones((5, 2), bool)).tolist()
    [True, True, True, True, False]
    """
    kept = matched.copy()
    while True:
        witnesses = (np.append(kept, False)[neighbours] & agree).sum(1)  # the last is that of -1
        alone = kept & (witnesses < WITNESSES)
        if not alone.any():
            return matched & (witnesses > 0)
        kept[alone] = False
