"""From heights above the background to outlined regions, and from these to the pixels of the image."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.segmentation.grid import dilate, interpolate_blocks
from particlespy_ml.segmentation.runs import Runs

MIN_CONTRAST_TO_NOISE = 5


def outline_regions(height: np.ndarray, noise: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Label regions at half of their own height.

    A faint particle connected to a bright one is lost at half the height of the bright one: what is left outside the
    bright ones and their blur is looked at again. It is a particle if it rises above its contact with them.
    """
    high = height > 3 * noise
    rest, found = high, np.zeros(height.shape, bool)
    contact, pixels, numbers, firsts = None, [], [], []
    margin = tuple(2 * np.ceil(2 * sigma).astype(int) + 1)
    for _ in range(3):
        runs = Runs.of(rest)
        if not runs.count:
            break
        values = height.ravel()[runs.pixels]
        candidate = np.zeros(height.shape, bool)
        candidate.ravel()[runs.pixels] = values > runs.spread(0.5 * _level(runs, values, upper=True))
        runs = Runs.of(candidate)
        level = _level(runs, height.ravel()[runs.pixels], upper=True)
        strong = level > MIN_CONTRAST_TO_NOISE * _level(runs, noise.ravel()[runs.pixels])
        if contact is not None:
            labels = np.zeros(height.shape, np.int32)
            labels.ravel()[runs.pixels] = runs.spread(np.arange(runs.count + 1))
            skirt = np.full(runs.count + 1, -np.inf)
            edge = np.flatnonzero(contact)
            np.maximum.at(skirt, labels.ravel()[edge], height.ravel()[edge])
            strong &= level > 1.2 * skirt
        strong[0] = False
        if not strong.any():
            break
        inside = runs.spread(strong)
        first = np.zeros(runs.count + 1, np.intp)
        first[runs.keys[::-1]] = runs.starts[::-1]
        numbers.append(runs.spread(sum(map(len, firsts)) + np.cumsum(strong) - 1)[inside])
        firsts.append(first[strong])
        pixels.append(runs.pixels[inside])
        found.ravel()[pixels[-1]] = True
        taken = dilate(found, margin)
        rest = high & ~taken
        contact = rest & dilate(taken, (3, 3))
    # what was found later touches nothing that was found before; numbers go by the first pixel
    labels = np.zeros(height.shape, np.int32)
    if pixels:
        rank = 1 + np.argsort(np.argsort(np.concatenate(firsts)))
        labels.ravel()[np.concatenate(pixels)] = rank[np.concatenate(numbers)]
    return labels


def _level(runs: Runs, values: np.ndarray, upper: bool = False) -> np.ndarray:
    """Mean of the values of each label, or of their upper part, that above the mean; entry 0 is infinite."""
    mean = runs.sums(values) / np.maximum(runs.sizes, 1)
    if upper:
        above = values >= runs.spread(mean * (1 - 1e-6))
        mean = runs.sums(values * above) / np.maximum(runs.sums(above), 1)
    mean[0] = np.inf
    return mean.astype(np.float32)


def _means(keys: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Mean of the values of each key; entry 0 is 0."""
    return np.bincount(keys, values, count + 1) / np.maximum(np.bincount(keys, minlength=count + 1), 1)


def _outline_heights(labels: np.ndarray, height: np.ndarray, count: int) -> np.ndarray:
    """Return the height at which the outline of each label runs, where it faces the background; entry 0 is 0."""
    highest = ndi.maximum_filter(labels, 3)
    alone = ndi.minimum_filter(labels, 3) == 0
    sides = []
    for side in (alone & (labels > 0) & (labels == highest), (labels == 0) & (highest > 0)):
        keys = highest[side]
        sides.append(_means(keys, height[side], count))
    inside = labels > 0
    middle = _means(labels[inside], height[inside], count).astype(np.float32)
    result = np.where((sides[0] == 0) | (sides[1] == 0), 0.5 * middle, (sides[0] + sides[1]) / 2)
    result[0] = 0
    return result.astype(np.float32)


def upsample_labels(labels: np.ndarray, height: np.ndarray, factor: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bring labels to the pixels of the image, their outlines interpolated between the binned pixels."""
    if (factor == 1).all():
        return labels
    count = int(labels.max())
    threshold = _outline_heights(labels, height, count)
    wide = ndi.maximum_filter(labels, 5)
    wide = np.where(labels > 0, labels, wide)
    # Inside, where columns or holes may lie below the threshold, the outline is not in question.
    inner = ndi.minimum_filter(labels, 3) == ndi.maximum_filter(labels, 3)
    excess = height - threshold[wide]
    excess[inner & (labels > 0)] = np.abs(excess[inner & (labels > 0)])
    # Background further off has no threshold of its own and must not add to what is interpolated beside it.
    excess[wide == 0] = -np.abs(excess[wide == 0])
    rows, columns = (np.arange(n) // f for n, f in zip(shape, factor, strict=True))
    return wide[np.ix_(rows, columns)] * (interpolate_blocks(excess, factor, shape) > 0)
