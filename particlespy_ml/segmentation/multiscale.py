"""Particles on any support by a network that sees a frame at several magnifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi
from skimage.segmentation import expand_labels

from particlespy_ml.core.resample import enlarge_map, nearest_map, resample_frame
from particlespy_ml.segmentation.grid import as_float, label_sizes
from particlespy_ml.segmentation.network import labels_from_maps
from particlespy_ml.segmentation.options import MIN_DETECTION, SPLIT_DEPTH
from particlespy_ml.segmentation.two_contrasts import grey_step, two_contrasts

if TYPE_CHECKING:
    from particlespy_ml.models.multiscale_finder import MultiscaleFinder

FINER, FINE_UP_TO = 1 / 1.5, 768  # step of the finest view, of frames of so many pixels along the longer edge at most
STEP = 3.0  # magnification between one view and the next
NARROWEST = 40  # pixels along the shorter edge of the coarsest view
TAKEN = 0.35  # share of a particle that one found with more certainty may have
# A particle is outlined best where it has some tens of pixels; e-folds beyond that cost this much probability.
_BEST, _COST = (9.0, 50.0), 0.06


@dataclass(frozen=True)
class Candidates:
    """What one view shows.

    Parameters
    ----------
    labels
        On the grid of the frame.
    evidence
        Of each label from 1 on that it is a particle, the logarithm of the odds.
    rank
        By which candidates of different views are compared.
    """

    labels: np.ndarray
    evidence: np.ndarray
    rank: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """Of each label that it is a particle, taken by itself."""
        return 1 / (1 + np.exp(-self.evidence))


def segment_multiscale(
    image: np.ndarray,
    model: MultiscaleFinder,
    threshold: float | None = None,
    min_detection: float = MIN_DETECTION,
    polarity: str = "auto",
    split_depth: float = SPLIT_DEPTH,
    steps: list[float] | None = None,
    maps: list[tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the particles of a frame, whose pixels may have any size.

    The frame is seen as it is, and three and more times coarser. In each view particles of some pixels to some tens of
    pixels across are found; where two views found something in the same place, the more certain one has it.

    Parameters
    ----------
    image
        Shape (rows, columns).
    model
        Loaded model.
    threshold
        Probability from which a pixel belongs to a particle; that of the model by default.
    min_detection
        What is less probable to be a particle is left out.
    polarity
        "bright" or "dark" particles, or "auto" for those of which there is more evidence; see `likely_polarity`.
    split_depth
        See `particlespy_ml.segmentation.network.labels_from_maps`.
    steps
        Pixel sizes of the views in pixels of the frame; those of `view_steps` by default.
    maps
        `view_maps` of the frame, from `as_float` and with bright particles, where they are known.

    Returns
    -------
    labels, probability
        Labels 1 to n, int32, shape of the frame; and how probable it is that each is a particle, shape (n,).
    """
    image = as_float(image)
    threshold = model.threshold if threshold is None else threshold
    if min(image.shape) < 2 or image.min() == image.max():
        return np.zeros(image.shape, np.int32), np.zeros(0)
    if polarity == "auto":
        polarity = likely_polarity(image, model, threshold, split_depth)
    image = -image if polarity == "dark" else image
    steps = view_steps(image.shape) if steps is None else steps
    maps = [view_maps(image, step, model) for step in steps] if maps is None else maps
    pairs = zip(maps, steps, strict=True)
    views = [candidates(image, one, step, model, threshold, split_depth) for one, step in pairs]
    most = max((float(view.evidence.max()) for view in views if len(view.evidence)), default=0.0)
    return merge_views(views, [model.detection_probability(view.evidence, most) for view in views], min_detection)


def view_steps(shape: tuple[int, int]) -> list[float]:
    """Return the pixel sizes of the views of a frame in its own pixels, the finest first.

    Examples
    --------
    >>> view_steps((512, 1024))
    [1.0, 3.0, 9.0]
    """
    number = int(np.log(max(min(shape) / NARROWEST, 1)) / np.log(STEP) + 1e-9)
    finest = [FINER] if max(shape) <= FINE_UP_TO else []
    return [*finest, *(STEP**k for k in range(number + 1))]


