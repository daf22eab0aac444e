"""Run a function on every frame of an image signal, eagerly or as one dask graph."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed

from particlespy_ml.core.progress import bars_shown

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal


BLOCK_PIXELS = 2**23


def check_frame(frame: np.ndarray, name: str = "") -> None:
    """Raise if a frame has pixels that are not finite, or masked.

    Parameters
    ----------
    frame
        Real image, shape (rows, columns).
    name
        What the frame is called in the message, such as "Frame 3".

    Raises
    ------
    ValueError
        With the number of pixels, and what to do.

    Examples
    --------
    >>> import numpy as np
    >>> check_frame(np.array([[0.0, np.nan]]), "Frame 3")
    Traceback (most recent call last):
    ...
    ValueError: Frame 3: 1 of 2 pixels are not finite (NaN or infinite); crop them away with isig, or replace them, \
for example s.data = numpy.nan_to_num(s.data, nan=numpy.nanmedian(s.data)).
    """
    frame, start = np.asanyarray(frame), f"{name}: " if name else ""
    if np.ma.is_masked(frame):
        raise ValueError(
            f"{start}{np.ma.count_masked(frame)} of {np.size(frame)} pixels are masked; fill them, for example "
            "s.data = s.data.filled(numpy.ma.median(s.data)), or crop them away with isig."
        )
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        bad = int(np.size(frame) - np.isfinite(frame).sum())
        raise ValueError(
            f"{start}{bad} of {np.size(frame)} pixels are not finite (NaN or infinite); crop them away with isig, or "
            "replace them, for example s.data = numpy.nan_to_num(s.data, nan=numpy.nanmedian(s.data))."
        )


def frame_name(index: tuple[int, ...]) -> str:
    """Return the place of a frame in the navigation as inav counts: the fastest axis first."""
    return ", ".join(str(number) for number in reversed(index))


def check_blocks(data: np.ndarray | da.Array, kind: str = "Frame") -> np.ndarray | da.Array:
    """Return frames without pixels that are not finite.

    Eager frames are checked at once, lazy ones whenever they are computed: nothing is read twice.

    Parameters
    ----------
    data
        As from `frames_array`.
    kind
        What a frame is called in the message: "Particle" in a stack.

    Raises
    ------
    ValueError
        As `check_frame`, with the number of the frame.
    """
    if isinstance(data, da.Array):
        return data.map_blocks(_check_block, kind=kind, dtype=data.dtype, meta=data._meta)
    return _check_block(data, kind)


def _check_block(frames: np.ndarray, kind: str, block_info=None) -> np.ndarray:
    if frames.dtype.kind != "f" and not isinstance(frames, np.ma.MaskedArray):
        return frames
    first = [start for start, _ in block_info[0]["array-location"]] if block_info else [0] * frames.ndim
    for index in np.ndindex(*frames.shape[:-2]):
        place = tuple(int(i + f) for i, f in zip(index, first, strict=False))
        check_frame(frames[index], f"{kind} {frame_name(place)}")
    return np.asarray(frames)


def ascending(frames: np.ndarray | da.Array, direction: tuple[int, int]) -> np.ndarray | da.Array:
    """Return frames whose rows and columns run as their axes ascend; again, it undoes itself.

    Parameters
    ----------
    frames
        Shape (..., rows, columns).
    direction
        As in `particlespy_ml.core.calibration.PixelGrid`.
    """
    return frames[..., :: direction[0], :: direction[1]]


def frames_array(signal) -> np.ndarray | da.Array:
    """Return the data as (navigation..., rows, columns) with at least one navigation dimension.

    Lazy data are chunked in whole frames, as many as make up `BLOCK_PIXELS` at most, so that what is kept beside the
    data (labels, windows) does not depend on the chunks of a file.
    """
    data = signal.data
    if data.ndim == 2:
        data = data[np.newaxis]
    if isinstance(data, da.Array):
        frames = max(1, BLOCK_PIXELS // max(1, data.shape[-2] * data.shape[-1]))
        chunks: list = [-1, -1]
        for existing in data.chunks[-3::-1]:
            limit = min(max(existing, default=1), frames)
            chunks.insert(0, existing if max(existing, default=1) <= limit else limit)
            frames = max(1, frames // max(1, limit))
        return data.rechunk(tuple(chunks))
    return data


def map_frames(
    function: Callable,
    data: np.ndarray | da.Array,
    others: tuple = (),
    outputs: tuple[np.dtype, ...] = (np.dtype(object),),
) -> list[da.Array]:
    """Map a function over blocks of frames as one dask graph.

    Parameters
    ----------
    function
        Called as ``function(frames, *others, indices=...)`` with frames of shape (n, rows, columns), where *n* is
        what a chunk holds, and the list of the frames' navigation indices. It returns a list with, for each
        frame, a tuple of one result for each output. It must be picklable. Where its ``looks_at_series`` is true and
        there are several frames, ``function.after_series(shown)`` is called first, once, for what takes its place,
        with the first, the middle and the last frame, each in a tuple with its *others*: when the result is computed,
        if *data* are lazy.
    data
        As from `frames_array`. A numpy array is taken frame by frame.
    others
        Arrays with the same shape as *data*, such as labels.
    outputs
        Dtype of each output: object for one object a frame, a number for an image of the frame's shape.

    Returns
    -------
    list of dask.array.Array
        One array for each output: (navigation...) for objects, (navigation..., rows, columns) for images. Computed
        together they run the function once.
    """
    function = _after_series(function, data, others)
    if not isinstance(data, da.Array):
        data = da.from_array(data, chunks=(1,) * (data.ndim - 2) + data.shape[-2:], name=False)
    others = tuple(_like(other, data) for other in others)
    navigation = data.ndim - 2
    shared = dask.delayed(function, pure=False)
    blocks = da.map_blocks(
        _run_block,
        data,
        *others,
        function=shared,
        drop_axis=[navigation, navigation + 1],
        dtype=object,
        meta=np.empty((0,) * navigation, dtype=object),
    )
    if outputs == (np.dtype(object),):
        return [blocks.map_blocks(_pick_object, 0, dtype=object, meta=blocks._meta)]
    results = []
    for number, dtype in enumerate(outputs):
        if np.dtype(dtype) == object:
            results.append(blocks.map_blocks(_pick_object, number, dtype=object, meta=blocks._meta))
        else:
            results.append(
                blocks.map_blocks(
                    _pick_image,
                    number,
                    dtype=dtype,
                    new_axis=[navigation, navigation + 1],
                    chunks=blocks.chunks + data.chunks[-2:],
                    meta=np.empty((0,) * data.ndim, dtype=dtype),
                )
            )
    return results


def _after_series(function: Callable, data: np.ndarray | da.Array, others: tuple) -> Callable:
    """A function once it has looked at the series, where it wants to."""
    if isinstance(function, Delayed) or not getattr(function, "looks_at_series", False):
        return function
    count = int(np.prod(data.shape[:-2]))
    if count < 2:
        return function
    places = [np.unravel_index(k, data.shape[:-2]) for k in sorted({0, count // 2, count - 1})]
    shown = [tuple(array[place] for array in (data, *others)) for place in places]
    if not any(isinstance(array, da.Array) for array in (data, *others)):
        return function.after_series(shown)
    # What is looked at is no part of the graph of the frames, which would read ahead while it waits for the answer.
    return dask.delayed(_Looked.answer, pure=False)(_Looked(function, shown))


class _Looked:
    """A function, and the frames of a series that it looks at, once."""

    def __init__(self, function: Callable, shown: list[tuple]):
        self._function, self._shown = function, shown
        self._answer, self._lock = None, threading.Lock()

    def __getstate__(self) -> dict:
        return {"_function": self._function, "_shown": self._shown, "_answer": self._answer}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def answer(self) -> Callable:
        with self._lock:
            if self._answer is None:
                self._answer = self._function.after_series(_computed(self._shown))
        return self._answer


def _computed(shown: list[tuple]) -> list[tuple]:
    """Frames as arrays, computed in the thread that asks; those that cannot be are left out, and say so in time."""
    try:
        return list(dask.compute(*shown, scheduler="synchronous"))
    except Exception:
        found = []
        for one in shown:
            try:
                found.append(dask.compute(one, scheduler="synchronous")[0])
            except Exception:
                continue
        return found


def compute(*arrays, show_progressbar: bool | None = None, scheduler: str | None = None) -> list:
    """Compute dask arrays together, with HyperSpy's progress bar."""
    from dask.diagnostics import ProgressBar

    with ProgressBar() if wants_bar(show_progressbar) else nullcontext():
        return list(dask.compute(*arrays, scheduler=scheduler))


