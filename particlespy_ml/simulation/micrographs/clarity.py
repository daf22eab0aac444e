"""How clearly a particle stands out from its support and from noise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

# From here on a particle can be told from what is there by chance in some thousands of places, after A. Rose,
# J. Opt. Soc. Am. 38, 196 (1948), with the support as one more noise.
VISIBLE = 5.0
_FINEST, _COARSEST = 3.0, 60.0  # pixels, sizes at which a support is looked at


def clarity_of(
    levels: np.ndarray,
    diameters: np.ndarray,
    labels: np.ndarray,
    support: np.ndarray,
    noise: np.ndarray,
    shared: float = 1.0,
) -> np.ndarray:
    """Return the mean contrast of particles over what their support and noise amount to, at their place and size.

    Parameters
    ----------
    levels, diameters
        Mean contrast of each particle, in units of the signal, and diameter in pixels, shape (n,).
    labels
        Numbers 1 to n where they are, shape (rows, columns).
    support
        Signal of the support, 0 in vacuum, shape (rows, columns).
    noise
        Standard deviation of a pixel, shape (rows, columns).
    shared
        By how much noise that neighbours share is stronger in means over large areas than noise of single pixels.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((64, 64), int)
    >>> labels[20:30, 20:30] = 1
    >>> flat, noise = np.ones((64, 64)), np.full((64, 64), 0.5)
    >>> clarity_of(np.array([1.0]), np.array([10 * np.sqrt(4 / np.pi)]), labels, flat, noise).round(3)
    array([20.])
    """
    numbers = np.arange(1, len(diameters) + 1)
    sizes = 2.0 ** np.round(np.log2(np.maximum(diameters, 1.0)))  # a few, each looked at once
    texture = np.zeros(len(diameters))
    for size in np.unique(sizes):
        which = sizes == size
        texture[which] = ndi.mean(texture_about(support, size), labels, numbers[which])
    # of one pixel for one pixel, and `shared` times less its root for many
    pixels = np.maximum(np.pi / 4 * diameters**2, 1.0) + shared**2 - 1
    in_means = ndi.mean(noise, labels, numbers) * shared / np.sqrt(pixels)
    return levels / np.maximum(np.hypot(texture, in_means), 1e-9)


def texture_about(support: np.ndarray, diameter: float) -> np.ndarray:
    """Return what a support shows about each pixel at a size: the root mean square within some two diameters.

    An edge against vacuum is no texture: what is vacuum has no part in it.

    Parameters
    ----------
    support
        Signal of the support, 0 in vacuum, shape (rows, columns).
    diameter
        In pixels.
    """
    size = min(max(diameter, _FINEST), _COARSEST, min(support.shape) / 4)
    step = max(int(size / 8), 1)  # seen with pixels so many times larger
    rows, columns = (n // step for n in support.shape)
    blocks = support[: rows * step, : columns * step].reshape(rows, step, columns, step)
    there = (blocks > 0).mean((1, 3)).astype(np.float32)

    def smooth(values: np.ndarray, sigma: float) -> np.ndarray:
        return ndi.gaussian_filter(values, sigma / step, truncate=2.5)

    fine, wide = (1.0, 1.0) if (there == 1).all() else (np.maximum(smooth(there, s), 1e-3) for s in (size / 6, size))
    seen = blocks.mean((1, 3))
    detail = smooth(seen, size / 6) / fine - smooth(seen, size) / wide
    texture = np.sqrt(smooth(detail**2 * there, size) / wide).repeat(step, 0).repeat(step, 1)
    missing = [(0, n - m) for n, m in zip(support.shape, texture.shape, strict=True)]
    return np.pad(texture, missing, mode="edge")
