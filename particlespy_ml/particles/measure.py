"""Labels to table: size, shape, intensity and outline of every particle of one frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from scipy import ndimage as ndi
from skimage.draw import polygon2mask
from skimage.measure import find_contours, perimeter, regionprops

from particlespy_ml._calibration import PixelGrid

OUTLINE_POINTS = 64

# name, dtype, unit: "length", "area", "angle" or None
COLUMNS = (
    ("label", "i4", None),
    ("x", "f8", "length"),
    ("y", "f8", "length"),
    ("area", "f8", "area"),
    ("equivalent_circular_diameter", "f8", "length"),
    ("major_axis_length", "f8", "length"),
    ("minor_axis_length", "f8", "length"),
    ("orientation", "f8", "angle"),
    ("perimeter", "f8", "length"),
    ("circularity", "f8", None),
    ("eccentricity", "f8", None),
    ("solidity", "f8", None),
    ("intensity", "f8", None),
    ("intensity_max", "f8", None),
    ("intensity_mean", "f8", None),
    ("intensity_std", "f8", None),
    ("background", "f8", None),
    ("bbox_x_min", "f8", "length"),
    ("bbox_y_min", "f8", "length"),
    ("bbox_x_max", "f8", "length"),
    ("bbox_y_max", "f8", "length"),
    ("bbox_area", "f8", "area"),
    ("bbox_length", "f8", "length"),
    ("touches_border", "?", None),
    ("outline", ("f4", (OUTLINE_POINTS, 2)), "length"),
)


def measure_dtype() -> np.dtype:
    """Return the dtype of one row of a measured table."""
    return np.dtype([(name, *kind) if isinstance(kind, tuple) else (name, kind) for name, kind, _ in COLUMNS])


def column_units(length_unit: str) -> dict[str, str]:
    """Return the unit of every measured column, given the image's unit of length. Empty where there is none."""
    units = {"length": length_unit, "area": f"{length_unit}²", "angle": "°", None: ""}
    return {name: units[unit] for name, _, unit in COLUMNS}


def measure_frame(image: np.ndarray, labels: np.ndarray, grid: PixelGrid) -> np.ndarray:
    """Measure every labelled particle of one frame.

    Positions are (x, y) in the image's calibration. The area of a particle is that of its pixels. Axes, eccentricity
    and orientation are those of the ellipse with the same second moments. The perimeter is the estimate that
    ParticleSpy takes, `skimage.measure.perimeter` with 4 neighbours, and circularity is 4 pi area / perimeter**2;
    the estimate is 3 to 6 % long for smooth outlines, so that the circularity of a disk is about 0.9.
    The background of a particle is the mean of the ring of pixels that lies one pixel off its edge, as in ParticleSpy,
    without the pixels of other particles; intensities are above that background.

    Parameters
    ----------
    image
        Frame, shape (rows, columns), real.
    labels
        Labels of the particles, same shape, integers; 0 is background.
    grid
        Calibration of the frame.

    Returns
    -------
    numpy.ndarray
        One row for each particle in ascending label, dtype `measure_dtype`. The outline is a closed polygon of
        64 (x, y) vertices, the first not repeated. Orientation is the angle in degrees from x towards y of the major
        axis, in [-90, 90). ``bbox_*`` are the outer edges of the pixels.

    References
    ----------
    K. Benkrid and D. Crookes, "Design and FPGA implementation of a perimeter estimator" (2000), for the perimeter.
    T. J. A. Slater et al., ParticleSpy, doi:10.5281/zenodo.5094360, for the choice of quantities.
    """
    image = np.asarray(image)
    regions = regionprops(labels, spacing=grid.scale)
    table = np.zeros(len(regions), dtype=measure_dtype())
    if not regions:
        return table
    outside = cache(partial(_frame_background, image, labels))  # seldom needed, and slow in large frames
    for row, region in zip(table, regions, strict=True):
        row["label"] = region.label
        _measure_shape(row, region, grid)
        _measure_intensity(row, region, image, labels, outside)
        row["outline"] = _outline(region, grid)
    return table


