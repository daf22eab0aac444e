"""Outlines where the contrast of a particle has fallen to half, for particles that were found already."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.segmentation.edges import RIM, Surroundings, crossing, mean_edge, particle_surroundings
from particlespy_ml.segmentation.grid import as_float

# In radii of the particle (`Surroundings.breadth`): the blur, how far from its outline the new one may lie, and how far
# from where it lies in the mean of all particles.
BLUR, REACH, BAND = 0.1, 0.4, 0.15
MIN_BLUR = 0.1  # nm, which blurs atomic columns
MIN_CONTRAST_TO_NOISE = 3


def half_contrast_outlines(image: np.ndarray, labels: np.ndarray, pixel_size: tuple[float, float]) -> np.ndarray:
    """Move the outline of each particle to half of its contrast with what surrounds it.

    The image is blurred by a tenth of the particle's radius. The contrast is that of the median of the inner half with
    the median of a rim of background; particles may be bright or dark. The outline lies within 0.15 of the radius of
    where half of the contrast lies in the mean of all particles, so that noise cannot carry it away. A particle whose
    contrast is less than three times the noise of that rim, or around which there is no background, keeps its outline.
    Particles stay as many as they were, and none moves into another.

    For a sphere of uniform material in an image that is proportional to its thickness, half of the contrast lies at
    0.87 of the radius; for a block with steep sides, at its edge.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    labels : numpy.ndarray
        Particles, 0 for the background, shape of `image`.
    pixel_size : tuple of float
        Rows and columns in nm.

    Returns
    -------
    numpy.ndarray
        Labels of the same particles, int32.

    Examples
    --------
    >>> import numpy as np
    >>> distance = np.hypot(*np.mgrid[-40:41, -40:41])
    >>> sphere = np.sqrt(np.clip(1 - (distance / 30) ** 2, 0, None))
    >>> moved = half_contrast_outlines(sphere, (distance < 30).astype(int), (0.1, 0.1))
    >>> round(float(np.sqrt(moved.sum() / np.pi) / 30), 1)
    0.9
    """
    image = as_float(image)
    kept = labels.astype(np.int32)
    edge = mean_edge(image, kept, pixel_size)
    middle = None if edge is None else crossing(edge, 0.5)
    low, high = (-REACH, REACH) if middle is None else (max(-REACH, middle - BAND), min(REACH, middle + BAND))
    result = np.zeros(labels.shape, np.int32)
    for particle in particle_surroundings(kept, pixel_size, RIM[1] + 3 * BLUR):
        blur = [max(MIN_BLUR, BLUR * particle.breadth) / size for size in pixel_size]
        crop = ndi.gaussian_filter(image[particle.box], blur)
        mask = _half_of(crop, particle, low, high) & (result[particle.box] == 0)
        result[particle.box][mask] = particle.number
    return result


def _half_of(crop: np.ndarray, particle: Surroundings, low: float, high: float) -> np.ndarray:
    """Mask of a particle whose outline lies between two distances in radii; its own where it stands out too little."""
    measured = particle.contrast(crop)
    if measured is None:
        return particle.own
    level, noise, contrast = measured
    if not abs(contrast) > MIN_CONTRAST_TO_NOISE * noise:
        return particle.own
    distance = particle.distance / particle.breadth
    inside = ((crop - level) / contrast > 0.5) & (distance < high) | (distance < low)
    pieces, count = ndi.label(inside & particle.free)
    sizes = np.bincount(pieces[particle.own], minlength=count + 1)[1:]
    if not sizes.any():
        return particle.own
    return ndi.binary_fill_holes(pieces == sizes.argmax() + 1) & particle.free
