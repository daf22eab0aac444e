"""Outlines on one grey level of the frame, for particles that were found already."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu

from particlespy_ml.segmentation.background import local_mean
from particlespy_ml.segmentation.edges import RIM
from particlespy_ml.segmentation.half_contrast import half_contrast_outlines

# In radii of the frame's particles: the blur, how far outwards an outline may move, how far from the particles the
# grey values count for the threshold, and over what distance the background is averaged.
BLUR, REACH, NEAR, FAR = 0.15, 0.25, 1.0, 4.0
# Noises of the blurred background above which a particle is seen at all.
SEEN = 4.0
# Spreads of the background beyond which something else lies there, such as a scale bar.
OUTLIER = 5.0


def grey_level_outlines(image: np.ndarray, labels: np.ndarray, pixel_size: tuple[float, float]) -> np.ndarray:
    """Move the outlines of all particles to one grey level of the frame: Otsu's threshold.

    The image is blurred by 0.15 of the particles' root mean square radius, less the local mean of what lies between
    them. Otsu's threshold [Otsu]_ is that of the surroundings of the particles up to one radius away, so that neither
    the share of empty support nor a scale bar moves it. A particle that nowhere reaches that level, fainter than the
    others or bright where they are dark, gets the outline of `half_contrast_outlines`; one that nowhere differs from
    the background by more than four times the noise of that, blurred, has no outline and is dropped. No particle moves
    into another.

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
        Labels of the particles that are left, which keep their numbers, int32.

    References
    ----------
    .. [Otsu] N. Otsu, "A threshold selection method from gray-level histograms," IEEE Trans. Syst. Man Cybern. 9, 62
       (1979). https://doi.org/10.1109/TSMC.1979.4310076

    Examples
    --------
    >>> import numpy as np
    >>> distance = np.hypot(*np.mgrid[-40:41, -40:41])
    >>> moved = grey_level_outlines((distance < 25).astype(float), (distance < 30).astype(int), (0.1, 0.1))
    >>> round(float(np.sqrt(moved.sum() / np.pi)))
    25
    """
    kept = labels.astype(np.int32)
    inside = kept > 0
    distance, nearest = ndi.distance_transform_edt(~inside, sampling=pixel_size, return_indices=True)
    counts = np.bincount(kept.ravel())[1:]
    if not counts.any():
        return kept
    radius = float(np.sqrt(counts[counts > 0].mean() * np.prod(pixel_size) / np.pi))
    outside = distance > RIM[0] * radius
    if not outside.any():
        return kept
    height = _blurred_height(image, outside, radius / np.array(pixel_size))
    if np.median(height[inside]) < 0:
        height = -height
    numbers = np.unique(kept)[1:]
    inverse = numbers[ndi.median(height, kept, numbers) < 0]
    near = (distance <= NEAR * radius) & ~np.isin(kept, inverse)
    above = (height > threshold_otsu(height[near])) & (distance <= REACH * radius)
    moved = np.where(above, kept[tuple(nearest)], 0)
    noise = _spread(height[outside])
    seen = numbers[ndi.maximum(np.abs(height), kept, numbers) > SEEN * noise]
    faint = np.setdiff1d(seen, moved)
    if len(faint):
        halves = half_contrast_outlines(image, kept, pixel_size)
        moved = np.where(np.isin(halves, faint) & (moved == 0), halves, moved)
    return _largest_pieces(moved, kept)


def _blurred_height(image: np.ndarray, outside: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Return the blurred image above the local mean of what is outside of the particles; radius in pixels."""
    blurred = ndi.gaussian_filter(np.asarray(image, np.float32), BLUR * radius)
    far_off = np.abs(blurred - np.median(blurred[outside])) > OUTLIER * _spread(blurred[outside])
    support = outside & ~far_off if (outside & ~far_off).any() else outside
    return blurred - local_mean(blurred, support.astype(np.float32), FAR * radius, blurred[support].mean())


def _spread(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _largest_pieces(moved: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the largest piece of each particle without holes, within what no other particle had."""
    result = np.zeros_like(kept)
    for number, box in enumerate(ndi.find_objects(moved), start=1):
        if box is None:
            continue
        pieces, _ = ndi.label(moved[box] == number)
        largest = ndi.binary_fill_holes(pieces == np.bincount(pieces.ravel())[1:].argmax() + 1)
        free = np.isin(kept[box], (0, number)) & (result[box] == 0)
        result[box][largest & free] = number
    return result
