"""The verb `find_columns`, for any image signal."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from particlespy_ml._calibration import NANOMETRES, PixelGrid
from particlespy_ml.columns.noise import Noise

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ColumnFinder:
    """A picklable function for `particlespy_ml._frames.map_frames`: frames to rows of columns."""

    grid: PixelGrid
    spacing: float | None
    positions: np.ndarray | None
    settings: tuple[tuple[str, object], ...]
    check_lattice: bool

    def __call__(self, frames: np.ndarray, masks: np.ndarray | None = None, *, indices: list[tuple]) -> list[tuple]:
        """Return the rows of each frame."""
        from particlespy_ml.columns.find import find_columns_in
        from particlespy_ml.columns.table import column_dtype, column_rows

        results = []
        for number, frame in enumerate(frames):
            name = ", ".join(str(i) for i in reversed(indices[number]))
            if not np.isfinite(frame).all():
                raise ValueError(
                    f"Frame {name} has pixels that are not finite; replace them, for example by the median."
                )
            if np.ptp(frame) == 0:
                results.append((np.zeros(0, column_dtype()),))
                continue
            try:
                found = find_columns_in(
                    np.asarray(frame, float),
                    self.grid.nanometres[0],
                    self.spacing,
                    self.positions,
                    mask=None if masks is None else masks[number],
                    **dict(self.settings),
                )
            except ValueError as error:
                raise ValueError(f"Frame {name}: {error}") from error
            if found.reason:
                _logger.warning("No columns are taken in frame %s: %s.", name, found.reason)
            results.append((column_rows(frame, found, self.grid, self.check_lattice),))
        return results


def find_columns(
    signal,
    positions=None,
    *,
    spacing: float | None = None,
    dose: float | str | None = None,
    false_positives: float = 0.05,
    shared_width: bool = True,
    background: int = 1,
    mask=None,
    check_lattice: bool = True,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
):
    """Find the atomic columns of every frame and refine all columns of a frame together.

    Columns are Gaussians that overlap, of one width, on a smooth background. Their volumes, the scattering
    cross-sections, are found by linear least squares at each step of the fit of the positions.

    Parameters
    ----------
    signal
        Image or stack of images of any navigation shape, lazy or not, calibrated in a unit of length, with square
        pixels.
    positions
        First positions (x, y) in the image's units, shape (n, 2), or an atomap ``Sublattice``; none is then added or
        taken out. By default maxima of the smoothed image, to which what the fit leaves unexplained is added.
    spacing
        Distance between neighbouring columns in the image's units. By default from the power spectrum.
    dose
        Electrons per Å² for an image in fractions of the beam; "electrons" for an image that counts them. Then standard
        errors are those of shot noise. By default noise is estimated from what the fit leaves.
    false_positives
        Number of columns to be expected, in each frame, where there are none.
    shared_width
        One width for all columns of a frame or one for each.
    background
        Degree of the polynomial of the background: 0 constant, 1 a plane, -1 for an image whose background is zero.
    mask
        Where to look for columns: in the image's shape, or of one frame for all.
    check_lattice
        Flag columns off the lattice, and all columns of frames with no lattice or with several.
    lazy_output
        Whether to return a lazy table; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    ColumnTable or LazyColumnTable
        One row for each column; see `particlespy_ml.columns.table.column_dtype` and, for the flags,
        `particlespy_ml.columns.table.Flag`.

    Raises
    ------
    ValueError
        If the image is not calibrated, its pixels are not square, or it has pixels that are not finite.

    References
    ----------
    A. De Backer et al., Ultramicroscopy 171, 104 (2016).

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.columns_of_platinum().find_columns().n_columns
    149
    """
    from particlespy_ml._calibration import pixel_grid
    from particlespy_ml._frames import check_image, run_frames
    from particlespy_ml._verbs import given_labels
    from particlespy_ml.columns.convert import positions_of
    from particlespy_ml.columns.table import column_units
    from particlespy_ml.particles.table import make_table, navigation_axes, provenance

    check_image(signal)
    grid = pixel_grid(signal)
    check_square(grid)
    if background not in (-1, 0, 1, 2, 3):
        raise ValueError(f"background={background}; expected a degree from 0 to 3, or -1 for no background.")
    if spacing is not None and not 2 < spacing / grid.scale[0] < min(grid.shape):
        raise ValueError(f"spacing={spacing} {grid.units}; expected two pixels or more, and less than the image.")
    settings = {
        "false_positives": false_positives,
        "shared_width": bool(shared_width),
        "background": background,
        "noise": noise_of(dose, grid),
    }
    _check_rate(false_positives)
    given = None if positions is None else positions_of(positions, grid)
    finder = ColumnFinder(
        grid, None if spacing is None else spacing / grid.scale[0], given, tuple(settings.items()), check_lattice
    )
    others = () if mask is None else (given_labels(signal, mask),)
    (array,) = run_frames(finder, signal, others, lazy_output=lazy_output, show_progressbar=show_progressbar)
    record = {
        "spacing": spacing or "",
        "dose": dose or "",
        "false_positives": false_positives,
        "shared_width": bool(shared_width),
        "background": background,
        "given_positions": positions is not None,
        "check_lattice": bool(check_lattice),
    }
    full = provenance(signal, grid, {}, finding=record)
    full.pop("segmentation")
    title = f"Columns of {signal.metadata.get_item('General.title', '')}".removesuffix(" of ")
    return make_table(array, navigation_axes(signal), column_units(grid.units), full, title, "column_table")


def noise_of(dose, grid: PixelGrid) -> Noise | None:
    """Return the noise of an image of a dose in electrons per Å², or of one in electrons."""
    if dose is None:
        return None
    if isinstance(dose, str):
        if dose != "electrons":
            raise ValueError(f"dose={dose!r}; expected electrons per Å², or 'electrons' for an image that counts them.")
        return Noise(1.0, 0.0)
    if not (np.isfinite(dose) and dose > 0):
        raise ValueError(f"dose={dose}; expected electrons per Å², above zero.")
    pixel = 100 * (NANOMETRES[grid.units] * grid.scale[0]) * (NANOMETRES[grid.units] * grid.scale[1])
    return Noise.of_dose(float(dose) * pixel)


def _check_rate(false_positives: float) -> None:
    if not 0 < false_positives < 1:
        raise ValueError(f"false_positives={false_positives}; expected a number of columns between 0 and 1.")


@dataclass(frozen=True)
class ZoneAxisFinder:
    """A picklable function for `particlespy_ml._frames.map_frames`: images of one particle each to one row each."""

    grid: PixelGrid
    lattice_constant: float
    structure: str

    def __call__(self, frames: np.ndarray, *, indices: list[tuple]) -> list[tuple]:
        """Return one row for each frame."""
        from particlespy_ml.columns.lattice import ZONE_AXES
        from particlespy_ml.columns.zone_axis import find_zone_axis_in

        results = []
        for frame in frames:
            rows = np.zeros(1, zone_axis_dtype())
            size, sign = self.grid.scale[0], np.array(self.grid.direction[::-1])
            found = find_zone_axis_in(np.nan_to_num(frame.astype(float)), self.lattice_constant, self.structure)
            rows["class_index"] = list(ZONE_AXES).index(found.zone_axis) if found.zone_axis else -1
            rows["score"] = found.score
            for name, value in zip(ZONE_AXES, found.scores, strict=True):
                rows[f"score_{name}"] = value
            basis = found.basis[:, ::-1] * size * sign
            rows["a_x"], rows["a_y"], rows["b_x"], rows["b_y"] = basis.ravel()
            rows["lattice_constant"] = found.lattice_constant * size
            results.append((rows,))
        return results


def zone_axis_dtype() -> np.dtype:
    """Return names and types of the columns of a table of zone axes."""
    from particlespy_ml.columns.lattice import ZONE_AXES

    scores = [("score", "f4"), *((f"score_{name}", "f4") for name in ZONE_AXES)]
    names = ("a_x", "a_y", "b_x", "b_y", "lattice_constant")
    return np.dtype([("class_index", "i1"), *scores, *((name, "f8") for name in names)])


def find_zone_axis(
    signal,
    element: str = "Au",
    *,
    lattice_constant: float | None = None,
    structure: str = "fcc",
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
):
    """Find along which zone axis each particle of a stack is seen, if along any.

    Parameters
    ----------
    signal
        Stack of images of one particle each, as `extract_particles` returns it, lazy or not, calibrated.
    element
        Element, for its lattice constant and structure (from ASE); not used where the lattice constant is given.
    lattice_constant
        In the image's units. The lattice may differ from it by 12 %, and be distorted by a few per cent; the table has
        the one that was found, which tells a wrong calibration.
    structure
        "fcc" or "bcc", with *lattice_constant*.
    lazy_output
        Whether to return a lazy table; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    ParticleTable or LazyParticleTable
        One row for each image. Its classes are "<001>", "<011>" and "<111>", and "undefined" where the particle is off
        these axes: ``table["class"]``. ``score`` is one or more on an axis; ``a_x``, ``a_y``, ``b_x`` and ``b_y`` are
        the vectors of the plane lattice of the columns, NaN off the axes.

    Raises
    ------
    ValueError
        If the image is not calibrated, its pixels are not square, or the element is unknown or not cubic.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.columns_of_platinum().find_zone_axis("Pt")["class"]
    array(['<011>'], dtype=object)
    """
    from particlespy_ml._calibration import pixel_grid
    from particlespy_ml._frames import check_image, run_frames
    from particlespy_ml.columns.lattice import ZONE_AXES, crystal, projection
    from particlespy_ml.particles.table import make_table, navigation_axes, provenance

    check_image(signal)
    grid = pixel_grid(signal)
    check_square(grid)
    if lattice_constant is None:
        structure, constant = crystal(element)
        lattice_constant = 0.1 * constant / NANOMETRES[grid.units]
    projection(structure, "<001>")
    pixels = lattice_constant / grid.scale[0]
    if not pixels > 0 or not np.isfinite(pixels):
        raise ValueError(f"lattice_constant={lattice_constant}; expected a length in {grid.units}, above zero.")
    if pixels < 4.5:
        raise ValueError(
            f"Pixels of {grid.scale[0]:.3g} {grid.units} are too coarse for a lattice constant of "
            f"{lattice_constant:.3g} {grid.units}; expected {lattice_constant / 6:.2g} {grid.units} or less."
        )
    finder = ZoneAxisFinder(grid, float(pixels), structure)
    (array,) = run_frames(finder, signal, lazy_output=lazy_output, show_progressbar=show_progressbar)
    lengths = ("a_x", "a_y", "b_x", "b_y", "lattice_constant")
    units = {name: grid.units if name in lengths else "" for name in zone_axis_dtype().names}
    record = {"lattice_constant": float(lattice_constant), "structure": structure}
    full = provenance(signal, grid, {}, classes=list(ZONE_AXES), zone_axis=record)
    full.pop("segmentation")
    title = f"Zone axes of {signal.metadata.get_item('General.title', '')}".removesuffix(" of ")
    return make_table(array, navigation_axes(signal), units, full, title)


def check_square(grid: PixelGrid) -> None:
    """Raise if the pixels of an image are not square."""
    if abs(grid.scale[0] / grid.scale[1] - 1) > 0.02:
        raise ValueError(
            f"The pixels are {grid.scale[0]:g} by {grid.scale[1]:g} {grid.units}; expected square ones. Columns "
            f"are round only there: resample the image first."
        )


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
    _check_rate(false_positives)
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
