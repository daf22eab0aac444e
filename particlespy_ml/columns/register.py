"""Shifts between images of one particle, from the places of its columns."""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree

FEWEST = 4  # columns that must agree on a shift
_SAME = 0.35  # of a distance between neighbours: pairs whose vectors differ by less agree
_ROUNDS = 3
_CELLS = 4  # of a grid, to that reach


def column_shift(places: np.ndarray, others: np.ndarray, largest: float, spacing: float | None = None):
    """Return the shift that brings columns onto those of another image, whatever the contrast of the two is.

    Of the vectors between all columns of one and the other image, the one is taken that most pairs agree on. A shift by
    a vector of the lattice leaves the columns of two edges without a partner, and so has fewer pairs than the true one.

    Parameters
    ----------
    places, others
        Shapes (n, 2) and (m, 2), in one unit.
    largest
        Largest shift along any direction, in the same unit.
    spacing
        Distance between neighbouring columns; by default the median of those found.

    Returns
    -------
    numpy.ndarray or None
        To be added to *others*, shape (2,); None where fewer than `FEWEST` columns agree.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.register import column_shift
    >>> places = np.array([(0, 0), (0, 2), (2, 0), (2, 2), (4, 1.0)])
    >>> column_shift(places, places - (0.3, 0.1), 1.5).round(2)
    array([0.3, 0.1])
    """
    if min(len(places), len(others)) < FEWEST:
        return None
    if spacing is None:
        spacing = float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
    tree = cKDTree(others)
    near = tree.query_ball_point(places, largest)
    first = np.repeat(np.arange(len(places)), [len(one) for one in near])
    if len(first) < FEWEST:
        return None
    second = np.concatenate([np.asarray(one, int) for one in near])
    vectors = places[first] - others[second]
    reach = _SAME * spacing
    shift = _most_agreed(vectors, reach)
    for _ in range(_ROUNDS):
        shift = vectors[np.hypot(*(vectors - shift).T) < reach].mean(0)
    return shift if (np.hypot(*(vectors - shift).T) < reach).sum() >= FEWEST else None


def _most_agreed(vectors: np.ndarray, reach: float) -> np.ndarray:
    """The vector that has most others within reach, counted in the cells of a fine grid."""
    step = reach / _CELLS
    cells = np.floor((vectors - vectors.min(0)) / step).astype(int) + _CELLS
    counts = np.zeros(cells.max(0) + _CELLS + 1)
    np.add.at(counts, tuple(cells.T), 1)
    across = np.arange(-_CELLS, _CELLS + 1)
    near = (np.hypot(across[:, None], across) <= _CELLS).astype(float)
    agreeing = np.rint(fftconvolve(counts, near, mode="same"))
    return vectors[np.argmax(agreeing[tuple(cells.T)])]