def wants_bar(show_progressbar: bool | None) -> bool:
    """Whether progress is shown: as asked for, or by HyperSpy's preference."""
    if show_progressbar is not None:
        return bool(show_progressbar)
    import hyperspy.api as hs

    return bool(hs.preferences.General.show_progressbar)


def _like(other, data: da.Array) -> da.Array:
    if isinstance(other, da.Array):
        return other.rechunk(data.chunks)
    return da.from_array(other, chunks=data.chunks, name=False)


def _run_block(frames, *others, function, block_info=None):
    navigation = frames.shape[:-2]
    location = block_info[0]["array-location"] if block_info else [(0, n) for n in frames.shape]
    first = [start for start, _ in location[: len(navigation)]]
    indices = [tuple(int(i + f) for i, f in zip(index, first, strict=True)) for index in np.ndindex(*navigation)]
    flat = [array.reshape(-1, *array.shape[-2:]) for array in (frames, *others)]
    out = np.empty(len(indices), dtype=object)
    for i, result in enumerate(function(*flat, indices=indices)):
        out[i] = result
    return out.reshape(navigation)


def _pick_object(block, number):
    out = np.empty(block.shape, dtype=object)
    for index in np.ndindex(*block.shape):
        out[index] = block[index][number]
    return out


def _pick_image(block, number):
    images = [block[index][number] for index in np.ndindex(*block.shape)]
    return np.stack(images).reshape(*block.shape, *images[0].shape)


