"""Whether particles lie on a support that shows, or on a background that is flat."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.core.resample import resample_frame
from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.grid import as_float

# Pixels along the longer edge of the view that is judged: supports are seen coarsely, and a look costs little.
VIEW = 384
SMOOTH = 2.0  # pixels of that view
# A background is textured if what is left of it once a slow change is taken off has more than this of the contrast of
# the particles (measured flat films have 0.05 to 0.24, supported catalysts 0.37 to 1.6), and is no noise.
CONTRAST, NOISE = 0.3, 8.0


def has_textured_background(
    image: np.ndarray, pixel_size: tuple[float, float], min_diameter: float = 0.8, polarity: str = "auto"
) -> bool:
    """Return whether what surrounds the particles of a frame is a support that shows, rather than flat.

    Particles are outlined as in `segment_automatic` in a coarse view; a surface of second order is fitted to what is
    outside of them, and what is left is compared with the contrast of the particles and with the noise.

    Parameters
    ----------
    image
        Shape (rows, columns).
    pixel_size
        Rows and columns in nm.
    min_diameter, polarity
        See `segment_automatic`.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:128, :128]
    >>> disk = (np.hypot(y - 60, x - 70) < 20) * 100.0
    >>> noise = np.random.default_rng(0).normal(size=disk.shape)
    >>> has_textured_background(disk + noise + 0.5 * x, (0.1, 0.1))
    False
    >>> has_textured_background(disk + noise + 60 * np.sin(x / 5) * np.sin(y / 6), (0.1, 0.1))
    True
    """
    image = as_float(image)
    if min(image.shape) < 8 or image.min() == image.max():
        return False
    step = max(1.0, max(image.shape) / VIEW)
    seen = resample_frame(image, (step, step)) if step > 1 else image.astype(np.float32)
    pixels = tuple(size * step for size in pixel_size)
    labels = segment_automatic(seen, pixels, min_diameter=max(min_diameter, 3 * max(pixels)), polarity=polarity)
    outside = ~ndi.binary_dilation(labels > 0, iterations=2)
    if outside.sum() < 100:
        return False
    smooth = ndi.gaussian_filter(seen - _surface(seen, outside), SMOOTH)
    left = float(smooth[outside].std())
    if left < NOISE * _noise(seen):
        return False
    if not labels.any():
        return True
    means = ndi.mean(smooth, labels, np.arange(1, labels.max() + 1))
    contrast = float(np.median(np.abs(means - smooth[outside].mean())))
    return left > CONTRAST * contrast


def _surface(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Polynomial of second order through the pixels of an image somewhere."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in image.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    found = np.linalg.lstsq(terms[where], image[where], rcond=None)[0]
    return terms @ found


def _noise(image: np.ndarray) -> float:
    """Standard deviation that noise of single pixels has once it is smoothed, from second differences."""
    twice = image[1:, 1:] - image[:-1, 1:] - image[1:, :-1] + image[:-1, :-1]
    return 1.4826 * float(np.median(np.abs(twice))) / 2 / (2 * np.sqrt(np.pi) * SMOOTH)
