"""Columns of one particle over a series of frames."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from particlespy_ml.columns.noise import Noise
from particlespy_ml.columns.refine import ColumnFit, measure_volumes

BLUR = 1.5  # pixels, before frames are compared


def align(frames, max_shift: float, rounds: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of frames shifted onto each other by whole pixels, and the shifts.

    Each frame is compared with the sum of those before, in the second round with the sum of all.

    Parameters
    ----------
    frames
        Shape (frames, rows, columns), numpy or dask; one frame is read at a time.
    max_shift
        Largest shift against the first frame in pixels.
    rounds
        Number of rounds.

    Returns
    -------
    total
        Shape (rows, columns).
    shifts
        How far the contents of each frame lie from those of the sum, to a fraction of a pixel, shape (frames, 2).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.follow import align
    >>> frame = np.zeros((32, 32))
    >>> frame[10:14, 12:15] = 1.0
    >>> align(np.stack([frame, np.roll(frame, 3, 0)]), 5)[1].round()[1]
    array([3., 0.])
    """
    shifts = np.zeros((len(frames), 2))
    total = np.asarray(frames[0], float).copy()
    for number in range(rounds):
        new = np.zeros_like(total)
        for k in range(len(frames)):
            frame = np.asarray(frames[k], float)
            if k or number:
                shifts[k] = _shift(frame, total, max_shift)
            moved = _moved(frame, -np.rint(shifts[k]).astype(int))
            new += moved
            if number == 0 and k:
                total = total + moved
        total = new
    return total, shifts


def measure_frame(image, fit: ColumnFit, shift, background: int, noise: Noise | None) -> ColumnFit:
    """Return the fit of a frame at the positions of another fit, moved by a shift in pixels."""
    # the sum was made of frames shifted by whole pixels: its columns lie where those of a frame lie after that
    positions = np.clip(fit.positions + shift, -0.5, np.array(image.shape) - 0.5)
    return measure_volumes(image, positions, fit.widths, background=background, noise=noise)


def _shift(frame, reference, largest: float) -> np.ndarray:
    """Shift of a frame against a reference, from the maximum of their cross-correlation, by a parabola."""
    shape = frame.shape
    one, other = (np.fft.rfft2(_soft(image), shape) for image in (frame, reference))
    correlation = np.fft.irfft2(one * np.conj(other), shape)
    limit = max(int(largest), 1)
    rows = np.arange(-limit, limit + 1)
    window = correlation[np.ix_(rows % shape[0], rows % shape[1])]
    top = np.array(np.unravel_index(np.argmax(window), window.shape))
    found = top.astype(float)
    for axis in (0, 1):
        if 0 < top[axis] < 2 * limit:
            step = np.eye(2, dtype=int)[axis]
            before, middle, after = (window[tuple(top + k * step)] for k in (-1, 0, 1))
            curvature = before - 2 * middle + after
            found[axis] += 0.5 * (before - after) / curvature if curvature < 0 else 0
    return found - limit


def _soft(image) -> np.ndarray:
    smooth = gaussian_filter(image, BLUR)
    return smooth - np.median(smooth)


def _moved(image, shift) -> np.ndarray:
    """Image shifted by whole pixels, with its median where nothing is known."""
    out = np.full_like(image, np.median(image))
    source = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(shift, image.shape, strict=True))
    target = tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in zip(shift, image.shape, strict=True))
    out[target] = image[source]
    return out
