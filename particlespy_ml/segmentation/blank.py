"""Whether what was outlined in a frame is more than the frame's own noise and slopes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from scipy import stats

from particlespy_ml.core.quantiles import quantiles
from particlespy_ml.segmentation.grid import block_mean, blur, label_sizes
from particlespy_ml.segmentation.scale import DOG_RADIUS

# How many peaks of the background tell how high noise reaches.
MIN_PEAKS = 12
# So many regions whose surroundings, one radius wide, cover that much of a frame leave nothing to compare them with.
CROWD, COVERED = 4, 0.6
# Probability that the highest of them all reaches a particle.
CHANCE = 1e-4
# In robust standard deviations of the background: what no noise reaches, however long its tail.
CLEAR = 8
# In radii of a region: bands on both sides of its outline, and what surrounds it.
BAND, AROUND = 0.2, (0.3, 0.8)
# Least fall across the outline relative to the contrast; a projected sphere has 0.4, a Gaussian 0.17.
MIN_FALL = 0.27
# The same in standard deviations of white noise.
MIN_SIGNIFICANCE = 6


def is_blank(frame: np.ndarray, labels: np.ndarray, pixel: np.ndarray) -> bool:
    """Whether none of the regions outlined in a frame stands out from the rest of it.

    A region is compared with the rest of the frame by a difference of Gaussians of its own size. How high noise
    reaches follows from its quantiles outside of all regions [1]_ and from the number of its peaks. Where a region is
    so large that there are hardly any of these, it must end more steeply than a slope of the background does.

    Parameters
    ----------
    frame : numpy.ndarray
        Shape (rows, columns), particles bright.
    labels : numpy.ndarray
        Regions, shape of `frame`.
    pixel : numpy.ndarray
        Size of a pixel along rows and columns in nm.

    References
    ----------
    .. [1] E. A. Cornish and R. A. Fisher, "Moments and cumulants in the specification of distributions," Rev. Inst.
       Int. Stat. 5, 307 (1938). https://doi.org/10.2307/1400905
    """
    sizes = label_sizes(labels)
    sizes[0] = 0
    radii = _radii(labels, sizes, pixel)
    numbers = np.flatnonzero(sizes)
    steps = np.round(2 * np.log2(np.maximum(radii, 1e-9) / pixel.max())).astype(int)
    # the most frequent size first: one region that stands out is enough
    values, counts = np.unique(steps[numbers], return_counts=True)
    for step in values[np.argsort(-counts, kind="stable")]:
        own = numbers[steps[numbers] == step]
        if _stands_out(frame, labels, own, float(np.median(radii[own])), pixel):
            return False
    return True


def _radii(labels: np.ndarray, sizes: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Radii of regions: of a disc of their area or, where the border of the frame cuts them, of one that fits inside.

    Half a disc has the area of a smaller one, but the depth of the whole.
    """
    radii = np.sqrt(sizes * pixel.prod() / np.pi)
    boxes = ndi.find_objects(labels)
    for number in np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])):
        if number == 0:
            continue
        box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in boxes[number - 1])
        part = labels[box] == number
        if not part.all():
            radii[number] = max(radii[number], _inner_radius(ndi.distance_transform_edt(part, sampling=pixel), pixel))
    return radii


def _inner_radius(inside: np.ndarray, pixel: np.ndarray) -> float:
    """Radius of the largest disc inside of a region, from the distances to the pixels outside, in the frame."""
    return float(inside.max() - pixel.max() / 2)


