"""Names of directions in crystals, and what whole numbers they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np

from particlespy_ml.crystals.crystal import Crystal

LOW_INDEX = {
    "cubic": ("<001>", "<011>", "<111>"),
    "hexagonal": ("<0001>", "<11-20>", "<10-10>"),
    "tetragonal": ("<001>", "<100>", "<110>", "<111>"),
    "other": ("<001>", "<010>", "<100>"),
}


def direction(axis: str | Sequence[int], crystal: Crystal) -> tuple[int, int, int]:
    """Return the whole numbers [uvw] of a direction, without common divisor.

    Parameters
    ----------
    axis
        A name such as "<011>", "[1-10]", "[1, 1, -12]", or "<11-20>" with the four indices of Miller and Bravais, or
        three or four whole numbers. Of a family <uvw> it is the member that is written.
    crystal
        To whose conventional cell the indices refer.

    Raises
    ------
    ValueError
        If the axis is no three or four whole numbers, all of them are zero, or there are four whose first three do not
        add up to zero, or the crystal is not hexagonal.

    References
    ----------
    J. W. Edington, Practical Electron Microscopy in Materials Science 2, Appendix 3 (1975), for four indices.

    Examples
    --------
    >>> from particlespy_ml.crystals.crystal import crystal
    >>> from particlespy_ml.crystals.directions import direction
    >>> direction("<11-20>", crystal("Co")), direction("[022]", crystal("Pt"))
    ((1, 1, 0), (0, 1, 1))
    """
    numbers = _numbers(axis)
    if len(numbers) not in (3, 4) or not any(numbers):
        raise ValueError(
            f"Unknown zone axis {axis!r}; expected three whole numbers such as <001>, <011>, [1-10] or (1, 1, 2), or "
            "four such as <11-20> for a hexagonal crystal."
        )
    if len(numbers) == 4:
        if crystal_system(crystal) != "hexagonal":
            raise ValueError(f"Zone axis {axis!r} has four indices, but {crystal.name} is not hexagonal; give three.")
        u, v, t, w = numbers
        if u + v + t:
            raise ValueError(f"The first three indices of {axis!r} add up to {u + v + t}; expected zero.")
        numbers = (u - t, v - t, w)
    divisor = reduce(gcd, numbers)
    u, v, w = (number // divisor for number in numbers)
    return u, v, w


def direction_name(axis: str | Sequence[int]) -> str:
    """Return the name of a direction: as given, or "[uvw]" for numbers."""
    if isinstance(axis, str):
        return axis
    numbers = _numbers(axis)
    return f"[{(' ' if max(map(abs, numbers), default=0) > 9 else '').join(map(str, numbers))}]"


def crystal_system(crystal: Crystal) -> str:
    """Return "cubic", "hexagonal", "tetragonal" or "other", from the lengths and angles of the conventional cell."""
    gram = crystal.cell @ crystal.cell.T
    lengths = np.sqrt(np.diag(gram))
    cosines = (gram / np.outer(lengths, lengths))[[1, 0, 0], [2, 2, 1]]
    if np.isclose(lengths[0], lengths[1], rtol=1e-4):
        if np.allclose(cosines, 0, atol=1e-4):
            return "cubic" if np.isclose(lengths[0], lengths[2], rtol=1e-4) else "tetragonal"
        if np.allclose(cosines, (0, 0, -0.5), atol=1e-4):
            return "hexagonal"
    return "other"


def low_index_zone_axes(crystal: Crystal) -> tuple[str, ...]:
    """Return the zone axes of low indices along which a crystal is mostly recognised.

    Parameters
    ----------
    crystal
        Whose cell says of which crystal system it is; a single sheet of graphene has its normal alone.
    """
    return LOW_INDEX["hexagonal"][:1] if crystal.name == "graphene" else LOW_INDEX[crystal_system(crystal)]


def _numbers(axis) -> tuple[int, ...]:
    """Whole numbers of an axis; none where it is no axis."""
    if isinstance(axis, str):
        inner = axis.strip().strip("<>[]()").strip()
        # digits stand without anything between, numbers of several digits with spaces or commas
        parts = re.split(r"[\s,]+", inner) if re.search(r"[\s,]", inner) else re.findall(r"-?\d|.", inner)
        return tuple(map(int, parts)) if all(re.fullmatch(r"-?\d+", part) for part in parts) else ()
    numbers = np.atleast_1d(np.asarray(axis))
    whole = numbers.dtype.kind in "iuf" and numbers.ndim == 1 and np.all(numbers == np.rint(numbers))
    return tuple(int(number) for number in numbers) if whole else ()
