"""Sheets of graphene with grain boundaries, holes and adatoms."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Voronoi, cKDTree

from particlespy_ml.simulation.atoms.projected import Projected

BOND = 1.42  # Å
_NEAREST_RINGS = 1.9  # Å, of the middles of two rings: those of the lattice are 2.46 Å apart
_RING = 2.46


def graphene_sheet(
    edge: float,
    grains: int,
    holes: int,
    adatoms: dict[str, int],
    rng: np.random.Generator,
) -> tuple[Projected, np.ndarray]:
    """Return a sheet that fills a square about the origin, and whether each of its columns is at a grain boundary.

    Grains are lattices of rings about random points, turned at random. Where grains meet, rings nearer than 1.9 Å to
    another are left out, and gaps are filled with random ones; atoms are the corners of the Voronoi cells of the
    middles of the rings, which one to eight steps of Lloyd's method even out at the boundaries.

    Parameters
    ----------
    edge
        In Å.
    grains
        Number of grains.
    holes
        Number of holes.
    adatoms
        Number of adatoms by element. They lie above the sheet; their columns have the kind "adatom".
    rng
        Random generator.

    References
    ----------
    J. Madsen et al., Adv. Theory Simul. 1, 1800037 (2018).
    """
    rings, grain, owners = _rings(edge, grains, rng)
    disordered = _at_boundary(rings, grain, owners)
    for _ in range(int(rng.integers(1, 9))):
        rings = _evened(rings, disordered)
    atoms = _corners(rings, edge)
    atoms = _relaxed(atoms)
    # a ring that is out of order makes its corners so
    distance, _ = cKDTree(rings[disordered] if disordered.any() else np.full((1, 2), 1e6)).query(atoms)
    at_boundary = distance < 1.25 * BOND
    keep = np.ones(len(atoms), bool)
    for _ in range(holes):
        middle, radius = rng.uniform(-edge / 2, edge / 2, 2), rng.uniform(1.0, 7.0)
        keep &= np.hypot(*(atoms - middle).T) > radius * (1 + 0.15 * rng.normal(size=len(atoms)))
    bonds = np.array([len(near) - 1 for near in cKDTree(atoms[keep]).query_ball_point(atoms[keep], 1.25 * BOND)])
    atoms, at_boundary = atoms[keep][bonds > 0], at_boundary[keep][bonds > 0]
    ripple = _ripple(atoms, edge, rng)
    positions = np.column_stack([atoms, ripple])
    symbols, kinds = np.full(len(atoms), "C", "U2"), np.full(len(atoms), "C", "U6")
    for symbol, count in adatoms.items():
        above, height = _adatom_places(atoms, count, rng), rng.uniform(1.5, 2.2)
        positions = np.concatenate([positions, np.column_stack([above, np.full(len(above), height + ripple.max())])])
        symbols, kinds = np.append(symbols, [symbol] * len(above)), np.append(kinds, ["adatom"] * len(above))
        at_boundary = np.append(at_boundary, np.zeros(len(above), bool))
    return Projected(symbols, positions, np.arange(len(positions)), kinds), at_boundary


def _rings(edge: float, grains: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles of rings, the grain of each (-1 for those that fill gaps), and the middles of the grains."""
    reach = edge / 2 + 6
    owners = rng.uniform(-edge / 2, edge / 2, (grains, 2))
    tree = cKDTree(owners)
    found = []
    for number, owner in enumerate(owners):
        angle, start = rng.uniform(0, np.pi / 3), rng.uniform(0, _RING, 2)
        count = int(np.ceil(2.9 * reach / _RING))
        i, j = np.meshgrid(*[np.arange(-count, count + 1)] * 2)
        points = _RING * np.column_stack([i.ravel() + 0.5 * j.ravel(), np.sqrt(0.75) * j.ravel()]) + start
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points = points @ turn.T + owner
        points = points[(np.abs(points) <= reach).all(1)]
        found.append(points[tree.query(points)[1] == number])
    points, grain = np.concatenate(found), np.repeat(np.arange(grains), [len(one) for one in found])
    order = rng.permutation(len(points))
    points, grain = points[order], grain[order]
    keep = np.ones(len(points), bool)
    for first, second in cKDTree(points).query_pairs(_NEAREST_RINGS):
        if keep[first] and keep[second]:
            keep[second] = False
    points, grain = points[keep], grain[keep]
    # gaps are filled with what random darts find room for
    extra: list[np.ndarray] = []
    tree = cKDTree(points)
    darts = rng.uniform(-reach, reach, (6000, 2))
    for dart in darts[tree.query(darts)[0] >= _NEAREST_RINGS]:
        if all(np.hypot(*(dart - other)) >= _NEAREST_RINGS for other in extra):
            extra.append(dart)
    points = np.concatenate([points, np.array(extra).reshape(-1, 2)])
    return points, np.append(grain, np.full(len(extra), -1)), owners


