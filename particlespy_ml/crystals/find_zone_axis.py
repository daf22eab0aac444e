"""The verb `find_zone_axis`, for any image signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import NANOMETRES, PixelGrid, check_square
from particlespy_ml.core.frames import ascending, check_frame, frame_name
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_units
from particlespy_ml.crystals.crystal import STRUCTURES, Crystal, as_crystal
from particlespy_ml.crystals.directions import direction, direction_name, low_index_zone_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal, Signal2D


LENGTHS = ("a_x", "a_y", "b_x", "b_y", "lattice_constant")


@dataclass(frozen=True)
class ZoneAxisFinder:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: images of one particle each to one row each.

    Parameters
    ----------
    grid
        Calibration of the images.
    lattice_constant
        In pixels.
    crystal, zone_axes
        As for `find_zone_axis`.
    """

    grid: PixelGrid
    lattice_constant: float
    crystal: Crystal
    zone_axes: tuple

    def __call__(self, frames: np.ndarray, *, indices: list[tuple]) -> list[tuple]:
        """Return one row for each frame."""
        from particlespy_ml.crystals.zone_axis import find_zone_axis_in

        names = [direction_name(axis) for axis in self.zone_axes]
        results = []
        for frame, index in zip(frames, indices, strict=True):
            check_frame(frame, f"Frame {frame_name(index)}")
            rows = np.zeros(1, zone_axis_dtype(names))
            size = self.grid.scale[0]
            image = ascending(np.asarray(frame, float), self.grid.direction)
            found = find_zone_axis_in(image, self.lattice_constant, self.crystal, self.zone_axes)
            rows["zone_axis"] = names.index(found.zone_axis) if found.zone_axis else -1
            rows["zone_axis_score"] = found.score
            for name, value in zip(names, found.scores, strict=True):
                rows[f"zone_axis_score_{name}"] = value
            basis = found.basis[:, ::-1] * size
            rows["a_x"], rows["a_y"], rows["b_x"], rows["b_y"] = basis.ravel()
            rows["lattice_constant"] = found.lattice_constant * size
            results.append((rows,))
        return results


def zone_axis_dtype(names: Sequence[str]) -> np.dtype:
    """Return names and types of the columns of a table of zone axes, for those that are looked for."""
    scores = [("zone_axis_score", "f4"), *((f"zone_axis_score_{name}", "f4") for name in names)]
    return np.dtype([("zone_axis", "i1"), *scores, *((name, "f8") for name in LENGTHS)])