def _stands_out(frame: np.ndarray, labels: np.ndarray, own: np.ndarray, radius: float, pixel: np.ndarray) -> bool:
    """Whether one of some regions of about one size does."""
    factor = np.maximum(1, (radius / 4 / pixel).astype(int))
    sigma = radius / DOG_RADIUS / (pixel * factor)
    binned = block_mean(frame, factor)
    at = (np.arange(n) * f + f // 2 for n, f in zip(binned.shape, factor, strict=True))
    coarse = labels[np.ix_(*(np.minimum(place, n - 1) for place, n in zip(at, labels.shape, strict=True)))]
    near = ndi.distance_transform_edt(coarse == 0, sampling=pixel * factor) < radius
    if len(own) >= CROWD and near.mean() > COVERED:
        return True
    level = _level_lines(binned, coarse == 0)
    response = blur(level, sigma)
    response -= blur(level, np.sqrt(2) * sigma)
    for axis, width in enumerate(sigma):
        # noise and its mirror image at the border of the frame add up
        place = np.arange(binned.shape[axis]) + 0.5
        gain = 1 + np.exp(-((place / width) ** 2)) + np.exp(-(((binned.shape[axis] - place) / width) ** 2))
        response /= np.sqrt(gain)[:, None] if axis == 0 else np.sqrt(gain)
    height = np.full(labels.max() + 1, -np.inf)
    np.maximum.at(height, coarse.ravel(), response.ravel())
    peaks = response == ndi.maximum_filter(response, 3)
    if np.count_nonzero(peaks & ~near) < MIN_PEAKS:
        return any(_is_steep(binned, level, coarse == number, pixel * factor) for number in own)
    count, highest = np.count_nonzero(peaks), float(height[own].max())
    if count * _tail(response[~near], highest, count) < CHANCE:
        return True
    # fainter particles that were not outlined make tails too, and those hide one that is far brighter
    middle = np.median(response[~near])
    if highest - middle < CLEAR * 1.4826 * np.median(np.abs(response[~near] - middle)):
        return False
    return _is_steep(binned, level, coarse == own[height[own].argmax()], pixel * factor)


def _level_lines(frame: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Subtract the mean of each row and column outside of the regions: lines of a scan differ."""
    for axis in (1, 0):
        count = outside.sum(axis, keepdims=True)
        mean = (frame * outside).sum(axis, keepdims=True) / np.maximum(count, 1)
        frame = frame - np.where(count >= MIN_PEAKS, mean, np.median(frame, axis, keepdims=True)).astype(np.float32)
    return frame


def _tail(noise: np.ndarray, value: float, count: int) -> float:
    """Probability that noise exceeds a value: that of a gamma law of the same 10, 50 and 90 % quantiles.

    Its skewness is that of counts, and 0 for a normal law. Quantiles of so many independent values are uncertain.
    """
    low, middle, high = quantiles(noise, 0.1, 0.5, 0.9)
    if not high > low:
        return 0.0 if value > noise.max() else 1.0
    # by the first terms of the expansion of Cornish and Fisher
    skewness = 6 * (high + low - 2 * middle) / (high - low) * 2.563 / (2 * 1.642)
    width = (high - low) / 2.563 / (1 - 1 / np.sqrt(count))
    score = (value - middle) / width - max(skewness, 0) / 6
    if skewness < 0.05:
        return float(stats.norm.sf(score))
    shape = 4 / skewness**2
    return float(stats.gamma.sf(shape + score * np.sqrt(shape), shape))


def _is_steep(frame: np.ndarray, level: np.ndarray, region: np.ndarray, pixel: np.ndarray) -> bool:
    """Whether a region's contrast falls by enough of itself across its outline, in the levelled frame beyond noise."""
    area = np.count_nonzero(region)
    if area < 4 or area == region.size:
        return area > 0
    # farther away than the size of its box nothing of it is looked at
    lines = [np.flatnonzero(region.any(axis)) for axis in (1, 0)]
    extent = [line[-1] - line[0] + 1 for line in lines]
    margin = np.ceil(np.hypot(*(extent * pixel)) / pixel).astype(int) + 2
    box = tuple(slice(max(line[0] - m, 0), line[-1] + m + 1) for line, m in zip(lines, margin, strict=True))
    noise = 1.4826 * np.median(np.abs(np.diff(frame, axis=1))) / np.sqrt(2)
    frame, level, region = frame[box], level[box], region[box]
    inside, outside = (ndi.distance_transform_edt(part, sampling=pixel) for part in (region, ~region))
    radius = max(np.sqrt(area * pixel.prod() / np.pi), _inner_radius(inside, pixel))
    around = (outside > AROUND[0] * radius) & (outside < AROUND[1] * radius)
    if not around.any():
        return True
    contrast = np.median(frame[inside > 0.5 * inside.max()]) - np.median(frame[around])
    width = max(BAND * radius, 1.01 * pixel.max())
    inner, outer = region & (inside <= width), ~region & (outside <= width)
    fall, levelled = (values[inner].mean() - values[outer].mean() for values in (frame, level))
    error = noise * np.sqrt(1 / np.count_nonzero(inner) + 1 / np.count_nonzero(outer))
    return bool(fall > MIN_FALL * contrast and levelled > MIN_SIGNIFICANCE * error)
