"""What lies on which facet: coordination, layer and facet of the columns of a particle in projection."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.crystals.plane_lattice import PlaneLattice, fit_lattice, reduce_basis

FACETS = ("undefined", "bulk", "corner", "{111}", "{100}", "{110}", "other")
UNDEFINED, BULK, CORNER, OTHER = (FACETS.index(name) for name in ("undefined", "bulk", "corner", "other"))
SAME = 0.3  # of the distance between neighbours: how far a column lies from a site
RATIO, ANGLE = 0.06, 5.0  # how far the cell of an fcc zone axis may be off, relatively and in degrees
# of fcc zone axes: ratio of the two shortest vectors of the columns, angle between them, and the facet whose surface
# runs along a vector h of the first and k of the second, by |h|, |k| and the sign of h k
ZONES = {
    "<110>": (1.0, 70.53, {(1, 0): "{111}", (0, 1): "{111}", (1, -1): "{100}", (1, 1): "{110}"}),
    "<001>": (1.0, 90.0, {(1, 0): "{100}", (0, 1): "{100}", (1, 1): "{110}", (1, -1): "{110}"}),
    "<111>": (1.0, 60.0, {(1, 0): "{110}", (0, 1): "{110}", (1, -1): "{110}"}),
}
ROWS = ((1, 0), (0, 1), (1, -1), (1, 1))  # along which surfaces run


@dataclass(frozen=True)
class Surroundings:
    """What surrounds each column.

    Parameters
    ----------
    coordination
        Number of nearest places of the lattice around each column that hold a column, shape (n,).
    layer
        1 at the surface, 2 below it and so on, shape (n,); 0 where it is not known.
    facet
        Number of each column's facet in `FACETS`, shape (n,).
    neighbours
        Pairs of columns that are neighbours, shape (m, 2).
    zone_axis
        Of an fcc crystal with such a lattice; empty where it is none, and then facets are "other".
    """

    coordination: np.ndarray
    layer: np.ndarray
    facet: np.ndarray
    neighbours: np.ndarray
    zone_axis: str


def surroundings(places: np.ndarray, full: np.ndarray | None = None) -> Surroundings:
    """Return coordination, layer and facet of the columns of a particle in projection.

    Neighbours lie one of the two or three shortest vectors of the plane lattice away. A column that lacks none is bulk.
    One that lacks all that lie beyond a row of the lattice through it, but has both of its neighbours along the row, is
    on the facet of this row; where that holds for no row, it is at a corner, a kink or a step, or stands alone.

    Parameters
    ----------
    places
        Shape (n, 2), with axes of one length unit.
    full
        Which of them are there; the others are not counted as neighbours, but have a coordination and a facet as if
        they were there, and the layer 0. By default all.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.movie.facets import FACETS, surroundings
    >>> places = np.array([(x, y) for y in range(4) for x in range(4)], float)
    >>> found = surroundings(places)
    >>> found.layer.reshape(4, 4)[1].tolist(), [FACETS[k] for k in found.facet[:2]], found.zone_axis
    ([1, 2, 2, 1], ['corner', '{100}'], '<001>')
    """
    places = np.asarray(places, float).reshape(-1, 2)
    count = len(places)
    full = np.ones(count, bool) if full is None else np.asarray(full, bool)
    unknown = np.zeros(count, int)
    lattice = fit_lattice(places[full]) if full.sum() >= 4 else None
    if lattice is None:
        return Surroundings(unknown, unknown, unknown + UNDEFINED, np.zeros((0, 2), int), "")
    basis, zone = named_basis(lattice)
    near = shortest(basis)
    tree = cKDTree(places[full])
    reach = SAME * np.linalg.norm(basis, axis=1).min()

    def there(steps):
        """Whether there is a column a step of the lattice away from each, shape (steps, n)."""
        distance = [tree.query(places + step @ basis)[0] for step in steps]
        return np.array(distance) < reach

    coordination = there(near).sum(0)
    facet = np.where(coordination == len(near), BULK, CORNER)
    for row in reversed(ROWS):
        if np.linalg.norm(np.array(row) @ basis) > 2.1 * np.linalg.norm(basis, axis=1).min():
            continue
        along = there(np.array([row, np.negative(row)])).all(0)
        side = np.array([row[0] * step[1] - row[1] * step[0] for step in near])
        beyond = [~there(near[side * sign > 0]).any(0) for sign in (1, -1)]
        behind = [there(near[side * sign < 0]).all(0) for sign in (1, -1)]
        own = along & ((beyond[0] & behind[0]) | (beyond[1] & behind[1])) & (coordination < len(near))
        facet[own] = FACETS.index(ZONES[zone][2].get(row, "other")) if zone else OTHER
    pairs = cKDTree(places).query_pairs(1.25 * np.linalg.norm(near @ basis, axis=1).max(), output_type="ndarray")
    layer = _layers(np.where(full, coordination < len(near), False), full, pairs)
    return Surroundings(coordination, layer, facet, pairs, zone)


def shortest(basis: np.ndarray) -> np.ndarray:
    """Steps to the nearest places of a plane lattice: four, or six where a third vector is not much longer."""
    steps = np.array([step for step in product((-1, 0, 1), repeat=2) if step != (0, 0)])
    lengths = np.linalg.norm(steps @ basis, axis=1)
    return steps[lengths < 1.3 * lengths.min()]


def named_basis(lattice: PlaneLattice) -> tuple[np.ndarray, str]:
    """Return the basis of a lattice in the setting of `ZONES`, and the zone axis; "" where there is none."""
    basis = reduce_basis(lattice.basis)
    lengths = np.linalg.norm(basis, axis=1)
    angle = np.degrees(np.arccos(np.clip(basis[0] @ basis[1] / lengths.prod(), -1, 1)))
    for zone, (ratio, wanted, _) in ZONES.items():
        if abs(lengths[1] / lengths[0] / ratio - 1) < RATIO and abs(angle - wanted) < ANGLE:
            return basis, zone
    return basis, ""


def _layers(surface: np.ndarray, full: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Steps from the surface, which is 1."""
    layer = np.where(surface, 1, 0)
    for number in range(1, len(surface)):
        if not len(pairs):
            break
        below = np.zeros(len(surface), bool)
        for one, other in (pairs.T, pairs.T[::-1]):
            below[other[layer[one] == number]] = True
        below &= full & (layer == 0)
        if not below.any():
            break
        layer[below] = number + 1
    return layer
