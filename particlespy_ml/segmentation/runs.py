"""Connected pixels of a mask, as runs along its rows: there are far fewer of these than of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class Runs:
    """The pixels of a mask, with the labels that `scipy.ndimage.label` gives them.

    Parameters
    ----------
    pixels
        Places of the pixels in the flat mask, ascending.
    firsts, lengths
        Where each run begins in `pixels`, and how many of these it has.
    keys
        Label of each run, 1 to `count`.
    count
        How many labels there are.

    Examples
    --------
    >>> import numpy as np
    >>> runs = Runs.of(np.array([[True, False, True], [False, True, True]]))
    >>> runs.pixels.tolist(), runs.keys.tolist(), runs.spread(np.arange(3)).tolist()
    ([0, 2, 4, 5], [1, 2, 2], [1, 2, 2, 2])
    """

    pixels: np.ndarray
    firsts: np.ndarray
    lengths: np.ndarray
    keys: np.ndarray
    count: int

    @classmethod
    def of(cls, mask: np.ndarray) -> Runs:
        """Find the runs of a mask of booleans, shape (rows, columns)."""
        rows, columns = mask.shape
        # a column of background after each row, and a pixel of it before the first
        padded = np.zeros(rows * (columns + 1) + 1, bool)
        padded[1:].reshape(rows, columns + 1)[:, :columns] = mask
        edges = np.flatnonzero(padded[1:] != padded[:-1])
        starts, ends = edges[::2], edges[1::2]
        # runs of the next row that begin before a run ends and end after it begins
        first = np.searchsorted(ends, starts + columns + 1, side="right")
        number = np.maximum(np.searchsorted(starts, ends + columns + 1) - first, 0)
        until = np.concatenate([[0], np.cumsum(number)])
        below = np.arange(until[-1]) + np.repeat(first - until[:-1], number)
        links = csr_array((np.ones(len(below)), below, until), shape=(len(starts),) * 2)
        count, labels = connected_components(links, directed=False) if len(starts) else (0, starts)
        lengths = ends - starts
        return cls(np.flatnonzero(mask), np.cumsum(lengths) - lengths, lengths, labels + 1, int(count))

    @property
    def starts(self) -> np.ndarray:
        """Place of the first pixel of each run in the flat mask."""
        return self.pixels[self.firsts]

    @property
    def sizes(self) -> np.ndarray:
        """Number of pixels of each label; entry 0 is 0."""
        return np.bincount(self.keys, self.lengths, self.count + 1)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of the values of the pixels of each label; entry 0 is 0."""
        if not len(self.keys):
            return np.zeros(1)
        return np.bincount(self.keys, np.add.reduceat(values, self.firsts, dtype=float), self.count + 1)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Give each pixel the value of its label."""
        return np.repeat(values[self.keys], self.lengths)
