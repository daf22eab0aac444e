"""The verb `find_columns_in_series`, for any image signal."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.find_columns import check_background, check_rate, noise_of
from particlespy_ml.core.calibration import check_square
from particlespy_ml.core.image import ImageFrames

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D


_logger = logging.getLogger(__name__)


def find_columns_in_series(
    signal: Signal2D,
    *,
    spacing: float | None = None,
    dose: float | str | None = None,
    false_positives: float = 0.05,
    background: int | str = "auto",
    max_shift: float | None = None,
    check_lattice: bool = True,
    show_progressbar: bool | None = None,
) -> BaseSignal:
    """Find columns in the sum of a series of one particle and measure their cross-sections in every frame.

    Frames are shifted onto each other by whole pixels, columns are found in their sum, and each frame is then fitted
    with these positions, moved by its drift to a fraction of a pixel. So columns that are too faint for a single frame
    are measured in all of them.

    Parameters
    ----------
    signal
        Series of images of one particle along one navigation axis. A lazy one is read twice, frame by frame.
    spacing, dose, false_positives, background, check_lattice, show_progressbar
        See `find_columns`; the dose is that of a frame.
    max_shift
        Largest drift between a frame and the first one in the image's units, less than the longer side of the image; by
        default a tenth of the shorter side. A drift by a lattice vector is told by the outline of the particle alone.

    Returns
    -------
    ColumnTable
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
        If frames lie beyond *max_shift*, or show nothing to compare: they are not used, and have no rows.
    """
    from particlespy_ml.columns.flags import Flag
    from particlespy_ml.columns.rows import CUT, column_dtype, column_rows, column_units, cut_columns
    from particlespy_ml.columns.search.follow import align, measure_frame, recorded
    from particlespy_ml.columns.search.in_image import find_columns_in
    from particlespy_ml.columns.search.places import in_sight
    from particlespy_ml.core.frames import check_frame
    from particlespy_ml.quality.noise import Noise
    from particlespy_ml.tables.table import make_table, object_array

    image = ImageFrames.of(signal)
    if signal.axes_manager.navigation_dimension > 1:
        raise ValueError(
            f"Expected a series along one axis, not {signal.axes_manager.navigation_dimension}; choose one with inav."
        )
    grid, frames = image.grid, image.frames
    check_square(grid)
    check_rate(false_positives)
    check_background(background)
    noise = noise_of(dose, grid)
    for number in range(len(frames)):
        check_frame(np.asarray(frames[number]), f"Frame {number}")
    aligned = align(frames, 0.1 * min(grid.shape) if max_shift is None else max_shift / grid.scale[0])
    _warn_of_unused(aligned.used, grid)
    n = int(aligned.used.sum())
    found = find_columns_in(
        aligned.mean,
        grid.nanometres[0],
        None if spacing is None else spacing / grid.scale[0],
        false_positives=false_positives,
        background=background,
        # the noise of a mean
        noise=None if noise is None else Noise(noise.gain / n, noise.floor / n),
        known=aligned.known,
    )
    if found.reason:
        _logger.warning("No columns are taken in the mean of the series: %s.", found.reason)
    rows_of = []
    dtype = np.dtype([*column_dtype().descr, ("track", "i4")])
    reference = column_rows(aligned.mean, found, grid, check_lattice)
    for number in range(len(frames)):
        rows = np.zeros(len(reference) if aligned.used[number] else 0, dtype)
        if len(rows):
            frame, known = recorded(frames[number])
            known = known > 0
            fit = measure_frame(frame, found.fit, aligned.shifts[number], found.background, noise, known)
            for name in column_dtype().names:
                rows[name] = reference[name]
            rows["x"], rows["y"] = grid.to_xy(*fit.positions.T)
            seen = in_sight(fit.positions, grid.shape, fit.widths.mean())
            rows["volume"] = np.where(seen, fit.volumes * grid.scale[0] ** 2, np.nan)
            rows["volume_error"] = np.where(seen, fit.volume_errors * grid.scale[0] ** 2, np.nan)
            rows["background"] = fit.background
            rows["track"] = np.arange(len(rows))
            cut = cut_columns(fit.positions, CUT * fit.widths, grid.shape, None if known.all() else known)
            rows["flags"] = np.where(cut, rows["flags"] | Flag.AT_BORDER, rows["flags"] & ~int(Flag.AT_BORDER))
        rows_of.append(rows)
    record = {"spacing": spacing or "", "dose": dose or "", "false_positives": false_positives, "series": True}
    full = image.record(finding={**record, "background": background})
    units = {**column_units(grid.units), "track": ""}
    data = object_array(rows_of, (len(frames),))
    return make_table(data, image.navigation_axes, units, full, image.titled("Columns"), "column_table")


def _warn_of_unused(used: np.ndarray, grid) -> None:
    if used.all():
        return
    numbers = np.flatnonzero(~used)
    names = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
    warnings.warn(
        f"{len(numbers)} of {len(used)} frames are not used: {names}. They are blank, or lie farther from the "
        f"first one than max_shift; give a larger one, in {grid.units}.",
        UserWarning,
        stacklevel=3,
    )
