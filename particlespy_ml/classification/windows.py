"""Cut particles out of a frame and bring them to the pixel size and window of a model."""

from __future__ import annotations

import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import ascending
from particlespy_ml.core.resample import interpolate, smooth_for, smoothing_for
from particlespy_ml.particles.measure import find_bbox_pixels

MARGIN = 0.3  # nm of surroundings kept on each side of a particle


def window_views(
    rows: np.ndarray, grid: PixelGrid, pixel_size: float, windows: tuple[int, ...], coarser: tuple[float, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Return the window in which each particle is seen: the smallest that holds it with a margin, or the largest.

    Parameters
    ----------
    rows
        Measured particles.
    grid
        Calibration of the frame.
    pixel_size
        Pixel size of the model in nm.
    windows
        Edges that the model takes, ascending, in pixels.
    coarser
        Factors, ascending, by which pixels may be larger for particles that no window holds otherwise.

    Returns
    -------
    edges, pixel_sizes
        Edge in pixels, and pixel size in nm, shape (n,) each.
    """
    top, left, bottom, right = find_bbox_pixels(rows, grid)
    size = grid.nanometres
    extent = np.maximum((bottom - top) * size[0], (right - left) * size[1]) + 2 * MARGIN
    factors = np.array((1.0, *coarser))
    chosen = np.searchsorted(windows[-1] * pixel_size * factors, extent)
    sizes = pixel_size * factors[np.minimum(chosen, len(factors) - 1)]
    choice = (extent[:, None] > np.asarray(windows) * sizes[:, None]).sum(1)
    return np.asarray(windows)[np.minimum(choice, len(windows) - 1)], sizes


def window_centre(row: np.void, grid: PixelGrid) -> np.ndarray:
    """Return row and column, in pixels, of the middle of a measured particle's bounding box."""
    top, left, bottom, right = (int(value) for value in find_bbox_pixels(row, grid))
    return np.array([(top + bottom - 1) / 2, (left + right - 1) / 2])


def cut_window(
    image: np.ndarray, labels: np.ndarray, row: np.void, grid: PixelGrid, pixel_size: float, edge: int
) -> np.ndarray:
    """Cut one particle out of a frame and resample it.

    The window is centred on the particle's bounding box. Pixels of other particles and pixels beyond the frame are
    replaced by the median of the pixels about the particle that belong to none. Where the frame is finer than the
    window it is smoothed by a Gaussian that equals the window's pixel in variance, then interpolated linearly.

    Parameters
    ----------
    image, labels
        Frame and its labels, shape (rows, columns).
    row
        The particle's row of the table.
    grid
        Calibration of the frame.
    pixel_size
        Pixel size of the window in nm.
    edge
        Edge of the window in pixels.

    Returns
    -------
    numpy.ndarray
        Window, shape (edge, edge), float32, in the image's own units of intensity; its axes ascend, whichever way
        those of the frame run.
    """
    step = pixel_size / np.array(grid.nanometres)
    window = cut(image, labels, int(row["label"]), window_centre(row, grid), step, edge, float(row["background"]))
    return ascending(window, grid.direction)


def cut(
    image: np.ndarray,
    labels: np.ndarray,
    label: int,
    centre: np.ndarray,
    step: np.ndarray,
    edge: int,
    background: float,
) -> np.ndarray:
    """Cut a window out of a frame and resample it, as `cut_window` does.

    Parameters
    ----------
    image, labels
        Frame and its labels, shape (rows, columns).
    label
        The particle's label.
    centre
        Row and column of the middle of the window.
    step
        Pixel of the window in pixels of the frame along each axis.
    edge
        Edge of the window in pixels.
    background
        Fills where no pixel is free.
    """
    half = (edge - 1) / 2 * step
    reach = np.ceil(half + 4 * smoothing_for(step) + 1)
    low = np.floor(centre - reach).astype(int)
    high = np.ceil(centre + reach).astype(int) + 1
    inside = tuple(slice(max(lo, 0), min(hi, n)) for lo, hi, n in zip(low, high, image.shape, strict=True))
    crop = image[inside].astype(np.float32)
    near = labels[inside]
    other = (near != 0) & (near != label)
    padding = [(s.start - lo, hi - s.stop) for s, lo, hi in zip(inside, low, high, strict=True)]
    if other.any() or np.any(padding):
        # not the particle's own background, whose ring lies within the blur of its edge where pixels are fine
        free = crop[near == 0]
        fill = np.median(free) if free.size else np.float32(background)
        crop[other] = fill
        crop = np.pad(crop, padding, constant_values=fill)
    return interpolate(smooth_for(crop, step), centre - low - half, step, (edge, edge))
