"""From heights above the background to outlined, separate particles."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from particlespy_ml.segmentation.grid import dilate, highest_beside, interpolate_blocks, label_pixels

MIN_CONTRAST_TO_NOISE = 5
# Lowest height of an outline, and highest that is looked at, as fractions of the plateau inside it.
LOWEST_EDGE, HIGHEST_EDGE = 0.2, 0.6
SHARPNESS = 16
# A Gaussian of one pixel over the distances to an outline, so that its steps make no peaks.
BLUR = np.exp(-0.5 * np.arange(-4, 5) ** 2)
BLUR /= BLUR.sum()


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
        inside, keys, count = label_pixels(rest)
        if not count:
            break
        values = height.ravel()[inside]
        inside = inside[values > 0.5 * _level(keys, values, count, upper=True)[keys]]
        candidate = np.zeros(height.shape, bool)
        candidate.ravel()[inside] = True
        inside, keys, count = label_pixels(candidate)
        values = height.ravel()[inside]
        level = _level(keys, values, count, upper=True)
        strong = level > MIN_CONTRAST_TO_NOISE * _level(keys, noise.ravel()[inside], count)
        if contact is not None:
            labels = np.zeros(height.shape, np.intp)
            labels.ravel()[inside] = keys
            skirt = np.full(count + 1, -np.inf)
            edge = np.flatnonzero(contact)
            np.maximum.at(skirt, labels.ravel()[edge], height.ravel()[edge])
            strong &= level > 1.2 * skirt
        strong[0] = False
        if not strong.any():
            break
        keys, inside = keys[strong[keys]], inside[strong[keys]]
        first = np.zeros(count + 1, np.intp)
        first[keys[::-1]] = inside[::-1]
        numbers.append(sum(map(len, firsts)) + (np.cumsum(strong) - 1)[keys])
        firsts.append(first[strong])
        pixels.append(inside)
        found.ravel()[inside] = True
        taken = dilate(found, margin)
        rest = high & ~taken
        contact = rest & dilate(taken, (3, 3))
    # what was found later touches nothing that was found before; numbers go by the first pixel
    labels = np.zeros(height.shape, np.int32)
    if pixels:
        rank = 1 + np.argsort(np.argsort(np.concatenate(firsts)))
        labels.ravel()[np.concatenate(pixels)] = rank[np.concatenate(numbers)]
    return labels


def _level(keys: np.ndarray, values: np.ndarray, count: int, upper: bool = False) -> np.ndarray:
    """Mean of the values of each label, or of their upper part, that above the mean; entry 0 is infinite."""
    mean = np.bincount(keys, values, count + 1) / np.maximum(np.bincount(keys, minlength=count + 1), 1)
    if upper:
        above = values >= mean[keys] * (1 - 1e-6)
        keys, values = keys[above], values[above]
        mean = np.bincount(keys, values, count + 1) / np.maximum(np.bincount(keys, minlength=count + 1), 1)
    mean[0] = np.inf
    return mean.astype(np.float32)


def refine_outlines(
    labels: np.ndarray, height: np.ndarray, pixel: np.ndarray, smoothing: float, split_depth: float | None
) -> np.ndarray:
    """Move each outline to where the edge of its particle is steepest, fill its holes, and cut it at necks."""
    result = np.zeros_like(labels)
    count = 0
    for number, box in enumerate(ndi.find_objects(labels), start=1):
        if box is None:
            continue
        # half of the height of a sphere lies at 0.87 of its radius, so its edge may lie outside of the box
        margin = [max(3, (s.stop - s.start) // 8) for s in box]
        box = tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(box, margin, strict=True))
        crop, taken = height[box], labels[box]
        free = ((taken == number) | (taken == 0)) & (result[box] == 0)
        mask = taken == number
        for level in (_half_height, _edge_level):
            plateau = _plateau(crop[mask], pixel, smoothing)
            mask = _largest_overlap((crop > level(crop, taken, plateau, free, pixel)) & free, taken == number)
            if not mask.any():
                break
        if not mask.any():
            continue
        mask = _fill_holes(mask)
        pieces = split_at_necks(mask, pixel, split_depth) if split_depth else mask.astype(np.int32)
        result[box][mask] = pieces[mask] + count
        count += int(pieces.max())
    return result


def _half_height(crop, taken, plateau: float, free, pixel) -> float:
    return 0.5 * plateau


def _edge_level(crop: np.ndarray, taken: np.ndarray, plateau: float, free: np.ndarray, pixel: np.ndarray) -> float:
    """Height of the contours on which the image is steepest, between a fifth and a half of the plateau.

    A blurred step is steepest at half its height, but a particle that thins out towards its edge, such as a sphere,
    lower down. It is the mean of all heights by a high power of the slope there, so that noise moves it by little
    where several are about as steep.
    """
    outside = crop[free & (taken == 0)]
    noise = 1.4826 * float(np.median(np.abs(outside))) if outside.size else 0.0
    lowest = max(LOWEST_EDGE, 3 * noise / plateau) if plateau > 0 else 0.5
    if lowest >= 0.5 or min(crop.shape) < 2:
        return 0.5 * plateau
    centres = np.arange(HIGHEST_EDGE, lowest - 1e-9, -0.05)
    # sums over bins of 0.05, each with half of its neighbours
    place = np.flatnonzero(free)
    bins = np.rint((HIGHEST_EDGE - crop.ravel()[place] / plateau) / 0.05).astype(int) + 1
    inside = (bins >= 0) & (bins < len(centres) + 2)
    bins, slope = bins[inside], _slope(crop, place[inside], pixel)
    number = np.convolve(np.bincount(bins, minlength=len(centres) + 2), (0.5, 1, 0.5), "valid")
    total = np.convolve(np.bincount(bins, slope, len(centres) + 2), (0.5, 1, 0.5), "valid")
    means = np.where(number > 4, total / np.maximum(number, 1), 0)
    if not means.any():
        return 0.5 * plateau
    weight = (means / means.max()) ** SHARPNESS
    return min(float(centres @ weight / weight.sum()), 0.5) * plateau


def _slope(image: np.ndarray, place: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Slope of an image at some places of it in a row, as `numpy.gradient` takes it."""
    slopes = []
    for axis, index in enumerate(np.unravel_index(place, image.shape)):
        low, high = np.maximum(index - 1, 0), np.minimum(index + 1, image.shape[axis] - 1)
        step = 1 if axis else image.shape[1]
        rise = image.ravel()[place + (high - index) * step] - image.ravel()[place + (low - index) * step]
        slopes.append((rise / ((high - low) * pixel[axis])).astype(image.dtype))
    return np.hypot(*slopes)


