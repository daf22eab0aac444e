"""Block means and their interpolation: work on pixels no finer than what is looked for."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

# Added to rows in memory: the pixels of a column that are a power of two apart share a few places of the cache.
APART = 16


def as_double(image: np.ndarray) -> np.ndarray:
    """Return a copy of a real image as float64 in row order, less its median: the same for every dtype and layout.

    Differences of integers and of large offsets are exact, and what follows does not depend on the order of memory.
    Values that are not finite count as the median of the others.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    """
    image = np.asarray(image)
    if image.dtype.kind in "iu" and image.dtype.itemsize == 8 and image.size:
        # float64 does not hold such integers, but it does their distances from one of them
        image = image - image.min()
    frame = np.array(image, np.float64, order="C")
    if image.dtype.kind == "f" and not np.isfinite(frame).all():
        finite = np.isfinite(frame)
        frame[~finite] = np.median(frame[finite]) if finite.any() else 0
    if frame.size:
        frame -= np.partition(frame, frame.size // 2, axis=None)[frame.size // 2]
    return frame


def as_float(image: np.ndarray) -> np.ndarray:
    """Return the image as float32 between -1 and 1 about its mean: no offset or unit of it costs precision."""
    frame, result = as_double(image), np.zeros(np.shape(image), np.float32)
    if frame.size == 0:
        return result
    low, high = frame.min(), frame.max()
    if low == high:
        return result
    largest = max(high, -low)
    frame /= largest
    mean = frame.mean()
    frame -= mean
    return np.divide(frame, max(high / largest - mean, mean - low / largest), out=result, casting="same_kind")


def block_mean(frame: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Average blocks of `factor` pixels; incomplete blocks at the far edges are filled by repeating the edge."""
    rows, columns = (int(f) for f in factor)
    if rows == columns == 1:
        return frame
    pad = [(0, -frame.shape[0] % rows), (0, -frame.shape[1] % columns)]
    if pad[0][1] or pad[1][1]:
        frame = np.pad(frame, pad, mode="edge")
    # Sums of strided views are several times faster than a mean over two axes of a reshaped array.
    partial = sum(frame[i::rows] for i in range(rows))
    return sum(partial[:, i::columns] for i in range(columns)) * np.float32(1 / (rows * columns))


def smooth_and_bin(frame: np.ndarray, sigma: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Gaussian of `sigma` pixels on an image binned by `factor`, the blur of the binning taken into account."""
    rest = np.sqrt(np.maximum(sigma**2 - (factor**2 - 1) / 12, 0)) / factor
    binned = block_mean(frame, factor)
    return blur(binned, rest) if rest.any() else binned


def blur(image: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Return what `scipy.ndimage.gaussian_filter` does, which ends at three sigma, in less time.

    Parameters
    ----------
    image : numpy.ndarray
        Floats, shape (rows, columns).
    sigma : numpy.ndarray
        In pixels along rows and columns.
    """
    if min(sigma) < 1e-9:
        return ndi.gaussian_filter(image, sigma, truncate=3)
    rows, columns = image.shape
    apart = np.empty((rows, columns + APART), image.dtype)[:, :columns]
    apart[:] = image
    ndi.gaussian_filter1d(apart, sigma[0], 0, output=apart, truncate=3)
    return ndi.gaussian_filter1d(apart, sigma[1], 1, truncate=3)


def interpolate_blocks(coarse: np.ndarray, factor: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear interpolation of a grid of block means to the pixels of the blocks, one axis after the other."""
    for axis in (1, 0):  # rows last, which lie together in memory
        position = np.clip((np.arange(shape[axis]) + 0.5) / factor[axis] - 0.5, 0, coarse.shape[axis] - 1)
        below = np.minimum(position.astype(int), max(coarse.shape[axis] - 2, 0))
        above = np.minimum(below + 1, coarse.shape[axis] - 1)
        share = (position - below).astype(np.float32)
        share = share[:, None] if axis == 0 else share
        low, high = np.take(coarse, below, axis), np.take(coarse, above, axis)
        high -= low
        high *= share
        low += high
        coarse = low
    return coarse


def label_sizes(labels: np.ndarray) -> np.ndarray:
    """Return the number of pixels of each label of an array, 0 or more; entry 0 is that of the background.

    The background is not counted pixel by pixel: additions to one and the same number wait for each other.
    """
    found = labels[labels > 0]
    sizes = np.bincount(found.astype(np.intp, copy=False), minlength=1)
    sizes[0] = labels.size - found.size
    return sizes


def dilate(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return pixels that have one of a mask in a rectangle of odd edges about them, as a maximum filter does."""
    for axis, width in enumerate(size):
        mask = np.moveaxis(mask, axis, 0)
        result, reach = mask.copy("K"), int(width) // 2
        # windows that double until they are as wide as asked for, and to both sides
        done = 0
        while done < reach:
            step = min(done + 1, reach - done)
            wider = result.copy("K")
            wider[step:] |= result[:-step]
            wider[:-step] |= result[step:]
            result, done = wider, done + step
        mask = np.moveaxis(result, 0, axis)
    return mask


def highest_beside(values: np.ndarray) -> np.ndarray:
    """Return the highest of each pixel and its eight neighbours, along the last two axes."""
    for axis in (-2, -1):
        values = np.moveaxis(values, axis, 0)
        result = values.copy("K")
        np.maximum(result[1:], values[:-1], out=result[1:])
        np.maximum(result[:-1], values[1:], out=result[:-1])
        values = np.moveaxis(result, 0, axis)
    return values
