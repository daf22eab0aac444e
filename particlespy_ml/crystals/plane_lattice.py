"""Lattices of columns: what a crystal looks like along a zone axis, and which lattice given columns lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


TOLERANCE = 0.3  # of the distance between neighbours: how far a column of a lattice lies from its site


@dataclass(frozen=True)
class PlaneLattice:
    """A plane lattice fitted to columns.

    Parameters
    ----------
    origin
        Position of the site (0, 0), shape (2,).
    basis
        Two shortest lattice vectors, shape (2, 2), the second at most 90 degrees from the first.
    indices
        Nearest site of each column, shape (n, 2).
    distance
        Distance from it over the distance between neighbours, shape (n,).
    on_lattice
        Whether each column is the one column of a site, within `TOLERANCE`, shape (n,).
    """

    origin: np.ndarray
    basis: np.ndarray
    indices: np.ndarray
    distance: np.ndarray
    on_lattice: np.ndarray

    @property
    def fraction(self) -> float:
        """Fraction of the columns that lie on the lattice."""
        return float(np.mean(self.on_lattice))

    @property
    def spread(self) -> float:
        """Root mean square distance of columns of the lattice from their sites, over the distance of neighbours."""
        return float(np.sqrt(np.mean(self.distance[self.on_lattice] ** 2))) if self.on_lattice.any() else np.nan


def fit_lattice(positions: ArrayLike) -> PlaneLattice | None:
    """Return the plane lattice that most columns lie on; None for fewer than four columns, or where there is none.

    The vectors between neighbours are gathered in groups; the two shortest groups that many columns take part in are
    the lattice vectors. Columns are numbered from neighbour to neighbour, so that a strained lattice keeps its numbers,
    and a straight lattice is fitted to the numbers by least squares.

    Parameters
    ----------
    positions
        Shape (n, 2), in any unit.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.crystals.plane_lattice import fit_lattice
    >>> rows, columns = np.mgrid[:4, :5]
    >>> fit_lattice(np.column_stack([2 * rows.ravel(), 3 * columns.ravel()])).fraction
    1.0
    """
    positions = np.asarray(positions, float).reshape(-1, 2)
    if len(positions) < 4:
        return None
    tree = cKDTree(positions)
    near = float(np.median(tree.query(positions, 2)[0][:, 1]))
    if not near > 0:
        return None
    vectors = _lattice_vectors(positions, tree, near)
    if vectors is None:
        return None
    start = int(np.argmin(np.linalg.norm(positions - np.median(positions, axis=0), axis=1)))
    known = _number(positions, tree, vectors, start, near)
    if len(known) < 4:
        return None
    chosen = np.array(list(known))
    numbers = np.array([known[k] for k in chosen])
    for _ in range(3):
        design = np.column_stack([np.ones(len(numbers)), numbers])
        if np.linalg.matrix_rank(design) < 3:
            return None
        solution = np.linalg.lstsq(design, positions[chosen], rcond=None)[0]
        origin, basis = solution[0], solution[1:]
        indices = np.rint((positions - origin) @ np.linalg.inv(basis)).astype(int)
        away = np.linalg.norm(positions - origin - indices @ basis, axis=1) / near
        chosen = np.flatnonzero(away < TOLERANCE)
        if len(chosen) < 4:
            return None
        numbers = indices[chosen]
    on_lattice = away < TOLERANCE
    # a site holds one column: the nearest one
    order = np.lexsort((away, indices[:, 1], indices[:, 0]))
    repeated = np.all(np.diff(indices[order], axis=0) == 0, axis=1)
    on_lattice[order[1:][repeated]] = False
    return PlaneLattice(origin, basis, indices, away, on_lattice)


def other_lattice(positions, lattice: PlaneLattice) -> PlaneLattice | None:
    """Return a second lattice of the columns that do not lie on the first; None where they are few or have none.

    Parameters
    ----------
    positions
        Shape (n, 2).
    lattice
        The first lattice.
    """
    positions = np.asarray(positions, float)
    rest = ~lattice.on_lattice
    if rest.sum() < max(8, 0.12 * len(rest)):
        return None
    second = fit_lattice(positions[rest])
    return second if second is not None and second.fraction > 0.7 else None


def reduce_basis(basis: np.ndarray) -> np.ndarray:
    """Return the two shortest vectors of a lattice (Lagrange, Gauss), the second at most 90 degrees from the first."""
    first, second = np.array(basis, float)
    for _ in range(100):
        if second @ second < first @ first:
            first, second = second, first
        steps = np.rint(first @ second / (first @ first))
        if steps == 0:
            break
        second = second - steps * first
    return np.stack([first, second if first @ second >= 0 else -second])


def _lattice_vectors(positions, tree, near: float) -> np.ndarray | None:
    """The two shortest common vectors between neighbours."""
    pairs = tree.query_pairs(2.1 * near, output_type="ndarray")
    vectors = positions[pairs[:, 1]] - positions[pairs[:, 0]]
    flip = (vectors[:, 0] < 0) | ((vectors[:, 0] == 0) & (vectors[:, 1] < 0))
    vectors = np.where(flip[:, None], -vectors, vectors)
    both = cKDTree(np.vstack([vectors, -vectors]))
    counts = both.query_ball_point(vectors, 0.2 * near, return_length=True)
    groups: list[tuple[float, np.ndarray, int]] = []
    taken = np.zeros(len(vectors), bool)
    for index in np.argsort(-counts, kind="stable"):
        if taken[index] or counts[index] < max(2, 0.25 * len(positions)):
            continue
        members = np.linalg.norm(vectors - vectors[index], axis=1) < 0.2 * near
        opposite = np.linalg.norm(vectors + vectors[index], axis=1) < 0.2 * near
        mean = np.vstack([vectors[members], -vectors[opposite]]).mean(0)
        around = np.linalg.norm(vectors - mean, axis=1) < 0.35 * near
        taken |= around | (np.linalg.norm(vectors + mean, axis=1) < 0.35 * near)
        groups.append((float(np.linalg.norm(mean)), mean, int(counts[index])))
    groups.sort(key=lambda group: group[0])
    for number, (length, first, _) in enumerate(groups):
        for other, second, _ in groups[number + 1 :]:
            if abs(first[0] * second[1] - first[1] * second[0]) > 0.4 * length * other:
                return reduce_basis(np.stack([first, second]))
        break
    return None


def _number(positions, tree, vectors, start: int, near: float) -> dict[int, tuple[int, int]]:
    """Lattice indices of the columns that are reached from one of them by lattice vectors."""
    known = {start: (0, 0)}
    queue = [start]
    for current in queue:
        for vector, step in zip((*vectors, *-vectors), ((1, 0), (0, 1), (-1, 0), (0, -1)), strict=True):
            distance, index = tree.query(positions[current] + vector)
            if distance < TOLERANCE * near and int(index) not in known:
                known[int(index)] = (known[current][0] + step[0], known[current][1] + step[1])
                queue.append(int(index))
    return known
