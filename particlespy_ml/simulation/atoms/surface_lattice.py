"""A crystal as seen from one of its faces: the plane lattice of the face, and what repeats below it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

import numpy as np

from particlespy_ml.crystals.crystal import SAME, Crystal
from particlespy_ml.crystals.plane_lattice import reduce_basis

_REACH = 6  # lattice vectors of the face are sums of so many primitive ones


@dataclass(frozen=True)
class SurfaceLattice:
    """A face of a crystal; z is its outward normal, x along the first vector. Lengths in Å.

    Parameters
    ----------
    basis
        Two shortest vectors of the lattice of the face, shape (2, 2).
    spacing
        Distance along z after which the crystal repeats itself with a shift.
    shift
        x and y of a vector of the lattice that is one spacing high, shape (2,).
    symbols, places
        Atoms of a primitive cell, places of shape (n, 3) with z from 0 to below the spacing.
    frame
        Unit vectors of x, y and z in the crystal, one a row, shape (3, 3).
    """

    basis: np.ndarray
    spacing: float
    shift: np.ndarray
    symbols: np.ndarray
    places: np.ndarray
    frame: np.ndarray


def miller(face: str | tuple[int, ...]) -> tuple[int, int, int]:
    """Return the three Miller indices of a face, such as "111", "(1-10)", "0001" or (1, 0, 1).

    Raises
    ------
    ValueError
        If they are no three or four whole numbers, or all are zero.

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.surface_lattice import miller
    >>> miller("1-10"), miller("(0001)"), miller((1, 0, 1))
    ((1, -1, 0), (0, 0, 1), (1, 0, 1))
    """
    if isinstance(face, str):
        numbers = tuple(int(one) for one in re.findall(r"-?\d", face))
        bare = re.sub(r"[\s,(){}]|-?\d", "", face)
    else:
        numbers, bare = tuple(int(one) for one in face), ""
    if len(numbers) == 4:
        numbers = (numbers[0], numbers[1], numbers[3])
    if bare or len(numbers) != 3 or not any(numbers):
        raise ValueError(f'Unknown face {face!r}; expected three Miller indices such as "111", "1-10" or (1, 0, 1).')
    return numbers


def surface_lattice(crystal: Crystal, face: str | tuple[int, ...]) -> SurfaceLattice:
    """Return the lattice of a face of a crystal.

    Parameters
    ----------
    crystal
        Any crystal; the indices refer to its conventional cell.
    face
        See `miller`.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.crystals.crystal import crystal
    >>> from particlespy_ml.simulation.atoms.surface_lattice import surface_lattice
    >>> ceria = surface_lattice(crystal("CeO2"), "111")
    >>> np.linalg.norm(ceria.basis, axis=1).round(2), round(ceria.spacing, 2)
    (array([3.83, 3.83]), 3.12)
    """
    indices = miller(face)
    primitive = crystal.primitive @ crystal.cell
    normal = np.linalg.inv(crystal.cell) @ np.array(indices, float)
    normal /= np.linalg.norm(normal)
    combinations = np.array(list(product(range(-_REACH, _REACH + 1), repeat=3)))
    vectors = combinations @ primitive
    heights = vectors @ normal
    lengths = np.linalg.norm(vectors, axis=1)
    flat = vectors[(np.abs(heights) < SAME) & (lengths > SAME)]
    flat = flat[np.argsort(np.linalg.norm(flat, axis=1).round(6), kind="stable")]
    first = flat[0]
    across = flat[np.linalg.norm(np.cross(first, flat), axis=1) > SAME]
    x = first / np.linalg.norm(first)
    frame = np.stack([x, np.cross(normal, x), normal])
    basis = reduce_basis(np.stack([first, across[0]]) @ frame[:2].T)
    turn = np.array([basis[0] / np.linalg.norm(basis[0])])
    turn = np.vstack([turn, [-turn[0, 1], turn[0, 0]]])  # x along the first vector again
    frame[:2] = turn @ frame[:2]
    basis = basis @ turn.T
    spacing = heights[heights > SAME].min()
    above = vectors[np.abs(heights - spacing) < SAME]
    above = above[np.argmin(np.linalg.norm(above, axis=1))] @ frame.T
    symbols, places = _primitive_atoms(crystal, primitive)
    places = places @ frame.T
    steps = np.floor(places[:, 2] / spacing + 1e-6)
    places = places - steps[:, None] * above
    return SurfaceLattice(basis, float(spacing), above[:2], symbols, places, frame)


def _primitive_atoms(crystal: Crystal, primitive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and places in Å of the atoms of a primitive cell."""
    fractions = np.array(crystal.places) @ crystal.cell @ np.linalg.inv(primitive)
    fractions = np.round(fractions, 6) % 1
    symbols, chosen = np.array(crystal.symbols), []
    for number, place in enumerate(fractions):
        between = fractions[chosen] - place
        near = np.linalg.norm((between - np.rint(between)) @ primitive, axis=1) < 10 * SAME
        if not (near & (symbols[chosen] == symbols[number])).any():
            chosen.append(number)
    return symbols[chosen], fractions[chosen] @ primitive


def rectangle(basis: np.ndarray, longest: float = 45.0) -> np.ndarray:
    """Return whole numbers of two lattice vectors at right angles of the smallest area, shape (2, 2).

    Parameters
    ----------
    basis
        Vectors of a plane lattice, shape (2, 2).
    longest
        Limit of their length in Å.

    Raises
    ------
    ValueError
        If there are none.
    """
    pairs = np.array([pair for pair in product(range(-12, 13), repeat=2) if pair > (0, 0)])
    vectors = pairs @ basis
    lengths = np.linalg.norm(vectors, axis=1)
    keep = lengths < longest
    pairs, vectors, lengths = pairs[keep], vectors[keep], lengths[keep]
    square = np.abs(vectors @ vectors.T) < 1e-4 * lengths[:, None] * lengths
    areas = np.where(square, lengths[:, None] * lengths, np.inf)
    if not np.isfinite(areas).any():
        raise ValueError(f"The face has no rectangular cell within {longest:g} Å; take one of lower indices.")
    one, two = np.unravel_index(np.argmin(areas.round(4)), areas.shape)
    first, second = (one, two) if lengths[one] <= lengths[two] else (two, one)
    chosen = np.array([pairs[first], pairs[second]])
    if np.linalg.det(chosen @ basis) < 0:
        chosen[1] *= -1
    return chosen
