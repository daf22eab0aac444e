"""The function `fit_columns`: places, numbers of atoms and the lens of an HRTEM image or a focal series, fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.by_network import columns_in_frame, shares_of_kinds, write_heights
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
from particlespy_ml.simulation.series_fit.solve_particle import fit_particle
from particlespy_ml.simulation.waves.tilted_columns import TiltedColumns, tilted_columns
from particlespy_ml.tables.table import make_table

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.figure import Figure

    from particlespy_ml.models.column_mapper import ColumnMapper
    from particlespy_ml.models.model import Model

NOMINAL = Optics(spherical_aberration=-1e5, fifth_order=2.5e7, focal_spread=30.0, deflection=0.2)
PIXEL = 0.25  # Å: finer images are resampled, they show no more
FINE = 0.22  # Å, pixels below
HIGHEST = 14  # atoms, by default
STEPS = (-130.0, 130.0)  # Å, of the focus of a series, by default
FEWEST = 6  # columns that tell a lens
GUESSED = 2.0  # atoms, by which numbers of atoms may be off that one image tells
WAVES = ("columns", "particle")
COMPOUNDS = {("Ce", "O"): "ceria-hrtem"}  # networks by the elements of the columns


@dataclass(frozen=True)
class FittedColumns:
    """Columns of an image or a focal series, and the lens that it was taken with.

    Parameters
    ----------
    columns
        ColumnTable of one frame, as of `find_heights`: refined places with their errors, and numbers of atoms with
        their probabilities.
    optics
        Of each image. Their focus is on the plane behind a particle of as many atoms as the highest column of the
        library.
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
    structure: str,
    zone_axis: str | Sequence[int] = "<110>",
    *,
    waves: str = "columns",
    optics: Optics = NOMINAL,
    defocus: tuple[float, float] = (-200.0, 240.0),
    focal_steps: Sequence[float] = STEPS,
    library: TiltedColumns | None = None,
    highest: int = HIGHEST,
    model: str | Path | Model | None = None,
    min_probability: float | None = None,
    register: bool = True,
    device: str | None = None,
    show_progressbar: bool | None = None,
) -> FittedColumns:
    """Fit the columns of a particle, and the lens, to an HRTEM image or a focal series of it.

    A network finds the columns and tells heights to begin with. The wave behind the particle is either taken for that
    of vacuum and what each column adds to it alone, which multislice simulations of single columns tell, or calculated
    of all columns together; defoci, aberrations to fifth order, coherence, camera, tilt, places and numbers of atoms
    are fitted to the images.

    Parameters
    ----------
    signal
        Image, or series with one navigation axis of defocus; pixel values proportional to electrons, with no dark
        level, calibrated in a unit of length.
    structure
        An element such as "Au", or what `particlespy_ml.crystals.crystal` knows whose columns are of one element each,
        such as "CeO2" along <110>.
    zone_axis
        Along the beam.
    waves
        "columns", each alone, for any kinds of columns; or "particle", the multislice algorithm for all columns
        together, for one element whose neighbouring columns lie half a period from each other, such as fcc metals along
        <110> and <001>: slower, and meant for focal series.
    optics
        What is known of the lens: beam energy, and the middles of what aberrations, focal spread and deflection may be,
        see `particlespy_ml.simulation.series_fit.lens.SPREADS`; its defocus does not count.
    defocus
        Range of the defocus of the first image in Å that is tried; positive is underfocus.
    focal_steps
        Changes of the defocus from image to image in Å that are tried.
    library
        Waves of single columns from `tilted_columns`, of several kinds joined by `TiltedColumns.beside`; by default
        they are simulated, which takes half a minute for each kind.
    highest
        Largest number of atoms of the default library.
    model
        Network that finds the columns, whose kinds are those of the structure; by default "columns-hrtem" for an
        element, "heights-hrtem" for a series of it, and "ceria-hrtem" for CeO2, which sees the middle image.
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
        too few columns are found, or the structure has no such columns, or no network is known that finds them.

    Notes
    -----
    Columns are independent of each other where they channel: thick particles, and those far off the zone axis, are not
    described with ``waves="columns"``. With ``waves="particle"`` every column may move more or less than the others,
    its middle may lie at another height, and what motion scatters is lost to the wave; in series whose noise is alike
    in all images, so that there is no film, it may also lean, and how strongly atoms scatter is fitted. Numbers of
    atoms are parts of atoms at first, and whole ones by what all columns have in common. Kinds of columns are those
    that the network told.
    Heights and lens are fitted together; where they cannot be told apart the doubt of heights says so only as far as
    the fit has seen other heights: all columns off by one to three atoms are tried with ``waves="columns"``.

    References
    ----------
    D. Van Dyck and M. Op de Beeck, Ultramicroscopy 64, 99 (1996). J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    if waves not in WAVES:
        raise ValueError(f"waves={waves!r}; expected one of {list(WAVES)}.")
    image = ImageFrames.of(signal)
    if image.frames.ndim != 3:
        raise ValueError(
            f"A signal of {image.frames.ndim - 2} navigation axes; expected one image or one focal series."
        )
    stack = ascending(np.asarray(image.frames), image.grid.direction)
    _check_pixels(stack, image.grid)
    symbols, spacing = _column_symbols(structure, zone_axis)
    nearest = _neighbour_distance(structure, zone_axis) if waves == "particle" else 0.0
    found, stack, mapper = _first_columns(stack, image.grid, symbols, model, min_probability, register, device)
    if len(found) < FEWEST:
        raise ValueError(f"{len(found)} columns were found; expected {FEWEST} or more, which tell a lens.")
    pixel = 10 * image.grid.nanometres[0]
    step = PIXEL / pixel if pixel < FINE else 1.0
    seen = stack if step == 1 else np.stack([resample_frame(one, (step, step)) for one in stack])
    places = ((found.places + 0.5) / step - 0.5)[:, ::-1] * pixel * step
    shares, heights = _first_heights(found.posterior, mapper, len(stack) > 1 and mapper.images > 1)
    steps = tuple(focal_steps) if len(stack) > 1 else (0.0,)
    tries = defoci_to_try(len(stack), steps, defocus)
    with bars_shown(wants_bar(show_progressbar)):
        if library is None:
            library = column_library(symbols, spacing, highest, optics.energy)
        _check_library(library, symbols, spacing, optics.energy, alone=waves == "particle")
        if waves == "particle":
            start = _known_heights(found.posterior, heights, mapper, len(stack) > 1 and mapper.images > 1)
            fit = fit_particle(seen, pixel * step, places, start, library, optics, tries, nearest)
        else:
            kinds = np.array([library.kinds.index(symbol) for symbol in symbols])[shares.argmax(1)]
            fit = fit_series(seen, pixel * step, places, heights, library, optics, tries, kinds)
    pixels = (fit.places[:, ::-1] / (pixel * step) + 0.5) * step - 0.5
    record = {
        "structure": structure,
        "zone_axis": str(zone_axis),
        "waves": waves,
        "model": mapper.name,
        "sha256": mapper.sha256,
    }
    table = _table(image, fit, found.probabilities, pixels, dict(zip(symbols, shares.T, strict=True)), record)
    return FittedColumns(
        table, fit.optics, (float(fit.tilt[0]), float(fit.tilt[1])), fit.misfit, fit.images, fit.expected, pixel * step
    )


def column_library(symbols: Sequence[str], spacing: float, highest: int, energy: float, **settings) -> TiltedColumns:
    """Return the waves of columns of several elements; *settings* are those of `tilted_columns`."""
    first, *others = (tilted_columns(symbol, spacing, highest, energy=energy, **settings) for symbol in symbols)
    for one in others:
        first = first.beside(one)
    return first


def _check_library(library: TiltedColumns, symbols, spacing: float, energy: float, alone: bool) -> None:
    """Raise unless a library is of these elements, *alone* or not, this distance of atoms and this beam."""
    missing = set(symbols) - set(library.kinds)
    if missing or (alone and len(library.kinds) > 1):
        raise ValueError(f"The library has columns of {library.kinds}; expected {tuple(symbols)}.")
    if abs(library.energy - energy) > 1.0:
        raise ValueError(f"The library is of {library.energy:g} eV, the optics of {energy:g}; expected the same.")
    if abs(library.spacing - spacing) > 0.03 * spacing:
        raise ValueError(
            f"Atoms of the library's columns are {library.spacing:.3f} Å apart, those of the structure {spacing:.3f} Å "
            "along the zone axis; expected the same."
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


def _column_symbols(structure: str, zone_axis: str | Sequence[int]) -> tuple[tuple[str, ...], float]:
    """The elements of the columns of a crystal, and the distance of the atoms of a column in Å."""
    crystal = as_crystal(structure)
    columns = projection(crystal, zone_axis)
    if any(len(species) != 1 for species in columns.species):
        raise ValueError(
            f"Columns of {structure} along {zone_axis} hold {', '.join('/'.join(one) for one in columns.species)}; "
            "expected columns of one atom a period each, such as those of fcc metals, and of CeO2 along <110>."
        )
    return tuple(dict.fromkeys(species[0] for species in columns.species)), float(columns.period * crystal.a)


def _neighbour_distance(structure: str, zone_axis: str | Sequence[int]) -> float:
    """Distance of neighbouring columns in Å, if each lies half a period above or below its nearest neighbours."""
    crystal = as_crystal(structure)
    columns = projection(crystal, zone_axis)
    lengths = np.linalg.norm(columns.basis, axis=1)
    alike = len(columns.species) == 1 and np.ptp(lengths) < 0.02 * lengths.mean()
    if not alike or not np.allclose(columns.heights % 1, 0.5, atol=1e-3):
        raise ValueError(
            f"Columns of {structure} along {zone_axis} do not lie half a period from their neighbours; "
            'expected an fcc metal along <110> or <001>, or waves="columns".'
        )
    return float(lengths.mean() * crystal.a)


def _known_heights(posterior: np.ndarray, heights: np.ndarray, mapper: ColumnMapper, told: bool) -> np.ndarray:
    """Probability of each number of atoms to begin with, shape (n, highest): the network's, or about *heights*."""
    if told:
        own = posterior[:, : mapper.kinds[0][1]]
        return own / own.sum(1, keepdims=True)
    numbers = np.arange(1, HIGHEST + 1)
    shares = np.exp(-0.5 * ((numbers - heights[:, None]) / GUESSED) ** 2)
    return shares / shares.sum(1, keepdims=True)


