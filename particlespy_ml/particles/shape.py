"""Sizes and shapes of many particles at once."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.particles.sheet import Sheet

# What `skimage.measure.perimeter` adds for a border pixel, by 1 + 2 for each border pixel beside it + 10 for each at
# its corners.
_LENGTHS = np.zeros(50)
_LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
_LENGTHS[[21, 33]] = np.sqrt(2)
_LENGTHS[[13, 23]] = (1 + np.sqrt(2)) / 2


def measure_shapes(
    table: np.ndarray, boxes: list[tuple[slice, slice]], masks: list[np.ndarray], sheet: Sheet, grid: PixelGrid
) -> None:
    """Fill in place, area, axes, perimeter and box of particles.

    Parameters
    ----------
    table
        Rows of `particlespy_ml.particles.measure.measure_dtype`, one for each particle.
    boxes, masks
        Bounding box of each as two slices, and its pixels in it.
    sheet
        The masks as a sheet.
    grid
        Calibration of the frame, axes ascending.
    """
    top, bottom, left, right = np.array([(r.start, r.stop, c.start, c.stop) for r, c in boxes]).T
    table["x"], table["y"] = grid.to_xy(sheet.mean(sheet.rows) + top, sheet.mean(sheet.columns) + left)
    table["area"] = area = sheet.size * grid.scale[0] * grid.scale[1]
    table["equivalent_circular_diameter"] = 2 * np.sqrt(area / np.pi)
    _measure_ellipses(table, sheet, grid)
    table["perimeter"] = length = perimeters(masks, sheet, grid.scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["circularity"] = np.where(length > 0, 4 * np.pi * area / length**2, np.nan)
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


def perimeters(masks: list[np.ndarray], sheet: Sheet, scale: tuple[float, float]) -> np.ndarray:
    """Return the perimeters of masks, as `skimage.measure.perimeter` estimates them with 4 neighbours.

    Pixels that are not square are first resampled to square ones of the finer size.
    """
    fine = min(scale)
    # rounded, so that the same shape in another unit is resampled to the same pixels
    ratios = np.round([s / fine for s in scale], 6)
    if ratios.max() >= 1.001:
        sheet = Sheet([_square_pixels(mask, ratios) for mask in masks])
    inside = sheet.inside
    inner = inside & sheet.row_below(inside) & sheet.row_above(inside)
    inner[1:-1] &= inside[:-2] & inside[2:]
    border = inside & ~inner
    place = np.flatnonzero(border)
    owner = np.searchsorted(sheet.start, place, side="right") - 1
    border, width = border.view(np.uint8), sheet.width[owner]
    beside = border[place - 1] + border[place + 1] + border[place - width] + border[place + width]
    corners = sum(border[place + down * width + across] for down in (-1, 1) for across in (-1, 1))
    return np.bincount(owner, _LENGTHS[1 + 2 * beside + 10 * corners], len(masks)) * fine


def _square_pixels(mask: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 3).astype(np.float32)
    # without smoothing the steps of the coarser pixels would stay, and make outlines up to 12 % longer
    smooth = ndi.gaussian_filter(padded, 0.7 * ratios.max() / ratios)
    if smooth.max() <= 0.5:
        smooth = padded  # too thin to be smoothed
    return ndi.zoom(smooth, ratios, order=1, grid_mode=True, mode="nearest") > 0.5


def solidities(heights: np.ndarray, sizes: np.ndarray, contours: list[list[np.ndarray]]) -> np.ndarray:
    """Return areas over areas of the convex hulls, as in `skimage.measure.regionprops`.

    The hull is that of the middles of the pixels' edges, through which contours go, and its area the number of pixels
    whose centres it holds.

    Parameters
    ----------
    heights
        Rows of the box of each particle.
    sizes
        Pixels of each particle.
    contours
        As from `particlespy_ml.particles.contours.contours_of`.
    """
    # particles one above the other, a row apart
    start = np.cumsum(heights + 2) - (heights + 2)
    points = [point for pieces in contours for point in pieces]
    lengths = [sum(map(len, pieces)) for pieces in contours]
    points = np.concatenate(points)
    rows = points[:, 0] + np.repeat(start, lengths)
    order = np.lexsort((points[:, 1], rows))
    rows, columns = rows[order], points[order, 1]
    change = np.flatnonzero(np.diff(rows)) + 1
    first, last = np.append(0, change), np.append(change - 1, len(rows) - 1)
    owner = np.searchsorted(start - 0.75, rows[first], side="right") - 1
    centres = np.repeat(start, heights) + np.arange(heights.sum()) - np.repeat(np.cumsum(heights) - heights, heights)
    low = np.interp(centres, *_lower_hull(rows[first], columns[first], owner))
    high_rows, high_columns = _lower_hull(rows[last], -columns[last], owner)
    high = np.interp(centres, high_rows, -high_columns)
    held = np.floor(high + 1e-9) - np.ceil(low - 1e-9) + 1
    return sizes / np.add.reduceat(held, np.cumsum(heights) - heights)


def _lower_hull(rows: np.ndarray, columns: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of chains that have none of the same chain beyond them; rows ascend within each.

    A point on or above the line through two others is no corner of the hull, whether or not those two are, so that all
    such points may go at once.
    """
    while True:
        within = (owner[2:] == owner[:-2]) & (len(rows) > 2)
        up = (columns[1:-1] - columns[:-2]) * (rows[2:] - rows[:-2])
        flat = (columns[2:] - columns[:-2]) * (rows[1:-1] - rows[:-2])
        gone = within & (up >= flat)
        if not gone.any():
            return rows, columns
        kept = np.ones(len(rows), bool)
        kept[1:-1] = ~gone
        rows, columns, owner = rows[kept], columns[kept], owner[kept]
