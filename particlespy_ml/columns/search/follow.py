"""Columns of one particle over a series of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from particlespy_ml.columns.fit.background import Background
from particlespy_ml.columns.fit.refine import ColumnFit, measure_volumes
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.quality.noise import Noise

BLUR = 1.5  # pixels, before frames are compared
OVERLAP = 0.25  # of the frame, along each axis, that two frames have to share
OFTEN = 0.5  # of the frames have to have recorded a pixel of their mean


@dataclass(frozen=True)
class AlignedFrames:
    """Frames of a series on top of each other.

    Parameters
    ----------
    mean
        Shape (rows, columns).
    known
        Pixels of the mean that half of the frames or more have recorded, same shape.
    shifts
        How far the contents of each frame lie from those of the mean, to a fraction of a pixel, shape (frames, 2).
    used
        Whether the shift of each frame was found, shape (frames,). The others are not in the mean.
    """

    mean: np.ndarray
    known: np.ndarray
    shifts: np.ndarray
    used: np.ndarray


def align(frames, max_shift: float, rounds: int = 2, mask: np.ndarray | None = None) -> AlignedFrames:
    """Shift frames onto each other by whole pixels.

    Each frame is compared with the mean of those before, in the second round with the mean of all. A frame that fits
    best at the largest shift allowed lies farther away, and is left out.

    Parameters
    ----------
    frames
        Shape (frames, rows, columns), numpy or dask; one frame is read at a time.
    max_shift
        Largest shift against the first frame in pixels; along each axis not more than three quarters of the frame.
    rounds
        Number of rounds.
    mask
        Where to look in every frame, booleans of shape (rows, columns); everywhere by default.

    Raises
    ------
    ValueError
        If the largest shift is not above zero, or the frame is smaller than it along both axes.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.search.follow import align
    >>> frame = np.zeros((32, 32))
    >>> frame[10:14, 12:15] = 1.0
    >>> align(np.stack([frame, np.roll(frame, 3, 0)]), 5).shifts.round()[1]
    array([3., 0.])
    """
    shape = frames.shape[-2:]
    if not 0 < max_shift < max(shape):
        raise ValueError(
            f"max_shift is {max_shift:.4g} pixels; expected more than 0 and less than the longer side of the frames, "
            f"{max(shape)} pixels."
        )
    limits = [int(min(max(max_shift, 1), (1 - OVERLAP) * n)) for n in shape]
    shifts, used = np.zeros((len(frames), 2)), np.ones(len(frames), bool)
    total, count = np.zeros(shape), np.zeros(shape)
    for number in range(rounds):
        mean = total / np.maximum(count, 1)
        reference = np.where(count > 0, mean, np.median(mean[count > 0]) if count.any() else 0)
        new, seen = np.zeros(shape), np.zeros(shape)
        for k in range(len(frames)):
            frame, known = recorded(frames[k], mask)
            if k or number:
                shifts[k], used[k] = find_shift(frame, reference, limits)
            if used[k]:
                moved = -np.rint(shifts[k]).astype(int)
                new += _moved(frame * known, moved)
                seen += _moved(known, moved)
            if number == 0:
                reference = np.where(seen > 0, new / np.maximum(seen, 1), np.median(frame))
        total, count = new, seen
    known = count >= OFTEN * max(count.max(), 1)
    mean = total / np.maximum(count, 1)
    return AlignedFrames(np.where(known, mean, np.median(mean[known])), known, shifts, used)


def recorded(frame, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame with the median in place of what is not known or masked, and where the rest is, as numbers."""
    frame = np.asarray(frame)
    known = known_pixels(frame, mask)
    frame = frame.astype(float)
    if known is None:
        return frame, np.ones(frame.shape)
    return np.where(known, frame, np.median(frame[known])), known.astype(float)


def measure_frame(
    image, fit: ColumnFit, shift, background: int | Background, noise: Noise | None, known=None
) -> ColumnFit:
    """Return the fit of a frame at the positions of another fit, moved by a shift in pixels.

    Parameters
    ----------
    image
        Shape (rows, columns).
    fit
        Of the mean of the series, which was made of frames shifted by whole pixels: its columns lie where those of a
        frame lie after that.
    shift
        Of the frame against the mean, rows and columns.
    background, noise, known
        See `particlespy_ml.columns.fit.refine.measure_volumes`.
    """
    if fit.smooth is not None:
        image = image - _moved(fit.smooth, np.rint(shift).astype(int))
    settings = {"background": background, "noise": noise, "known": known}
    return measure_volumes(image, fit.positions + shift, fit.widths, **settings)


def find_shift(frame, reference, limits) -> tuple[np.ndarray, bool]:
    """Return the shift of a frame against a reference, and whether it lies within its limits.

    It is the maximum of the cross-correlation, between pixels by a parabola.

    Parameters
    ----------
    frame, reference
        Shape (rows, columns).
    limits
        Largest shift along rows and columns in pixels.
    """
    padded = [n + limit for n, limit in zip(frame.shape, limits, strict=True)]
    one, other = (np.fft.rfft2(_soft(image), padded) for image in (frame, reference))
    correlation = np.fft.irfft2(one * np.conj(other), padded)
    rows, columns = (np.arange(-limit, limit + 1) for limit in limits)
    window = correlation[np.ix_(rows % padded[0], columns % padded[1])]
    top = np.array(np.unravel_index(np.argmax(window), window.shape))
    found = top.astype(float)
    inside = True
    for axis, limit in enumerate(limits):
        if not 0 < top[axis] < 2 * limit:
            inside = False
            continue
        step = np.eye(2, dtype=int)[axis]
        before, middle, after = (window[tuple(top + k * step)] for k in (-1, 0, 1))
        curvature = before - 2 * middle + after
        found[axis] += 0.5 * (before - after) / curvature if curvature < 0 else 0
    return found - limits, inside


def _soft(image) -> np.ndarray:
    smooth = gaussian_filter(image, BLUR)
    return smooth - np.median(smooth)


def _moved(image, shift) -> np.ndarray:
    """Image shifted by whole pixels, with zeros where nothing is known."""
    out = np.zeros_like(image)
    source = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(shift, image.shape, strict=True))
    target = tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in zip(shift, image.shape, strict=True))
    out[target] = image[source]
    return out