def find_bbox_pixels(rows, grid: PixelGrid) -> tuple[np.ndarray, ...]:
    """Return the bounding boxes of measured rows in pixels: top, left, bottom, right; the last two exclusive."""
    first = grid.to_pixels(rows["bbox_x_min"], rows["bbox_y_min"])
    last = grid.to_pixels(rows["bbox_x_max"], rows["bbox_y_max"])
    # on an axis that runs backwards the lowest position is that of the last pixel
    corners = (*np.minimum(first, last), *np.maximum(first, last))
    return tuple(np.rint(value + 0.5).astype(int) for value in corners)


def outline_mask(row, grid: PixelGrid) -> np.ndarray:
    """Return the pixels inside the outline of a measured row, shape of the frame."""
    top, left, bottom, right = find_bbox_pixels(row, grid)
    rows, columns = grid.to_pixels(row["outline"][:, 0], row["outline"][:, 1])
    mask = np.zeros(grid.shape, bool)
    # only the box: over whole frames, many particles would take minutes
    mask[top:bottom, left:right] = polygon2mask(
        (bottom - top, right - left), np.column_stack([rows - top, columns - left])
    )
    return mask


def _measure_shape(row, region, grid: PixelGrid) -> None:
    top, left, bottom, right = region.bbox
    rows, columns = np.nonzero(region.image)
    row["x"], row["y"] = grid.to_xy(rows.mean() + top, columns.mean() + left)
    row["area"] = area = len(rows) * grid.scale[0] * grid.scale[1]
    row["equivalent_circular_diameter"] = 2 * np.sqrt(area / np.pi)
    _measure_ellipse(row, rows, columns, grid)
    row["perimeter"] = length = _perimeter(region.image, grid.scale)
    row["circularity"] = 4 * np.pi * area / length**2 if length > 0 else np.nan
    row["solidity"] = _solidity(region.image)
    x, y = grid.to_xy([top - 0.5, bottom - 0.5], [left - 0.5, right - 0.5])
    row["bbox_x_min"], row["bbox_x_max"] = sorted(x)
    row["bbox_y_min"], row["bbox_y_max"] = sorted(y)
    height, width = (bottom - top) * grid.scale[0], (right - left) * grid.scale[1]
    row["bbox_area"] = height * width
    row["bbox_length"] = np.hypot(height, width)
    row["touches_border"] = top == 0 or left == 0 or bottom == grid.shape[0] or right == grid.shape[1]


def _measure_ellipse(row, rows: np.ndarray, columns: np.ndarray, grid: PixelGrid) -> None:
    """Axes, eccentricity and orientation, as in `skimage.measure.regionprops` but several times faster."""
    step_y, step_x = grid.direction[0] * grid.scale[0], grid.direction[1] * grid.scale[1]
    x, y = columns - columns.mean(), rows - rows.mean()
    xx, yy, xy = np.mean(x * x) * step_x**2, np.mean(y * y) * step_y**2, np.mean(x * y) * step_x * step_y
    half = np.hypot((xx - yy) / 2, xy)
    large, small = (xx + yy) / 2 + half, max((xx + yy) / 2 - half, 0.0)
    row["major_axis_length"], row["minor_axis_length"] = 4 * np.sqrt(large), 4 * np.sqrt(small)
    row["eccentricity"] = np.sqrt(1 - small / large) if large > 0 else 0.0
    row["orientation"] = (np.degrees(np.arctan2(2 * xy, xx - yy)) / 2 + 90) % 180 - 90