def _largest_overlap(mask: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the connected part of a mask that has most of a region."""
    parts, count = ndi.label(mask)
    if count < 2:
        return mask
    share = np.bincount(parts[region], minlength=count + 1)
    share[0] = 0
    return parts == share.argmax()


def _plateau(values: np.ndarray, pixel: np.ndarray, smoothing: float) -> float:
    """Median of the values of a region that lie further inside than the blur reaches."""
    radius = np.sqrt(values.size * pixel.prod() / np.pi)
    inside = max(1 - 1.5 * smoothing / radius, 0) ** 2
    place = int((1 - inside / 2) * (values.size - 1))
    return float(np.partition(values, place)[place])


def _fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of one region, but not what a ring of particles encloses (more than a third of its area)."""
    outside = np.ones((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    np.logical_not(mask, out=outside[1:-1, 1:-1])
    beside = outside[:, :-1] & outside[:, 1:]
    # Euler's number of what is outside of one region: of its pieces less one
    pairs = np.count_nonzero(beside) + np.count_nonzero(outside[:-1] & outside[1:])
    if np.count_nonzero(outside) - pairs + np.count_nonzero(beside[:-1] & beside[1:]) == 0:
        return mask
    holes, count = ndi.label(outside)
    if count < 2:
        return mask
    holes = holes[1:-1, 1:-1]
    size = np.bincount(holes.ravel(), minlength=count + 1)
    fill = size <= mask.sum() / 3
    fill[0] = False
    edge = np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])
    fill[edge] = False
    return mask | fill[holes]


def split_at_necks(mask: np.ndarray, pixel: np.ndarray, depth: float) -> np.ndarray:
    """Cut one region at its necks.

    Parts are the basins of the distance to the outline. Two are one particle if the way from one to the other is
    nowhere narrower than (1 - depth) times the narrower of the two, less the roughness of a pixel.
    """
    # A dozen pixels along a radius are enough to judge a neck.
    reduce = max(1, int(np.sqrt(mask.sum()) / 24))
    small = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    small[1:-1, 1:-1] = mask
    small = small[::reduce, ::reduce]
    distance = ndi.distance_transform_edt(small, sampling=pixel * reduce)
    for axis in (0, 1):
        distance = ndi.correlate1d(distance, BLUR, axis)
    distance *= small
    peaks = (distance == highest_beside(distance)) & small
    roughness = 0.5 * float(pixel.max()) * reduce
    if _is_one(distance, np.argwhere(peaks), depth, roughness):
        return mask.astype(np.int32)
    markers, count = ndi.label(peaks, np.ones((3, 3)))
    if count < 2:
        return mask.astype(np.int32)
    basins = watershed(-distance, markers, mask=small)
    group = _merge(basins, distance, count, depth, roughness)
    basins = group[basins]
    if basins.max() < 2:
        return mask.astype(np.int32)
    if reduce == 1:
        return basins[1:-1, 1:-1] * mask
    index = ndi.distance_transform_edt(basins == 0, return_distances=False, return_indices=True)
    basins = basins[tuple(index)]
    rows, columns = (
        np.minimum((np.arange(1, n + 1) + reduce // 2) // reduce, m - 1)
        for n, m in zip(mask.shape, basins.shape, strict=True)
    )
    return basins[np.ix_(rows, columns)] * mask


def _is_one(distance: np.ndarray, peaks: np.ndarray, depth: float, roughness: float) -> bool:
    """Whether straight ways from the highest peak to all others are wide enough that `_merge` makes one group of all.

    Of the groups that it would leave, consider the highest peak outside of the one that holds the highest of all: on
    the way to it lies a border to a group of no higher peaks, and it is no neck.
    """
    if len(peaks) < 2:
        return True
    tops = distance[tuple(peaks.T)]
    start = peaks[tops.argmax()]
    steps = int(np.abs(peaks - start).max())
    share = np.arange(steps + 1)[:, None, None] / max(steps, 1)
    # squares of four pixels at steps of at most one have pixels in common: they hold a way from pixel to pixel
    rows, columns = np.moveaxis((start + share * (peaks - start)).astype(int), 2, 0)
    below, right = (np.minimum(index + 1, n - 1) for index, n in zip((rows, columns), distance.shape, strict=True))
    corners = [distance[r, c] for r in (rows, below) for c in (columns, right)]
    narrowest = np.minimum.reduce(corners).min(0)
    others = (peaks != start).any(1)
    wide = (narrowest > 0) & ((narrowest + roughness) / np.maximum(tops, 1e-12) > 1 - depth)
    return bool(wide[others].all())


def _merge(basins: np.ndarray, distance: np.ndarray, count: int, depth: float, roughness: float) -> np.ndarray:
    """Return the group of each basin, 1 to n, basins without a neck between them in one group."""
    top = np.zeros(count + 1)
    np.maximum.at(top, basins.ravel(), distance.ravel())
    saddle = np.zeros((count + 1, count + 1))
    for a, b, d, e in (
        (basins[1:], basins[:-1], distance[1:], distance[:-1]),
        (basins[:, 1:], basins[:, :-1], distance[:, 1:], distance[:, :-1]),
    ):
        border = (a != b) & (a > 0) & (b > 0)
        low = np.minimum(d[border], e[border])
        np.maximum.at(saddle, (a[border], b[border]), low)
    saddle = np.maximum(saddle, saddle.T)
    group = np.arange(count + 1)
    while True:
        lower = np.minimum.outer(top, top)
        ratio = np.where(saddle > 0, (saddle + roughness) / np.maximum(lower, 1e-12), 0)
        i, j = np.unravel_index(np.argmax(ratio), ratio.shape)
        if ratio[i, j] <= 1 - depth:
            break
        group[group == j] = i
        top[i], top[j] = max(top[i], top[j]), 0
        saddle[i] = np.maximum(saddle[i], saddle[j])
        saddle[:, i] = saddle[i]
        saddle[i, i] = saddle[j] = saddle[:, j] = 0
    return np.unique(group, return_inverse=True)[1]


def _outline_heights(labels: np.ndarray, height: np.ndarray, count: int) -> np.ndarray:
    """Return the height at which the outline of each label runs, where it faces the background; entry 0 is 0."""
    highest = ndi.maximum_filter(labels, 3)
    alone = ndi.minimum_filter(labels, 3) == 0
    sides = []
    for side in (alone & (labels > 0) & (labels == highest), (labels == 0) & (highest > 0)):
        keys = highest[side]
        sides.append(np.bincount(keys, height[side], count + 1) / np.maximum(np.bincount(keys, minlength=count + 1), 1))
    inside = np.flatnonzero(labels)
    middle = _level(labels.ravel()[inside], height.ravel()[inside], count)
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
