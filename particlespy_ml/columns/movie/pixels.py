"""Pixels of the frames of a movie: those that were not recorded, hot ones, and how bright a frame is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.core.padding import known_pixels

SPIKE = 6.0  # times the brightest pixel of the ring around it, and of the frame but for 1 %: no column is so sharp
RARE = 0.01  # share of pixels that spikes may be
_Y, _X = np.mgrid[-2:3, -2:3]
RING = np.column_stack([_Y[np.maximum(abs(_Y), abs(_X)) == 2], _X[np.maximum(abs(_Y), abs(_X)) == 2]])
STEADIER = 1.5  # times less spread without a division by the mean: then the mean is not the brightness


class Recorded:
    """Frames without spikes, and NaN where nothing was recorded: what others say of pixels of the movie.

    Parameters
    ----------
    frames
        Each of shape (rows, columns), read as often as this is.
    """

    def __init__(self, frames: Iterable[np.ndarray]):
        self.frames = frames

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(recorded, self.frames)


def recorded(frame: np.ndarray) -> np.ndarray:
    """Return a frame without hot pixels and cosmic rays, NaN in constant borders and areas that are not finite.

    A spike is at most three pixels wide and six times as far above the median of the frame as all of the ring around
    it, and as 99 % of the frame: it is replaced by the median of that ring, as are single pixels that are not finite.

    Parameters
    ----------
    frame
        Shape (rows, columns), of any real dtype.

    Returns
    -------
    numpy.ndarray
        Floats; the frame itself where there is nothing to be mended.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.movie.pixels import recorded
    >>> frame = np.random.default_rng(0).poisson(20, (40, 40)).astype(float)
    >>> frame[20, 9], frame[30, 31], frame[:, -6:] = 900, np.nan, 0
    >>> seen = recorded(frame)
    >>> bool(seen[:, :34].max() < 50), int(np.isnan(seen).sum())
    (True, 240)
    """
    frame = np.asarray(frame)
    if frame.dtype.kind != "f":
        frame = frame.astype(np.float32)
    finite = np.isfinite(frame)
    if not finite.any() or min(frame.shape) < 2 * len(_Y):
        return frame
    bad = ~finite
    middle = np.median(frame) if finite.all() else np.median(frame[finite])
    above = np.where(finite, frame - middle, 0)
    typical = np.quantile(np.abs(above), 1 - RARE) or np.quantile(np.abs(above), 1 - RARE / 10)
    at = np.argwhere(above > SPIKE * typical) if typical > 0 else np.empty((0, 2), int)
    if len(at):
        around = _ring(above, at, -np.inf).max(1)
        spikes = np.zeros(frame.shape, bool)
        spikes[tuple(at[above[tuple(at.T)] > SPIKE * np.maximum(around, typical)].T)] = True
        bad |= ndi.binary_dilation(spikes, np.ones((3, 3))) & (above > typical)
    known = known_pixels(np.where(finite, frame, middle)) if (frame == frame[finite][0]).mean() < 1 else None
    if known is None and not bad.any():
        return frame
    frame = frame.copy()
    at = np.argwhere(bad)
    inside = _ring(np.ones(frame.shape), at, 0).sum(1)
    frame[bad] = np.nan
    values = _ring(frame, at, np.nan)
    mended = np.isfinite(values).sum(1) > 0.5 * inside
    frame[tuple(at[mended].T)] = np.nanmedian(values[mended], axis=1)
    if known is not None:
        frame[~known] = np.nan
    return frame


def _ring(frame: np.ndarray, at: np.ndarray, outside: float) -> np.ndarray:
    """Pixels of the rings around some, shape (n, 16)."""
    ring = at[:, None] + RING
    there = ((ring >= 0) & (ring < frame.shape)).all(-1)
    ring = np.where(there[..., None], ring, 0)
    return np.where(there, frame[ring[..., 0], ring[..., 1]], outside)


def brightness(contrast: np.ndarray, means: np.ndarray, follow: int = 0) -> np.ndarray:
    """Return what frames are to be divided by: their means, or one number where these do not tell how bright they are.

    The mean of a frame is in proportion to the beam only where no constant was added or taken away. What the particle
    shows in each frame tells: it varies less over the mean than alone, or it does not.

    Parameters
    ----------
    contrast
        Of the particle in each frame, shape (frames,); NaN where it is not known.
    means
        Of the frames, shape (frames,).
    follow
        Instead of one number, the running median of the contrast over so many frames; zero for one number.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.movie.pixels import brightness
    >>> beam = np.array([1.0, 1.2, 0.9, 1.1])
    >>> [brightness(3 * beam, means).round(2).tolist() for means in (20 * beam, 20 * beam - 21)]
    [[20.0, 24.0, 18.0, 22.0], [3.15, 3.15, 3.15, 3.15]]
    """
    known = np.isfinite(contrast) & np.isfinite(means)
    middle = float(np.median(np.abs(contrast[known]))) if known.any() else 1.0
    constant = np.full(len(means), middle or 1.0)
    if not known.any():
        return constant
    if follow:
        constant = ndi.median_filter(np.where(known, np.abs(contrast), middle), follow, mode="nearest")
        constant = np.where(constant > 0, constant, middle or 1.0)
    if not (means[known] != 0).all():
        return constant

    def spread(values):
        values = values[known]
        return np.median(np.abs(values - np.median(values))) / max(abs(np.median(values)), 1e-300)

    divided = contrast / np.where(means == 0, 1, means)
    return constant if spread(divided) > STEADIER * spread(contrast) else means