def _solidity(mask: np.ndarray) -> float:
    """Area over area of the convex hull, as in `skimage.measure.regionprops` but several times faster.

    The hull is that of the middles of the pixels' edges, and its area the number of pixels whose centres it holds. 1
    for regions too thin to have one.
    """
    if min(mask.shape) < 3:
        return 1.0
    filled = np.flatnonzero(mask.any(1))  # a user's label may be in pieces
    first, last = mask.argmax(1)[filled], mask.shape[1] - 1 - mask[:, ::-1].argmax(1)[filled]
    rows_of_corners = np.concatenate([filled, filled - 0.5, filled + 0.5])
    left = np.concatenate([first - 0.5, first, first])
    right = np.concatenate([last + 0.5, last, last])
    rows = np.arange(mask.shape[0])
    low = np.ceil(_lower_hull(rows_of_corners, left)(rows) - 1e-9)
    high = np.floor(-_lower_hull(rows_of_corners, -right)(rows) + 1e-9)
    return float(mask.sum() / (high - low + 1).sum())


def _lower_hull(positions: np.ndarray, values: np.ndarray) -> Callable:
    """Return the largest convex function below some points, for interpolation between its corners."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted(zip(positions.tolist(), values.tolist(), strict=True)):
        if hull and hull[-1][0] == x:
            continue  # sorted, so the first of the points at one position is the lowest
        while len(hull) > 1 and _turns_down(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    corners = np.array(hull)
    return partial(np.interp, xp=corners[:, 0], fp=corners[:, 1])


def _turns_down(a: tuple, b: tuple, c: tuple) -> bool:
    return (b[1] - a[1]) * (c[0] - b[0]) >= (c[1] - b[1]) * (b[0] - a[0])


def _perimeter(mask: np.ndarray, scale: tuple[float, float]) -> float:
    """Perimeter of a mask; pixels that are not square are first resampled to square ones of the finer size."""
    fine = min(scale)
    # rounded, so that the same shape in another unit is resampled to the same pixels
    ratios = np.round([s / fine for s in scale], 6)
    if ratios.max() < 1.001:
        return perimeter(mask, neighborhood=4) * fine
    padded = np.pad(mask, 3).astype(np.float32)
    # without smoothing the steps of the coarser pixels would stay, and make outlines up to 12 % longer
    smooth = ndi.gaussian_filter(padded, 0.7 * ratios.max() / ratios)
    if smooth.max() <= 0.5:
        smooth = padded  # too thin to be smoothed
    square = ndi.zoom(smooth, ratios, order=1, grid_mode=True, mode="nearest") > 0.5
    return perimeter(square, neighborhood=4) * fine


def _measure_intensity(row, region, image: np.ndarray, labels: np.ndarray, outside: Callable) -> None:
    top, left, bottom, right = region.bbox
    window = (slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2))
    own = labels[window] == region.label
    near = ndi.binary_dilation(own)
    ring = ndi.binary_dilation(near) & ~near & (labels[window] == 0)
    pixels = image[window].astype(float)
    row["background"] = background = pixels[ring].mean() if ring.any() else outside()
    above = pixels[own] - background
    row["intensity"] = above.sum()
    row["intensity_max"] = above.max()
    row["intensity_mean"] = above.mean()
    row["intensity_std"] = above.std()


def _frame_background(image: np.ndarray, labels: np.ndarray) -> float:
    """Median of the pixels outside all particles: the background where a particle has no free neighbour pixel."""
    free = image[labels == 0]
    return float(np.median(free)) if free.size else float(image.min())


def _outline(region, grid: PixelGrid) -> np.ndarray:
    """Outline of a region as a closed polygon of fixed length, in (x, y)."""
    contours = find_contours(np.pad(region.image, 1).astype(float), 0.5)
    contour = max(contours, key=len)
    rows, columns = (contour + np.array(region.bbox[:2]) - 1).T
    x, y = grid.to_xy(rows, columns)
    step = np.hypot(np.diff(x), np.diff(y))
    position = np.concatenate([[0], np.cumsum(step)])
    wanted = np.linspace(0, position[-1], OUTLINE_POINTS, endpoint=False)
    return np.column_stack([np.interp(wanted, position, x), np.interp(wanted, position, y)])
