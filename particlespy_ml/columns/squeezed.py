"""What lies in the gaps of a lattice of columns, where there is no room for another one."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

LESS = 0.9  # of the probability of a neighbour: a column that has less is the less sure of the two
ROOM = 0.75  # of the distance between neighbours, from which there is room for two
SURROUNDED = 3  # surer columns within that distance, on all sides
LOOKED_AT = 9  # nearest places, itself included


def squeezed(places: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return which places are less sure than columns on all their sides, and nearer to them than columns lie.

    Waves of neighbouring columns add up in the gaps between them, and a network may see columns there. A place at the
    rim of the columns, as an adatom has it, is in no gap.

    Parameters
    ----------
    places
        Shape (n, 2).
    probabilities
        Of a column at each place, shape (n,).

    Returns
    -------
    numpy.ndarray
        Booleans, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.squeezed import squeezed
    >>> places = np.array([(x, y) for y in range(4) for x in range(4)] + [(1.5, 1.5)], float)
    >>> probabilities = np.array([0.95] * 16 + [0.5])
    >>> np.flatnonzero(squeezed(places, probabilities)).tolist()
    [16]
    """
    count = len(places)
    found = np.zeros(count, bool)
    if count <= SURROUNDED:
        return found
    distance, near = cKDTree(places).query(places, min(LOOKED_AT, count))
    distance, near = distance[:, 1:], near[:, 1:]
    equal = probabilities[near] >= LESS * probabilities[:, None]
    surer = LESS * probabilities[near] > probabilities[:, None]
    nearest = np.where(equal, distance, np.inf).min(1)
    spacing = np.median(nearest[np.isfinite(nearest)]) if np.isfinite(nearest).any() else 0.0
    close = surer & (distance < spacing)
    for one in np.flatnonzero(
        (np.where(surer, distance, np.inf).min(1) < ROOM * spacing) & (close.sum(1) >= SURROUNDED)
    ):
        towards = places[near[one, close[one]]] - places[one]
        angles = np.sort(np.arctan2(towards[:, 0], towards[:, 1]))
        found[one] = np.diff(angles, append=angles[0] + 2 * np.pi).max() < np.pi
    return found
