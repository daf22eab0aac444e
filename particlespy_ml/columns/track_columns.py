"""The verb `track_columns`, for a movie of any image signal."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.find_columns import check_method
from particlespy_ml.columns.flags import Flag
from particlespy_ml.columns.movie.facets import FACETS
from particlespy_ml.columns.movie.motion import find_motion
from particlespy_ml.columns.movie.pixels import Recorded
from particlespy_ml.columns.movie.pool import pool
from particlespy_ml.columns.movie.sites import ImageColumns, Sites, pooled_sites
from particlespy_ml.core.calibration import PixelGrid, check_square
from particlespy_ml.core.frames import ascending
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_pixels
from particlespy_ml.core.series import map_series

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal, Signal2D

    from particlespy_ml.models.column_mapper import ColumnMapper
    from particlespy_ml.models.model import Model

_logger = logging.getLogger(__name__)

LISTED = 10  # frames that a warning names
FEWEST_FRAMES = 2
LENGTHS = ("x", "y", "x_error", "y_error", "mean_x", "mean_y", "drift_x", "drift_y", "drift_error")
NUMBERS = ("track", "site_a", "site_b", "coordination", "layer", "facet", "flags")
DTYPE = np.dtype(
    [
        ("track", "i4"),
        ("x", "f8"),
        ("y", "f8"),
        ("x_error", "f8"),
        ("y_error", "f8"),
        ("mean_x", "f8"),
        ("mean_y", "f8"),
        ("probability", "f4"),
        ("significance", "f4"),
        ("in_mean", "?"),
        ("coordination", "i4"),
        ("layer", "i4"),
        ("facet", "i4"),
        ("drift_x", "f8"),
        ("drift_y", "f8"),
        ("drift_error", "f8"),
        ("drift_angle", "f8"),
        ("likeness", "f4"),
        ("site_a", "i4"),
        ("site_b", "i4"),
        ("flags", "i4"),
    ]
)


def track_columns(
    signal: Signal2D,
    *,
    method: str | None = None,
    model: str | Path | Model | None = None,
    min_probability: float | None = None,
    max_shift: float | str | None = None,
    device: str | None = None,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> BaseSignal:
    """Follow the atomic columns of one particle through a movie whose frames are too noisy to show them one by one.

    Drift and rotation of each frame are those of the whole lattice: frames are compared with their mean, not peak by
    peak. Columns are then found once, in the mean of all frames, and in the means of up to six parts of the movie,
    which show sites that are full only for some of the time. Their places in each frame follow from the motion.

    Parameters
    ----------
    signal
        Movie of one particle on a zone axis, HRTEM or HAADF, along one navigation axis, lazy or not, in the order of
        time, calibrated in a unit of length, with square pixels. A lazy one is read four times, frame by frame.
    method
        How columns are found in the mean images, "fit" or "network", see `find_columns`; by default "network" for HRTEM
        movies and "fit" for all others.
    model, min_probability, device
        Of the network, see `find_columns`. Of one that tells kinds of columns apart, those of its first kind are
        followed, such as the cerium of "ceria-hrtem", which form the lattice.
    max_shift
        Largest shift between a frame and the first one along each axis: a number in the unit of the axes, or a text
        such as "20 px". By default three quarters of the frame.
    lazy_output
        Whether to return a lazy table; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    ColumnTable or LazyColumnTable
        One row for each site in each frame. ``track`` is the number of the site, ``x`` and ``y`` its place there,
        ``mean_x`` and ``mean_y`` that in the mean image, which lies as the first frame does, with their standard errors
        ``x_error`` and ``y_error``. ``in_mean`` tells the sites that the mean of all frames shows from those of parts
        alone. ``coordination``, ``layer`` (1 at the surface) and ``facet`` are those in projection, see
        `particlespy_ml.columns.movie.facets.surroundings`. ``drift_x``, ``drift_y`` and ``drift_angle`` (degrees from x
        towards y) are of the frame against the mean image, about the middle of the frame. Frames that are missing or
        bad have no rows. ``table.inav[0].measure_strain("fcc<110>")`` is the strain of the mean image.

    Raises
    ------
    ValueError
        If there is not one navigation axis of two or more frames, the image is not calibrated, no two frames are alike,
        or an argument belongs to the other method.

    Warns
    -----
    UserWarning
        If frames are not used, with the reasons: blank, not finite, blurred, without the particle, or too far away.

    See Also
    --------
    particlespy_ml.dynamics.surface_dynamics : which of the sites are full, when.

    Examples
    --------
    >>> import numpy as np
    >>> import hyperspy.api as hs
    >>> import particlespy_ml as pml
    >>> rows, columns = np.mgrid[:6, :6]
    >>> places = np.column_stack([22 + 9.8 * rows.ravel(), 20 + 9.8 * columns.ravel()])
    >>> frames = [pml.columns.gaussian_columns((96, 96), places + shift, 900.0, 2.1) for shift in (0, 1.5, -2, 4)]
    >>> s = hs.signals.Signal2D(np.random.default_rng(0).poisson(np.add(frames, 1)).astype(float))
    >>> s.axes_manager.signal_axes.set(scale=0.02, units="nm")
    >>> table = pml.track_columns(s, show_progressbar=False)
    >>> table.n_columns, (table["drift_x"][::36] - table["drift_x"][0]).round(2).tolist()
    (144, [0.0, 0.03, -0.04, 0.08])
    """
    from particlespy_ml.tables.table import make_table

    image = ImageFrames.of(signal)
    check_movie(signal)
    check_square(image.grid)
    method = check_method(method, image.signal_type)
    # means of frames do not show that these were pictures for the eye
    counted = False if image.frames.dtype.itemsize == 1 else None
    finder = _finder(method, image.grid, model, min_probability, device, counted)
    limit = None if max_shift is None else in_pixels(max_shift, image.grid, "max_shift")
    if limit is not None and not limit > 0:
        raise ValueError(f"max_shift={max_shift!r} is {limit:.4g} pixels; expected more than 0.")
    tracker = ColumnTracker(image.grid.ascending(), finder, limit)
    frames = ascending(image.frames, image.direction)
    data = map_series(tracker, tracker.rows, frames, lazy_output, show_progressbar)
    units = {name: image.grid.units if name in LENGTHS else "" for name in DTYPE.names} | {"drift_angle": "°"}
    record = {"method": method, **finder.record, "max_shift": "" if limit is None else limit, "movie": True}
    full = image.record(finding=record, names={"facet": list(FACETS)})
    return make_table(data, image.navigation_axes, units, full, image.titled("Columns"), "column_table")


def check_movie(signal) -> None:
    """Raise ValueError if a signal is no movie along one axis."""
    axes = signal.axes_manager.navigation_axes
    if len(axes) != 1 or axes[0].size < FEWEST_FRAMES:
        raise ValueError(
            f"Expected a movie, two or more frames along one navigation axis, not the navigation shape "
            f"{signal.axes_manager.navigation_shape}; choose a series with inav."
        )


@dataclass(frozen=True)
class ColumnTracker:
    """Functions for `particlespy_ml.core.series.map_series`: called, it finds the sites of a whole movie.

    Parameters
    ----------
    grid
        Calibration of the frames, whose axes ascend.
    find
        See `particlespy_ml.columns.movie.sites.pooled_sites`.
    max_shift
        In pixels; None for three quarters of the frame.
    """

    grid: PixelGrid
    find: FitInMean | NetworkInMean
    max_shift: float | None

    def __call__(self, frames) -> Sites:
        """Return the sites and the motion of a movie."""
        frames = Recorded(frames)
        motion = find_motion(frames, self.grid.nanometres[0], self.max_shift)
        _warn_of_unused(motion.reasons)
        sites = pooled_sites(pool(frames, motion), motion, self.find)
        if not len(sites):
            _logger.warning("No columns are found in the mean of the movie.")
        return sites

    def rows(self, frame: np.ndarray, number: int, known: Sites) -> np.ndarray:
        """Return the rows of a frame."""
        from particlespy_ml.columns.rows import cut_columns

        motion, grid = known.motion, self.grid
        rows = np.zeros(len(known) if motion.used[number] else 0, DTYPE)
        if not len(rows):
            return rows
        columns, size = known.columns, grid.scale[0]
        places = motion.in_frame(columns.places, number)
        rows["track"] = np.arange(len(rows))
        rows["x"], rows["y"] = grid.to_xy(*places.T)
        rows["mean_x"], rows["mean_y"] = grid.to_xy(*columns.places.T)
        rows["x_error"] = rows["y_error"] = columns.errors * size
        name, other = ("probability", "significance")[:: 1 if self.find.is_probability else -1]
        rows[name], rows[other] = columns.quality, np.nan
        rows["in_mean"] = known.pooled
        for name in ("coordination", "layer", "facet"):
            rows[name] = getattr(known.around, name)
        rows["drift_y"], rows["drift_x"] = motion.shifts[number] * size
        rows["drift_error"] = motion.shift_errors[number] * size
        rows["drift_angle"] = np.degrees(-motion.angles[number])
        rows["likeness"] = motion.likeness[number]
        rows["site_a"], rows["site_b"] = known.indices.T
        reach = np.full(len(rows), 0.05 / grid.nanometres[0])
        rows["flags"] = cut_columns(places, reach, grid.shape) * Flag.AT_BORDER
        return rows


def _warn_of_unused(reasons: tuple[str, ...]) -> None:
    for why in dict.fromkeys(reason for reason in reasons if reason):
        numbers = [k for k, reason in enumerate(reasons) if reason == why]
        names = ", ".join(map(str, numbers[:LISTED])) + (", ..." if len(numbers) > LISTED else "")
        warnings.warn(
            f"{len(numbers)} of {len(reasons)} frames are not used, since they are {why}: {names}.",
            UserWarning,
            stacklevel=5,
        )


def _finder(method: str, grid: PixelGrid, model, min_probability, device, counted) -> FitInMean | NetworkInMean:
    if method == "fit":
        given = {"model": model, "min_probability": min_probability, "device": device}
        given = [name for name, value in given.items() if value is not None]
        if given:
            raise ValueError(f"{', '.join(given)}: for method='network' alone; here columns are found by method='fit'.")
        return FitInMean(grid.nanometres[0])
    from particlespy_ml.columns.map_columns import DEFAULT, column_mapper

    mapper = column_mapper(model or DEFAULT, grid, device)
    threshold = mapper.threshold if min_probability is None else min_probability
    if not 0 < threshold <= 1:
        raise ValueError(f"min_probability={min_probability}; expected a number above 0, and 1 at most.")
    return NetworkInMean(grid.nanometres, mapper, float(threshold), counted)


@dataclass(frozen=True)
class FitInMean:
    """Finds the columns of a mean image by a fit; *pixel* is in nm."""

    pixel: float
    is_probability = False
    record = {}

    def __call__(self, image: np.ndarray, known: np.ndarray, frames: int) -> ImageColumns:
        """Return the columns of a mean of frames."""
        from particlespy_ml.columns.search.in_image import find_columns_in

        found = find_columns_in(image, self.pixel, known=None if known.all() else known)
        if found.fit is None:
            return ImageColumns(np.empty((0, 2)), np.empty(0), np.empty(0))
        fit = found.fit
        return ImageColumns(fit.positions, np.sqrt((fit.position_errors**2).mean(1)), found.significance)


@dataclass(frozen=True)
class NetworkInMean:
    """Finds the columns of a mean image by a network; *pixels* are rows and columns in nm.

    Values are *counted* if they are proportional to electrons, None where the mean is to show it.
    """

    pixels: tuple[float, float]
    mapper: ColumnMapper
    min_probability: float
    counted: bool | None = None
    is_probability = True

    @property
    def record(self) -> dict:
        """What is recorded with the result."""
        return {"model": self.mapper.name, "sha256": self.mapper.sha256, "min_probability": self.min_probability}

    def __call__(self, image: np.ndarray, known: np.ndarray, frames: int) -> ImageColumns:
        """Return the columns of a mean of frames."""
        from particlespy_ml.columns.by_network import columns_in_frame, shares_of_kinds

        mask = None if known.all() else known
        found, _ = columns_in_frame(image, self.pixels, self.mapper, self.min_probability, mask, self.counted)
        if len(found) and len(self.mapper.kinds) > 1:
            found = found.chosen(shares_of_kinds(found.posterior, self.mapper.kinds).argmax(1) == 0)
        errors = found.errors * 0.1 / self.pixels[0]
        return ImageColumns(np.asarray(found.places, float), np.asarray(errors, float), found.probabilities)
