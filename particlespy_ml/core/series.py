"""Verbs that look at a whole series along one axis before they know what to say of each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dask
import dask.array as da
import numpy as np

from particlespy_ml.core.frames import compute, run_frames


class OneByOne:
    """Frames that are read one after another, so that a long series is never in memory.

    Parameters
    ----------
    frames
        Shape (frames, rows, columns), numpy or dask; of a dask array one chunk is kept at a time.

    Examples
    --------
    >>> import dask.array as da
    >>> from particlespy_ml.core.series import OneByOne
    >>> [float(frame.mean()) for frame in OneByOne(da.ones((3, 8, 8), chunks=(2, 8, 8)))]
    [1.0, 1.0, 1.0]
    """

    def __init__(self, frames: np.ndarray | da.Array):
        self.frames, self.shape = frames, frames.shape
        self._first, self._block = 0, frames[:0]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, number: int) -> np.ndarray:
        if not 0 <= number < len(self):
            raise IndexError(number)
        if not isinstance(self.frames, da.Array):
            return self.frames[number]
        if not self._first <= number < self._first + len(self._block):
            bounds = np.cumsum((0, *self.frames.chunks[0]))
            chunk = int(np.searchsorted(bounds, number, side="right")) - 1
            # in the thread that asks: the graph that this may be part of has the others
            self._block = self.frames.blocks[chunk].compute(scheduler="synchronous")
            self._first = int(bounds[chunk])
        return self._block[number - self._first]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))


def map_series(
    whole: Callable,
    each: Callable,
    frames: np.ndarray | da.Array,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> np.ndarray | da.Array:
    """Look at a series as a whole, then make one object of each frame with what was learnt.

    Parameters
    ----------
    whole
        Called once as ``whole(frames)`` with `OneByOne` frames; returns what is to be known of the series.
    each
        Called as ``each(frame, number, known)``; returns an object, such as rows.
    frames
        Shape (frames, rows, columns). Lazy ones are read by *whole* when the result is computed, and once more by
        *each*.
    lazy_output
        Whether to return a dask array; by default as the frames are.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    numpy.ndarray or dask.array.Array
        Objects, shape (frames,).
    """
    lazy = isinstance(frames, da.Array) if lazy_output is None else lazy_output
    if lazy:
        known = dask.delayed(whole, pure=False)(OneByOne(frames))
        function = dask.delayed(_EachFrame, pure=False)(each, known)
    else:
        function = _EachFrame(each, whole(OneByOne(frames)))
    (array,) = run_frames(function, frames, lazy_output=lazy, show_progressbar=show_progressbar)
    return array


class _EachFrame:
    """A function for `particlespy_ml.core.frames.map_frames`."""

    def __init__(self, each: Callable, known):
        self.each, self.known = each, known

    def __call__(self, frames: np.ndarray, *, indices: list[tuple]) -> list[tuple]:
        return [(self.each(frame, index[0], self.known),) for frame, index in zip(frames, indices, strict=True)]


def map_rows_of_series(
    whole: Callable,
    each: Callable,
    rows: np.ndarray | da.Array,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> np.ndarray | da.Array:
    """Look at the rows of all frames of a table, then make new rows of each frame with what was learnt.

    Parameters
    ----------
    whole
        Called once as ``whole(list of rows)``; returns what is to be known of the series.
    each
        Called as ``each(rows, number, known)``; returns rows.
    rows
        Object array of one structured array for each frame, shape (frames,). Lazy ones are computed once, however long
        that takes, and kept until *whole* has seen all.
    lazy_output
        Whether to return a dask array; by default as the rows are.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    numpy.ndarray or dask.array.Array
        Shape (frames,).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.core.series import map_rows_of_series
    >>> rows = np.empty(2, object)
    >>> rows[:] = [np.arange(2), np.arange(3)]
    >>> map_rows_of_series(len, lambda own, number, frames: own + 10 * frames, rows)[1].tolist()
    [20, 21, 22]
    """
    lazy = isinstance(rows, da.Array) if lazy_output is None else lazy_output
    if not isinstance(rows, da.Array):
        found = _each_block(rows, 0, each, whole(list(rows)))
        return da.from_array(found, chunks=1, name=False) if lazy else found
    # the graph of the rows is not optimised apart, and no layer is put on it, or they would be made twice
    blocks = list(rows.to_delayed(optimize_graph=False).ravel())
    known = dask.delayed(_whole, pure=False)(whole, blocks)
    starts = np.cumsum((0, *rows.chunks[0][:-1]))
    parts = [dask.delayed(_each_block, pure=False)(*one, each, known) for one in zip(blocks, starts, strict=True)]
    meta = np.empty(0, object)
    sizes = rows.chunks[0]
    parts = [da.from_delayed(part, (n,), meta=meta) for part, n in zip(parts, sizes, strict=True)]
    found = da.concatenate(parts)
    return found if lazy else compute(found, show_progressbar=show_progressbar)[0]


def _whole(whole: Callable, blocks: list[np.ndarray]):
    return whole([rows for block in blocks for rows in block])


def _each_block(block: np.ndarray, first: int, each: Callable, known) -> np.ndarray:
    out = np.empty(block.shape, object)
    for number, rows in enumerate(block):
        out[number] = each(rows, first + number, known)
    return out
