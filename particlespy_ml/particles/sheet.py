"""Masks of many particles one after the other in one array, so that one call of numpy serves all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# What is worked on at once: enough that calls cost little, and few enough that it stays in memory.
AT_ONCE, PIXELS_AT_ONCE = 256, 2**22


class Sheet:
    """Masks in rows of pixels one after the other, each with a border of one empty pixel.

    Parameters
    ----------
    masks
        Boolean, each of shape (rows, columns) with at least one pixel.

    Attributes
    ----------
    inside : numpy.ndarray
        The masks, flat, booleans.
    start, width : numpy.ndarray
        Where each begins in `inside`, and the columns of it with its border.
    place, owner, rows, columns : numpy.ndarray
        Of all pixels inside: their places in `inside`, the number of their mask, and rows and columns in it.
    first, size : numpy.ndarray
        Number of the first pixel inside of each mask, as `numpy.add.reduceat` takes it, and of all of its pixels.
    """

    def __init__(self, masks: list[np.ndarray]):
        shapes = np.array([mask.shape for mask in masks], np.intp).reshape(-1, 2) + 2
        ends = np.cumsum(shapes.prod(1))
        self.width, self.start = shapes[:, 1], ends - shapes.prod(1)
        self._spans = list(zip(self.start.tolist(), ends.tolist(), self.width.tolist(), strict=True))
        self.inside = np.zeros(int(ends[-1]) if len(ends) else 0, bool)
        for (low, high, width), mask in zip(self._spans, masks, strict=True):
            self.inside[low:high].reshape(-1, width)[1:-1, 1:-1] = mask
        self.place = np.flatnonzero(self.inside)
        self.first = np.searchsorted(self.place, self.start)
        self.size = np.diff(np.append(self.first, len(self.place)))
        self.owner = np.repeat(np.arange(len(masks)), self.size)
        self.rows, self.columns = self._positions(shapes)

    def _positions(self, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of all pixels inside, without the divisions of `position`."""
        heights, widths = shapes.T
        before = np.repeat(np.cumsum(heights) - heights, heights)
        row = np.arange(heights.sum()) - before
        start = np.repeat(self.start, heights) + row * np.repeat(widths, heights)
        first = np.searchsorted(self.place, start)
        count = np.diff(np.append(first, len(self.place)))
        return np.repeat(row - 1, count), self.place - np.repeat(start + 1, count)

    def position(self, place: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and columns, in their masks, of places in the sheet."""
        rows, columns = np.divmod(place - self.start[owner], self.width[owner])
        return rows - 1, columns - 1

    def row_below(self, values: np.ndarray) -> np.ndarray:
        """Return to each pixel of the sheet the value of the one below it, and zero to those of last rows."""
        result = np.zeros_like(values)
        for low, high, width in self._spans:
            result[low : high - width] = values[low + width : high]
        return result

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over each mask of a value for every pixel inside."""
        return np.add.reduceat(values, self.first)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over each mask of a value for every pixel inside."""
        return self.sum(values) / self.size


def in_parts(masks: list[np.ndarray]) -> Iterator[slice]:
    """Return slices of a list of masks, each of so many as are worked on at once."""
    low = pixels = 0
    for number, mask in enumerate(masks):
        pixels += mask.size
        if number > low and (number - low >= AT_ONCE or pixels > PIXELS_AT_ONCE):
            yield slice(low, number)
            low, pixels = number, mask.size
    if len(masks) > low:
        yield slice(low, len(masks))
