"""Segmentation by a network that maps where particles are and how deep inside of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi
from skimage.measure import label
from skimage.morphology import reconstruction
from skimage.segmentation import expand_labels, watershed

from particlespy_ml.core.resample import enlarge_map, nearest_map, resample_frame
from particlespy_ml.core.threads import side_by_side
from particlespy_ml.segmentation.contacts import merged
from particlespy_ml.segmentation.edges import has_steep_edges
from particlespy_ml.segmentation.grey_level import grey_level_outlines
from particlespy_ml.segmentation.grid import as_float
from particlespy_ml.segmentation.half_contrast import half_contrast_outlines

if TYPE_CHECKING:
    from particlespy_ml.models.model import ParticleFinder

_CLIP = 6.0
STRIP = 512  # rows that are interpolated at a time


def segment_with_network(
    image: np.ndarray,
    pixel_size: tuple[float, float],
    model: ParticleFinder,
    threshold: float | None = None,
    min_diameter: float = 0.8,
    split_depth: float = 0.08,
    outline: str = "auto",
    polarity: str = "dark",
) -> np.ndarray:
    """Find the particles of a frame.

    The frame is resampled to the pixel size of the model and scaled by its own median and spread. Pixels whose
    probability is above the threshold belong to particles; particles that touch are told apart by a watershed of the
    map of depth, whose basins are deeper than *split_depth*.

    Parameters
    ----------
    image
        Shape (rows, columns).
    pixel_size
        Rows and columns in nm.
    model
        Loaded model.
    threshold
        Probability from which a pixel belongs to a particle; that of the model by default.
    min_diameter
        Particles of a smaller area than a circle of this diameter in nm are dropped.
    split_depth
        How much a neck between two particles must be shallower than the shallower of their middles, 0 to 1.
    outline
        "atoms", at the outermost atoms, which is what the network learned; "half", where the contrast of each particle
        has fallen to half, see `half_contrast_outlines`; "level", on one grey level of the frame, as thresholds have
        it, see `grey_level_outlines`; or "auto", which is "level" for a frame whose particles have steep edges, where
        their material ends about there, and "atoms" for one whose particles thin out towards their edges as spheres
        do; see `has_steep_edges`.
    polarity
        "dark", what particles are that a model was trained on, or "bright" for an image whose contrast is reversed.

    Returns
    -------
    numpy.ndarray
        Labels of the frame's shape, int32.
    """
    step = tuple(model.pixel_size / size for size in pixel_size)
    if min(round(n / s) for n, s in zip(image.shape, step, strict=True)) < 2:
        return np.zeros(image.shape, np.int32)
    image = as_float(image)
    scaled = scale_frame(resample_frame(image, step))
    probability, depth = model.maps(-scaled if polarity == "bright" else scaled)
    threshold = model.threshold if threshold is None else threshold
    labels = labels_from_maps(probability, depth, threshold, split_depth)
    labels = nearest_map(expand_labels(labels, 3), image.shape, step)

    def clear(rows: slice) -> None:
        labels[rows][enlarge_map(probability, image.shape, step, rows) < threshold] = 0

    side_by_side(clear, [slice(k, k + STRIP) for k in range(0, len(labels), STRIP)])
    if outline == "auto":
        outline = "level" if has_steep_edges(image, labels, pixel_size) else "atoms"
    if outline != "atoms":
        labels = {"half": half_contrast_outlines, "level": grey_level_outlines}[outline](image, labels, pixel_size)
    smallest = np.pi / 4 * min_diameter**2 / (pixel_size[0] * pixel_size[1])
    counts = np.bincount(labels.ravel())
    return np.where((counts >= smallest)[labels], labels, 0).astype(np.int32)


def scale_frame(image: np.ndarray) -> np.ndarray:
    """Return a frame less its median, divided by its spread (from the median absolute deviation), clipped at six.

    Parameters
    ----------
    image
        Shape (rows, columns).

    Returns
    -------
    numpy.ndarray
        Same shape, float32. A constant frame is zero.
    """
    image = np.asarray(image, np.float32)
    centred = image - np.median(image)
    spread = 1.4826 * float(np.median(np.abs(centred)))
    spread = spread or float(centred.std())  # more than half of the pixels have one value
    return np.clip(centred / spread, -_CLIP, _CLIP) if spread > 0 else np.zeros_like(image)


def labels_from_maps(
    probability: np.ndarray,
    depth: np.ndarray,
    threshold: float,
    split_depth: float,
    contact: np.ndarray | None = None,
) -> np.ndarray:
    """Return the particles in the maps of a network.

    Parameters
    ----------
    probability, depth
        Shape (rows, columns).
    threshold
        Probability from which a pixel belongs to a particle.
    split_depth
        How much a neck must be shallower than the shallower of two middles for them to be two particles.
    contact
        Probability that a pixel lies where one particle meets another, same shape. Pieces whose border is none are one
        particle; see `particlespy_ml.segmentation.contacts.merged`.

    Returns
    -------
    numpy.ndarray
        Labels, int32.
    """
    inside = probability >= threshold
    depth = np.where(inside, ndi.gaussian_filter(depth, 0.7), 0).astype(np.float32)
    # maxima that rise above everything around them by the split depth, and one for each piece that has none
    pieces = label(inside)
    rest = np.zeros_like(depth)
    for number, box in enumerate(ndi.find_objects(pieces), start=1):
        # one piece at a time, since pixels are sorted by their depth
        own = np.where(pieces[box] == number, depth[box], 0)
        rest[box] += reconstruction(np.maximum(own - split_depth, 0), own)
    middles = label(depth - rest >= 0.99 * split_depth)
    without = np.ones(pieces.max() + 1, bool)
    without[np.unique(pieces[middles > 0])] = False
    without[0] = False
    middles = np.where(without[pieces], middles.max() + pieces, middles)
    labels = watershed(-depth, middles, mask=inside).astype(np.int32)
    return labels if contact is None else merged(labels, contact)


def maps_from_labels(labels: np.ndarray) -> np.ndarray:
    """Return the maps that a network should give: 1 inside of particles, and the relative depth.

    Parameters
    ----------
    labels
        Particles, shape (rows, columns).

    Returns
    -------
    numpy.ndarray
        Shape (2, rows, columns), float32. The depth is the distance from the edge of the particle relative to the
        largest one in it. Where the frame cuts a particle there is no edge.
    """
    maps = np.zeros((2, *labels.shape), np.float32)
    maps[0] = labels > 0
    for number, slices in enumerate(ndi.find_objects(labels), start=1):
        if slices is None:
            continue
        own = labels[slices] == number
        # a rim of background, but none where the frame cuts the particle
        rim = [(int(s.start > 0), int(s.stop < n)) for s, n in zip(slices, labels.shape, strict=True)]
        distance = ndi.distance_transform_edt(np.pad(own, rim))
        (top, _), (left, _) = rim
        distance = distance[top : top + own.shape[0], left : left + own.shape[1]]
        maps[1][slices] = np.where(own, distance / max(float(distance.max()), 1e-6), maps[1][slices])
    return maps
