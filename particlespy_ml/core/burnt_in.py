"""Scale bars, boxes and their texts that a program drew into an image."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import ndimage as ndi

# Of a bar: pixels along it and across it, at least, and how much longer than thick it is.
LENGTH, THICKNESS, ELONGATION = 16, 2, 3
# What is drawn has one value, to this share of the range of the image; compression changes it by as much.
ALIKE = 0.06
# Of a run of pixels that is no noise: by how much neighbours differ at most, relative to the median in the image. How
# many values of such runs are looked at.
EVEN, LEVELS = 0.5, 6
# Share of its rectangle that a bar or a box fills, holes of a box filled, and largest share that is alike around it.
FILL, AROUND = 0.95, 0.2
UNCLIPPED = 0.25  # share of an image that must be neither black nor white for its noise to be looked for there alone
# Least step from a bar to what surrounds it, as a share of the range, and largest share of the frame of its value.
STEP, MOST = 0.15, 0.2
# How far the text of a bar is from it, in its thickness and its length.
TEXT_ABOVE, TEXT_BESIDE = 10, 0.3
# Pixels around that drawing smooths.
RIM = 2
# Probability of what would have to be chance.
CHANCE = 1e-6


def burnt_in(image: np.ndarray) -> np.ndarray | None:
    """Find scale bars and uniform boxes that were drawn into an image.

    They are upright rectangles of one value with sharp edges: bars at least three times longer than thick, and boxes
    with something drawn in them. The value is the highest or lowest of the image, or one of which there are runs that
    noise would not leave. With a bar goes what has its brightness beside it, its text.

    Parameters
    ----------
    image : numpy.ndarray
        Real image, shape (rows, columns), of any dtype.

    Returns
    -------
    numpy.ndarray or None
        True where something was drawn, shape of `image`; None where nothing was. In an image without noise nothing is
        found: its own objects have such values and edges.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.core.burnt_in import burnt_in
    >>> image = np.random.default_rng(0).poisson(50, (128, 128))
    >>> burnt_in(image) is None
    True
    >>> image[110:114, 80:120] = 255
    >>> int(burnt_in(image).sum())  # with a rim of two pixels
    352
    """
    image = np.asarray(image)
    if image.ndim != 2 or min(image.shape) < LENGTH or image.dtype.kind not in "uif":
        return None
    low, high = (float(value) for value in (image.min(), image.max()))
    if not np.isfinite(high - low) or high == low:
        return None
    drawn = np.zeros(image.shape, bool)
    near = ALIKE * (high - low)
    marks = [image >= high - near, image <= low + near]
    marks += [(image >= level - near) & (image <= level + near) for level in _even_levels(image, near)]
    for alike in marks:
        share = np.count_nonzero(alike) / alike.size
        if share > MOST or share * alike.size < LENGTH * THICKNESS:
            continue
        parts = _Parts(alike)
        for turn in (False, True):
            seen, marked, found = (part.T if turn else part for part in (image, alike, drawn))
            _find_bars(seen, marked, share, high - low, found, parts.turned if turn else parts)
    if not drawn.any() or not _is_noisy(image, drawn):
        return None
    return ndi.binary_dilation(drawn, np.ones((2 * RIM + 1,) * 2))


def _even_levels(image: np.ndarray, near: float) -> list[float]:
    """Values of which there are runs along rows or columns that noise would not leave, none near another."""
    levels: list[float] = []
    for seen in (image, image.T):
        rows = np.ascontiguousarray(seen[::THICKNESS]).astype(np.float32, copy=False)
        steps = np.abs(np.diff(rows, axis=1))
        even = steps <= min(EVEN * float(np.median(steps[:: max(len(steps) // 64, 1)])), near)
        # of a run that long eight pixels fill a byte
        if not (np.packbits(even, axis=1) == 255).any():
            continue
        runs = _runs(even, LENGTH - 1)
        values = rows[:, :-1][runs]
        while len(values) and len(levels) < LEVELS:
            level = float(np.partition(values, len(values) // 2)[len(values) // 2])  # one that is there
            if all(abs(level - other) > near for other in levels):
                levels.append(level)
            values = values[np.abs(values - level) > near]
    return levels


class _Parts:
    """Connected parts of what is alike, found once, where a direction needs them."""

    def __init__(self, alike: np.ndarray):
        self._alike = alike

    @cached_property
    def _labels(self) -> np.ndarray:
        return ndi.label(self._alike)[0]

    def boxes(self, where: np.ndarray) -> list[tuple[slice, slice]]:
        """Boxes of the parts that have pixels somewhere; of all parts they take long, where most are noise."""
        labels = self._labels
        wanted = np.unique(labels[where])
        number = np.zeros(labels.max(initial=0) + 1, np.int32)
        number[wanted] = np.arange(1, len(wanted) + 1)
        return ndi.find_objects(number[labels])

    @property
    def turned(self) -> _Turned:
        return _Turned(self)


class _Turned:
    """The same parts of the image with rows and columns exchanged."""

    def __init__(self, parts: _Parts):
        self._parts = parts

    def boxes(self, where: np.ndarray) -> list[tuple[slice, slice]]:
        return [sides[::-1] for sides in self._parts.boxes(where.T)]


def _find_bars(
    image: np.ndarray, alike: np.ndarray, share: float, span: float, drawn: np.ndarray, parts: _Parts | _Turned
) -> None:
    """Add bars along rows, and boxes, to what was drawn, in place."""
    # of a run that long eight pixels fill a byte, in one of each two rows of a bar
    if not (np.packbits(alike[::THICKNESS], axis=1) == 255).any():
        return
    long = _runs(np.ascontiguousarray(alike), LENGTH)
    long[:-1] &= long[1:]
    long[-1] = False
    if not long.any():
        return
    cores, _ = ndi.label(long)
    boxes = {
        (core[0].start, core[0].stop + 1, core[1].start, core[1].stop + LENGTH - 1) for core in ndi.find_objects(cores)
    }
    # what is drawn in a box may cut it in parts, and what is dark beside it may be one with it
    for around in parts.boxes(long):
        boxes.add(tuple(end for s in around for end in (s.start, s.stop)))
    for box in sorted(boxes):
        inside = alike[box[0] : box[1], box[2] : box[3]]
        count = np.count_nonzero(inside)
        if inside.shape[1] == image.shape[1]:  # a border, or lines that were not recorded
            continue
        if inside.size > MOST * image.size or count < 0.5 * inside.size:
            continue
        if inside.size * np.log(share) + np.log(image.size) > np.log(CHANCE):
            continue
        is_bar = count >= FILL * inside.size
        if is_bar and inside.shape[1] < ELONGATION * inside.shape[0]:
            continue
        filled = inside if is_bar else ndi.binary_fill_holes(inside)
        # last, since it takes longest
        if np.count_nonzero(filled) < FILL * inside.size or not _is_sharp(image, alike, box, span):
            continue
        drawn[box[0] : box[1], box[2] : box[3]] |= filled
        if is_bar:
            rows = slice(max(box[0] - TEXT_ABOVE * (box[1] - box[0]), 0), box[1] + TEXT_ABOVE * (box[1] - box[0]))
            beside = round(TEXT_BESIDE * (box[3] - box[2]))
            columns = slice(max(box[2] - beside, 0), box[3] + beside)
            drawn[rows, columns] |= _letters(alike[rows, columns], share, inside.size)


def _letters(alike: np.ndarray, share: float, bar: int) -> np.ndarray:
    """Parts of what is alike beside a bar that are too large for chance, and no larger than the bar."""
    labels, _ = ndi.label(alike, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    kept = (sizes * np.log(share) + np.log(alike.size) < np.log(CHANCE)) & (sizes <= bar)
    kept[0] = False
    return kept[labels]


def _runs(alike: np.ndarray, length: int) -> np.ndarray:
    """Whether pixels and so many that follow in a row are alike; shape of the image, False at its end."""
    run, done = alike.copy(), 1
    while done < length:
        step = min(done, length - done)
        run[:, :-step] &= run[:, step:]
        run[:, -step:] = False
        done += step
    return run


def _is_sharp(image: np.ndarray, alike: np.ndarray, box: tuple[int, int, int, int], span: float) -> bool:
    """Whether what lies a few pixels off a rectangle is unlike it on every side."""
    top, bottom, left, right = box
    level = float(np.median(image[top:bottom, left:right]))
    rows, columns = slice(top, bottom), slice(left, right)
    near = RIM + 1
    for strip in (
        np.s_[max(top - near, 0) : max(top - RIM + 1, 0), columns],
        np.s_[bottom + RIM - 1 : bottom + near, columns],
        np.s_[rows, max(left - near, 0) : max(left - RIM + 1, 0)],
        np.s_[rows, right + RIM - 1 : right + near],
    ):
        if image[strip].size and (
            alike[strip].mean() > AROUND or np.median(np.abs(image[strip].astype(float) - level)) < STEP * span
        ):
            return False
    return True


def _is_noisy(image: np.ndarray, drawn: np.ndarray) -> bool:
    """Whether pixels beside each other differ in most of the image, or of what is neither black nor white in it."""
    same, free = image[:, 1:] == image[:, :-1], ~drawn[:, 1:]
    grey = free & (image[:, 1:] > image.min()) & (image[:, 1:] < image.max())
    if np.count_nonzero(grey) < UNCLIPPED * free.size:
        grey = free
    return min(np.count_nonzero(same & part) / max(np.count_nonzero(part), 1) for part in (free, grey)) < 0.5
