"""Random packings of atoms: amorphous films and particles."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

_SKIN = 0.3  # of the smallest distance


def pack_box(
    n: int,
    box: tuple[float, float, float],
    min_distance: float,
    rng: np.random.Generator,
    max_steps: int = 300,
) -> np.ndarray:
    """Return points in a box that is periodic along x and y, none closer to another than a distance.

    Overlapping points are pushed apart until none overlap (soft spheres), so the packing is random but has the
    excluded volume of atoms.

    Parameters
    ----------
    n
        Number of points.
    box
        Edges along x, y and z in Å.
    min_distance
        Smallest distance in Å.
    rng
        Random generator.
    max_steps
        Largest number of rounds of pushing.

    Returns
    -------
    numpy.ndarray
        Positions, shape (n, 3).

    Raises
    ------
    ValueError
        If the points would fill more than 61 % of the box, where soft spheres jam.
    """
    edges = np.array(box, dtype=float)
    filling = n * np.pi / 6 * min_distance**3 / np.prod(edges)
    if filling > 0.61:
        raise ValueError(f"{n} points {min_distance} Å apart fill {filling:.0%} of the box; expected 61 % at most.")
    periodic = np.array([edges[0], edges[1], 0.0])
    points = rng.random((n, 3)) * edges
    skin = _SKIN * min_distance
    moved, near = None, None
    for _ in range(max_steps):
        # pairs a little farther apart are kept, and searched for again once points may have come as much closer
        if moved is None or 4 * (moved**2).sum(1).max() > skin**2:
            tree = cKDTree(points, boxsize=periodic)
            near, moved = tree.query_pairs(min_distance + skin, output_type="ndarray"), np.zeros_like(points)
        vector = points[near[:, 1]] - points[near[:, 0]]
        vector[:, :2] -= edges[:2] * np.round(vector[:, :2] / edges[:2])
        square = np.einsum("ij,ij->i", vector, vector)
        close = square <= min_distance**2
        if not close.any():
            break
        (first, second), vector, length = near[close].T, vector[close], np.sqrt(square[close])[:, None]
        # a little more than half of the overlap each, or the last overlaps would vanish only slowly
        push = 0.55 * (1.01 * min_distance - length) * vector / np.maximum(length, 1e-9)
        step = np.stack([np.bincount(second, one, n) - np.bincount(first, one, n) for one in push.T], axis=1)
        step[:, 2] = np.clip(points[:, 2] + step[:, 2], 0, edges[2]) - points[:, 2]
        points += step
        moved += step
        points[:, :2] %= edges[:2]
        points[:, :2] = np.where(points[:, :2] >= edges[:2], 0.0, points[:, :2])  # -1e-17 % edge is the edge itself
        points[:, 2] = np.clip(points[:, 2], 0, edges[2])
    return points


def pack_ellipsoid(
    semi_axes: tuple[float, float, float], density: float, min_distance: float, rng: np.random.Generator
) -> np.ndarray:
    """Return randomly packed points in an ellipsoid about the origin, shape (n, 3).

    Parameters
    ----------
    semi_axes
        Semi-axes along x, y and z in Å.
    density
        Atoms per Å³.
    min_distance
        Smallest distance in Å.
    rng
        Random generator.
    """
    semi = np.array(semi_axes, dtype=float)
    box = tuple(2 * semi + 2 * min_distance)
    points = pack_box(round(density * np.prod(box)), box, min_distance, rng) - np.array(box) / 2
    return points[((points / semi) ** 2).sum(1) <= 1]


# density in atoms per Å³, smallest distance in Å
FILMS = {"C": (0.100, 1.34), "Si": (0.050, 2.20)}


def amorphous_film(symbol: str, edge: float, thickness: float, rng: np.random.Generator) -> np.ndarray:
    """Return the positions of a film of amorphous carbon or silicon between z = 0 and its thickness, in Å.

    Densities are 2.0 g/cm³ for carbon (between glassy and diamond-like) and 2.3 g/cm³ for silicon; the smallest
    distances are those of the first peak of the pair distribution, less its width.

    Parameters
    ----------
    symbol
        "C" or "Si".
    edge
        Edge of the film along x and y, where it is periodic.
    thickness
        Thickness.
    rng
        Random generator.

    References
    ----------
    J. Robertson, Mater. Sci. Eng. R 37, 129 (2002); K. Laaziri et al., Phys. Rev. B 60, 13520 (1999).
    """
    if symbol not in FILMS:
        raise ValueError(f"Unknown film {symbol!r}; expected one of {sorted(FILMS)}.")
    density, distance = FILMS[symbol]
    return pack_box(round(density * edge**2 * thickness), (edge, edge, thickness), distance, rng)
