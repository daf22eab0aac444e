"""Outlines of particles, moved to where their edges are steepest; particles whose surroundings do not meet at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.core.quantiles import median
from particlespy_ml.segmentation.necks import are_whole, split_at_necks
from particlespy_ml.segmentation.runs import Runs

# Heights among which an outline is looked for, as fractions of the plateau inside it, and the lowest of them.
LOWEST_EDGE, EDGE_STEP = 0.2, 0.05
EDGES = np.arange(0.6, LOWEST_EDGE - 1e-9, -EDGE_STEP)
SHARPNESS = 16
# Pixels that are worked on at once, and how many more it may be for surroundings of unlike shapes.
AT_ONCE, WASTE = 2**19, 1.5

Box = tuple[slice, slice]


def refine_outlines(
    labels: np.ndarray, height: np.ndarray, pixel: np.ndarray, smoothing: float, split_depth: float | None
) -> np.ndarray:
    """Move each outline to where the edge of its particle is steepest, fill its holes, and cut it at necks.

    Pixels that two particles reach for belong to the one of the lower number.
    """
    result, boxes = np.zeros_like(labels), _surroundings(labels)
    pieces, count = {}, 0
    for numbers in _groups(boxes, labels.shape):
        crops = Crops([boxes[number] for number in numbers], np.array(numbers), labels, height, result, pixel)
        masks = crops.outline(smoothing)
        whole = are_whole(masks, crops.shapes, pixel, split_depth) if split_depth else np.ones(len(numbers), bool)
        for place, number in enumerate(numbers):
            mask, box = crops.crop(masks, place), boxes[number]
            if not mask.any():
                continue
            parts = 1 if whole[place] else split_at_necks(mask, pixel, split_depth)[mask]
            result[box][mask] = count + parts
            pieces[number] = count + 1 + np.arange(np.max(parts))
            count += len(pieces[number])
    order = np.concatenate([[0], *(pieces[number] for number in sorted(pieces))]).astype(int)
    table = np.zeros(count + 1, labels.dtype)
    table[order] = np.arange(len(order))
    return np.take(table, result)


def _surroundings(labels: np.ndarray) -> dict[int, Box]:
    """Return the box of each particle with some pixels about it.

    Half of the height of a sphere lies at 0.87 of its radius, so its edge may lie outside of the box.
    """
    boxes = {}
    for number, box in enumerate(ndi.find_objects(labels), start=1):
        if box is not None:
            margins = (max(3, (s.stop - s.start) // 8) for s in box)
            pairs = zip(box, margins, labels.shape, strict=True)
            boxes[number] = tuple(slice(max(0, s.start - m), min(s.stop + m, end)) for s, m, end in pairs)
    return boxes


def _groups(boxes: dict[int, Box], shape: tuple[int, int]) -> Iterator[list[int]]:
    """Particles of like sizes whose boxes do not meet; each comes after all of lower numbers that its box meets."""
    waves, depth = {}, np.zeros(shape, np.int32)
    for number, box in boxes.items():
        waves[number] = int(depth[box].max()) + 1
        depth[box] = waves[number]
    shapes = {number: (box[0].stop - box[0].start, box[1].stop - box[1].start) for number, box in boxes.items()}
    group, total, largest = [], 0, (0, 0)
    for number in sorted(boxes, key=lambda number: (waves[number], max(shapes[number]), number)):
        wider = tuple(map(max, largest, shapes[number]))
        own, padded = shapes[number][0] * shapes[number][1], (len(group) + 1) * wider[0] * wider[1]
        if group and (waves[group[0]] != waves[number] or padded > min(AT_ONCE, WASTE * (total + own))):
            yield group
            group, total, wider = [], 0, shapes[number]
        group.append(number)
        total, largest = total + own, wider
    if group:
        yield group


class Crops:
    """Some particles, one after the other, each with what surrounds it.

    All crops are as large as the largest and have a pixel of nothing on all sides.

    Parameters
    ----------
    boxes, numbers
        Of each particle.
    labels, height, taken
        The frame's: regions, heights, and what other particles have already where it is not 0.
    pixel
        Rows and columns.
    """

    def __init__(
        self,
        boxes: list[Box],
        numbers: np.ndarray,
        labels: np.ndarray,
        height: np.ndarray,
        taken: np.ndarray,
        pixel: np.ndarray,
    ):
        self.shapes = np.array([[s.stop - s.start for s in box] for box in boxes])
        self.pixel = pixel
        shape = (len(boxes), *(self.shapes.max(0) + 2))
        self.height = np.zeros(shape, height.dtype)
        near, used = np.full(shape, -1, labels.dtype), np.ones(shape, taken.dtype)
        for place, box in enumerate(boxes):
            for stack, frame in ((self.height, height), (near, labels), (used, taken)):
                self.crop(stack, place)[:] = frame[box]
        self.own = near == numbers[:, None, None]
        unused = used == 0
        self.empty = (near == 0) & unused
        self.free = self.empty | (self.own & unused)

    def crop(self, stack: np.ndarray, place: int) -> np.ndarray:
        """Return what an array of the crops holds of one of them."""
        rows, columns = self.shapes[place]
        return stack[place, 1 : rows + 1, 1 : columns + 1]

    def outline(self, smoothing: float) -> np.ndarray:
        """Return the pixels of each particle; none where nothing of it is left."""
        masks = self.own
        for fractions in (lambda plateaus: 0.5, self._steepest):
            plateaus = _plateaus(self.height, masks, self.pixel, smoothing)
            levels = np.where(np.isnan(plateaus), np.inf, fractions(plateaus) * plateaus)
            high = self.height > levels.astype(self.height.dtype)[:, None, None]
            masks = _largest_overlaps(high & self.free, self.own)
        return _fill_holes(masks)

    def _steepest(self, plateaus: np.ndarray) -> np.ndarray:
        """Where the image is steepest, as fractions of the plateaus, between a fifth and a half.

        A blurred step is steepest at half its height, but a particle that thins out towards its edge, such as a sphere,
        lower down. It is the mean of all heights by a high power of the slope there, so that noise moves it by little
        where several are about as steep.
        """
        deviations = _values(np.abs(self.height), self.empty)
        noise = np.array([1.4826 * float(median(values)) if values.size else 0.0 for values in deviations])
        rising = (plateaus > 0) & (self.shapes.min(1) > 1)
        scale = np.where(rising, plateaus, 1)
        lowest = np.maximum(LOWEST_EDGE, 3 * noise / scale)
        rising &= lowest < 0.5
        length = np.where(rising, np.ceil((EDGES[0] - lowest + 1e-9) / EDGE_STEP), -2)[:, None]
        # sums over bins of a step, each with half of its neighbours
        bins = EDGES[0] - self.height / scale.astype(self.height.dtype)[:, None, None]
        bins /= EDGE_STEP
        np.rint(bins, out=bins)
        bins += 1
        inside = self.free & (bins >= 0) & (bins < length[:, :, None] + 2)
        owner, places = np.repeat(np.arange(len(inside)), _sizes(inside)), np.flatnonzero(inside)
        keys = owner * (len(EDGES) + 2) + bins.ravel()[places].astype(int)
        slopes = np.hypot(*(self._slopes(axis).ravel()[places] for axis in (0, 1)))
        number, total = (
            np.bincount(keys, weights, len(plateaus) * (len(EDGES) + 2)).reshape(len(plateaus), -1)
            for weights in (None, slopes)
        )
        number, total = (0.5 * a[:, :-2] + a[:, 1:-1] + 0.5 * a[:, 2:] for a in (number, total))
        means = np.where((number > 4) & (np.arange(len(EDGES)) < length), total / np.maximum(number, 1), 0)
        highest = means.max(1, keepdims=True)
        weight = np.where(highest > 0, means / np.where(highest > 0, highest, 1), EDGES == EDGES[0]) ** SHARPNESS
        return np.minimum(weight @ EDGES / weight.sum(1), 0.5)

    def _slopes(self, axis: int) -> np.ndarray:
        """Slopes along an axis, as `numpy.gradient` takes them of each crop."""
        height, ends, every = np.moveaxis(self.height, axis + 1, 1), self.shapes[:, axis], np.arange(len(self.shapes))
        result = np.zeros_like(self.height)
        slopes, rounded = np.moveaxis(result, axis + 1, 1), {"dtype": float, "casting": "same_kind"}
        np.divide(height[:, 2:] - height[:, :-2], 2 * self.pixel[axis], out=slopes[:, 1:-1], **rounded)
        slopes[:, 1] = np.divide(height[:, 2] - height[:, 1], self.pixel[axis], **rounded)
        slopes[every, ends] = np.divide(height[every, ends] - height[every, ends - 1], self.pixel[axis], **rounded)
        return result


def _values(stack: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
    """What each crop holds inside of a mask."""
    return np.split(stack[masks], np.cumsum(_sizes(masks))[:-1])


def _sizes(masks: np.ndarray) -> np.ndarray:
    return np.array([np.count_nonzero(mask) for mask in masks])


def _plateaus(height: np.ndarray, masks: np.ndarray, pixel: np.ndarray, smoothing: float) -> np.ndarray:
    """Median of the values of each region that lie further inside than the blur reaches; NaN if it has none."""
    result = np.full(len(masks), np.nan)
    for place, values in enumerate(_values(height, masks)):
        if values.size:
            radius = np.sqrt(values.size * pixel.prod() / np.pi)
            inside = max(1 - 1.5 * smoothing / radius, 0) ** 2
            rank = int((1 - inside / 2) * (values.size - 1))
            result[place] = np.partition(values, rank)[rank]
    return result


def _largest_overlaps(masks: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Return the connected part of each mask that has most of a region."""
    runs = Runs.of(masks.reshape(-1, masks.shape[2]))
    share, owner = runs.sums(regions.ravel()[runs.pixels]), _owners(runs, masks)
    order = 1 + np.lexsort((-share[1:], owner[1:]))
    chosen = np.zeros(runs.count + 1, bool)
    chosen[order[np.diff(owner[order], prepend=-1) > 0]] = True
    result = np.zeros(masks.shape, bool)
    result.ravel()[runs.pixels] = runs.spread(chosen)
    return result


def _owners(runs: Runs, masks: np.ndarray) -> np.ndarray:
    """Which mask each label of the runs of all masks is part of; entry 0 is of no meaning."""
    owners = np.zeros(runs.count + 1, np.intp)
    owners[runs.keys] = runs.starts // masks[0].size
    return owners


def _fill_holes(masks: np.ndarray) -> np.ndarray:
    """Fill the holes of regions, but not what a ring of particles encloses (more than a third of its area)."""
    outside = ~masks.reshape(-1, masks.shape[2])
    sizes = _sizes(masks)
    beside = outside[:, :-1] & outside[:, 1:]
    # Euler's number of what is outside: of its pieces less one of each region
    pairs = np.count_nonzero(beside) + np.count_nonzero(outside[:-1] & outside[1:])
    pieces = np.count_nonzero(outside) - pairs + np.count_nonzero(beside[:-1] & beside[1:]) + np.count_nonzero(sizes)
    if pieces == 1:
        return masks
    runs = Runs.of(outside)
    fill = runs.sizes <= sizes[_owners(runs, masks)] / 3
    fill[:2] = False  # the first piece lies around all regions
    masks.ravel()[runs.pixels] |= runs.spread(fill)
    return masks
