"""A movie without drift and rotation, as a running mean of its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.columns.movie.pixels import recorded
from particlespy_ml.core.frames import ascending
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.dynamics.sequences import even_step

if TYPE_CHECKING:
    from hyperspy.signals import Signal2D

BLOCK = 8  # frames


def smoothed_movie(found, movie: Signal2D, frames: int = 9) -> Signal2D:
    """Return a movie without drift and rotation, as a running mean over time; lazy.

    Parameters
    ----------
    found
        `particlespy_ml.dynamics.SurfaceDynamics` of the movie.
    movie
        The movie, lazy or not.
    frames
        Number of frames of a mean, odd; at the ends those that there are.

    Returns
    -------
    LazySignal2D
        Of the signal type of the movie, in the order of time, from the first to the last frame that is used. Pixels
        that no frame of a mean has recorded are zero.

    Raises
    ------
    ValueError
        If the number of frames is not odd and above zero, or the movie is not that of the result.
    """
    if int(frames) != frames or frames < 1 or frames % 2 == 0:
        raise ValueError(f"frames={frames}; expected an odd number above zero, so that a mean has a middle.")
    aligned = _aligned_frames(found, movie, frames)
    half = frames // 2
    if half:
        aligned = da.map_overlap(
            _running_mean, aligned, depth={0: half}, boundary="none", trim=True, half=half, dtype=np.float32
        )
    return _signal_of(da.nan_to_num(aligned), found, movie, "Smoothed movie")


def mean_image(found, movie: Signal2D) -> Signal2D:
    """Return the mean of the frames that are used, without drift and rotation; the movie is read once.

    Parameters
    ----------
    found, movie
        As for `smoothed_movie`.

    Returns
    -------
    Signal2D
        Pixels that no frame has recorded are as bright as the median.
    """
    aligned = _aligned_frames(found, movie, 1)
    sums, counts = da.compute(da.nansum(aligned, 0, dtype=float), da.isfinite(aligned).sum(0))
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    mean = np.where(counts > 0, mean, np.nanmedian(mean)).astype(np.float32)
    signal = _signal_of(da.from_array(mean[None]), found, movie, "Mean").inav[0]
    signal.compute(show_progressbar=False)
    return signal


def _aligned_frames(found, movie, frames: int) -> da.Array:
    """Frames without drift and rotation, shape (frames, rows, columns), NaN where nothing was recorded."""
    image = ImageFrames.of(movie)
    if image.grid.shape != found.grid.shape or image.count <= found.frames.max():
        raise ValueError(
            f"The movie has {image.count} frames of {image.grid.shape} pixels; expected that of the result, of "
            f"{found.grid.shape} pixels and {found.frames.max() + 1} frames or more."
        )
    data = ascending(image.frames, image.direction)[found.frames]
    data = data if isinstance(data, da.Array) else da.from_array(data, chunks=(BLOCK, -1, -1), name=False)
    data = data.rechunk((max(BLOCK, frames), -1, -1))
    return data.map_blocks(_aligned, motions=found.motions, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))


def _signal_of(data: da.Array, found, movie, what: str):
    """A lazy signal with the axes of the mean image."""
    from hyperspy.signals import Signal2D

    image = ImageFrames.of(movie)
    name, units = ("time", "s") if found.timed else ("frame", "")
    axis = {"name": name, "units": units, "navigate": True}
    step = even_step(found.times)
    if len(data) != len(found.times) or np.isfinite(step) or len(data) < 2:
        axis |= {"size": len(data), "offset": float(found.times[0]), "scale": step if np.isfinite(step) else 1.0}
    else:
        axis["axis"] = found.times
    signal_axes = [
        {"name": name, "size": size, "units": found.grid.units, "scale": scale, "offset": offset, "navigate": False}
        for name, size, scale, offset in zip("yx", data.shape[1:], found.grid.scale, found.grid.offset, strict=True)
    ]
    signal = Signal2D(data, axes=[axis, *signal_axes]).as_lazy()
    signal.metadata.General.title = image.titled(what)
    if image.signal_type:
        signal.set_signal_type(image.signal_type)
    return signal


def _aligned(block: np.ndarray, motions: tuple, block_info=None) -> np.ndarray:
    first = block_info[0]["array-location"][0][0] if block_info else 0
    out = np.full(block.shape, np.nan, np.float32)
    for number, frame in enumerate(block):
        motion = motions[first + number]
        if motion is not None:
            out[number] = ndi.affine_transform(
                np.asarray(recorded(frame), np.float32),
                motion.matrix,
                motion.shift,
                order=1,
                mode="constant",
                cval=np.nan,
            )
    return out


def _running_mean(block: np.ndarray, half: int) -> np.ndarray:
    known = np.isfinite(block)
    sums = np.cumsum(np.pad(np.where(known, block, 0), ((1, 0), (0, 0), (0, 0))), axis=0, dtype=float)
    counts = np.cumsum(np.pad(known, ((1, 0), (0, 0), (0, 0))), axis=0, dtype=np.int32)
    low = np.maximum(np.arange(len(block)) - half, 0)
    high = np.minimum(np.arange(len(block)) + half + 1, len(block))
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((sums[high] - sums[low]) / (counts[high] - counts[low])).astype(np.float32)
