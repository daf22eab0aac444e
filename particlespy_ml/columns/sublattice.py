"""The verb `from_sublattice`, and columns to atomap's sublattices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.rows import FEWEST_FOR_A_LATTICE, column_dtype, column_units, flag_lattice
from particlespy_ml.core.calibration import PixelGrid, check_square
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.tables.table import make_table, object_array

if TYPE_CHECKING:
    from atomap.sublattice import Sublattice
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike


def positions_of(positions, grid: PixelGrid) -> np.ndarray:
    """Return positions in pixels (row, column), shape (n, 2).

    Parameters
    ----------
    positions
        Calibrated (x, y), shape (n, 2), or an atomap ``Sublattice``, whose positions are pixels (x, y).
    grid
        Calibration of the image.
    """
    if hasattr(positions, "atom_list"):
        found = np.array([(atom.pixel_y, atom.pixel_x) for atom in positions.atom_list], float)
        return found.reshape(-1, 2)
    found = np.asarray(positions, dtype=float)
    if found.size == 0:
        return np.empty((0, 2))
    if found.ndim != 2 or found.shape[1] != 2:
        raise ValueError(f"Expected positions (x, y) of the shape (n, 2), not {found.shape}.")
    pixels = np.column_stack(grid.to_pixels(found[:, 0], found[:, 1]))
    outside = np.any((pixels < -0.5) | (pixels > np.array(grid.shape) - 0.5), axis=1)
    if outside.any():
        raise ValueError(
            f"{outside.sum()} of {len(pixels)} positions lie outside of the image; expected (x, y) in {grid.units}."
        )
    return pixels


def from_sublattice(sublattice: Sublattice | ArrayLike, image: Signal2D) -> BaseSignal:
    """Return the columns of an atomap ``Sublattice`` as a table.

    Parameters
    ----------
    sublattice
        Of one frame, or positions (x, y) in the image's units, shape (n, 2).
    image
        The image that they are of, calibrated, with square pixels.

    Returns
    -------
    ColumnTable
        Places, and the sites of the lattice that they lie on. There are no cross-sections:
        ``image.find_columns(sublattice)`` fits them.

    Raises
    ------
    ValueError
        If the image is a series or not calibrated, or positions lie outside of it.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> image = pml.data.columns_of_platinum()
    >>> columns = pml.columns.from_sublattice([[1.0, 1.2], [1.3, 1.2]], image)
    >>> columns.columns
    ['x', 'y', 'site_a', 'site_b', 'flags']
    """
    seen = ImageFrames.of(image)
    check_square(seen.grid)
    if seen.frames.shape[:-2] != (1,):
        raise ValueError(f"Expected one image, not {seen.frames.shape[:-2]} of them; choose it with inav.")
    pixels = positions_of(sublattice, seen.grid)
    rows = np.zeros(len(pixels), column_dtype("given"))
    rows["x"], rows["y"] = seen.grid.to_xy(*pixels.T)
    if len(rows) >= FEWEST_FOR_A_LATTICE:
        flag_lattice(rows, pixels)
    units = column_units(seen.grid.units, "given")
    record = seen.record(finding={"method": "given"})
    return make_table(
        object_array([rows], (1,)), seen.navigation_axes, units, record, seen.titled("Columns"), "column_table"
    )


def to_sublattice(image, rows: np.ndarray, grid: PixelGrid):
    """Return an atomap ``Sublattice`` of the columns of a frame.

    Positions are those of the table, and widths and amplitudes where it has them: atomap's amplitude is a volume in
    pixels.

    Parameters
    ----------
    image
        The frame, shape (rows, columns).
    rows
        Rows of a column table.
    grid
        Calibration of the image.
    """
    from atomap.api import Sublattice

    pixel_rows, pixel_columns = grid.to_pixels(rows["x"], rows["y"])
    sublattice = Sublattice(
        np.column_stack([pixel_columns, pixel_rows]),
        np.asarray(image, float),
        pixel_size=grid.scale[0],
        units=grid.units,
    )
    for atom, row in zip(sublattice.atom_list, rows, strict=True) if "volume" in rows.dtype.names else ():
        atom.sigma_x = atom.sigma_y = row["width"] / grid.scale[0]
        atom.amplitude_gaussian = row["volume"] / grid.scale[0] ** 2
    return sublattice
