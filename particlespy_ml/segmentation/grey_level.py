"""Outlines on one grey level of the frame, for particles that were found already."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu

from particlespy_ml.segmentation.background import local_mean
from particlespy_ml.segmentation.edges import RIM, Surroundings, particle_surroundings
from particlespy_ml.segmentation.grid import as_float
from particlespy_ml.segmentation.half_contrast import half_contrast_outlines

# In radii of the frame's particles: the blur, how far outwards an outline may move, how far from the particles the
# grey values count for the threshold and for the background, and over what distance that is averaged.
BLUR, REACH, NEAR, AROUND, FAR = 0.15, 0.25, 1.0, 2.0, 2.0
# Parts of the level: least height of the peak of a particle, and largest height of the rim around it.
CLEAR, FLAT = 1.15, 0.25
# Noises of the blurred background above which a particle is seen at all.
SEEN = 4.0
# Spreads of the background beyond which something else lies there, such as a scale bar.
OUTLIER = 5.0


def grey_level_outlines(image: np.ndarray, labels: np.ndarray, pixel_size: tuple[float, float]) -> np.ndarray:
    """Move the outlines of all particles to one grey level of the frame: Otsu's threshold.

    The image is blurred by 0.15 of the particles' root mean square radius, less the local mean of what lies between
    them. Otsu's threshold [Otsu]_ is that of the surroundings of the particles up to one radius away, without what
    differs from the background as a scale bar does, so that neither the share of empty support nor such a bar moves it.

    Particles that have no such outline get that of `half_contrast_outlines`: those of less contrast than the level or
    of the opposite sign, and those around which the blurred image is not level, because they are too small for the blur
    or lie at the edge of a support. One that nowhere differs from the background by more than four times the noise of
    that, blurred, is dropped. No particle moves into another.

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
    particles = list(particle_surroundings(kept, pixel_size))
    if not particles:
        return kept
    radius = float(np.sqrt(np.mean([particle.breadth**2 for particle in particles])))
    outside = (distance > RIM[0] * radius) & (distance < AROUND * radius)
    if not outside.any():
        return kept
    height, far_off = _height(image, outside, radius / np.array(pixel_size))
    if np.median(height[inside]) < 0:
        height = -height
    contrasts = {particle.number: particle.contrast(height[particle.box]) for particle in particles}
    others = [number for number, measured in contrasts.items() if measured is not None and measured[2] < 0]
    near = (distance <= NEAR * radius) & ~np.isin(kept, others) & ((distance <= REACH * radius) | ~far_off)
    level = threshold_otsu(height[near])
    moved = np.where((height > level) & (distance <= REACH * radius), kept[tuple(nearest)], 0)
    noise = _spread(height[outside & ~far_off])
    halves = None
    result = np.zeros_like(kept)
    for particle in particles:
        box, number = particle.box, particle.number
        own = height[box][particle.own]
        if np.abs(own).max() <= SEEN * noise:
            continue
        mask = _own_piece(moved[box] == number, particle)
        if mask is None or own.max() <= CLEAR * level or not _is_like_others(contrasts[number], level):
            halves = half_contrast_outlines(image, kept, pixel_size) if halves is None else halves
            mask = halves[box] == number
        result[box][mask & particle.free & (result[box] == 0)] = number
    return result


def _height(image: np.ndarray, outside: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the blurred image above its background, and whether a pixel has nothing to do with that.

    The radius is in pixels; the background is the local mean outside of the particles.
    """
    blurred = ndi.gaussian_filter(as_float(image), BLUR * radius)
    far_off = np.abs(blurred - np.median(blurred[outside])) > OUTLIER * _spread(blurred[outside])
    support = outside & ~far_off
    return blurred - local_mean(blurred, support.astype(np.float32), FAR * radius, blurred[support].mean()), far_off


def _is_like_others(measured: tuple[float, float, float] | None, level: float) -> bool:
    """Whether a particle has the sign of the others and lies on the same background."""
    return measured is None or (measured[2] > 0 and abs(measured[0]) < FLAT * level)


def _own_piece(mask: np.ndarray, particle: Surroundings) -> np.ndarray | None:
    """Return the piece of a mask that has most of a particle, without holes; None if no piece has any."""
    pieces, count = ndi.label(mask)
    sizes = np.bincount(pieces[particle.own], minlength=count + 1)[1:]
    return ndi.binary_fill_holes(pieces == sizes.argmax() + 1) if sizes.any() else None


def _spread(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
