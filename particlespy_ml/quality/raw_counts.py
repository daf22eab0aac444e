"""Whether an image has the noise of a camera yet: raw, or counted, normalised, displayed, filtered, resampled."""

from __future__ import annotations

import numpy as np
from scipy import fft

_LEVELS = 256
_EMPTY = 1e-5  # of the power at low frequencies: what a filter or a resampling leaves at high ones
_CLIPPED = 0.01  # of the pixels with the lowest or the highest value
_FEW = 30  # electrons per pixel, above which a counting detector misses most of them


def check_raw(frames: np.ndarray) -> None:
    """Refuse images whose noise is no longer that of the camera.

    Parameters
    ----------
    frames
        Shape (frames, rows, columns).

    Raises
    ------
    ValueError
        With the reason, if the frames are of 8 bits, cut off at black or white, counted, filtered or resampled.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.quality.raw_counts import check_raw
    >>> check_raw(np.random.default_rng(0).integers(0, 256, (1, 64, 64)).astype(np.uint8))
    Traceback (most recent call last):
    ...
    ValueError: An image of 8 bits, as for display: its levels are no counts and its noise is cut. Use the raw image.
    """
    first = frames[0]
    # of a sample, in which more levels than these would show
    values, counts = np.unique(first.ravel()[:: max(1, first.size // 200_000)], return_counts=True)
    if len(values) < 2:
        raise ValueError("The image is constant; it has no noise.")
    steps = np.diff(values)
    even = np.allclose(steps / steps.min(), np.rint(steps / steps.min()), atol=1e-3)
    if first.dtype.itemsize == 1 or (len(values) <= _LEVELS and even and _is_spread(values)):
        raise ValueError(
            "An image of 8 bits, as for display: its levels are no counts and its noise is cut. Use the raw image."
        )
    if max(counts[0], counts[-1]) > _CLIPPED * counts.sum() and not _is_counted(first, values, steps, even):
        raise ValueError(
            f"{max(counts[0], counts[-1]) / counts.sum():.0%} of the pixels have the lowest or the highest value: the "
            "image was cut off at black or white, or padded. Use the raw image, or crop the padding."
        )
    if _is_counted(first, values, steps, even):
        raise ValueError(
            "A counted image: its values are multiples of one electron with the variance of their mean. Counting makes "
            "the noise white, whatever the transfer is. Use the image of the integrating mode, or an edge."
        )
    low, high = _ends(frames)
    if high < _EMPTY * low:
        raise ValueError(
            f"The noise at high frequencies is {high / low:.0e} of that at low ones: the image was filtered or "
            "resampled. Use the raw image."
        )


def _is_spread(values: np.ndarray) -> bool:
    """Whether levels fill 0 to 255, or their multiples, as those of a display do."""
    step = np.diff(values).min()
    return len(values) > 0.6 * _LEVELS and np.isclose(values[0], 0, atol=step) and values[-1] / step < _LEVELS


def _is_counted(image: np.ndarray, values: np.ndarray, steps: np.ndarray, even: bool) -> bool:
    """Whether pixels are few multiples of one number, whose local variance is that of as many electrons."""
    if not even:
        return False
    one = steps.min()
    mean = image.mean(dtype=float) / one
    if values[0] < 0 or not 0 < mean < _FEW:
        return False
    # differences of neighbours see little of the specimen
    variance = np.mean(np.diff(image.astype(float) / one, axis=1) ** 2) / 2
    return bool(0.7 < variance / mean < 1.4)


def _ends(frames: np.ndarray) -> tuple[float, float]:
    """Median power at low and at the highest frequencies."""
    image = frames[0].astype(float)
    size = [min(n, 512) for n in image.shape]
    start = [(n - edge) // 2 for n, edge in zip(image.shape, size, strict=True)]
    part = image[start[0] : start[0] + size[0], start[1] : start[1] + size[1]]
    part = (part - part.mean()) * np.outer(np.hanning(size[0]), np.hanning(size[1]))
    power = np.abs(fft.rfft2(part)) ** 2
    radius = 2 * np.hypot(fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None])
    return float(np.median(power[(radius > 0.1) & (radius < 0.3)])), float(
        np.median(power[(radius > 0.85) & (radius < 1)])
    )
