"""Whether an image can hold lattice fringes at all."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import fft

# Simulated images with every fault of the training but filters lie above, nine in ten of them above 1e-2.
LEAST_POWER = 1e-3


def fringe_power(image: np.ndarray, pixel_size: tuple[float, float], spacing: float) -> float:
    """Power of an image at a lattice spacing, relative to that at twice the spacing.

    Shot noise alone keeps it near the square of the camera's modulation transfer between the two. It is far lower in
    images that were low-pass filtered, scaled up or strongly compressed.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    pixel_size : tuple of float
        Rows and columns in nm.
    spacing : float
        Lattice spacing in nm.

    Returns
    -------
    float
        Ratio over rings of a tenth of their radius: the mean at the spacing, and at twice that the mean that the median
        has in noise, so that a lattice of twice the spacing does not count. 0 if pixels are too large for the spacing,
        NaN for a constant image or one too small for a ring.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=(256, 256))
    >>> round(fringe_power(noise, (0.04, 0.04), 0.235))
    1
    """
    image = np.asarray(image)
    if spacing < 2 * max(pixel_size):
        return 0.0
    low, high = float(image.min()), float(image.max())
    if not high > low:
        return float("nan")
    # single precision is enough between -1 and 1, whatever the offset
    exact = image.dtype.kind in "iu" and image.dtype.itemsize < 4  # in single precision
    scaled = (image.astype(np.float32 if exact else float) - low).astype(np.float32, copy=False)
    scaled /= np.float32(high - low)
    scaled -= scaled.mean(dtype=float).astype(np.float32)
    for axis, count in enumerate(image.shape):
        window = np.hanning(count).astype(np.float32)
        scaled *= window if axis else window[:, None]
    wave = fft.rfft2(scaled)
    along, across = fft.fftfreq(image.shape[0], pixel_size[0]), fft.rfftfreq(image.shape[1], pixel_size[1])
    wanted = np.ix_(*(np.abs(values * spacing) < 1.05 for values in (along, across)))
    power = np.abs(wave[wanted]) ** 2
    frequency = np.hypot(along[wanted[0].ravel()][:, None], across[wanted[1].ravel()])
    at, below = (power[np.abs(frequency * length - 1) < 0.05] for length in (spacing, 2 * spacing))
    if not at.size or not below.any():
        return float("nan")
    return float(at.mean() * np.log(2) / np.median(below))  # power of noise is distributed exponentially


def lacks_fringes(image: np.ndarray, pixel_size: tuple[float, float], spacing: float) -> bool:
    """Whether an image holds next to nothing at a lattice spacing, see `fringe_power`."""
    return fringe_power(image, pixel_size, spacing) < LEAST_POWER


def warn_without_fringes(image: np.ndarray, pixel_size: tuple[float, float], spacing: float) -> None:
    """Warn if an image holds next to nothing at a lattice spacing.

    Parameters
    ----------
    image, pixel_size, spacing
        As for `fringe_power`.
    """
    power = fringe_power(image, pixel_size, spacing)
    if power < LEAST_POWER:
        warnings.warn(
            f"No lattice fringes can be seen in the first image: at a spacing of {spacing:.3g} nm it has {power:.1g} "
            f"of the power that it has at twice that. It was filtered, scaled up or taken out of focus, or its "
            f"calibration is wrong. Crystallinity shows in fringes: expect most particles to be {'undefined'!r}, and "
            f"classify the unprocessed image if there is one.",
            UserWarning,
            stacklevel=2,
        )
