"""Crystals, and what of them is seen along a zone axis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Projection:
    """A crystal seen along a zone axis: one column for each point of a plane lattice.

    Parameters
    ----------
    structure, zone_axis
        What is seen along what.
    basis
        Two shortest vectors of the plane lattice in lattice constants, shape (2, 2), the second at most 90 degrees from
        the first, counter-clockwise.
    heights
        Height of the atoms of the column at each of the two vectors over those of the column at the origin, in periods.
    period
        Distance between the atoms of a column in lattice constants.
    """

    structure: str
    zone_axis: str
    basis: np.ndarray
    heights: np.ndarray
    period: float

    @property
    def nearest(self) -> float:
        """Distance between neighbouring columns in lattice constants."""
        return float(np.linalg.norm(self.basis, axis=1).min())

    @property
    def area(self) -> float:
        """Area of a column in squares of the lattice constant."""
        return abs(float(np.linalg.det(self.basis)))

    def reflections(self, shells: int = 2) -> list[np.ndarray]:
        """Return the shortest vectors of the reciprocal lattice in shells of one length, one of each pair g and -g.

        Parameters
        ----------
        shells
            Number of lengths.
        """
        reciprocal = np.linalg.inv(self.basis).T
        indices = np.array([(h, k) for h, k in product(range(-3, 4), repeat=2) if (h, k) > (0, 0)])
        vectors = indices @ reciprocal
        lengths = np.linalg.norm(vectors, axis=1).round(6)
        return [vectors[lengths == length] for length in np.unique(lengths)[:shells]]


def crystal(symbol: str) -> tuple[str, float]:
    """Return structure and lattice constant in Å of a cubic element (from ASE).

    Raises
    ------
    ValueError
        If the element is unknown, or not fcc or bcc in its reference state.
    """
    from ase.data import atomic_numbers, reference_states

    if symbol not in atomic_numbers:
        raise ValueError(f"{symbol!r} is no chemical element.")
    state = reference_states[atomic_numbers[symbol]]
    if not state or state["symmetry"] not in STRUCTURES:
        raise ValueError(
            f"{symbol!r} is neither fcc nor bcc; expected an element such as Au, Pt, Pd, Ag, Cu, Fe or W, or give "
            "lattice constant and structure, or cross-sections of your own."
        )
    return state["symmetry"], float(state["a"])


@lru_cache
def projection(structure: str, zone_axis: str) -> Projection:
    """Return the plane lattice of the columns of a crystal along a zone axis.

    Parameters
    ----------
    structure
        "fcc" or "bcc".
    zone_axis
        "<001>", "<011>" or "<111>".

    Raises
    ------
    ValueError
        If structure or zone axis is unknown.

    Examples
    --------
    >>> from particlespy_ml.crystals.projection import projection
    >>> seen = projection("fcc", "<011>")
    >>> round(seen.nearest, 3), round(seen.period, 3)
    (0.612, 0.707)
    """
    if structure not in STRUCTURES:
        raise ValueError(f"Unknown structure {structure!r}; expected one of {', '.join(STRUCTURES)}.")
    if zone_axis not in ZONE_AXES:
        raise ValueError(f"Unknown zone axis {zone_axis!r}; expected one of {', '.join(ZONE_AXES)}.")
    primitive = np.array(STRUCTURES[structure])
    along = np.array(ZONE_AXES[zone_axis], float)
    along /= np.linalg.norm(along)
    across = np.array([1.0, -1.0, 0.0]) / np.sqrt(2) if zone_axis == "<111>" else np.array([1.0, 0.0, 0.0])
    frame = np.stack([across, np.cross(along, across), along])
    vectors = np.array(list(product(range(-3, 4), repeat=3))) @ primitive @ frame.T
    vectors = vectors[np.linalg.norm(vectors, axis=1) > 1e-9]
    flat = np.linalg.norm(vectors[:, :2], axis=1)
    period = float(np.abs(vectors[flat < 1e-9, 2]).min())
    order = np.lexsort((np.abs(vectors[:, 2]), np.round(flat, 9)))
    plane = vectors[order][np.sort(flat) > 1e-9]
    area = abs(np.linalg.det(primitive)) / period
    short = plane[:24]
    pairs = [
        (first, second)
        for first, second in product(short, repeat=2)
        if abs(first[0] * second[1] - first[1] * second[0] - area) < 1e-9 and first[:2] @ second[:2] > -1e-9
    ]
    first, second = min(pairs, key=lambda pair: round(sum(np.linalg.norm(v[:2]) for v in pair), 9))
    basis = np.stack([first[:2], second[:2]])
    heights = np.array([first[2], second[2]]) / period % 1
    return Projection(structure, zone_axis, basis, heights, period)


STRUCTURES = {
    "fcc": ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)),
    "bcc": ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5)),
}


ZONE_AXES = {"<001>": (0, 0, 1), "<011>": (0, 1, 1), "<111>": (1, 1, 1)}
