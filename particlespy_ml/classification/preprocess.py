"""From an image and the particles in it to the windows that a network sees."""

from __future__ import annotations

import numpy as np


def standardise(windows: np.ndarray) -> np.ndarray:
    """Subtract from each window its mean and divide by its standard deviation.

    The network so sees no gain, offset or dose scale. A constant window becomes zero.

    Parameters
    ----------
    windows
        Windows, shape (..., rows, columns), any real dtype. Torch tensors of floating dtype work as well, so that
        training and analysis share this one formula.

    Returns
    -------
    standardised
        float32 array (a tensor of the input's dtype for a tensor) of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> standardised = standardise(np.arange(32.0).reshape(2, 4, 4))
    >>> standardised.shape, bool(np.allclose(standardised.std(axis=(1, 2)), 1, atol=1e-4))
    ((2, 4, 4), True)
    """
    if not hasattr(windows, "detach"):
        windows = np.asarray(windows, dtype=np.float32)
    centred = windows - windows.mean((-2, -1))[..., None, None]
    deviation = (centred * centred).mean((-2, -1))[..., None, None] ** 0.5
    return centred / (deviation + (deviation == 0))