def run_frames(
    function: Callable,
    data: np.ndarray | da.Array,
    others: tuple = (),
    outputs: tuple[np.dtype, ...] = (np.dtype(object),),
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> list[np.ndarray | da.Array]:
    """Run a function on frames: lazily, at once, or lazily and computed with a progress bar.

    Parameters
    ----------
    function, data, others, outputs
        As for `map_frames`.
    lazy_output
        Whether to return dask arrays; by default as the data are.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.
    """
    lazy = isinstance(data, da.Array) if lazy_output is None else lazy_output
    if not lazy and not isinstance(data, da.Array) and data.shape[:-2] == (1,):
        others = tuple(np.asarray(other) for other in others)
        with bars_shown(wants_bar(show_progressbar)):
            result = function(data, *others, indices=[(0,)])[0]
        return [_single(value, dtype) for value, dtype in zip(result, outputs, strict=True)]
    arrays = map_frames(function, data, others, outputs)
    if lazy:
        return arrays
    scheduler = None if isinstance(data, da.Array) else "threads"
    return compute(*arrays, show_progressbar=show_progressbar, scheduler=scheduler)


def _single(value, dtype) -> np.ndarray:
    out = np.empty((1,), dtype=object)
    if np.dtype(dtype) == object:
        out[0] = value
        return out
    return np.asarray(value, dtype=dtype)[np.newaxis]


def compute_together(*signals: BaseSignal, show_progressbar: bool | None = None) -> None:
    """Compute several lazy results in place, in one pass over the frames.

    Results of one call, such as a table and its labels, share their segmentation when they are computed together.

    Parameters
    ----------
    *signals
        Lazy signals; others are left as they are.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon().as_lazy()
    >>> table, labels = s.measure_particles(return_labels=True)
    >>> pml.compute_together(table, labels, show_progressbar=False)
    >>> table.n_particles == labels.data.max()
    np.True_
    """
    lazy = [signal for signal in signals if getattr(signal, "_lazy", False)]
    arrays = compute(*(signal.data for signal in lazy), show_progressbar=show_progressbar)
    for signal, array in zip(lazy, arrays, strict=True):
        signal.data = array
        signal._lazy = False
        signal._assign_subclass()


def map_rows(function: Callable, data: np.ndarray | da.Array, *arguments) -> np.ndarray | da.Array:
    """Apply a function to the rows of every frame of a table, lazily where the data are lazy.

    Parameters
    ----------
    function
        Called with the rows of a frame and *arguments*; returns rows. It must be picklable.
    data
        Object array of one structured array for each frame.
    *arguments
        Passed on.
    """
    if isinstance(data, da.Array):
        meta = np.empty((0,) * data.ndim, object)
        return data.map_blocks(_map_block, function=function, arguments=arguments, dtype=object, meta=meta)
    return _map_block(data, function, arguments)


def _map_block(block: np.ndarray, function: Callable, arguments: tuple) -> np.ndarray:
    out = np.empty(block.shape, dtype=object)
    for index in np.ndindex(*block.shape):
        out[index] = function(block[index], *arguments)
    return out
