"""How near atoms may come: bonds of two elements, and lowering one structure onto another until they touch."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


def bond_lengths(first, second) -> np.ndarray:
    """Return sums of covalent radii of two lists of elements in Å, shape (n, m).

    Parameters
    ----------
    first, second
        Chemical symbols.

    References
    ----------
    B. Cordero et al., Dalton Trans. 2832 (2008).

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.contact import bond_lengths
    >>> bond_lengths(["Pt"], ["O", "Ti"]).round(2)
    array([[2.02, 2.96]])
    """
    from ase.data import atomic_numbers, covalent_radii

    radii = [np.array([covalent_radii[atomic_numbers[one]] for one in symbols]) for symbols in (first, second)]
    return radii[0][:, None] + radii[1][None]


def touching_height(
    moving_symbols, moving: np.ndarray, symbols, points: np.ndarray, edges: np.ndarray | None = None
) -> float:
    """Return by how much atoms are raised to rest on others: each pair is at least a bond length apart, and one is so.

    Parameters
    ----------
    moving_symbols, moving
        Atoms that come from above, positions of shape (n, 3).
    symbols, points
        Those that are there, shape (m, 3).
    edges
        Of a rectangle in which the latter are periodic along x and y.
    """
    kinds, kind = np.unique(np.asarray(moving_symbols), return_inverse=True)
    others, other = np.unique(np.asarray(symbols), return_inverse=True)
    bonds = bond_lengths(kinds, others)
    box = None if edges is None else edges
    flat = points[:, :2] if box is None else points[:, :2] % box
    tree = cKDTree(flat, boxsize=box)
    query = moving[:, :2] if box is None else moving[:, :2] % box
    highest = -np.inf
    for number, near in enumerate(tree.query_ball_point(query, bonds.max())):
        if not near:
            continue
        away = flat[near] - query[number]
        if box is not None:
            away -= box * np.rint(away / box)
        apart = bonds[kind[number], other[near]] ** 2 - (away**2).sum(1)
        touching = apart > 0
        if touching.any():
            heights = points[near, 2][touching] + np.sqrt(apart[touching]) - moving[number, 2]
            highest = max(highest, float(heights.max()))
    if not np.isfinite(highest):
        raise ValueError("The structures do not lie above each other; move one of them.")
    return highest


def closest(symbols, points: np.ndarray, edges: np.ndarray | None = None) -> tuple[float, tuple[int, int]]:
    """Return the smallest distance of two atoms over the sum of their covalent radii, and which they are.

    Parameters
    ----------
    symbols, points
        Atoms, shape (n, 3).
    edges
        Of a rectangle in which they are periodic along x and y.
    """
    symbols = np.asarray(symbols)
    if len(points) < 2:
        return np.inf, (0, 0)
    low = points[:, 2].min()
    height = np.ptp(points[:, 2]) + 20.0
    box = None if edges is None else np.array([edges[0], edges[1], height])
    moved = points if box is None else np.column_stack([points[:, :2] % box[:2], points[:, 2] - low])
    pairs = cKDTree(moved, boxsize=box).query_pairs(3.4, output_type="ndarray")
    if not len(pairs):
        return np.inf, (0, 0)
    away = moved[pairs[:, 0]] - moved[pairs[:, 1]]
    if box is not None:
        away -= box * np.rint(away / box)
    kinds, kind = np.unique(symbols, return_inverse=True)
    bonds = bond_lengths(kinds, kinds)[kind[pairs[:, 0]], kind[pairs[:, 1]]]
    ratio = np.linalg.norm(away, axis=1) / bonds
    worst = int(np.argmin(ratio))
    return float(ratio[worst]), (int(pairs[worst, 0]), int(pairs[worst, 1]))
