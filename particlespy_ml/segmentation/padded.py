"""Segmentation of what the microscope recorded, without the constant border around it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage as ndi

# Share of a particle that must be known. One cut by the edge is half of what it makes up with its mirror image.
MIN_KNOWN = 0.4


def segment_known(image: np.ndarray, known: np.ndarray | None, segment: Callable) -> np.ndarray:
    """Segment the known pixels of a frame and leave the others background.

    The rectangle around the known pixels is segmented; what is unknown in it shows the mirror image of what lies on
    the other side of its edge, which has the same noise and no step.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    known : numpy.ndarray or None
        As from `particlespy_ml.core.padding.known_pixels`.
    segment : callable
        From an image to labels.

    Returns
    -------
    numpy.ndarray
        Labels, shape of `image`, int32; some numbers may be missing.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.core.padding import known_pixels
    >>> frame = np.pad(np.random.default_rng(0).poisson(100, (40, 40)), ((0, 0), (9, 0)))
    >>> labels = segment_known(frame, known_pixels(frame), lambda part: np.ones(part.shape, np.int32))
    >>> bool(labels[:, :9].any()), bool(labels[:, 9:].all())
    (False, True)
    """
    if known is None:
        return segment(image)
    labels = np.zeros(image.shape, np.int32)
    box = _box(known)
    inside = known[box]
    found = segment(known_part(image, known))
    if inside.all():
        labels[box] = found
        return labels
    share = np.bincount(found.ravel(), inside.ravel()) / np.maximum(np.bincount(found.ravel()), 1)
    labels[box] = found * (inside & (share > MIN_KNOWN)[found])
    return labels


def known_part(image: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """Return the rectangle around the known pixels, and in it the mirror image of what is known for what is not.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    known : numpy.ndarray or None
        As from `particlespy_ml.core.padding.known_pixels`.
    """
    if known is None:
        return image
    box = _box(known)
    return image[box] if known[box].all() else mirror_unknown(image[box], known[box])


def _box(known: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(known.any(1)), np.flatnonzero(known.any(0))
    return np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def mirror_unknown(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return an image whose unknown pixels are mirrored at the nearest known ones.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    known : numpy.ndarray
        Booleans, shape of `image`; one at least is True.
    """
    result, known = np.array(image), known.copy()
    limits = np.array(image.shape)[:, None]
    # Where the mirror image of a pixel is unknown itself, what was filled by then is mirrored in turn.
    for last in (False, False, False, True):
        if known.all():
            break
        nearest = ndi.distance_transform_edt(~known, return_distances=False, return_indices=True)
        places = np.array(np.nonzero(~known))
        edge = nearest[:, places[0], places[1]]
        mirrored = 2 * edge - places
        usable = ((mirrored >= 0) & (mirrored < limits)).all(0)
        usable[usable] = known[tuple(mirrored[:, usable])]
        if last:
            mirrored, usable = np.where(usable, mirrored, edge), np.ones_like(usable)
        result[tuple(places[:, usable])] = result[tuple(mirrored[:, usable])]
        known[tuple(places[:, usable])] = True
    return result


def cut_by_unknown(labels: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """Return the numbers of the labels that reach the edge of the known pixels, other than the border of the frame.

    Parameters
    ----------
    labels : numpy.ndarray
        Particles, shape (rows, columns).
    known : numpy.ndarray or None
        As from `particlespy_ml.core.padding.known_pixels`.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[0, 1, 1, 0, 2, 0]])
    >>> cut_by_unknown(labels, np.array([[False, True, True, True, True, True]]))
    array([1])
    """
    if known is None:
        return np.zeros(0, labels.dtype)
    beside = labels[ndi.binary_dilation(~known, np.ones((3, 3)))]
    return np.unique(beside[beside > 0])