def view_maps(image: np.ndarray, step: float, model: MultiscaleFinder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the `MultiscaleFinder.maps` of a view of a frame, which hold for every threshold.

    Parameters
    ----------
    image
        Bright particles, shape (rows, columns).
    step
        Pixel size of the view in pixels of the frame.
    model
        Loaded model.
    """
    seen = image if step == 1 else resample_frame(image, (step, step))
    return model.maps(two_contrasts(seen, grey_step(image)))


def candidates(
    image: np.ndarray,
    maps: tuple[np.ndarray, np.ndarray, np.ndarray],
    step: float,
    model: MultiscaleFinder,
    threshold: float,
    split_depth: float = SPLIT_DEPTH,
) -> Candidates:
    """Return what a view of a frame shows, on the grid of the frame.

    Parameters
    ----------
    image
        Bright particles, shape (rows, columns).
    maps, step
        `view_maps` of it, and the pixel size of the view in its pixels.
    model, threshold, split_depth
        See `segment_multiscale`.
    """
    probability, depth, contact = maps
    labels = labels_from_maps(probability, depth, threshold, split_depth, contact)
    sizes = label_sizes(labels)
    means = np.bincount(labels.ravel(), probability.ravel(), len(sizes)) / np.maximum(sizes, 1)
    diameter = 2 * np.sqrt(sizes / np.pi)
    low, high = model.diameters
    kept = (diameter >= low) & (diameter <= high)
    kept[0] = False
    labels = (np.cumsum(kept) * kept).astype(np.int32)[labels]
    diameter, means = diameter[kept], means[kept]
    if labels.shape != image.shape:
        labels = nearest_map(expand_labels(labels, 2), image.shape, (step, step))
        labels[enlarge_map(probability, image.shape, (step, step)) < threshold] = 0
    evidence = model.evidence(means, diameter)
    beyond = np.maximum(np.log(_BEST[0] / np.maximum(diameter, 1e-9)), np.log(np.maximum(diameter, 1e-9) / _BEST[1]))
    rank = 1 / (1 + np.exp(-evidence)) - _COST * np.maximum(beyond, 0)
    return Candidates(labels, evidence, rank)


def merge_views(
    views: list[Candidates], probabilities: list[np.ndarray], min_detection: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the particles of all views, each once.

    Parameters
    ----------
    views
        What each shows.
    probabilities
        That each of these is a particle.
    min_detection
        What is less probable is left out.

    Examples
    --------
    >>> import numpy as np
    >>> small, large = np.zeros((2, 6, 6), int)
    >>> small[1, 1], large[:3, :3], large[5, 5] = 1, 1, 2
    >>> fine = Candidates(small, np.array([0.4]), np.array([0.6]))
    >>> coarse = Candidates(large, np.array([2.2, 0.8]), np.array([0.9, 0.7]))
    >>> labels, probability = merge_views([fine, coarse], [np.array([0.6]), np.array([0.9, 0.7])], 0.5)
    >>> labels.max(), probability.tolist()
    (np.int32(2), [0.9, 0.7])
    """
    result = np.zeros(views[0].labels.shape, np.int32)
    boxes = [ndi.find_objects(view.labels) for view in views]
    order = sorted(
        (-float(view.rank[number]), which, number)
        for which, view in enumerate(views)
        for number in range(len(view.rank))
        if probabilities[which][number] >= min_detection and number < len(boxes[which])
    )
    probability = []
    for _, which, number in order:
        box = boxes[which][number]
        if box is None:
            continue
        own = views[which].labels[box] == number + 1
        there = result[box]
        free = own & (there == 0)
        if free.sum() < max((1 - TAKEN) * own.sum(), 1):
            continue
        probability.append(float(probabilities[which][number]))
        there[free] = len(probability)
    return result, np.array(probability)


def likely_polarity(
    image: np.ndarray, model: MultiscaleFinder, threshold: float, split_depth: float = SPLIT_DEPTH
) -> str:
    """Return whether particles of a frame are rather "bright" or "dark"; see `evidence_of_polarity`."""
    bright, dark = evidence_of_polarity(image, model, threshold, split_depth)
    return "bright" if bright >= dark else "dark"


def evidence_of_polarity(
    image: np.ndarray, model: MultiscaleFinder, threshold: float, split_depth: float = SPLIT_DEPTH, most: int = 512
) -> tuple[float, float]:
    """Return the evidence that particles of a frame are bright, and that they are dark.

    Both are looked for in views of at most *most* pixels along an edge: the middle as it is, and the whole.
    """
    image, model = as_float(image), model.of_one_view
    if min(image.shape) < 2 or image.min() == image.max():
        return 0.0, 0.0
    rows, columns = (slice(max((n - most) // 2, 0), max((n - most) // 2, 0) + most) for n in image.shape)
    shown = [image[rows, columns]]
    if max(image.shape) > most:
        step = max(image.shape) / most
        shown.append(resample_frame(image, (step, step)))
    evidence = []
    for sign in (1, -1):
        views = [sign * one for one in shown if min(one.shape) > 1]
        found = [candidates(one, view_maps(one, 1.0, model), 1.0, model, threshold, split_depth) for one in views]
        certain = np.concatenate([one.probability for one in found])
        sizes = np.concatenate([label_sizes(one.labels)[1:][: len(one.probability)] for one in found])
        evidence.append(float((np.maximum(certain - 0.5, 0) * np.sqrt(sizes)).sum()))
    return evidence[0], evidence[1]
