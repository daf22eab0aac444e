"""Columns to and from atomap's sublattices."""

from __future__ import annotations

import numpy as np

from particlespy_ml.core.calibration import PixelGrid


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


def to_sublattice(image, rows: np.ndarray, grid: PixelGrid):
    """Return an atomap ``Sublattice`` of the columns of a frame.

    Positions, widths and amplitudes are those of the table: atomap's amplitude is a volume in pixels.

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
    for atom, row in zip(sublattice.atom_list, rows, strict=True):
        atom.sigma_x = atom.sigma_y = row["width"] / grid.scale[0]
        atom.amplitude_gaussian = row["volume"] / grid.scale[0] ** 2
    return sublattice
