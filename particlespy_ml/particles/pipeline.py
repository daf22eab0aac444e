"""One pass over the frames: segment, measure and, if asked, classify."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from particlespy_ml._calibration import PixelGrid
from particlespy_ml._frames import ascending, frame_name
from particlespy_ml.particles.measure import measure_frame
from particlespy_ml.segmentation.segment import is_constant


@dataclass(frozen=True)
class FramePipeline:
    """A picklable function for `particlespy_ml._frames.map_frames`.

    Frames are turned so that their axes ascend, and their labels back, so that it does not matter which way they run.

    Parameters
    ----------
    segment
        Frame, and the user's labels where there are any, to labels.
    grid
        Calibration of the frames, as they are once they ascend; not needed where only labels are asked for.
    classify
        Called with lists of frames, labels and measured rows; returns a list of rows with more columns.
    outputs
        "table" and "labels" in the order wanted.
    inspect
        Called with the first frame of the series, to warn of what it lacks.
    direction
        Which way rows and columns run, as in `particlespy_ml._calibration.PixelGrid`.
    """

    segment: Callable
    grid: PixelGrid | None = None
    classify: Callable | None = None
    outputs: tuple[str, ...] = ("table",)
    inspect: Callable | None = None
    direction: tuple[int, int] = (1, 1)

    def __call__(self, frames: np.ndarray, given: np.ndarray | None = None, *, indices: list[tuple]) -> list[tuple]:
        """Return the outputs of each frame of a block."""
        labels, tables = [], []
        frames = self._turned(frames)
        given = None if given is None else self._turned(given)
        for i, frame in enumerate(frames):
            try:
                found = self.segment(frame, None if given is None else given[i])
                if is_constant(frame):
                    warnings.warn(f"Frame {frame_name(indices[i])} is constant: it has no particles.", stacklevel=2)
                if self.inspect is not None and not any(indices[i]):
                    self.inspect(frame)
                labels.append(found)
                if "table" in self.outputs:
                    tables.append(measure_frame(frame, found, self.grid))
            except ValueError as error:
                raise ValueError(f"Frame {frame_name(indices[i])}: {error}") from error
        if self.classify is not None:
            tables = self.classify(frames, labels, tables)
        results = {"labels": [self._turned(found) for found in labels], "table": tables}
        return list(zip(*(results[name] for name in self.outputs), strict=True))

    def _turned(self, frames: np.ndarray) -> np.ndarray:
        """Frames, or labels, so that their axes ascend, and back; torch takes no arrays that run backwards."""
        return frames if self.direction == (1, 1) else ascending(frames, self.direction).copy()
