"""Bring pixels to another size: what every network's input goes through."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

_APART = 16  # added to rows in memory


def smoothing_for(step: np.ndarray) -> np.ndarray:
    """Return the Gaussian (standard deviation in pixels along each axis) that stands in for a larger pixel.

    Parameters
    ----------
    step
        Size of the new pixel in old pixels along each axis. Smaller pixels need no smoothing.
    """
    return np.sqrt(np.maximum(np.asarray(step, dtype=float) ** 2 - 1, 0) / 12)


def smooth_for(image: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Smooth an image that is finer than the pixels it is to be sampled with, so that nothing is aliased."""
    sigma = smoothing_for(step)
    if sigma.max() <= 0.2:
        return image
    # rows in memory are no power of two apart, so that the pixels of a column do not share few places of the cache
    smooth = np.empty((image.shape[0], image.shape[1] + _APART), image.dtype)[:, : image.shape[1]]
    smooth[:] = image
    for axis in (0, 1):
        if sigma[axis] > 1e-9:
            ndi.gaussian_filter1d(smooth, sigma[axis], axis, output=smooth, mode="nearest", truncate=3)
    return smooth


def interpolate(image: np.ndarray, start: np.ndarray, step: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Sample an image linearly on a regular grid, one axis after the other.

    Parameters
    ----------
    image
        Shape (rows, columns), at least 2 by 2.
    start, step
        First sample and distance of samples along each axis in pixels of the image. Beyond the edge the slope of the
        edge goes on.
    shape
        Number of samples along each axis.

    Returns
    -------
    numpy.ndarray
        Samples, shape *shape*.
    """
    for axis in (0, 1):
        position = start[axis] + step[axis] * np.arange(shape[axis])
        below = np.clip(np.floor(position).astype(int), 0, image.shape[axis] - 2)
        weight = (position - below).astype(np.float32)
        weight = weight[:, None] if axis == 0 else weight
        lower, upper = np.take(image, below, axis), np.take(image, below + 1, axis)
        image = lower + weight * (upper - lower)
    return image


def resample_frame(image: np.ndarray, step: tuple[float, float]) -> np.ndarray:
    """Return a whole image with another size of pixels; both begin at one corner.

    They cover the same area but for half of a new pixel.

    Parameters
    ----------
    image
        Shape (rows, columns), at least 2 by 2.
    step
        Size of the new pixel in old pixels along each axis.

    Returns
    -------
    numpy.ndarray
        Shape (round(rows / step), round(columns / step)), at least one by one, float32.
    """
    steps = np.asarray(step, dtype=float)
    shape = tuple(max(1, round(n / s)) for n, s in zip(image.shape, steps, strict=True))
    image = smooth_for(image.astype(np.float32), steps)
    return _clamped(image, steps, shape)


def enlarge_map(
    values: np.ndarray,
    shape: tuple[int, int],
    step: tuple[float, float] | None = None,
    rows: slice = slice(None),
) -> np.ndarray:
    """Return some rows of a map on a grid of another shape that begins where it does, interpolated linearly.

    Parameters
    ----------
    values
        The map.
    shape
        Of the other grid.
    step
        Size of a pixel of the map in pixels of the other grid, such as what `resample_frame` was given; by default both
        cover the same area.
    rows
        Of the other grid.
    """
    steps = np.array(values.shape) / np.array(shape) if step is None else 1 / np.asarray(step, float)
    return _clamped(values.astype(np.float32), steps, shape, rows)


def nearest_map(values: np.ndarray, shape: tuple[int, int], step: tuple[float, float] | None = None) -> np.ndarray:
    """Return a map on a grid of another shape that begins where it does, the nearest value for each pixel.

    Parameters are those of `enlarge_map`.
    """
    steps = np.array(shape) / np.array(values.shape) if step is None else np.asarray(step, float)
    rows, columns = (
        np.clip(((np.arange(n) + 0.5) / s).astype(int), 0, m - 1)
        for n, m, s in zip(shape, values.shape, steps, strict=True)
    )
    return values[np.ix_(rows, columns)]


def _clamped(image: np.ndarray, steps: np.ndarray, shape: tuple[int, int], rows: slice = slice(None)) -> np.ndarray:
    """Samples of pixels whose grid covers the image, the value at the edge beyond the middle of the outer pixels."""
    first, last, _ = rows.indices(shape[0])
    padded, start = np.pad(image, 1, mode="edge"), (steps - 1) / 2 + 1
    return interpolate(padded, start + (first * steps[0], 0), steps, (last - first, shape[1]))