def find_zone_axis(
    signal: Signal2D,
    crystal: str | Crystal = "Au",
    *,
    table: BaseSignal | None = None,
    lattice_constant: float | str | None = None,
    zone_axes: Sequence[str | tuple[int, ...]] | None = None,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> BaseSignal:
    """Find along which zone axis each particle of a stack is seen, if along any.

    Parameters
    ----------
    signal
        Stack of images of one particle each, as `extract_particles` returns it, lazy or not, calibrated.
    crystal
        An element whose reference state is fcc, bcc, hcp or diamond (from ASE), "CeO2", "MgO", "TiO2-rutile",
        "TiO2-anatase", "graphene", or a `Crystal` of your own; "fcc" or "bcc" with *lattice_constant*.
    table
        Particle table that the stack was cut out with, to which the columns are added. It stays in memory: the result
        is lazy only without it.
    lattice_constant
        Length of the cell's first vector: a number in the image's units, or a text such as "3.92 Å"; by default that of
        the crystal. The lattice may differ from it by 12 %, and be distorted by a few per cent; the table has the one
        that was found, which tells a wrong calibration.
    zone_axes
        Those that are looked for, such as ["<001>", "[1-10]", (1, 1, 2)]; by default those of low indices, as "<001>",
        "<011>" and "<111>" of a cubic crystal, "<0001>", "<11-20>" and "<10-10>" of a hexagonal one.
    lazy_output
        Whether to return a lazy table; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    ParticleTable or LazyParticleTable
        *table* with more columns, or these columns alone, one row for each image. ``table["zone_axis"]`` is the zone
        axis, and "undefined" where the particle is on none of them: ``by="zone_axis"`` takes it for the class of the
        particles. ``zone_axis_score`` is one or more on an axis; ``a_x``, ``a_y``, ``b_x`` and ``b_y`` are the vectors
        of the plane lattice of the columns, NaN off the axes.

    Raises
    ------
    ValueError
        If the image is not calibrated, its pixels are not square or not finite, crystal or zone axis is unknown, the
        lattice constant does not suit the size of the images or of their pixels, or the table is not that of the stack.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.columns_of_platinum()
    >>> s.find_zone_axis("Pt")["zone_axis"]
    array(['<011>'], dtype=object)
    >>> table = s.measure_particles()
    >>> stack = s.extract_particles(table)
    >>> stack.find_zone_axis("Pt", table=table).summary(by="zone_axis").loc["<011>", "count"]
    np.int64(1)
    """
    from particlespy_ml.tables.dataframe import with_columns
    from particlespy_ml.tables.table import make_table

    image = ImageFrames.of(signal)
    grid = image.grid
    check_square(grid)
    sought = as_crystal(crystal)
    if lattice_constant is None:
        if crystal in STRUCTURES:
            raise ValueError(f"The structure {crystal!r} has no lattice constant of its own; give lattice_constant=.")
        lattice_constant = 0.1 * sought.a / NANOMETRES[grid.units]
    lattice_constant = in_units(lattice_constant, grid, "lattice_constant")
    axes = _checked_axes(sought, zone_axes)
    pixels = _in_resolved_pixels(lattice_constant, grid, sought, axes)
    if table is not None and (table.n_rows,) != image.frames.shape[:-2]:
        raise ValueError(
            f"The table has {table.n_rows} particles, the stack {image.frames.shape[:-2]}; expected the table that it "
            "was cut out with."
        )
    names = [direction_name(axis) for axis in axes]
    finder = ZoneAxisFinder(grid, pixels, sought, axes)
    lazy_output = lazy_output if table is None else False
    (array,) = image.run(finder, lazy_output=lazy_output, show_progressbar=show_progressbar)
    units = {name: grid.units if name in LENGTHS else "" for name in zone_axis_dtype(names).names}
    found = {"crystal": sought.name, "lattice_constant": float(lattice_constant)}
    if table is not None:
        rows = np.concatenate(list(array)) if len(array) else np.zeros(0, zone_axis_dtype(names))
        return with_columns(table, rows, units, {"zone_axis": names}, {"zone_axis": found})
    full = image.record(names={"zone_axis": names}, zone_axis=found)
    return make_table(array, image.navigation_axes, units, full, image.titled("Zone axes"))


def _checked_axes(crystal: Crystal, zone_axes) -> tuple:
    """Zone axes that are directions of the crystal, each once."""
    if zone_axes is None:
        return low_index_zone_axes(crystal)
    if isinstance(zone_axes, str):
        raise ValueError(f"zone_axes={zone_axes!r}; expected a list of zone axes, such as ['<001>', '<011>'].")
    axes = tuple(axis if isinstance(axis, str) else tuple(axis) for axis in zone_axes)
    names = [direction_name(axis) for axis in axes]
    if not axes or len(set(names)) < len(axes):
        raise ValueError(f"zone_axes={zone_axes!r}; expected one zone axis or more, each once.")
    for axis in axes:
        direction(axis, crystal)
    return axes


def _in_resolved_pixels(lattice_constant: float, grid: PixelGrid, crystal: Crystal, axes: tuple) -> float:
    """The lattice constant in pixels, if it suits the images and their pixels."""
    from particlespy_ml.crystals.reflections import patterns
    from particlespy_ml.crystals.zone_axis import FEWEST_PIXELS, STRETCH

    pixels = lattice_constant / grid.scale[0]
    if not pixels > 0:
        raise ValueError(f"lattice_constant={lattice_constant}; expected a length in {grid.units}, above zero.")
    if pixels > min(grid.shape) / 2:
        raise ValueError(
            f"The images of {grid.shape} pixels are smaller than two lattice constants of {lattice_constant:.3g} "
            f"{grid.units}, {pixels:.4g} pixels each; give larger images, or check the lattice constant."
        )
    longest = min(float(np.linalg.norm(pattern.vectors, axis=1).max()) for pattern in patterns(crystal, axes))
    fewest = FEWEST_PIXELS * (1 + STRETCH) * longest
    if pixels < fewest:
        raise ValueError(
            f"Pixels of {grid.scale[0]:.3g} {grid.units} are too coarse for a lattice constant of "
            f"{lattice_constant:.3g} {grid.units}; expected {lattice_constant / fewest:.2g} {grid.units} or less."
        )
    return float(pixels)
