"""What a network that finds particles on any support is shown: an image against its surroundings, and as a whole."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

REACH = 20.0  # pixels, standard deviation of the surroundings
_CLIP = 5.0
_QUANTILES = (0.02, 0.98)
_LEAST = 0.02  # of the spread of the image: a flatter place is not made to look like noise


def two_contrasts(image: np.ndarray) -> np.ndarray:
    """Return an image in two ways that neither offset nor gain change.

    Parameters
    ----------
    image
        Shape (rows, columns).

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
    low, high = np.quantile(image, _QUANTILES)
    spread = float(image.std())
    if not spread > 0:
        return np.zeros((2, *image.shape), np.float32)
    centred = (image - image.mean()) / spread
    mean = ndi.gaussian_filter(centred, REACH, truncate=2.5)
    away = centred - mean
    deviation = np.sqrt(ndi.gaussian_filter(away**2, REACH, truncate=2.5) + _LEAST**2)
    local = np.clip(away / deviation, -_CLIP, _CLIP)
    if not high > low:  # nearly all pixels have one value
        low, high = float(image.mean()) - spread, float(image.mean()) + spread
    whole = np.clip((image - low) * (2 / (high - low)) - 1, -3, 3)
    return np.stack([local, whole]).astype(np.float32)
