"""Sizes and shapes of many particles at once."""

from __future__ import annotations

import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.particles.sheet import Sheet


def measure_shapes(table: np.ndarray, boxes: list[tuple[slice, slice]], sheet: Sheet, grid: PixelGrid) -> None:
    """Fill in place, area, axes and box of particles.

    Parameters
    ----------
    table
        Rows of `particlespy_ml.particles.measure.measure_dtype`, one for each particle.
    boxes
        Bounding box of each as two slices.
    sheet
        Their masks as a sheet.
    grid
        Calibration of the frame, axes ascending.
    """
    top, bottom, left, right = np.array([(r.start, r.stop, c.start, c.stop) for r, c in boxes]).T
    table["x"], table["y"] = grid.to_xy(sheet.mean(sheet.rows) + top, sheet.mean(sheet.columns) + left)
    table["area"] = area = sheet.size * grid.scale[0] * grid.scale[1]
    table["equivalent_circular_diameter"] = 2 * np.sqrt(area / np.pi)
    _measure_ellipses(table, sheet, grid)
    table["bbox_x_min"], table["bbox_y_min"] = grid.to_xy(top - 0.5, left - 0.5)
    table["bbox_x_max"], table["bbox_y_max"] = grid.to_xy(bottom - 0.5, right - 0.5)
    height, width = (bottom - top) * grid.scale[0], (right - left) * grid.scale[1]
    table["bbox_area"] = height * width
    table["bbox_length"] = np.hypot(height, width)


def _measure_ellipses(table: np.ndarray, sheet: Sheet, grid: PixelGrid) -> None:
    """Axes, eccentricity and orientation, as in `skimage.measure.regionprops`."""
    step_y, step_x = grid.scale
    x = sheet.columns - np.repeat(sheet.mean(sheet.columns), sheet.size)
    y = sheet.rows - np.repeat(sheet.mean(sheet.rows), sheet.size)
    xx, yy, xy = sheet.mean(x * x) * step_x**2, sheet.mean(y * y) * step_y**2, sheet.mean(x * y) * step_x * step_y
    half = np.hypot((xx - yy) / 2, xy)
    large, small = (xx + yy) / 2 + half, np.maximum((xx + yy) / 2 - half, 0)
    table["major_axis_length"], table["minor_axis_length"] = 4 * np.sqrt(large), 4 * np.sqrt(small)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["eccentricity"] = np.where(large > 0, np.sqrt(1 - small / large), 0.0)
    table["orientation"] = (np.degrees(np.arctan2(2 * xy, xx - yy)) / 2 + 90) % 180 - 90