def _at_boundary(rings: np.ndarray, grain: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Whether each ring lacks six neighbours of its own grain at the distance of the lattice."""
    tree = cKDTree(rings)
    near = tree.query_ball_point(rings, 1.2 * _RING)
    own = np.array([sum(grain[other] == grain[number] for other in others) - 1 for number, others in enumerate(near)])
    inside = (np.abs(rings) < np.abs(rings).max() - 1.5 * _RING).all(1)
    return ((own != 6) & inside) | (grain < 0)


def _evened(rings: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Rings of which some are moved to the middle of their Voronoi cells (Lloyd's method)."""
    cells = Voronoi(rings)
    moved = rings.copy()
    for number in np.flatnonzero(which):
        region = cells.regions[cells.point_region[number]]
        if region and -1 not in region:
            middle = cells.vertices[region].mean(0)
            if np.hypot(*(middle - rings[number])) < _RING:
                moved[number] = middle
    return moved


def _corners(rings: np.ndarray, edge: float) -> np.ndarray:
    """Corners of the Voronoi cells within a square, none of two nearer than 0.9 Å."""
    corners = Voronoi(rings).vertices
    corners = corners[(np.abs(corners) <= edge / 2).all(1)]
    keep = np.ones(len(corners), bool)
    for first, second in sorted(cKDTree(corners).query_pairs(0.9)):
        if keep[first] and keep[second]:
            keep[second] = False
    return corners[keep]


def _relaxed(atoms: np.ndarray, steps: int = 25) -> np.ndarray:
    """Atoms after a few steps of springs along their bonds and between next neighbours."""
    for _ in range(steps):
        force = np.zeros_like(atoms)
        for low, high, rest, stiffness in ((0.0, 1.35 * BOND, BOND, 0.2), (1.35 * BOND, 1.9 * BOND, _RING, 0.05)):
            pairs = cKDTree(atoms).query_pairs(high, output_type="ndarray")
            vector = atoms[pairs[:, 1]] - atoms[pairs[:, 0]]
            length = np.hypot(*vector.T)
            chosen = length > low
            pairs, vector, length = pairs[chosen], vector[chosen], length[chosen]
            pull = stiffness * (1 - rest / np.maximum(length, 0.3))[:, None] * vector
            for axis in (0, 1):
                force[:, axis] += np.bincount(pairs[:, 0], pull[:, axis], len(atoms))
                force[:, axis] -= np.bincount(pairs[:, 1], pull[:, axis], len(atoms))
        atoms = atoms + np.clip(force, -0.2, 0.2)
    return atoms


def _ripple(atoms: np.ndarray, edge: float, rng: np.random.Generator) -> np.ndarray:
    """Height of each atom in Å: a wave or two of up to half an ångström."""
    height = np.zeros(len(atoms))
    for _ in range(2):
        wave = rng.normal(scale=2 * np.pi / edge, size=2)
        height += rng.uniform(0, 0.5) * np.sin(atoms @ wave + rng.uniform(0, 2 * np.pi))
    return height


def _adatom_places(atoms: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Places above bonds and in the middle of rings, 2 Å from each other at least, shape (n, 2)."""
    pairs = cKDTree(atoms).query_pairs(1.2 * BOND, output_type="ndarray")
    if not len(pairs) or not count:
        return np.empty((0, 2))
    bridges = atoms[pairs].mean(1) + rng.normal(scale=0.1, size=(len(pairs), 2))
    chosen: list[np.ndarray] = []
    for place in bridges[rng.permutation(len(bridges))]:
        if len(chosen) < count and all(np.hypot(*(place - other)) > 2.0 for other in chosen):
            chosen.append(place)
    return np.array(chosen).reshape(-1, 2)
