"""Where two plane lattices nearly coincide: rotations, cells and mismatch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from particlespy_ml.strain.polar import left_polar


@dataclass(frozen=True)
class Coincidence:
    """A cell that two lattices nearly share.

    Parameters
    ----------
    rotation
        By which the first lattice is turned, in degrees, counter-clockwise.
    mismatch
        Largest change of a length of the first lattice, as a fraction, that makes the cells equal.
    area
        Of the cell, in Å².
    first, second
        The cell in whole numbers of the vectors of either lattice, shape (2, 2).
    within
        Whether the mismatch is below the limit.
    """

    rotation: float
    mismatch: float
    area: float
    first: tuple
    second: tuple
    within: bool

    def __str__(self) -> str:
        return f"{self.area:.0f} Å², mismatch {100 * self.mismatch:.1f} %, rotation {self.rotation:.2f}°"


def find_coincidence(
    first: np.ndarray, second: np.ndarray, *, limit: float = 0.05, largest: float = 150.0, rotation: float | None = None
) -> Coincidence:
    """Return the smallest cell that two plane lattices share within a limit of mismatch.

    Parameters
    ----------
    first, second
        Vectors of the lattices in Å, shape (2, 2).
    limit
        Largest mismatch. Without a cell below it that of the smallest mismatch is returned.
    largest
        Largest area in Å².
    rotation
        Only this turn of the first lattice in degrees, within half a degree.

    References
    ----------
    A. Zur and T. C. McGill, J. Appl. Phys. 55, 378 (1984).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.atoms.coincidence import find_coincidence
    >>> print(find_coincidence(3.92 * np.eye(2), 3.7845 * np.eye(2)))
    15 Å², mismatch 3.5 %, rotation 0.00°
    """
    ours, theirs = (_vectors(lattice, 1.3 * np.sqrt(largest)) for lattice in (first, second))
    lengths = [np.linalg.norm(pairs @ lattice, axis=1) for pairs, lattice in ((ours, first), (theirs, second))]
    change = np.abs(lengths[1][None] / lengths[0][:, None] - 1)
    for reach in (limit, 3 * limit, 0.5):
        one, two = np.nonzero(change <= reach)
        found = _best(first, second, ours, theirs, one, two, limit, largest, rotation)
        if found is not None and (found.within or reach > limit):
            return found
    at = "" if rotation is None else f" at {rotation:g} degrees"
    raise ValueError(f"The lattices share no cell of up to {largest:g} Å²{at}; give a larger area or another rotation.")


def _best(first, second, ours, theirs, one, two, limit: float, largest: float, rotation) -> Coincidence | None:
    """The best cell of pairs of vectors, one of either lattice; None where there is none."""
    a, b = ours[one] @ first, theirs[two] @ second
    turn = np.degrees(np.arctan2(b[:, 1], b[:, 0]) - np.arctan2(a[:, 1], a[:, 0]))
    turn = (turn + 180) % 360 - 180
    if rotation is not None:
        keep = np.abs((turn - rotation + 180) % 360 - 180) < 4.0
        one, two, a, b, turn = one[keep], two[keep], a[keep], b[keep], turn[keep]
    area = a[:, None, 0] * a[None, :, 1] - a[:, None, 1] * a[None, :, 0]
    near = np.abs((turn[:, None] - turn[None] + 180) % 360 - 180) < 4.0
    i, j = np.nonzero(near & (area > 1.0) & (area < largest))
    if not len(i):
        return None
    linear = np.swapaxes(np.linalg.solve(np.stack([a[i], a[j]], 1), np.stack([b[i], b[j]], 1)), 1, 2)
    strain, angle = left_polar(linear)
    angle, mismatch = np.degrees(angle), np.abs(np.linalg.eigvalsh(strain)).max(1)
    if rotation is not None:
        close = np.abs((angle - rotation + 180) % 360 - 180) < 0.5
        mismatch = np.where(close, mismatch, np.inf)
        if not close.any():
            return None
    size = area[i, j].round(1)
    good = mismatch <= limit
    turns = (-angle.round(3), np.abs(angle).round(3))
    rest = (mismatch.round(5), size, ~good) if good.any() else (size, mismatch.round(5))
    best = np.lexsort((*turns, *rest))[0]
    return Coincidence(
        float(angle[best]),
        float(mismatch[best]),
        float(area[i[best], j[best]]),
        tuple(map(tuple, ours[one[[i[best], j[best]]]].tolist())),
        tuple(map(tuple, theirs[two[[i[best], j[best]]]].tolist())),
        bool(good[best]),
    )


def _vectors(lattice: np.ndarray, longest: float) -> np.ndarray:
    """Whole numbers of the vectors of a lattice up to a length."""
    span = int(np.ceil(longest / np.linalg.svd(lattice)[1].min())) + 1
    pairs = np.array([pair for pair in product(range(-span, span + 1), repeat=2) if any(pair)])
    return pairs[np.linalg.norm(pairs @ lattice, axis=1) < longest]
