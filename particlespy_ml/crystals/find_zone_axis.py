"""The verb `find_zone_axis`, for any image signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import NANOMETRES, PixelGrid, check_square
from particlespy_ml.core.frames import ascending, check_frame, frame_name
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_units

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D


LENGTHS = ("a_x", "a_y", "b_x", "b_y", "lattice_constant")


@dataclass(frozen=True)
class ZoneAxisFinder:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: images of one particle each to one row each."""

    grid: PixelGrid
    lattice_constant: float
    structure: str

    def __call__(self, frames: np.ndarray, *, indices: list[tuple]) -> list[tuple]:
        """Return one row for each frame."""
        from particlespy_ml.crystals.projection import ZONE_AXES
        from particlespy_ml.crystals.zone_axis import find_zone_axis_in

        results = []
        for frame, index in zip(frames, indices, strict=True):
            check_frame(frame, f"Frame {frame_name(index)}")
            rows = np.zeros(1, zone_axis_dtype())
            size = self.grid.scale[0]
            image = ascending(np.asarray(frame, float), self.grid.direction)
            found = find_zone_axis_in(image, self.lattice_constant, self.structure)
            rows["zone_axis"] = list(ZONE_AXES).index(found.zone_axis) if found.zone_axis else -1
            rows["zone_axis_score"] = found.score
            for name, value in zip(ZONE_AXES, found.scores, strict=True):
                rows[f"zone_axis_score_{name}"] = value
            basis = found.basis[:, ::-1] * size
            rows["a_x"], rows["a_y"], rows["b_x"], rows["b_y"] = basis.ravel()
            rows["lattice_constant"] = found.lattice_constant * size
            results.append((rows,))
        return results


def zone_axis_dtype() -> np.dtype:
    """Return names and types of the columns of a table of zone axes."""
    from particlespy_ml.crystals.projection import ZONE_AXES

    scores = [("zone_axis_score", "f4"), *((f"zone_axis_score_{name}", "f4") for name in ZONE_AXES)]
    return np.dtype([("zone_axis", "i1"), *scores, *((name, "f8") for name in LENGTHS)])


def find_zone_axis(
    signal: Signal2D,
    element: str = "Au",
    *,
    table: BaseSignal | None = None,
    lattice_constant: float | str | None = None,
    structure: str = "fcc",
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> BaseSignal:
    """Find along which zone axis each particle of a stack is seen, if along any.

    Parameters
    ----------
    signal
        Stack of images of one particle each, as `extract_particles` returns it, lazy or not, calibrated.
    element
        Element, for its lattice constant and structure (from ASE); not used where the lattice constant is given.
    table
        Particle table that the stack was cut out with, to which the columns are added. It stays in memory: the result
        is lazy only without it.
    lattice_constant
        A number in the image's units, or a text such as "3.92 Å". The lattice may differ from it by 12 %, and be
        distorted by a few per cent; the table has the one that was found, which tells a wrong calibration.
    structure
        "fcc" or "bcc", with *lattice_constant*.
    lazy_output
        Whether to return a lazy table; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    ParticleTable or LazyParticleTable
        *table* with more columns, or these columns alone, one row for each image. ``table["zone_axis"]`` is "<001>",
        "<011>" or "<111>", and "undefined" where the particle is off these axes: ``by="zone_axis"`` takes it for the
        class of the particles. ``zone_axis_score`` is one or more on an axis; ``a_x``, ``a_y``, ``b_x`` and ``b_y`` are
        the vectors of the plane lattice of the columns, NaN off the axes.

    Raises
    ------
    ValueError
        If the image is not calibrated, its pixels are not square or not finite, the element is unknown or not cubic,
        the lattice constant does not suit the size of the images or of their pixels, or the table is not that of the
        stack.

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
    from particlespy_ml.crystals.projection import ZONE_AXES, crystal, projection
    from particlespy_ml.tables.dataframe import with_columns
    from particlespy_ml.tables.table import make_table

    image = ImageFrames.of(signal)
    grid = image.grid
    check_square(grid)
    if lattice_constant is None:
        structure, constant = crystal(element)
        lattice_constant = 0.1 * constant / NANOMETRES[grid.units]
    lattice_constant = in_units(lattice_constant, grid, "lattice_constant")
    projection(structure, "<001>")
    pixels = lattice_constant / grid.scale[0]
    if not pixels > 0 or not np.isfinite(pixels):
        raise ValueError(f"lattice_constant={lattice_constant}; expected a length in {grid.units}, above zero.")
    if pixels > min(grid.shape) / 2:
        raise ValueError(
            f"The images of {grid.shape} pixels are smaller than two lattice constants of {lattice_constant:.3g} "
            f"{grid.units}, {pixels:.4g} pixels each; give larger images, or check the lattice constant."
        )
    if pixels < 4.5:
        raise ValueError(
            f"Pixels of {grid.scale[0]:.3g} {grid.units} are too coarse for a lattice constant of "
            f"{lattice_constant:.3g} {grid.units}; expected {lattice_constant / 6:.2g} {grid.units} or less."
        )
    if table is not None and (table.n_rows,) != image.frames.shape[:-2]:
        raise ValueError(
            f"The table has {table.n_rows} particles, the stack {image.frames.shape[:-2]}; expected the table that it "
            "was cut out with."
        )
    finder = ZoneAxisFinder(grid, float(pixels), structure)
    lazy_output = lazy_output if table is None else False
    (array,) = image.run(finder, lazy_output=lazy_output, show_progressbar=show_progressbar)
    units = {name: grid.units if name in LENGTHS else "" for name in zone_axis_dtype().names}
    names = {"zone_axis": list(ZONE_AXES)}
    found = {"lattice_constant": float(lattice_constant), "structure": structure}
    if table is not None:
        return with_columns(table, np.concatenate(list(array)), units, names, {"zone_axis": found})
    full = image.record(names=names, zone_axis=found)
    return make_table(array, image.navigation_axes, units, full, image.titled("Zone axes"))
