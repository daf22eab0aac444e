"""The function `fit_columns`: places, numbers of atoms and the lens of an HRTEM image or a focal series, fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.by_network import columns_in_frame, write_heights
from particlespy_ml.columns.find_heights import SERIES, FocalColumns
from particlespy_ml.columns.map_columns import DEFAULT, column_mapper
from particlespy_ml.columns.rows import LENGTHS, network_dtype
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import ascending, wants_bar
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.progress import bars_shown
from particlespy_ml.core.resample import resample_frame
from particlespy_ml.crystals.crystal import as_crystal
from particlespy_ml.crystals.projection import projection
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.series_fit.solve import SeriesFit, defoci_to_try, fit_series
from particlespy_ml.simulation.waves.tilted_columns import TiltedColumns, tilted_columns
from particlespy_ml.tables.table import make_table

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.figure import Figure

NOMINAL = Optics(spherical_aberration=-1e5, fifth_order=2.5e7, focal_spread=30.0, deflection=0.2)
PIXEL = 0.25  # Å: finer images are resampled, they show no more
FINE = 0.22  # Å, pixels below
HIGHEST = 14  # atoms, by default
STEPS = (-130.0, 130.0)  # Å, of the focus of a series, by default
FEWEST = 6  # columns that tell a lens


@dataclass(frozen=True)
class FittedColumns:
    """Columns of an image or a focal series, and the lens that it was taken with.

    Parameters
    ----------
    columns
        ColumnTable of one frame, as of `find_heights`: refined places with their errors, and numbers of atoms with
        their probabilities.
    optics
        Of each image. Their focus is on the plane behind a particle of as many atoms as the highest column fitted.
    tilt
        Of the particle along x and y in degrees.
    misfit
        Power of what the fit leaves near columns over that of the noise elsewhere: 1 where it leaves noise alone.
    measured, expected
        Images relative to the empty beam, shape (images, rows, columns), in pixels of *pixel_size* Å.
    pixel_size
        In Å.
    """

    columns: BaseSignal
    optics: tuple[Optics, ...]
    tilt: tuple[float, float]
    misfit: float
    measured: np.ndarray
    expected: np.ndarray
    pixel_size: float

    def __repr__(self) -> str:
        defoci = ", ".join(f"{one.defocus:.0f}" for one in self.optics)
        return (
            f"FittedColumns({self.columns.n_columns} columns, defocus {defoci} Å, tilt {np.hypot(*self.tilt):.1f}°, "
            f"misfit {self.misfit:.2f})"
        )

    def plot(self, *, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw the images, those that were fitted, and what is left.

        Parameters
        ----------
        figsize
            In inches.
        """
        from particlespy_ml.plotting.column_fit import plot_column_fit

        titles = [f"{0.1 * one.defocus:.1f} nm" for one in self.optics]
        return plot_column_fit(self.measured, self.expected, titles, 0.1 * self.pixel_size, figsize=figsize)


