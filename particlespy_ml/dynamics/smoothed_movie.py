"""A movie without drift and rotation, as a running mean of its frames."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.core.frames import ascending
from particlespy_ml.core.image import ImageFrames

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
    from hyperspy.signals import Signal2D

    if int(frames) != frames or frames < 1 or frames % 2 == 0:
        raise ValueError(f"frames={frames}; expected an odd number above zero, so that a mean has a middle.")
    image = ImageFrames.of(movie)
    if image.grid.shape != found.grid.shape or image.count <= found.frames.max():
        raise ValueError(
            f"The movie has {image.count} frames of {image.grid.shape} pixels; expected that of the result, of "
            f"{found.grid.shape} pixels and {found.frames.max() + 1} frames or more."
        )
    data = ascending(image.frames, image.direction)[found.frames]
    data = data if isinstance(data, da.Array) else da.from_array(data, chunks=(BLOCK, -1, -1), name=False)
    data = data.rechunk((max(BLOCK, frames), -1, -1))
    aligned = data.map_blocks(_aligned, motions=found.motions, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    half = frames // 2
    if half:
        aligned = da.map_overlap(
            _running_mean, aligned, depth={0: half}, boundary="none", trim=True, half=half, dtype=np.float32
        )
    signal = Signal2D(da.nan_to_num(aligned)).as_lazy()
    axis = signal.axes_manager.navigation_axes[0]
    steps = np.diff(found.times)
    axis.name, axis.units = ("time", "s") if found.timed else ("frame", "")
    axis.offset, axis.scale = float(found.times[0]), float(np.median(steps)) if len(steps) else 1.0
    for number, signal_axis in enumerate(signal.axes_manager.signal_axes[::-1]):
        signal_axis.name, signal_axis.units = ("y", "x")[number], found.grid.units
        signal_axis.scale, signal_axis.offset = found.grid.scale[number], found.grid.offset[number]
    signal.metadata.General.title = image.titled("Smoothed movie")
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
                np.asarray(frame, np.float32), motion.matrix, motion.shift, order=1, mode="constant", cval=np.nan
            )
    return out


def _running_mean(block: np.ndarray, half: int) -> np.ndarray:
    known = np.isfinite(block)
    sums = np.cumsum(np.pad(np.where(known, block, 0), ((1, 0), (0, 0), (0, 0))), axis=0, dtype=float)
    counts = np.cumsum(np.pad(known, ((1, 0), (0, 0), (0, 0))), axis=0, dtype=np.int32)
    low = np.maximum(np.arange(len(block)) - half, 0)
    high = np.minimum(np.arange(len(block)) + half + 1, len(block))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return ((sums[high] - sums[low]) / (counts[high] - counts[low])).astype(np.float32)
