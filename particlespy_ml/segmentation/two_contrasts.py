"""What a network that finds particles on any support is shown: an image against its surroundings, and as a whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage as ndi

REACH = 20.0  # pixels, standard deviation of the surroundings
_CLIP = 5.0
_QUANTILES = (0.02, 0.98)
_LEAST = 0.02  # of the spread of the image: a flatter place is not made to look like noise
# Steps between grey values of which nothing can be made out, and how many values an image has that is drawn in them:
# fewer are counts of few electrons, each of which tells something.
_STEPS, _VALUES = 2.0, (64, 512)


class Brightness(NamedTuple):
    """Mean, standard deviation, and 2 and 98 % quantiles of an image."""

    mean: float
    spread: float
    low: float
    high: float


def brightness_of(image: np.ndarray) -> Brightness:
    """Return what `two_contrasts` has to know of a whole image."""
    low, high = (float(value) for value in np.quantile(image, _QUANTILES))
    mean, spread = float(image.mean()), float(image.std())
    return Brightness(mean, spread, low, high) if high > low else Brightness(mean, spread, mean - spread, mean + spread)


def two_contrasts(image: np.ndarray, step: float = 0.0, whole: Brightness | None = None) -> np.ndarray:
    """Return an image in two ways that neither offset nor gain change.

    Parameters
    ----------
    image
        Shape (rows, columns).
    step
        Between grey values, see `grey_step`: what differs by one or two is not made to look like noise or particles, as
        the blocks that compression leaves in vacuum would.
    whole
        Of the image that this one is cut from; by default it is no part of another. Of a part, what is nearer to its
        edge than two and a half times `REACH` differs.

    Returns
    -------
    numpy.ndarray
        Shape (2, rows, columns), float32: the image less the mean of its surroundings, over their standard deviation,
        within ±5; and the image from -1 at its 2 % to 1 at its 98 % quantile, within ±3. A constant image is zero.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).normal(size=(32, 32))
    >>> bool(np.allclose(two_contrasts(image), two_contrasts(3 * image + 7), atol=1e-4))
    True
    """
    image = np.asarray(image, np.float32)
    whole = brightness_of(image) if whole is None else whole
    if not whole.spread > 0:
        return np.zeros((2, *image.shape), np.float32)
    centred = (image - whole.mean) / whole.spread
    mean = ndi.gaussian_filter(centred, REACH, truncate=2.5)
    away = centred - mean
    least = np.hypot(_LEAST, _STEPS * step / whole.spread)
    deviation = np.sqrt(ndi.gaussian_filter(away**2, REACH, truncate=2.5) + least**2)
    local = np.clip(away / deviation, -_CLIP, _CLIP)
    shown = np.clip((image - whole.low) * (2 / (whole.high - whole.low)) - 1, -3, 3)
    return np.stack([local, shown]).astype(np.float32)


def grey_step(image: np.ndarray, looked_at: int = 65536) -> float:
    """Return the step between the grey values of an image that was saved in some hundreds of them; 0 of others.

    Parameters
    ----------
    image
        Shape (rows, columns).
    looked_at
        Number of pixels from which on only some of them are looked at.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).normal(100, 30, (64, 64))
    >>> grey_step(image), grey_step(2 * image.clip(0, 255).round())
    (0.0, 2.0)
    """
    seen = image.ravel()[:: max(image.size // looked_at, 1)]
    values = np.unique(seen)
    if not _VALUES[0] <= len(values) <= min(_VALUES[1], seen.size / 2):
        return 0.0
    return float(np.median(np.diff(values)))
