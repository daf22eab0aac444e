"""Between pixels (row, column) and calibrated positions (x, y): the one place where they are converted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NANOMETRES = {
    "pm": 1e-3,
    "Å": 0.1,
    "\u212b": 0.1,  # the Ångström sign, which some file formats write
    "A": 0.1,
    "Ang": 0.1,
    "Angstrom": 0.1,
    "angstrom": 0.1,
    "Ångström": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "micron": 1e3,
    "mm": 1e6,
    "cm": 1e7,
    "m": 1e9,
}


NO_UNIT = ("", "None", "<undefined>")  # what HyperSpy's axes without a unit say
PIXEL = "px"


@dataclass(frozen=True)
class PixelGrid:
    """The calibrated grid of an image.

    Parameters
    ----------
    shape
        Rows and columns.
    scale
        Size of a pixel along rows and columns, in *units*, positive.
    offset
        Position of the first pixel's centre along rows and columns, in *units*.
    units
        A unit of length.
    direction
        1 where positions grow along rows and columns, -1 where they fall, as on an axis flipped by ``isig[::-1]``.
    """

    shape: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]
    units: str
    direction: tuple[int, int] = (1, 1)

    @property
    def nanometres(self) -> tuple[float, float]:
        """Size of a pixel along rows and columns in nm, to twelve digits: the same whatever unit it is given in."""
        factor = NANOMETRES[self.units]
        return float(f"{self.scale[0] * factor:.12g}"), float(f"{self.scale[1] * factor:.12g}")

    def to_xy(self, rows, columns) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated positions (x, y) of pixel coordinates."""
        x = self.offset[1] + self.direction[1] * self.scale[1] * np.asarray(columns, dtype=float)
        y = self.offset[0] + self.direction[0] * self.scale[0] * np.asarray(rows, dtype=float)
        return x, y

    def to_pixels(self, x, y) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates (rows, columns) of calibrated positions."""
        rows = (np.asarray(y, dtype=float) - self.offset[0]) / (self.direction[0] * self.scale[0])
        columns = (np.asarray(x, dtype=float) - self.offset[1]) / (self.direction[1] * self.scale[1])
        return rows, columns

    def nearest_pixel(self, x: float, y: float) -> np.ndarray:
        """Row and column of the pixel nearest to a position; of two, that of the higher coordinate.

        Raises
        ------
        ValueError
            If the position is not finite.
        """
        pixels, direction = np.array(self.to_pixels(x, y)), np.array(self.direction)
        if not np.isfinite(pixels).all():
            raise ValueError(
                f"The position ({x}, {y}) of a particle is not finite; leave it out with table.select(), for example "
                'table.select("x == x and y == y").'
            )
        # rounded first, so that neither an offset nor the way that an axis runs decides between two
        return (direction * np.floor(np.round(direction * pixels, 6) + 0.5)).astype(int)

    def middle_of_box(self, edge: int) -> np.ndarray:
        """Row and column of the middle of a box: the pixel ``edge // 2``, counted the way that the axes ascend."""
        return np.where(np.array(self.direction) > 0, edge // 2, edge - 1 - edge // 2)

    def ascending(self) -> PixelGrid:
        """The grid of the same pixels with axes that run forwards; see `particlespy_ml.core.frames.ascending`."""
        offset = tuple(
            start if way > 0 else start - (count - 1) * step
            for start, way, count, step in zip(self.offset, self.direction, self.shape, self.scale, strict=True)
        )
        return PixelGrid(self.shape, self.scale, offset, self.units)

    def as_dict(self) -> dict:
        """Plain values for metadata."""
        return {
            "shape": list(self.shape),
            "scale": list(self.scale),
            "offset": list(self.offset),
            "units": self.units,
            "direction": list(self.direction),
        }

    @classmethod
    def from_dict(cls, values: dict) -> PixelGrid:
        """Undo `as_dict`."""
        return cls(
            tuple(int(v) for v in values["shape"]),
            tuple(float(v) for v in values["scale"]),
            tuple(float(v) for v in values["offset"]),
            str(values["units"]),
            tuple(int(v) for v in values.get("direction", (1, 1))),
        )

    def matches(self, other: PixelGrid) -> bool:
        """Whether two grids have the same pixels at the same places, up to rounding."""
        places = [(grid.to_xy(0, 0), grid.to_xy(*grid.shape)) for grid in (self, other)]
        within = 1e-3 * min(self.scale)
        return self.shape == other.shape and self.units == other.units and np.allclose(*places, rtol=1e-13, atol=within)


def pixel_grid(signal, calibrated: bool = True) -> PixelGrid:
    """Return the calibrated grid of an image signal.

    Parameters
    ----------
    signal
        Any signal with two signal dimensions.
    calibrated
        Whether the axes must have units of length; otherwise two axes of one other unit, or none, will do.

    Raises
    ------
    ValueError
        If the axes have no unit of length, a scale that is zero or not finite, or are not uniform.
    """
    x_axis, y_axis = signal.axes_manager.signal_axes
    for axis in (x_axis, y_axis):
        if not axis.is_uniform:
            raise ValueError(f"The axis {axis.name!s} is not uniform; expected a uniform pixel size.")
        if not np.isfinite(axis.scale) or axis.scale == 0:
            raise ValueError(f"The axis {axis.name!s} has the scale {axis.scale}; expected a pixel size above zero.")
    units, to_units = str(x_axis.units), 1.0
    if not calibrated and units in NO_UNIT and str(y_axis.units) in NO_UNIT:
        # lengths of an image without calibration are in pixels
        units = PIXEL if abs(x_axis.scale) == abs(y_axis.scale) == 1 else ""
        return PixelGrid(
            (y_axis.size, x_axis.size),
            (abs(y_axis.scale), abs(x_axis.scale)),
            (y_axis.offset, x_axis.offset),
            units,
            axis_directions(signal),
        )
    if calibrated or units != str(y_axis.units):
        for axis in (x_axis, y_axis):
            _check_unit(axis)
        to_units = NANOMETRES[str(y_axis.units)] / NANOMETRES[units]
    return PixelGrid(
        shape=(y_axis.size, x_axis.size),
        scale=(abs(y_axis.scale) * to_units, abs(x_axis.scale)),
        offset=(y_axis.offset * to_units, x_axis.offset),
        units=units,
        direction=axis_directions(signal),
    )


def set_pixel_size(signal, nanometres: float) -> None:
    """Give both axes of the frames of a signal a pixel size in nm; what was at the origin stays there.

    An axis that falls still falls.

    Examples
    --------
    >>> import numpy as np
    >>> from hyperspy.signals import Signal2D
    >>> from particlespy_ml.core.calibration import set_pixel_size
    >>> s = Signal2D(np.zeros((64, 64)))
    >>> s.axes_manager.signal_axes.set(scale=1e-5, offset=-32e-5, units="µm")
    >>> set_pixel_size(s, 0.02)
    >>> [(axis.scale, round(axis.offset, 6), axis.units) for axis in s.axes_manager.signal_axes]
    [(0.02, -0.64, 'nm'), (0.02, -0.64, 'nm')]
    """
    for axis in signal.axes_manager.signal_axes:
        scale = -nanometres if axis.scale < 0 else nanometres
        axis.offset = axis.offset / axis.scale * scale if axis.scale else 0.0
        axis.scale, axis.units = scale, "nm"


def axis_directions(signal) -> tuple[int, int]:
    """Return 1 for rows and columns along which positions grow, -1 where they fall."""
    x_axis, y_axis = signal.axes_manager.signal_axes
    return tuple(-1 if axis.is_uniform and axis.scale < 0 else 1 for axis in (y_axis, x_axis))


def _check_unit(axis) -> None:
    units = str(axis.units)
    if units not in NANOMETRES:
        reason = "has no unit" if units in NO_UNIT else f"has the unit {units!r}"
        raise ValueError(
            f"The image is not calibrated as a length: its axis {axis.name!s} {reason}; expected one of "
            "pm, Å, nm, µm, mm or m. Set the pixel size, for example "
            's.axes_manager.signal_axes.set(scale=0.02, units="nm").'
        )


def check_square(grid: PixelGrid) -> None:
    """Raise if the pixels of an image are not square."""
    if abs(grid.scale[0] / grid.scale[1] - 1) > 0.02:
        raise ValueError(
            f"The pixels are {grid.scale[0]:g} by {grid.scale[1]:g} {grid.units}; expected square ones. Columns "
            f"are round only there: resample the image first."
        )
