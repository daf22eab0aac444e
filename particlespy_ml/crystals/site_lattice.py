"""Which site of a crystal each column is, where its plane cell holds several."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.crystals.plane_lattice import TOLERANCE
from particlespy_ml.crystals.projection import Projection

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

VISIBLE = 0.25  # of the strongest column of the cell: weaker ones are hardly seen beside it
STRETCHES = np.linspace(0.88, 1.12, 13)  # of the lattice constant, which is uncertain by the calibration
ORDERS = np.array([pair for pair in product(range(-3, 4), repeat=2) if pair > (0, 0)])
GRID = 24  # places of the origin tried along each vector


@dataclass(frozen=True)
class SiteLattice:
    """Columns on the sites of a crystal.

    Parameters
    ----------
    origin
        Position of the origin of the cell (0, 0), shape (2,).
    basis
        Vectors of the plane cell, those of the projection turned and scaled, shape (2, 2). Clockwise where the particle
        is seen from behind.
    cells
        Cell of each column, shape (n, 2).
    sites
        Number of its site in the cell, shape (n,): that of `Projection.sites`.
    distance
        Distance from it over the distance between neighbouring sites, shape (n,).
    on_site
        Whether each column is the one column of a site, within `TOLERANCE`, shape (n,).
    lattice_constant
        In the unit of the positions.
    """

    origin: np.ndarray
    basis: np.ndarray
    cells: np.ndarray
    sites: np.ndarray
    distance: np.ndarray
    on_site: np.ndarray
    lattice_constant: float

    @property
    def fraction(self) -> float:
        """Fraction of the columns that lie on sites."""
        return float(np.mean(self.on_site))


def fit_sites(
    positions: ArrayLike, seen: Projection, lattice_constant: float, visible: float = VISIBLE
) -> SiteLattice | None:
    """Return on which sites of a crystal columns lie; None for fewer than six, or where less than half of them do.

    Turn and scale are those with the greatest power of the reflections of the columns as points. All ways in which the
    plane lattice is like itself, which the cell need not be, are tried with the origin where all reflections are in
    phase, and the one that most columns agree with is fitted by least squares.

    Parameters
    ----------
    positions
        Shape (n, 2), in any unit.
    seen
        The crystal along the zone axis.
    lattice_constant
        In the unit of the positions, within 12 %.
    visible
        Columns that scatter less than this, over the strongest of the cell, are taken for not seen.

    Raises
    ------
    ValueError
        If the lattice constant is not above zero.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.crystals.projection import projection
    >>> from particlespy_ml.crystals.site_lattice import fit_sites
    >>> seen = projection("graphene", "<0001>")
    >>> cells = np.array([(i, j) for i in range(5) for j in range(5)])
    >>> places = np.vstack([(cells + site) @ seen.basis for site in seen.sites])
    >>> found = fit_sites(2.46 * places, seen, 2.4)
    >>> found.fraction, round(found.lattice_constant, 2)
    (1.0, 2.46)
    """
    positions = np.asarray(positions, float).reshape(-1, 2)
    if not (np.isfinite(lattice_constant) and lattice_constant > 0):
        raise ValueError(f"lattice_constant={lattice_constant}; expected a length above zero.")
    if len(positions) < 6:
        return None
    strengths = seen.strengths()
    kept = np.flatnonzero(strengths >= visible * strengths.max())
    changes = _likenesses(seen.basis, 0.1)  # not quite, since images are distorted
    mirrored = any(np.linalg.det(change) < 0 for change in _likenesses(seen.basis, 1e-6))
    best = None
    for hand in (1,) if mirrored else (1, -1):
        turned = _turned_basis(positions, seen.basis * [1, hand], seen.sites[kept], lattice_constant)
        for change in changes:
            origin = _origin(positions, change @ turned, seen.sites[kept])
            found = _refined(positions, origin, change @ turned, seen, kept)
            if best is None or _quality(found) > _quality(best):
                best = found
    return best if best is not None and best.fraction >= 0.5 else None


def _quality(found: SiteLattice) -> tuple[int, float]:
    return int(found.on_site.sum()), -float(np.sum(found.distance[found.on_site] ** 2).round(6))


def _turned_basis(positions, basis, sites, constant: float) -> np.ndarray:
    """A basis at the turn and scale with the greatest power of all of its reflections."""
    centred = positions - positions.mean(0)
    indices = ORDERS[np.abs(ORDERS).max(1) <= 2]
    expected = np.abs(np.exp(2j * np.pi * indices @ sites.T).sum(1)) ** 2
    vectors = indices @ np.linalg.inv(basis).T
    near = np.linalg.norm(vectors, axis=1)
    used = (expected > 0.05 * expected.max()) & (near < 2.5 * near[expected > 0.05 * expected.max()].min())
    vectors, expected = vectors[used], expected[used]
    best, power = (0.0, 1.0), -1.0
    turns, stretches = np.arange(0, np.pi, np.radians(1.0)), STRETCHES
    for _ in range(2):  # coarse, then fine
        for stretch in stretches:
            spin = np.exp(1j * turns)[:, None] * (vectors @ (1, 1j)) / (constant * stretch)
            phases = np.tensordot(np.stack([spin.real, spin.imag], -1), centred, (-1, -1))
            found = np.abs(np.exp(2j * np.pi * phases).sum(-1)) ** 2 @ expected
            if found.max() > power:
                power, best = found.max(), (float(turns[found.argmax()]), float(stretch))
        turns = best[0] + np.radians(np.linspace(-1, 1, 9))
        stretches = best[1] * np.linspace(0.985, 1.015, 9)
    turn, stretch = best
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return constant * stretch * basis @ matrix.T


def _likenesses(basis: np.ndarray, tolerance: float) -> list[np.ndarray]:
    """Whole matrices that take a plane lattice to itself by a turn or a mirror, shape (2, 2) each.

    They are the same in any turned basis.
    """
    gram = basis @ basis.T
    changes = [np.array(numbers, float).reshape(2, 2) for numbers in product((-1, 0, 1), repeat=4)]
    alike = [c for c in changes if abs(abs(np.linalg.det(c)) - 1) < 1e-9]
    alike = [c for c in alike if np.abs(c @ gram @ c.T - gram).max() < tolerance * np.trace(gram)]
    return sorted(alike, key=lambda c: (-np.linalg.det(c), -np.trace(c)))  # as it is first


def _origin(positions, basis, sites) -> np.ndarray:
    """Position of the origin where the reflections of columns and sites are in phase."""
    seen = np.exp(2j * np.pi * positions @ np.linalg.inv(basis) @ ORDERS.T).sum(0)
    joint = seen * np.exp(2j * np.pi * ORDERS @ sites.T).sum(1).conj()
    axis = np.arange(GRID) / GRID
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    height = np.real(np.exp(-2j * np.pi * places @ ORDERS.T) @ joint)
    return places[height.argmax()] @ basis


def _refined(positions, origin, basis, seen: Projection, kept) -> SiteLattice:
    """Columns on sites of a lattice that is fitted to them."""
    nearest = np.inf
    for _ in range(5):
        cells, number, away = _nearest_site(positions, origin, basis, seen.sites[kept])
        nearest = _nearest(basis, seen.sites[kept])
        close = away < TOLERANCE * nearest
        design = np.column_stack([np.ones(close.sum()), (cells + seen.sites[kept][number])[close]])
        if close.sum() < 6 or np.linalg.matrix_rank(design) < 3:
            break
        solution = np.linalg.lstsq(design, positions[close], rcond=None)[0]
        origin, basis = solution[0], solution[1:]
    cells, number, away = _nearest_site(positions, origin, basis, seen.sites[kept])
    on_site = away < TOLERANCE * nearest
    order = np.lexsort((away, number, cells[:, 1], cells[:, 0]))
    keys = np.column_stack([cells, number])[order]
    on_site[order[1:][np.all(np.diff(keys, axis=0) == 0, axis=1)]] = False  # a site holds one column: the nearest one
    constant = float(np.sqrt(abs(np.linalg.det(basis)) / seen.area))
    return SiteLattice(origin, basis, cells, kept[number], away / nearest, on_site, constant)


def _nearest_site(positions, origin, basis, sites):
    """Cell, number of the site and distance of the nearest site of each column."""
    fractions = (positions - origin) @ np.linalg.inv(basis)
    cells = np.rint(fractions[:, None] - sites[None])
    away = np.linalg.norm((fractions[:, None] - sites[None] - cells) @ basis, axis=-1)
    number = away.argmin(1)
    rows = np.arange(len(positions))
    return cells[rows, number].astype(int), number, away[rows, number]


def _nearest(basis, sites) -> float:
    """Distance between neighbouring sites."""
    cells = np.array(list(product((-1, 0, 1), repeat=2)))
    places = ((cells[:, None] + sites[None]) @ basis).reshape(-1, 2)
    return float(cKDTree(places).query(sites @ basis, 2)[0][:, 1].min())
