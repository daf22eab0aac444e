"""How well columns that were found agree with those that are there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class ColumnMatch:
    """Pairs of found and true columns.

    Parameters
    ----------
    found, true
        Numbers of the columns of each pair, shape (pairs,).
    wrong
        Numbers of the columns found where there is none.
    missed
        Numbers of the true columns that were not found.
    """

    found: np.ndarray
    true: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray


def match_columns(found: np.ndarray, true: np.ndarray, reach: float, counted: np.ndarray | None = None) -> ColumnMatch:
    """Match places with true places: each with the other's nearest, if that is within reach.

    Parameters
    ----------
    found, true
        Shapes (n, 2) and (m, 2), in one unit.
    reach
        Largest distance of a pair.
    counted
        Which true columns count, shape (m,): the others, cut by the border for example, are neither missed nor make
        what is found at them wrong. By default all.
    """
    counted = np.ones(len(true), bool) if counted is None else counted
    none = np.zeros(0, int)
    if not len(found) or not len(true):
        return ColumnMatch(none, none, np.arange(len(found)), np.flatnonzero(counted))
    distance, nearest = cKDTree(true).query(found, distance_upper_bound=reach)
    _, back = cKDTree(found).query(true)
    at = np.flatnonzero(np.isfinite(distance))
    at = at[back[nearest[at]] == at]
    partner = nearest[at]
    kept = counted[partner]
    missed = np.setdiff1d(np.flatnonzero(counted), partner)
    return ColumnMatch(at[kept], partner[kept], np.setdiff1d(np.arange(len(found)), at), missed)