def _first_columns(stack: np.ndarray, grid: PixelGrid, symbols, model, min_probability: float | None, register, device):
    """Columns by a network, the images registered, and the network."""
    if model is None and len(symbols) > 1 and set(symbols) not in [set(one) for one in COMPOUNDS]:
        raise ValueError(f"No bundled network finds columns of {', '.join(symbols)}; expected model=.")
    compound = next((name for one, name in COMPOUNDS.items() if set(one) == set(symbols)), None)
    single = column_mapper(model if model is not None and len(stack) == 1 else compound or DEFAULT, grid, device)
    if len(stack) == 1 or compound is not None:
        mapper = single
    else:
        mapper = column_mapper(model or SERIES, grid, device, several=True)
    names = {name for name, _ in mapper.kinds}
    if len(symbols) > 1 and names != set(symbols):
        raise ValueError(f"The network {mapper.name!r} finds {sorted(names)}; expected columns of {sorted(symbols)}.")
    threshold = mapper.threshold if min_probability is None else float(min_probability)
    if len(stack) == 1:
        return columns_in_frame(stack[0], grid.nanometres, mapper, threshold)[0], stack, mapper
    if register:
        finder = FocalColumns(grid, mapper, threshold, False, registrar=single, max_shift=1.5 / grid.nanometres[0])
        stack = finder.registered(stack)
    if mapper.images == 1:
        return columns_in_frame(stack[len(stack) // 2], grid.nanometres, mapper, threshold)[0], stack, mapper
    chosen = np.rint(np.linspace(0, len(stack) - 1, mapper.images)).astype(int)
    if len(stack) < mapper.images:
        raise ValueError(f"{len(stack)} images; expected one, or {mapper.images} or more.")
    return columns_in_frame(stack[chosen], grid.nanometres, mapper, threshold)[0], stack, mapper


def _first_heights(posterior: np.ndarray, mapper: ColumnMapper, best: bool) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each kind, shape (n, kinds), and a number of atoms, the *best* or that expected, of each column.

    Columns of kinds whose atoms are not counted have the median of the others'.
    """
    shares = shares_of_kinds(posterior, mapper.kinds)
    kind, starts = shares.argmax(1), np.cumsum([0, *(number for _, number in mapper.kinds)])
    heights = np.zeros(len(posterior), int)
    for number, (_, highest) in enumerate(mapper.kinds):
        own = kind == number
        if highest > 1 and own.any():
            told = posterior[own, starts[number] : starts[number + 1]]
            expected = told @ np.arange(1, highest + 1) / told.sum(1)
            heights[own] = told.argmax(1) + 1 if best else np.rint(expected)
    told = heights > 0
    return shares, np.where(told, heights, round(np.median(heights[told])) if told.any() else 1)


def _table(image: ImageFrames, fit: SeriesFit, probabilities, pixels, shares: dict[str, np.ndarray], record: dict):
    """The table of columns, places in the unit of the image."""
    highest = fit.posterior.shape[1]
    names = ("metal",) if len(shares) == 1 else tuple(shares)
    grid, kinds = image.grid, tuple((name, highest) for name in names)
    rows = np.zeros(len(pixels), network_dtype(kinds))
    turned = np.where(np.array(grid.direction) == 1, pixels, np.array(grid.shape) - 1 - pixels)
    rows["x"], rows["y"] = grid.to_xy(*turned.T)
    unit = 0.1 * grid.scale[0] / grid.nanometres[0]  # of an ångström
    rows["x_error"], rows["y_error"] = unit * fit.errors.T
    rows["probability"] = probabilities
    write_heights(rows, np.concatenate([fit.posterior * one[:, None] for one in shares.values()], axis=1), kinds)
    array = np.empty(1, object)
    array[0] = rows
    record = {
        "method": "fit of the wave behind columns",
        "images": len(fit.optics),
        **record,
        "defocus": [float(one.defocus) for one in fit.optics],
        "tilt": [float(one) for one in fit.tilt],
        "misfit": fit.misfit,
    }
    units = {name: grid.units if name in LENGTHS else "" for name in rows.dtype.names}
    axes = [{"name": "image", "size": 1, "navigate": True}]
    told = image.record(finding=record, **({"names": {"class": list(names)}} if len(names) > 1 else {}))
    return make_table(array, axes, units, told, image.titled("Columns"), "column_table")
