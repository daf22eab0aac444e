"""Structures seen along the beam: which atom belongs to which column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

GHOST = "X"  # symbol of an atom that is not there, but holds the place of a column that lacks all of its atoms


@dataclass(frozen=True)
class Projected:
    """Atoms and the columns that they form along z, the direction of the beam.

    Parameters
    ----------
    symbols
        Chemical symbol of each atom, shape (n,); `GHOST` for one that scatters nothing.
    positions
        Positions in Å, shape (n, 3).
    column
        Number of the column that each atom belongs to, shape (n,); -1 for atoms of none.
    kinds
        Kind of each column, such as "Ce", shape (m,).
    """

    symbols: np.ndarray
    positions: np.ndarray
    column: np.ndarray
    kinds: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        """Number of atoms of each column, shape (m,)."""
        return np.bincount(self.column[self.column >= 0], minlength=len(self.kinds))

    @property
    def places(self) -> np.ndarray:
        """Mean x and y of the atoms of each column in Å, shape (m, 2)."""
        inside = self.column >= 0
        number = np.maximum(self.heights, 1)[:, None]
        sums = [
            np.bincount(self.column[inside], self.positions[inside, axis], minlength=len(self.kinds)) for axis in (0, 1)
        ]
        return np.stack(sums, axis=1) / number

    def moved(self, positions: np.ndarray) -> Projected:
        """Return the same atoms in other places."""
        return Projected(self.symbols, positions, self.column, self.kinds)

    def joined(self, other: Projected) -> Projected:
        """Return the atoms and columns of both."""
        shift = np.where(other.column >= 0, len(self.kinds), 0)
        return Projected(
            np.concatenate([self.symbols, other.symbols]),
            np.concatenate([self.positions, other.positions]),
            np.concatenate([self.column, other.column + shift]),
            np.concatenate([self.kinds, other.kinds]),
        )


def project(symbols: np.ndarray, positions: np.ndarray, tolerance: float = 0.3) -> Projected:
    """Return atoms with their columns: atoms of one species that lie above each other.

    Parameters
    ----------
    symbols
        Shape (n,). The kind of a column is the symbol of its atoms.
    positions
        In Å, shape (n, 3), before anything moves atoms off their columns.
    tolerance
        Largest distance in projection of two atoms of one column in Å.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.atoms.projected import project
    >>> project(np.array(["Au"] * 3), np.array([[0, 0, 0], [0, 0, 2.9], [2, 0, 0.0]])).heights
    array([2, 1])
    """
    symbols = np.asarray(symbols)
    species, code = np.unique(symbols, return_inverse=True)
    # species are kept apart by a third coordinate
    points = np.column_stack([positions[:, :2], 10.0 * tolerance * code])
    pairs = cKDTree(points).query_pairs(tolerance, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    number, column = connected_components(graph, directed=False)
    kinds = np.empty(number, symbols.dtype if len(symbols) else "U2")
    kinds[column] = symbols
    return Projected(symbols, np.asarray(positions, float), column, kinds)


def tilted(atoms: Projected, degrees: float, azimuth: float) -> Projected:
    """Return atoms turned about their middle by an angle in degrees, about an axis in the plane at an azimuth."""
    axis = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    middle = (atoms.positions.max(0) + atoms.positions.min(0)) / 2 if len(atoms.positions) else np.zeros(3)
    turn = Rotation.from_rotvec(np.radians(degrees) * axis)
    return atoms.moved(turn.apply(atoms.positions - middle) + middle)
