"""One pass over the frames: to labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import dask.array as da
import numpy as np

from particlespy_ml.core.frames import ascending, frame_name
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.segmentation.segmenter import is_constant


@dataclass(frozen=True)
class LabelFrames:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: frames to labels.

    Frames are turned so that their axes ascend, and their labels back, so that it does not matter which way they run.

    Parameters
    ----------
    segment
        Frame, the user's labels where there are any, and the pixels to look at, to labels.
    direction
        Which way rows and columns run, as in `particlespy_ml.core.calibration.PixelGrid`.
    """

    segment: Callable
    direction: tuple[int, int] = (1, 1)

    def __call__(self, frames: np.ndarray, *given: np.ndarray, indices: list[tuple]) -> list[tuple]:
        """Return the labels of each frame of a block."""
        return [(self.turned(labels),) for _, labels, *_ in self.each(frames, given, indices)]

    def each(self, frames: np.ndarray, given: tuple, indices: list[tuple]) -> Iterator[tuple]:
        """Yield each frame with its labels, what was looked at, and how certain they are, turned so that axes ascend.

        What was looked at is a mask of pixels; how certain it is that each label is a particle is None where the
        segmenter does not tell. *given* holds the user's labels and mask, where there are any. Errors and warnings name
        the frame.
        """
        frames, given = self.turned(frames), [self.turned(array) for array in given]
        masks = given.pop() if getattr(self.segment, "masked", False) else None
        for i, frame in enumerate(frames):
            with named_frame(indices[i]):
                mask = None if masks is None else masks[i]
                if mask is not None:
                    frame = _without(frame, mask)
                known = known_pixels(frame, mask)
                known = np.ones(frame.shape, bool) if known is None else known
                own = given[0][i] if given else None
                if getattr(self.segment, "detects", False):
                    labels, detection = self.segment.detect(frame, own, known)
                else:
                    labels, detection = self.segment(frame, own, known), None
                for told in ("loss", "differs"):
                    if getattr(self.segment, told, None) is not None:
                        getattr(self.segment, told).after(indices[i])
                if mask is not None:
                    labels = np.where(mask, labels, 0)
                if not any(indices[i]) and hasattr(self.segment, "warn_of_small"):
                    self.segment.warn_of_small(frame, labels)
                if is_constant(frame):
                    warnings.warn(f"Frame {frame_name(indices[i])} is constant: it has no particles.", stacklevel=2)
            yield frame, labels, known, detection

    @property
    def looks_at_series(self) -> bool:
        """Whether something is decided for all frames of a series."""
        return getattr(self.segment, "decides", False)

    def after_series(self, shown: list[tuple]) -> LabelFrames:
        """Return the function with what holds for the series, from some frames, each with what is given with it."""
        seen = []
        for frame, *given in shown:
            frame, *given = (self.turned(np.asarray(array)[None])[0] for array in (frame, *given))
            mask = given.pop() if getattr(self.segment, "masked", False) else None
            if mask is not None:
                if not mask.any():
                    continue
                frame = _without(frame, mask)
            # a frame that is bad says so in its turn
            if frame.dtype.kind != "f" or np.isfinite(frame).all():
                seen.append((frame, known_pixels(frame, mask)))
        return replace(self, segment=self.segment.decided(seen))

    def turned(self, frames: np.ndarray) -> np.ndarray:
        """Frames, or labels, so that their axes ascend, and back; torch takes no arrays that run backwards."""
        return frames if self.direction == (1, 1) else ascending(frames, self.direction).copy()


def _without(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The frame with the median of what is wanted in place of the rest, which may be anything, NaN too."""
    if not mask.any():
        raise ValueError("mask= leaves no pixel to look at; expected True where particles are looked for.")
    return np.where(mask, frame, np.median(frame[mask]).astype(frame.dtype))


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
