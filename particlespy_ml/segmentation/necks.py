"""Regions with necks, cut there."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from particlespy_ml.segmentation.grid import highest_beside

# A Gaussian of one pixel over the distances to an outline, so that its steps make no peaks.
BLUR = np.exp(-0.5 * np.arange(-4, 5) ** 2)
BLUR /= BLUR.sum()
# Distances in pixels that no region reaches of those that are looked at.
FAR = 127


def are_whole(masks: np.ndarray, shapes: np.ndarray, pixel: np.ndarray, depth: float) -> np.ndarray:
    """Whether `split_at_necks` is known to leave regions whole; it decides on the others.

    Parameters
    ----------
    masks
        Shape (n, rows, columns), with at least a pixel of nothing before and after each region.
    shapes
        Rows and columns of each that `split_at_necks` sees, without that pixel.
    pixel
        Rows and columns.
    depth
        As for `split_at_necks`.
    """
    whole = np.zeros(len(masks), bool)
    if pixel[0] != pixel[1]:
        return whole
    reduce = np.array([_reduction(np.count_nonzero(mask)) for mask in masks])
    for step in np.unique(reduce):
        places = np.flatnonzero(reduce == step)
        small = masks[places, ::step, ::step]
        # distances are mirrored at the ends of what `split_at_necks` sees
        every, inner = np.arange(len(places)), np.ones(len(places), bool)
        for axis in (0, 1):
            lines, ends = np.moveaxis(small, axis + 1, 1), -(-(shapes[places, axis] + 2) // step)
            for line in (0, 1, ends - 2, ends - 1):
                inner &= ~lines[every, line].any(1)
        places = places[inner]
        if len(places):
            whole[places] = _are_one(small[inner], depth)
    return whole


def _are_one(masks: np.ndarray, depth: float) -> np.ndarray:
    """What `_is_one` says of each mask; lengths are in pixels."""
    distance = np.sqrt(_squared_distances(masks).astype(float))
    for axis in (1, 2):
        distance = ndi.correlate1d(distance, BLUR, axis)
    distance *= masks
    places = np.flatnonzero((distance == highest_beside(distance)) & masks)
    peaks, tops = np.column_stack(np.unravel_index(places, masks.shape)), distance.ravel()[places]
    owner = peaks[:, 0]
    order = np.lexsort((-tops, owner))
    highest = order[np.diff(owner[order], prepend=-1) > 0]
    start = np.zeros((len(masks), 3), int)
    start[owner[highest]] = peaks[highest]
    others = np.delete(np.arange(len(peaks)), highest)
    if not len(others):
        return np.ones(len(masks), bool)
    owner, start, end = owner[others], start[owner[others]], peaks[others]
    steps = np.zeros(len(masks))
    np.maximum.at(steps, owner, np.abs(end - start).max(1))
    share = np.minimum(np.arange(steps.max() + 1)[:, None] / steps[owner], 1)
    rows, columns = ((start[:, axis] + share * (end - start)[:, axis]).astype(int) for axis in (1, 2))
    corners = [distance[owner, r, c] for r in (rows, rows + 1) for c in (columns, columns + 1)]
    whole = np.ones(len(masks), bool)
    whole[owner[~_is_wide(np.minimum.reduce(corners).min(0), tops[others], depth, 0.5)]] = False
    return whole


def _squared_distances(masks: np.ndarray) -> np.ndarray:
    """Square of the distance to the nearest pixel outside, as long as it is less than `FAR`."""
    rows_first = np.moveaxis(masks, 1, 0)
    down, up = rows_first.astype(np.int16, "C"), rows_first.astype(np.int16, "C")
    for row in range(1, len(down)):
        down[row] *= down[row - 1] + 1
        up[-1 - row] *= up[-row] + 1
    along = np.minimum(np.minimum(down, up), FAR) ** 2
    # a row begins and ends outside: what lies in the rows beside it in memory is not as near
    nearest, along, step = along.copy(), along.ravel(), 1
    flat = nearest.ravel()
    while step**2 < flat.max():
        beside = along + np.int16(step**2)
        np.minimum(flat[step:], beside[:-step], out=flat[step:])
        np.minimum(flat[:-step], beside[step:], out=flat[:-step])
        step += 1
    return np.ascontiguousarray(np.moveaxis(nearest, 0, 1))


def _reduction(size: int) -> int:
    """How many pixels are one: a dozen along a radius are enough to judge a neck."""
    return max(1, int(np.sqrt(size) / 24))


def _is_wide(narrowest: np.ndarray, tops: np.ndarray, depth: float, roughness: float) -> np.ndarray:
    return (narrowest > 0) & ((narrowest + roughness) / np.maximum(tops, 1e-12) > 1 - depth)


def split_at_necks(mask: np.ndarray, pixel: np.ndarray, depth: float) -> np.ndarray:
    """Cut one region at its necks.

    Parts are the basins of the distance to the outline. Two are one particle if the way from one to the other is
    nowhere narrower than (1 - depth) times the narrower of the two, less the roughness of a pixel.
    """
    reduce = _reduction(mask.sum())
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
    return bool(_is_wide(narrowest, tops, depth, roughness)[others].all())


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
