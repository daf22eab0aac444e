"""Outlines where the contrast of a particle has fallen to half, for particles that were found already."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

# In radii of the particle: the blur, how far the outline may move, and the rim of background around it.
BLUR, REACH, RIM = 0.1, 0.4, (0.1, 0.7)
MIN_BLUR = 0.1  # nm, which blurs atomic columns
MIN_CONTRAST_TO_NOISE = 3


def half_contrast_outlines(image: np.ndarray, labels: np.ndarray, pixel_size: tuple[float, float]) -> np.ndarray:
    """Move the outline of each particle to half of its contrast with what surrounds it.

    The image is blurred by a tenth of the particle's radius. The contrast is that of the median of the inner half with
    the median of a rim of background; particles may be bright or dark. A particle whose contrast is less than three
    times the noise of that rim, or around which there is no background, keeps its outline. Particles stay as many as
    they were, and none moves into another.

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
    image = np.asarray(image, np.float32)
    result = np.zeros(labels.shape, np.int32)
    kept = labels.astype(np.int32)
    for number, box in enumerate(ndi.find_objects(kept), start=1):
        if box is None:
            continue
        radius = float(np.sqrt(np.count_nonzero(kept[box] == number) * np.prod(pixel_size) / np.pi))
        blur = max(MIN_BLUR, BLUR * radius)
        margin = [int(np.ceil((RIM[1] * radius + 3 * blur) / size)) + 1 for size in pixel_size]
        box = tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(box, margin, strict=True))
        crop = ndi.gaussian_filter(image[box], [blur / size for size in pixel_size])
        mask = _half_of(crop, kept[box], number, radius, pixel_size) & (result[box] == 0)
        result[box][mask] = number
    return result


def _half_of(
    crop: np.ndarray, labels: np.ndarray, number: int, radius: float, pixel_size: tuple[float, float]
) -> np.ndarray:
    """Mask of one particle of a crop; its own where it stands out too little."""
    own = labels == number
    inside = ndi.distance_transform_edt(own, sampling=pixel_size)
    outside = ndi.distance_transform_edt(~own, sampling=pixel_size)
    rim = (labels == 0) & (outside > RIM[0] * radius) & (outside < RIM[1] * radius)
    if np.count_nonzero(rim) < 10:
        return own
    level = np.median(crop[rim])
    noise = 1.4826 * np.median(np.abs(crop[rim] - level))
    contrast = np.median(crop[inside > 0.5 * inside.max()]) - level
    if not abs(contrast) > MIN_CONTRAST_TO_NOISE * noise:
        return own
    free = own | (labels == 0)
    above = ((crop - level) / contrast > 0.5) & (outside < REACH * radius) | (inside > REACH * radius)
    pieces, count = ndi.label(above & free)
    sizes = np.bincount(pieces[own], minlength=count + 1)[1:]
    if not sizes.any():
        return own
    return ndi.binary_fill_holes(pieces == sizes.argmax() + 1) & free
