"""One pass over the frames: to labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dask.array as da
import numpy as np

from particlespy_ml.core.frames import ascending, frame_name
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.segmentation.segmenter import is_constant


@dataclass(frozen=True)
class LabelFrames:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: frames to labels.

    Frames are turned so that their axes ascend, and their labels back, so that it does not matter which way they run.

    Parameters
    ----------
    segment
        Frame, and the user's labels where there are any, to labels.
    direction
        Which way rows and columns run, as in `particlespy_ml.core.calibration.PixelGrid`.
    """

    segment: Callable
    direction: tuple[int, int] = (1, 1)

    def __call__(self, frames: np.ndarray, given: np.ndarray | None = None, *, indices: list[tuple]) -> list[tuple]:
        """Return the labels of each frame of a block."""
        frames, given = self.turned(frames), None if given is None else self.turned(given)
        return [
            (self.turned(self.labels(frame, None if given is None else given[i], indices[i])),)
            for i, frame in enumerate(frames)
        ]

    def labels(self, frame: np.ndarray, given: np.ndarray | None, index: tuple) -> np.ndarray:
        """Return the labels of a frame whose axes ascend; errors and warnings name it."""
        with named_frame(index):
            found = self.segment(frame, given)
            if is_constant(frame):
                warnings.warn(f"Frame {frame_name(index)} is constant: it has no particles.", stacklevel=2)
        return found

    def turned(self, frames: np.ndarray) -> np.ndarray:
        """Frames, or labels, so that their axes ascend, and back; torch takes no arrays that run backwards."""
        return frames if self.direction == (1, 1) else ascending(frames, self.direction).copy()


@contextmanager
def named_frame(index: tuple) -> Iterator[None]:
    """Errors of a frame, with its place in the navigation."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"Frame {frame_name(index)}: {error}") from error


def labels_signal(image: ImageFrames, array: np.ndarray | da.Array, parameters: dict):
    """Labels as a plain two-dimensional signal with the image's axes."""
    from hyperspy.signals import LazySignal2D, Signal2D

    cls = LazySignal2D if isinstance(array, da.Array) else Signal2D
    axes = [*(image.navigation_axes if image.is_series else []), *image.signal_axes]
    labels = cls(array.reshape(image.shape), axes=axes)
    labels.metadata.General.title = image.titled("Labels")
    labels.metadata.set_item(METADATA_NODE, {"segmentation": parameters})
    return labels
