"""Edges of ceria along [110]: flat, stepped and saw-toothed surfaces whose columns hold any number of atoms."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.crystals.crystal import crystal
from particlespy_ml.simulation.atoms.projected import Projected, project

SURFACES = ("flat", "stepped", "saw-tooth", "corner")
HIGHEST = 10  # cerium atoms in a column
_KEPT = np.array([0.0, 0.25, 0.8, 0.97, 1.0])  # share of oxygen atoms that stay with 0 to 4 cerium neighbours
_FACETS = {"(111)": (1, -1, 1), "(110)": (1, -1, 0), "(001)": (0, 0, 1)}


def ceria_edge(
    lattice_constant: float,
    radius: float,
    thickness: tuple[int, int],
    rng: np.random.Generator,
    vacancies: float = 0.05,
) -> tuple[Projected, dict]:
    """Return a piece of ceria with a surface along the beam, and what was drawn of it.

    Its thickness varies smoothly and by steps; columns within 4 Å of the surface hold any number of cerium atoms up to
    that of the thickness. Oxygen atoms stay where they have cerium beside them.

    Parameters
    ----------
    lattice_constant
        In Å.
    radius
        Of the piece in Å.
    thickness
        Smallest and largest number of cerium atoms of a column away from the surface, up to 10.
    rng
        Random generator.
    vacancies
        Largest share of oxygen atoms that are missing.
    """
    frame = np.array([(0, 0, 1), (1, -1, 0), (1, 1, 0)], float)
    frame /= np.linalg.norm(frame, axis=1, keepdims=True)
    symbols, points = _fluorite(lattice_constant, radius + 4, frame, rng)
    facet = str(rng.choice(list(_FACETS)))
    normal = frame @ (np.array(_FACETS[facet]) / np.linalg.norm(_FACETS[facet]))
    surface = str(rng.choice(SURFACES))
    depth = _depth(points[:, :2], normal[:2] / np.hypot(*normal[:2]), surface, rng)
    depth = np.minimum(depth, radius - np.hypot(*points[:, :2].T))
    keep = (depth > 0) & (symbols == "Ce")
    cerium = project(symbols[keep], points[keep])
    wanted = _occupancies(cerium.places, _of_columns(cerium, depth[keep]), thickness, rng)
    cerium_points = _fill(cerium, wanted, lattice_constant / np.sqrt(2), rng)
    oxygen = points[symbols == "O"]
    tree = cKDTree(cerium_points)
    neighbours = np.array([len(near) for near in tree.query_ball_point(oxygen, 0.46 * lattice_constant)])
    share = _KEPT[np.minimum(neighbours, 4)] * (1 - vacancies * rng.random() ** 2)
    oxygen = oxygen[rng.random(len(oxygen)) < share]
    placed = project(np.repeat(["Ce", "O"], [len(cerium_points), len(oxygen)]), np.concatenate([cerium_points, oxygen]))
    return placed, {"surface": surface, "facet": facet}


def _fluorite(a: float, radius: float, frame: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and places of a disc of ceria, z along the beam, long enough for the highest columns."""
    cell = crystal("CeO2")
    half = (HIGHEST / 2 + 2) * a / np.sqrt(2)
    count = int(np.ceil(np.hypot(radius, half) / a)) + 1
    shifts = np.stack(np.meshgrid(*[np.arange(-count, count + 1)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    points = a * ((shifts + np.array(cell.places)).reshape(-1, 3) + rng.random(3)) @ frame.T
    symbols = np.tile(cell.symbols, len(shifts))
    inside = (np.hypot(*points[:, :2].T) < radius) & (np.abs(points[:, 2]) < half)
    return symbols[inside], points[inside]


def _depth(places: np.ndarray, normal: np.ndarray, surface: str, rng: np.random.Generator) -> np.ndarray:
    """Depth of places, shape (n, 2), below a surface in Å, negative beyond it."""
    along, height = places @ np.array([-normal[1], normal[0]]), places @ normal
    level = rng.uniform(-8, 8)
    if surface == "stepped":
        steps = rng.uniform(-18, 18, rng.integers(1, 4))
        level = level + (along[:, None] > steps).sum(1) * rng.uniform(1.5, 4.0) * rng.choice((-1, 1))
    elif surface == "saw-tooth":
        period, amplitude = rng.uniform(9, 24), rng.uniform(2, 7)
        level = level + amplitude * (2 * np.abs((along / period + rng.random()) % 1 - 0.5) - 0.5)
    depth = level - height
    if surface == "corner":
        angle = rng.uniform(np.pi / 3, 2 * np.pi / 3)
        depth = np.minimum(depth, rng.uniform(0, 12) - (np.cos(angle) * height + np.sin(angle) * along))
    return depth


def _of_columns(atoms: Projected, values: np.ndarray) -> np.ndarray:
    """Mean of what each atom has over the atoms of each column."""
    return np.bincount(atoms.column, values, len(atoms.kinds)) / np.maximum(atoms.heights, 1)


def _occupancies(places: np.ndarray, depth: np.ndarray, thickness: tuple[int, int], rng) -> np.ndarray:
    """Number of cerium atoms wanted in each column."""
    base = rng.uniform(*thickness)
    slope = rng.normal(scale=0.06, size=2) * rng.integers(2)
    level = base + places @ slope
    if rng.random() < 0.4:  # a terrace
        direction = rng.normal(size=2)
        level = level + rng.integers(1, 4) * rng.choice((-1, 1)) * (places @ direction > rng.normal(scale=8) * 1.4)
    full = np.clip(np.rint(level + 0.4 * rng.normal(size=len(places)) * rng.integers(2)), 1, HIGHEST)
    rim = rng.uniform(2.0, 4.5)
    any_number = rng.integers(0, full.astype(int) + 1)
    return np.where((depth < rim) & (rng.random(len(places)) < rng.uniform(0.2, 0.9)), any_number, full).astype(int)


def _fill(cerium: Projected, wanted: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Places of cerium atoms, as many as wanted in each column, about the middle or on one side."""
    side = rng.choice((-1.0, 0.0, 1.0))
    order = np.lexsort([cerium.positions[:, 2], cerium.column])
    column, positions = cerium.column[order], cerium.positions[order]
    # atoms nearest to a height that a flat lower or upper side has for every number of them
    target = side * (HIGHEST - wanted) * spacing / 2
    away = np.abs(positions[:, 2] - target[column])
    rank_order = np.lexsort([away, column])
    starts = np.searchsorted(column, np.arange(len(wanted)))
    rank = np.arange(len(column)) - starts[column[rank_order]]
    return positions[rank_order][rank < wanted[column[rank_order]]]
