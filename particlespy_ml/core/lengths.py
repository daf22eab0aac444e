"""Lengths as users give them: numbers in the unit of the axes, or texts with a unit, such as "4 px" or "0.4 nm"."""

from __future__ import annotations

import re

import numpy as np

from particlespy_ml.core.calibration import NANOMETRES, PixelGrid

PIXELS = ("px", "pixel", "pixels")
_TEXT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\W\d]+)\s*")


def in_units(length: float | str, grid: PixelGrid, name: str) -> float:
    """Return a length in the unit of an image's axes.

    Parameters
    ----------
    length
        A number in the unit of the axes, or a text of a number and a unit: "px", or a unit of length such as "nm".
    grid
        Calibration of the image. A pixel has its size along x.
    name
        The argument, for messages.

    Raises
    ------
    TypeError
        If it is neither a number nor a text.
    ValueError
        If the text cannot be read, the number is not finite, or the image has no unit of length to convert to.

    Examples
    --------
    >>> from particlespy_ml.core.calibration import PixelGrid
    >>> from particlespy_ml.core.lengths import in_units
    >>> grid = PixelGrid((64, 64), (0.2, 0.2), (0.0, 0.0), "Å")
    >>> in_units(3, grid, "box"), in_units("10 px", grid, "box"), in_units("0.5 nm", grid, "box")
    (3.0, 2.0, 5.0)
    """
    unit = ""
    if isinstance(length, str):
        match = _TEXT.fullmatch(length)
        if match is None:
            raise ValueError(f'{name}={length!r}; expected a number and a unit, such as "4 px" or "0.4 nm".')
        value, unit = float(match[1]), match[2]
    elif isinstance(length, (bool, np.bool_)) or np.ndim(length) or not np.isreal(length):
        raise TypeError(f'{name}={length!r}; expected a number in {grid.units}, or a text such as "4 px" or "0.4 nm".')
    else:
        value = float(length)
    if not np.isfinite(value):
        raise ValueError(f"{name}={length!r}; expected a finite length.")
    if not unit or unit == grid.units:
        return value
    if unit in PIXELS:
        return value * grid.scale[1]
    if unit not in NANOMETRES:
        raise ValueError(
            f"{name}={length!r}: the unit {unit!r} is unknown; expected px, or one of pm, Å, nm, µm, mm and m."
        )
    if grid.units not in NANOMETRES:
        raise ValueError(
            f'{name}={length!r}, but the axes of the image have no unit of length; give pixels, such as "4 px", or '
            "calibrate the image."
        )
    return value * NANOMETRES[unit] / NANOMETRES[grid.units]


def in_pixels(length: float | str, grid: PixelGrid, name: str) -> float:
    """Return a length in pixels along x, see `in_units`.

    Examples
    --------
    >>> from particlespy_ml.core.calibration import PixelGrid
    >>> from particlespy_ml.core.lengths import in_pixels
    >>> in_pixels("1 Å", PixelGrid((64, 64), (0.02, 0.02), (0.0, 0.0), "nm"), "max_shift")
    5.0
    """
    return round(in_units(length, grid, name) / grid.scale[1], 9)


def in_nanometres(length: float | str, grid: PixelGrid, name: str) -> float:
    """Return a length in nm, see `in_units`; for images calibrated as a length.

    Examples
    --------
    >>> from particlespy_ml.core.calibration import PixelGrid
    >>> from particlespy_ml.core.lengths import in_nanometres
    >>> in_nanometres("4.08 Å", PixelGrid((64, 64), (0.02, 0.02), (0.0, 0.0), "nm"), "lattice_constant")
    0.408
    """
    return round(in_units(length, grid, name) * NANOMETRES[grid.units], 12)
