"""Whether particles lie on a support that shows, or on a background that is flat."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.core.resample import nearest_map, resample_frame
from particlespy_ml.segmentation.grid import as_float

# Pixels along the longer edge of the view that is judged: supports are seen coarsely, and a look costs little.
VIEW = 384
SMOOTH = 2.0  # pixels of that view
# A background is textured if what is left of it once a slow change is taken off has more than this of the contrast of
# the particles (measured flat films have 0.05 to 0.24, supported catalysts 0.37 to 1.6), and is no noise.
CONTRAST, NOISE = 0.3, 8.0
# From here on it may be: what was outlined may be lobes of a support, which stand out more than the particles on them.
DOUBTFUL_CONTRAST, DOUBTFUL_NOISE = 0.12, 1.15


def has_textured_background(image: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether what surrounds the particles of a frame is a support that shows, rather than flat.

    A surface of second order is fitted to what is outside of what was outlined, in a coarse view; what is left is
    compared with the contrast of what was outlined and with the noise.

    Parameters
    ----------
    image
        Shape (rows, columns).
    labels
        What `segment_automatic` outlines in it, whatever its size, same shape.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:128, :128]
    >>> disk = np.hypot(y - 60, x - 70) < 20
    >>> image = 100.0 * disk + np.random.default_rng(0).normal(size=disk.shape)
    >>> has_textured_background(image + 0.5 * x, disk.astype(int))
    False
    >>> has_textured_background(image + 120 * np.sin(x / 5) * np.sin(y / 6), disk.astype(int))
    True
    """
    return judge_background(image, labels) is True


def judge_background(image: np.ndarray, labels: np.ndarray) -> bool | None:
    """Return whether what surrounds the particles of a frame is a support that shows; None where that is in doubt.

    Parameters
    ----------
    image, labels
        As for `has_textured_background`.
    """
    contrast, noise = texture_of_background(image, labels)
    if contrast > CONTRAST and noise >= NOISE:
        return True
    if not np.isfinite(contrast):  # nothing was outlined, and nothing but noise is there
        return False
    return None if contrast > DOUBTFUL_CONTRAST and noise >= DOUBTFUL_NOISE else False


def texture_of_background(image: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return what is left of a background relative to the contrast of what was outlined, and to noise.

    Parameters
    ----------
    image, labels
        As for `has_textured_background`.
    """
    image = as_float(image)
    if min(image.shape) < 8 or image.min() == image.max():
        return 0.0, 0.0
    step = max(1.0, max(image.shape) / VIEW)
    seen = resample_frame(image, (step, step)) if step > 1 else image.astype(np.float32)
    labels = nearest_map(labels, seen.shape, (1 / step, 1 / step))
    outside = ~ndi.binary_dilation(labels > 0, iterations=2)
    if outside.sum() < 100:
        return 0.0, 0.0
    smooth = ndi.gaussian_filter(seen - _surface(seen, outside), SMOOTH)
    left = float(smooth[outside].std())
    above_noise = left / max(_noise(seen), 1e-12 * max(left, 1e-300))
    numbers = np.unique(labels[labels > 0])
    if not len(numbers):
        return np.inf, above_noise
    contrast = float(np.median(np.abs(ndi.mean(smooth, labels, numbers) - smooth[outside].mean())))
    return left / max(contrast, 1e-12 * max(left, 1e-300)), above_noise


def _surface(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Polynomial of second order through the pixels of an image somewhere."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in image.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    own = terms[where].astype(float)
    # six equations of sums are solved, not one for each pixel; without enough places they have many solutions
    found = np.linalg.lstsq(own.T @ own, own.T @ image[where], rcond=1e-12)[0]
    return terms @ found.astype(np.float32)


def _noise(image: np.ndarray) -> float:
    """Standard deviation that noise of single pixels has once it is smoothed, from second differences."""
    twice = image[1:, 1:] - image[:-1, 1:] - image[1:, :-1] + image[:-1, :-1]
    return 1.4826 * float(np.median(np.abs(twice))) / 2 / (2 * np.sqrt(np.pi) * SMOOTH)
