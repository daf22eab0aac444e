"""The verb `find_columns_in_series`, for any image signal."""

from __future__ import annotations

import numpy as np

from particlespy_ml.columns.verb import check_rate, check_square, noise_of


def find_columns_in_series(
    signal,
    *,
    spacing: float | None = None,
    dose: float | str | None = None,
    false_positives: float = 0.05,
    background: int = 1,
    max_shift: float | None = None,
    check_lattice: bool = True,
    show_progressbar: bool | None = None,
):
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
        Largest drift between a frame and those before in the image's units; by default a tenth of the image. A drift by
        a lattice vector is told by the outline of the particle alone.

    Returns
    -------
    ColumnTable
        One row for each column in each frame, with a column ``track``.

    Raises
    ------
    ValueError
        If there is more than one navigation axis, or `find_columns` would raise.
    """
    from particlespy_ml._calibration import pixel_grid
    from particlespy_ml._frames import check_image, frames_array
    from particlespy_ml.columns.find import find_columns_in
    from particlespy_ml.columns.follow import align, measure_frame
    from particlespy_ml.columns.noise import Noise
    from particlespy_ml.columns.table import column_dtype, column_rows, column_units
    from particlespy_ml.particles.table import make_table, navigation_axes, object_array, provenance

    check_image(signal)
    if signal.axes_manager.navigation_dimension > 1:
        raise ValueError(
            f"Expected a series along one axis, not {signal.axes_manager.navigation_dimension}; choose one with inav."
        )
    grid = pixel_grid(signal)
    check_square(grid)
    check_rate(false_positives)
    frames = frames_array(signal)
    noise = noise_of(dose, grid)
    limit = 0.1 * min(grid.shape) if max_shift is None else max_shift / grid.scale[0]
    total, shifts = align(frames, limit)
    n = len(frames)
    # the noise of a sum, of which the model is the mean
    mean_noise = None if noise is None else Noise(noise.gain / n, noise.floor / n)
    found = find_columns_in(
        total / n,
        grid.nanometres[0],
        None if spacing is None else spacing / grid.scale[0],
        false_positives=false_positives,
        background=background,
        noise=mean_noise,
    )
    rows_of = []
    dtype = np.dtype([*column_dtype().descr, ("track", "i4")])
    reference = column_rows(total / n, found, grid, check_lattice)
    for number in range(n):
        rows = np.zeros(len(reference), dtype)
        if len(rows):
            fit = measure_frame(np.asarray(frames[number], float), found.fit, shifts[number], background, noise)
            for name in column_dtype().names:
                rows[name] = reference[name]
            rows["x"], rows["y"] = grid.to_xy(*fit.positions.T)
            rows["volume"] = fit.volumes * grid.scale[0] ** 2
            rows["volume_error"] = fit.volume_errors * grid.scale[0] ** 2
            rows["background"] = fit.background
            rows["track"] = np.arange(len(rows))
        rows_of.append(rows)
    record = {"spacing": spacing or "", "dose": dose or "", "false_positives": false_positives, "series": True}
    full = provenance(signal, grid, {}, finding={**record, "background": background})
    full.pop("segmentation")
    title = f"Columns of {signal.metadata.get_item('General.title', '')}".removesuffix(" of ")
    units = {**column_units(grid.units), "track": ""}
    return make_table(object_array(rows_of, (n,)), navigation_axes(signal), units, full, title, "column_table")