def fit_columns(
    signal: Signal2D,
    element: str,
    zone_axis: str | Sequence[int] = "<110>",
    *,
    optics: Optics = NOMINAL,
    defocus: tuple[float, float] = (-200.0, 240.0),
    focal_steps: Sequence[float] = STEPS,
    library: TiltedColumns | None = None,
    highest: int = HIGHEST,
    min_probability: float | None = None,
    register: bool = True,
    device: str | None = None,
    show_progressbar: bool | None = None,
) -> FittedColumns:
    """Fit the columns of a particle of one element, and the lens, to an HRTEM image or a focal series of it.

    A network finds the columns and tells heights to begin with. The wave behind the particle is taken for that of
    vacuum and what each column adds to it alone, which multislice simulations of single columns tell; defoci,
    aberrations to fifth order, coherence, camera, tilt, places and numbers of atoms are fitted to the images.

    Parameters
    ----------
    signal
        Image, or series with one navigation axis of defocus; pixel values proportional to electrons, with no dark
        level, calibrated in a unit of length.
    element
        Chemical symbol.
    zone_axis
        Along the beam.
    optics
        What is known of the lens: beam energy, and the middles of what aberrations, focal spread and deflection may be,
        see `particlespy_ml.simulation.series_fit.lens.SPREADS`; its defocus does not count.
    defocus
        Range of the defocus of the first image in Å that is tried; positive is underfocus.
    focal_steps
        Changes of the defocus from image to image in Å that are tried.
    library
        Waves of single columns from `tilted_columns`; by default they are simulated, which takes half a minute.
    highest
        Largest number of atoms of the default library.
    min_probability
        Probability from which there is a column; by default that of the network.
    register
        Whether images of a series are shifted onto the middle one first.
    device
        Where the networks run.
    show_progressbar
        Show progress bars; by default HyperSpy's preference.

    Returns
    -------
    FittedColumns

    Raises
    ------
    ValueError
        If the signal has more than one navigation axis, pixels that are not square, or values that are no counts; if
        too few columns are found, or the element has no such columns.

    Notes
    -----
    Columns are independent of each other where they channel: particles of light elements, thick ones, and those far off
    the zone axis are not described. Heights and lens are fitted together; where they cannot be told apart the doubt of
    heights says so only as far as the fit has seen other heights: all columns off by one to three atoms are tried.

    References
    ----------
    D. Van Dyck and M. Op de Beeck, Ultramicroscopy 64, 99 (1996). J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    image = ImageFrames.of(signal)
    if image.frames.ndim != 3:
        raise ValueError(
            f"A signal of {image.frames.ndim - 2} navigation axes; expected one image or one focal series."
        )
    stack = ascending(np.asarray(image.frames), image.grid.direction)
    _check_pixels(stack, image.grid)
    spacing = _spacing(element, zone_axis)
    found, stack, mapper = _first_columns(stack, image.grid, min_probability, register, device)
    if len(found) < FEWEST:
        raise ValueError(f"{len(found)} columns were found; expected {FEWEST} or more, which tell a lens.")
    pixel = 10 * image.grid.nanometres[0]
    step = PIXEL / pixel if pixel < FINE else 1.0
    seen = stack if step == 1 else np.stack([resample_frame(one, (step, step)) for one in stack])
    places = ((found.places + 0.5) / step - 0.5)[:, ::-1] * pixel * step
    heights = np.rint(found.posterior @ np.arange(1, found.posterior.shape[1] + 1)).astype(int)
    if len(stack) > 1:
        heights = found.posterior.argmax(1) + 1
    steps = tuple(focal_steps) if len(stack) > 1 else (0.0,)
    tries = defoci_to_try(len(stack), steps, defocus)
    with bars_shown(wants_bar(show_progressbar)):
        if library is None:
            library = tilted_columns(element, spacing, highest, energy=optics.energy)
        fit = fit_series(seen, pixel * step, places, heights, library, optics, tries)
    pixels = (fit.places[:, ::-1] / (pixel * step) + 0.5) * step - 0.5
    table = _table(image, fit, found.probabilities, pixels, mapper, element, str(zone_axis))
    return FittedColumns(
        table, fit.optics, (float(fit.tilt[0]), float(fit.tilt[1])), fit.misfit, fit.images, fit.expected, pixel * step
    )


def _check_pixels(stack: np.ndarray, grid: PixelGrid) -> None:
    """Raise unless pixels are square, and their values may be proportional to electrons."""
    sizes = np.array(grid.nanometres)
    if np.ptp(sizes) > 0.005 * sizes.mean():
        raise ValueError(
            f"Pixels of {sizes[0]:.4g} x {sizes[1]:.4g} nm; expected square ones: rebin or interpolate first."
        )
    if not np.isfinite(stack).all() or not (np.median(stack, axis=(1, 2)) > 0).all():
        raise ValueError(
            "The images have values that are not finite, or a median that is not above zero; expected counts with no "
            "background subtracted. Crop what was not recorded."
        )


def _spacing(element: str, zone_axis: str | Sequence[int]) -> float:
    """Distance of the atoms of a column in Å."""
    crystal = as_crystal(element)
    columns = projection(crystal, zone_axis)
    if len(columns.sites) != 1 or len(columns.species[0]) != 1:
        raise ValueError(f"Columns of {element} along {zone_axis} are not all alike; expected those of an fcc metal.")
    return float(columns.period * crystal.a)


def _first_columns(stack: np.ndarray, grid: PixelGrid, min_probability: float | None, register: bool, device):
    """Columns by a network, the images registered, and the network."""
    single = column_mapper(DEFAULT, grid, device)
    mapper = single if len(stack) == 1 else column_mapper(SERIES, grid, device, several=True)
    threshold = mapper.threshold if min_probability is None else float(min_probability)
    if len(stack) == 1:
        return columns_in_frame(stack[0], grid.nanometres, mapper, threshold)[0], stack, mapper
    if register:
        finder = FocalColumns(grid, mapper, threshold, False, registrar=single, max_shift=1.5 / grid.nanometres[0])
        stack = finder.registered(stack)
    chosen = np.rint(np.linspace(0, len(stack) - 1, mapper.images)).astype(int)
    if len(stack) < mapper.images:
        raise ValueError(f"{len(stack)} images; expected one, or {mapper.images} or more.")
    return columns_in_frame(stack[chosen], grid.nanometres, mapper, threshold)[0], stack, mapper


def _table(image: ImageFrames, fit: SeriesFit, probabilities, pixels, mapper, element: str, zone_axis: str):
    """The table of columns, places in the unit of the image."""
    grid, kinds = image.grid, (("metal", fit.posterior.shape[1]),)
    rows = np.zeros(len(pixels), network_dtype(kinds))
    turned = np.where(np.array(grid.direction) == 1, pixels, np.array(grid.shape) - 1 - pixels)
    rows["x"], rows["y"] = grid.to_xy(*turned.T)
    unit = 0.1 * grid.scale[0] / grid.nanometres[0]  # of an ångström
    rows["x_error"], rows["y_error"] = unit * fit.errors.T
    rows["probability"] = probabilities
    write_heights(rows, fit.posterior, kinds)
    array = np.empty(1, object)
    array[0] = rows
    record = {
        "method": "fit of the wave behind columns",
        "images": len(fit.optics),
        "element": element,
        "zone_axis": zone_axis,
        "model": mapper.name,
        "sha256": mapper.sha256,
        "defocus": [float(one.defocus) for one in fit.optics],
        "tilt": [float(one) for one in fit.tilt],
        "misfit": fit.misfit,
    }
    units = {name: grid.units if name in LENGTHS else "" for name in rows.dtype.names}
    axes = [{"name": "image", "size": 1, "navigate": True}]
    return make_table(array, axes, units, image.record(finding=record), image.titled("Columns"), "column_table")
