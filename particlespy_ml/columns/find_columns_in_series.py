"""The verb `find_columns_in_series`, for any image signal."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.find_columns import check_background, check_rate, check_spacing, noise_of
from particlespy_ml.core.calibration import PixelGrid, check_square
from particlespy_ml.core.frames import check_frame
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_pixels
from particlespy_ml.core.series import map_series
from particlespy_ml.quality.noise import Noise

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike

    from particlespy_ml.columns.search.in_image import FoundColumns


_logger = logging.getLogger(__name__)


def find_columns_in_series(
    signal: Signal2D,
    *,
    spacing: float | str | None = None,
    dose: float | str | None = None,
    false_positives: float = 0.05,
    background: int | str = "auto",
    max_shift: float | str | None = None,
    mask: BaseSignal | ArrayLike | None = None,
    check_lattice: bool = True,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> BaseSignal:
    """Find columns in the sum of a series of one particle and measure their cross-sections in every frame.

    Frames are shifted onto each other by whole pixels, columns are found in their sum, and each frame is then fitted
    with these positions, moved by its drift to a fraction of a pixel. So columns that are too faint for a single frame
    are measured in all of them.

    Parameters
    ----------
    signal
        Series of images of one particle along one navigation axis. A lazy one is read four times, frame by frame.
    spacing, dose, false_positives, background, check_lattice, lazy_output, show_progressbar
        As for `find_columns`; the dose is that of a frame.
    max_shift
        Largest drift between a frame and the first one, less than the longer side of the image: a number in the image's
        units, or a text such as "20 px". By default a tenth of the shorter side. A drift by a lattice vector is told by
        the outline of the particle alone.
    mask
        Where to look in every frame, booleans of the shape of one.

    Returns
    -------
    ColumnTable or LazyColumnTable
        One row for each column in each frame, with a column ``track``. Columns that drift out of a frame are flagged as
        cut by the border there, and have no volume once they are out of sight.

    Raises
    ------
    ValueError
        If there is more than one navigation axis, *max_shift* is not above zero or beyond the image, or `find_columns`
        would raise.

    Warns
    -----
    UserWarning
        If frames lie beyond *max_shift*, or show nothing to compare: they are not used, and have no rows. A lazy table
        warns when it is computed.
    """
    from particlespy_ml.columns.rows import column_units
    from particlespy_ml.tables.table import make_table

    image = ImageFrames.of(signal)
    if signal.axes_manager.navigation_dimension > 1:
        raise ValueError(
            f"Expected a series along one axis, not {signal.axes_manager.navigation_dimension}; choose one with inav."
        )
    grid = image.grid
    check_square(grid)
    check_rate(false_positives)
    check_background(background)
    spacing = check_spacing(spacing, grid)
    where = None
    if mask is not None:
        where = np.asarray(getattr(mask, "data", mask))
        if where.shape != grid.shape or where.dtype.kind not in "biu" or not where.any():
            raise ValueError(
                f"Expected a mask of booleans of the shape of one frame, {grid.shape}, True where to look, not "
                f"{where.dtype} of {where.shape}."
            )
        where = where != 0
    reach = 0.1 * min(grid.shape) if max_shift is None else in_pixels(max_shift, grid, "max_shift")
    finder = SeriesFinder(
        grid,
        spacing,
        check_largest_shift(reach, grid),
        noise_of(dose, grid),
        false_positives,
        background,
        check_lattice,
        where,
    )
    data = map_series(finder, finder.measure, image.frames, lazy_output, show_progressbar)
    record = {
        "spacing": "" if spacing is None else spacing * grid.scale[0],
        "dose": dose or "",
        "false_positives": false_positives,
        "background": background,
        "check_lattice": bool(check_lattice),
        "series": True,
    }
    units = {**column_units(grid.units), "track": ""}
    full = image.record(finding=record)
    return make_table(data, image.navigation_axes, units, full, image.titled("Columns"), "column_table")


@dataclass(frozen=True)
class SeriesFinder:
    """Functions for `particlespy_ml.core.series.map_series`: called, it finds the columns of a whole series.

    Parameters
    ----------
    grid
        Calibration of the frames.
    spacing, max_shift
        In pixels.
    noise, false_positives, background, check_lattice
        As for `find_columns`.
    mask
        Where to look in every frame; None for everywhere.
    """

    grid: PixelGrid
    spacing: float | None
    max_shift: float
    noise: Noise | None
    false_positives: float
    background: int | str
    check_lattice: bool
    mask: np.ndarray | None = None

    def __call__(self, frames) -> SeriesColumns:
        """Return the columns of the sum of frames."""
        from particlespy_ml.columns.rows import column_rows
        from particlespy_ml.columns.search.follow import align
        from particlespy_ml.columns.search.in_image import find_columns_in

        for number, frame in enumerate(frames):
            check_frame(frame, f"Frame {number}")
        aligned = align(frames, self.max_shift, mask=self.mask)
        _warn_of_unused(aligned.used, self.grid)
        n = int(aligned.used.sum())
        found = find_columns_in(
            aligned.mean,
            self.grid.nanometres[0],
            self.spacing,
            false_positives=self.false_positives,
            background=self.background,
            # the noise of a mean
            noise=None if self.noise is None else Noise(self.noise.gain / n, self.noise.floor / n),
            known=aligned.known,
        )
        if found.reason:
            _logger.warning("No columns are taken in the mean of the series: %s.", found.reason)
        rows = column_rows(aligned.mean, found, self.grid, self.check_lattice)
        return SeriesColumns(found, rows, aligned.shifts, aligned.used)

    def measure(self, frame: np.ndarray, number: int, known: SeriesColumns) -> np.ndarray:
        """Return the rows of a frame, its columns measured where those of the sum are."""
        from particlespy_ml.columns.flags import Flag
        from particlespy_ml.columns.rows import CUT, column_dtype, cut_columns
        from particlespy_ml.columns.search.follow import measure_frame, recorded
        from particlespy_ml.columns.search.places import in_sight

        dtype = np.dtype([*column_dtype().descr, ("track", "i4")])
        rows = np.zeros(len(known.rows) if known.used[number] else 0, dtype)
        if not len(rows):
            return rows
        grid, found = self.grid, known.found
        frame, seen = recorded(frame, self.mask)
        seen = seen > 0
        fit = measure_frame(frame, found.fit, known.shifts[number], found.background, self.noise, seen)
        for name in column_dtype().names:
            rows[name] = known.rows[name]
        rows["x"], rows["y"] = grid.to_xy(*fit.positions.T)
        inside = in_sight(fit.positions, grid.shape, fit.widths.mean())
        rows["volume"] = np.where(inside, fit.volumes * grid.scale[0] ** 2, np.nan)
        rows["volume_error"] = np.where(inside, fit.volume_errors * grid.scale[0] ** 2, np.nan)
        rows["background"] = fit.background
        rows["track"] = np.arange(len(rows))
        cut = cut_columns(fit.positions, CUT * fit.widths, grid.shape, None if seen.all() else seen)
        rows["flags"] = np.where(cut, rows["flags"] | Flag.AT_BORDER, rows["flags"] & ~int(Flag.AT_BORDER))
        return rows


@dataclass(frozen=True)
class SeriesColumns:
    """Columns of the sum of a series.

    Parameters
    ----------
    found
        The columns, in pixels.
    rows
        The same as rows of a table.
    shifts
        Of each frame in pixels, shape (frames, 2).
    used
        Whether the shift of each frame was found, shape (frames,).
    """

    found: FoundColumns
    rows: np.ndarray
    shifts: np.ndarray
    used: np.ndarray


def check_largest_shift(pixels: float, grid: PixelGrid) -> float:
    """Return a largest shift in pixels, which is above zero and less than the longer side of the frames."""
    if not 0 < pixels < max(grid.shape):
        raise ValueError(
            f"max_shift is {pixels:.4g} pixels; expected more than 0 and less than the longer side of the frames, "
            f"{max(grid.shape)} pixels."
        )
    return pixels


def _warn_of_unused(used: np.ndarray, grid) -> None:
    if used.all():
        return
    numbers = np.flatnonzero(~used)
    names = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
    warnings.warn(
        f"{len(numbers)} of {len(used)} frames are not used: {names}. They are blank, or lie farther from the "
        f"first one than max_shift; give a larger one, in {grid.units}.",
        UserWarning,
        stacklevel=5,
    )
