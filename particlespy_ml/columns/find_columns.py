"""The verb `find_columns`, for any image signal."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.fit.background import DEGREES
from particlespy_ml.core.calibration import NANOMETRES, PixelGrid, check_square
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_pixels
from particlespy_ml.quality.noise import Noise

if TYPE_CHECKING:
    from pathlib import Path

    from atomap.sublattice import Sublattice
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike

    from particlespy_ml.models.model import Model


_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ColumnFinder:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: frames to rows of columns."""

    grid: PixelGrid
    spacing: float | None
    positions: np.ndarray | None
    settings: tuple[tuple[str, object], ...]
    check_lattice: bool

    def __call__(self, frames: np.ndarray, masks: np.ndarray | None = None, *, indices: list[tuple]) -> list[tuple]:
        """Return the rows of each frame."""
        from particlespy_ml.columns.rows import column_dtype, column_rows
        from particlespy_ml.columns.search.in_image import find_columns_in
        from particlespy_ml.core.frames import check_frame
        from particlespy_ml.segmentation.segmenter import is_constant

        results = []
        for number, frame in enumerate(frames):
            name = ", ".join(str(i) for i in reversed(indices[number]))
            if is_constant(frame):
                results.append((np.zeros(0, column_dtype()),))
                continue
            try:
                check_frame(frame)
                found = find_columns_in(
                    frame,
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
    signal: Signal2D,
    positions: ArrayLike | Sublattice | None = None,
    *,
    method: str | None = None,
    spacing: float | str | None = None,
    dose: float | str | None = None,
    false_positives: float = 0.05,
    shared_width: bool = True,
    background: int | str = "auto",
    model: str | Path | Model | None = None,
    min_probability: float | None = None,
    device: str | None = None,
    counted: bool | None = None,
    mask: BaseSignal | ArrayLike | None = None,
    labels: BaseSignal | ArrayLike | None = None,
    check_lattice: bool = True,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> BaseSignal:
    """Find the atomic columns of every frame.

    By a fit, as for HAADF images: columns are Gaussians that overlap, of one width, on a smooth background. Their
    volumes, the scattering cross-sections, are found by linear least squares at each step of the fit of the positions.
    By a network, as for HRTEM images, whose contrast is no sum of peaks: it maps where columns are, of which kind, and
    how many atoms they have, see `map_columns`.

    Parameters
    ----------
    signal
        Image or stack of images of any navigation shape, lazy or not, calibrated in a unit of length, with square
        pixels.
    positions
        First positions (x, y) in the image's units, shape (n, 2), or an atomap ``Sublattice``; none is then added or
        taken out, and no *mask* is taken. By default maxima of the smoothed image, to which what the fit leaves
        unexplained is added.
    method
        "fit" or "network"; by default "network" for HRTEM images and "fit" for all others.
    spacing
        Distance between neighbouring columns: a number in the image's units, or a text such as "12 px". By default from
        the power spectrum.
    dose
        Electrons per Å² for an image in fractions of the beam; "electrons" for an image that counts them. Then standard
        errors are those of shot noise. By default noise is estimated from what the fit leaves.
    false_positives
        Number of columns to be expected, in each frame, where there are none.
    shared_width
        One width for all columns of a frame or one for each.
    background
        Degree of the polynomial of the background: 0 constant, 1 a plane, -1 for an image whose background is zero.
        "local": smooth splines, for columns on a support that is brighter than they are and not flat. "auto": a plane,
        and local in frames in which no columns are resolved on a plane.
    model
        For a network: name of a bundled model, by default "columns-hrtem", or a folder of your own.
    min_probability
        For a network: probability from which there is a column, by default that of the model; half of it is enough for
        columns with eight or more others within 7 Å.
    device
        For a network: where it runs; by default on a GPU where there is one.
    counted
        For a network: whether pixel values are proportional to electrons, with no dark level and no display's curve,
        so that contrast tells heights. By default whether they may be, as pictures of 8 bits, of black and white at the
        ends of their format, or about zero cannot.
    mask
        Where to look for columns: in the image's shape, or of one frame for all.
    labels
        For a network: labels of particles. Columns outside of particles are left out, the others get the number of
        their particle in ``label``.
    check_lattice
        Flag columns off the lattice, and all columns of frames with no lattice or with several.
    lazy_output
        Whether to return a lazy table; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    ColumnTable or LazyColumnTable
        One row for each column, with what the method knows of it; ``table.describe_columns()`` says what. For the flags
        see `particlespy_ml.columns.flags.Flag`.

    Raises
    ------
    ValueError
        If the image is not calibrated, its pixels are not square (a fit) or too large (a network), it has pixels that
        are not finite, or an argument belongs to the other method.

    References
    ----------
    A. De Backer et al., Ultramicroscopy 171, 104 (2016); J. Madsen et al., Adv. Theory Simul. 1, 1800037 (2018).

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> pml.data.columns_of_platinum().find_columns().n_columns
    149
    """
    from particlespy_ml.columns.rows import column_units
    from particlespy_ml.columns.sublattice import positions_of
    from particlespy_ml.segmentation.choose import given_mask
    from particlespy_ml.tables.table import make_table

    image = ImageFrames.of(signal)
    grid = image.grid
    method = check_method(method, image.signal_type)
    of_fit = {"positions": positions, "spacing": spacing, "dose": dose}
    of_fit |= {"false_positives": None if false_positives == 0.05 else false_positives}
    of_fit |= {
        "shared_width": None if shared_width else False,
        "background": None if background == "auto" else background,
    }
    of_network = {"model": model, "min_probability": min_probability, "device": device, "labels": labels}
    of_network |= {"counted": counted}
    check_arguments(method, of_fit if method == "network" else of_network)
    if method == "network":
        return _by_network(image, mask, check_lattice, lazy_output, show_progressbar, **of_network)
    check_square(grid)
    check_background(background)
    spacing = check_spacing(spacing, grid)
    settings = {
        "false_positives": false_positives,
        "shared_width": bool(shared_width),
        "background": background,
        "noise": noise_of(dose, grid),
    }
    check_rate(false_positives)
    if positions is not None and mask is not None:
        raise ValueError(
            "positions= are the columns to refine, none of which is taken out, and mask= says where to look for them; "
            "expected one of the two."
        )
    given = None if positions is None else positions_of(positions, grid)
    finder = ColumnFinder(grid, spacing, given, tuple(settings.items()), check_lattice)
    others = () if mask is None else (given_mask(image, mask),)
    (array,) = image.run(finder, others, lazy_output=lazy_output, show_progressbar=show_progressbar)
    record = {
        "method": "fit",
        "spacing": "" if spacing is None else spacing * grid.scale[0],
        "dose": dose or "",
        "false_positives": false_positives,
        "shared_width": bool(shared_width),
        "background": background,
        "given_positions": positions is not None,
        "check_lattice": bool(check_lattice),
    }
    units = column_units(grid.units)
    return make_table(
        array, image.navigation_axes, units, image.record(finding=record), image.titled("Columns"), "column_table"
    )


def _by_network(
    image: ImageFrames,
    mask,
    check_lattice,
    lazy_output,
    show_progressbar,
    model,
    min_probability,
    device,
    labels,
    counted,
) -> BaseSignal:
    """The table of `find_columns` for a network."""
    from particlespy_ml.columns.by_network import NetworkColumns
    from particlespy_ml.columns.map_columns import DEFAULT, column_mapper
    from particlespy_ml.columns.rows import LENGTHS, network_dtype
    from particlespy_ml.segmentation.choose import given_labels, given_mask
    from particlespy_ml.tables.table import make_table

    mapper = column_mapper(model or DEFAULT, image.grid, device)
    threshold = mapper.threshold if min_probability is None else min_probability
    if not 0 < threshold <= 1:
        raise ValueError(f"min_probability={min_probability}; expected a number above 0, and 1 at most.")
    given = {"mask": mask, "labels": labels}
    takers = {"mask": given_mask, "labels": given_labels}
    others = {name: takers[name](image, value) for name, value in given.items() if value is not None}
    finder = NetworkColumns(image.grid, mapper, float(threshold), bool(check_lattice), tuple(others), counted)
    (array,) = image.run(finder, tuple(others.values()), lazy_output=lazy_output, show_progressbar=show_progressbar)
    record = {
        "method": "network",
        "model": mapper.name,
        "sha256": mapper.sha256,
        "min_probability": float(threshold),
        "check_lattice": bool(check_lattice),
        "counted": "" if counted is None else bool(counted),
    }
    names = {"class": [name for name, _ in mapper.kinds]} if len(mapper.kinds) > 1 else {}
    units = {
        name: image.grid.units if name in LENGTHS else ""
        for name in network_dtype(mapper.kinds, "labels" in others).names
    }
    full = image.record(finding=record, **({"names": names} if names else {}))
    return make_table(array, image.navigation_axes, units, full, image.titled("Columns"), "column_table")


def check_method(method: str | None, signal_type: str) -> str:
    """Return how columns are found: as asked, or as the signal type has it."""
    if method not in (None, "fit", "network"):
        raise ValueError(f"method={method!r}; expected 'fit' or 'network'.")
    return method or ("network" if signal_type == "HRTEM" else "fit")


def check_arguments(method: str, of_other: dict) -> None:
    """Raise if arguments were given that belong to the other method."""
    given = [name for name, value in of_other.items() if value is not None]
    if given:
        other = "network" if method == "fit" else "fit"
        raise ValueError(
            f"{', '.join(given)}: for method={other!r} alone; here columns are found by method={method!r}."
        )


def check_spacing(spacing: float | str | None, grid: PixelGrid) -> float | None:
    """Return a distance between columns in pixels, which can be two pixels or more, and less than the image."""
    pixels = None if spacing is None else in_pixels(spacing, grid, "spacing")
    if pixels is not None and not 2 < pixels < min(grid.shape):
        raise ValueError(
            f"spacing={spacing!r} is {pixels:.4g} pixels; expected two pixels or more, and less than the image."
        )
    return pixels


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


def check_background(background) -> None:
    """Raise if it is no background that columns can stand on."""
    if background not in ("auto", "local", *DEGREES):
        raise ValueError(
            f"background={background!r}; expected 'auto', 'local', a degree from 0 to 3, or -1 for no background."
        )


def check_rate(false_positives: float) -> None:
    """Raise if it is no number of false columns that can be asked for."""
    if not 0 < false_positives < 1:
        raise ValueError(f"false_positives={false_positives}; expected a number of columns between 0 and 1.")
