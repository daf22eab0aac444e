"""Common-neighbour analysis: which isomer an atomic model is, told from its bonds alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.spatial import cKDTree

FCC_PAIR, HCP_PAIR, FIVEFOLD_PAIR = (4, 2, 1), (4, 2, 2), (5, 5, 5)


def neighbour_pairs(positions: np.ndarray, cutoff: float) -> np.ndarray:
    """Return the pairs of atoms closer than *cutoff* (Å), shape (n_pairs, 2)."""
    return cKDTree(positions).query_pairs(cutoff, output_type="ndarray")


def pair_signatures(n_atoms: int, pairs: np.ndarray) -> list[tuple[int, int, int]]:
    """Return the common-neighbour signature of every pair.

    A signature has the number of neighbours that both atoms share, the number of bonds among these, and the length of
    the longest chain of such bonds. Pairs of a perfect fcc crystal are (4, 2, 1); pairs across a twin plane or in
    hcp are (4, 2, 1) and (4, 2, 2); pairs along a five-fold axis are (5, 5, 5).

    Parameters
    ----------
    n_atoms
        Number of atoms.
    pairs
        Pairs of neighbours, shape (n_pairs, 2), each once.

    References
    ----------
    J. D. Honeycutt and H. C. Andersen, J. Phys. Chem. 91, 4950 (1987). D. Faken and H. Jonsson, Comput. Mater. Sci. 2,
    279 (1994).
    """
    neighbours: list[set[int]] = [set() for _ in range(n_atoms)]
    for first, second in pairs.tolist():
        neighbours[first].add(second)
        neighbours[second].add(first)
    signatures = []
    for first, second in pairs.tolist():
        shared = neighbours[first] & neighbours[second]
        bonds = [(a, b) for a in shared for b in neighbours[a] & shared if a < b]
        signatures.append((len(shared), len(bonds), _longest_chain(bonds)))
    return signatures


def _longest_chain(bonds: list[tuple[int, int]]) -> int:
    """Largest number of bonds that hang together."""
    chains: list[tuple[set[int], int]] = []
    for a, b in bonds:
        atoms, length, others = {a, b}, 1, []
        for chain in chains:
            if chain[0] & atoms:
                atoms, length = atoms | chain[0], length + chain[1]
            else:
                others.append(chain)
        chains = [*others, (atoms, length)]
    return max((length for _, length in chains), default=0)


def identify_isomer(positions: np.ndarray, cutoff: float, min_order: float = 0.6) -> str:
    """Tell which isomer a particle is: "icosahedron", "decahedron", "cuboctahedron" (fcc) or "amorphous".

    Only bonds of atoms with at least twelve neighbours count, since surfaces have other signatures. A particle is
    ordered when at least *min_order* of its inner bonds are those of fcc, of a twin plane or of a five-fold axis. An
    ordered particle without five-fold axes and with few twin bonds is fcc, with one axis a decahedron, with axes in
    three directions or more an icosahedron. What is ordered but none of them (a single twin, say) is "amorphous" for
    nobody: it gets "other".

    Parameters
    ----------
    positions
        Mean positions of the atoms in Å, shape (n_atoms, 3); thermal displacements break bonds.
    cutoff
        Largest distance of neighbours in Å, between the first and the second shell.
    min_order
        Least share of ordered inner bonds.

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.structures import closed_shell, neighbour_cutoff
    >>> identify_isomer(closed_shell("decahedron", 309).positions, neighbour_cutoff("Au"))
    'decahedron'
    """
    pairs = neighbour_pairs(positions, cutoff)
    inner = np.bincount(pairs.ravel(), minlength=len(positions)) >= 12
    touching, inside = inner[pairs].any(1), inner[pairs].all(1)
    inside = inside if inside.any() else touching  # the smallest particles have one inner atom
    signatures = pair_signatures(len(positions), pairs)
    counts = Counter(signature for signature, keep in zip(signatures, inside, strict=True) if keep)
    ordered = counts[FCC_PAIR] + counts[HCP_PAIR] + counts[FIVEFOLD_PAIR]
    if not inside.any() or ordered < min_order * inside.sum():
        return "amorphous"
    fivefold = pairs[touching & np.array([signature == FIVEFOLD_PAIR for signature in signatures])]
    if len(fivefold):
        return _by_axes(positions[fivefold[:, 1]] - positions[fivefold[:, 0]])
    return "cuboctahedron" if counts[HCP_PAIR] <= 0.03 * inside.sum() else "other"


def _by_axes(vectors: np.ndarray) -> str:
    """Decahedron or icosahedron by the directions of the five-fold bonds."""
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    axes: list[np.ndarray] = []
    for direction in directions:
        if all(abs(direction @ axis) < np.cos(np.radians(25)) for axis in axes):
            axes.append(direction)
    return {1: "decahedron", 2: "other"}.get(len(axes), "icosahedron")
