"""One pass over the frames: segment, measure and, if asked, classify."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import dask.array as da
import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.particles.measure import column_units, measure_frame
from particlespy_ml.segmentation.label_frames import LabelFrames, labels_signal, named_frame
from particlespy_ml.segmentation.segmenter import Segmenter
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table
from particlespy_ml.tables.unusual_frames import unusual_text

DETECTION = "detection_probability"


@dataclass(frozen=True)
class FramePass:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: frames to tables, and labels.

    Parameters
    ----------
    label
        Frames to labels.
    grid
        Calibration of the frames, as they are once their axes ascend.
    classify
        Called with lists of frames, labels and measured rows; returns a list of rows with more columns.
    outputs
        "table" and "labels" in the order wanted.
    inspect
        Called with the first frame of the series, to warn of what it lacks.
    """

    label: LabelFrames
    grid: PixelGrid
    classify: Callable | None = None
    outputs: tuple[str, ...] = ("table",)
    inspect: Callable | None = None

    @property
    def looks_at_series(self) -> bool:
        """Whether something is decided for all frames of a series."""
        return self.label.looks_at_series

    def after_series(self, shown: list[tuple]) -> FramePass:
        """Return the function with what holds for the series."""
        return replace(self, label=self.label.after_series(shown))

    def __call__(self, frames: np.ndarray, *given: np.ndarray, indices: list[tuple]) -> list[tuple]:
        """Return the outputs of each frame of a block."""
        seen, labels, tables = [], [], []
        found_in = self.label.each(frames, given, indices)
        for (frame, found, known, detection), index in zip(found_in, indices, strict=True):
            seen.append(frame)
            labels.append(found)
            with named_frame(index):
                if self.inspect is not None and not any(index):
                    self.inspect(frame)
                rows = measure_frame(frame, found, self.grid, known)
                if detection is not None:
                    rows = add_columns(rows, [(DETECTION, np.float32)])
                    rows[DETECTION] = detection[rows["label"] - 1]
                tables.append(rows)
        if self.classify is not None:
            tables = self.classify(seen, labels, tables)
        results = {"labels": [self.label.turned(found) for found in labels], "table": tables}
        return list(zip(*(results[name] for name in self.outputs), strict=True))


def run_pass(
    image: ImageFrames,
    segmenter: Segmenter,
    others: tuple,
    outputs: tuple[str, ...],
    classify=None,
    record: dict | None = None,
    extra_units: dict[str, str] | None = None,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
    inspect: Callable | None = None,
) -> list:
    """Run a pass over the frames and return the results as signals, in the order of *outputs*.

    *classify* gets frames whose axes ascend, with the grid ``image.grid.ascending()``.
    """
    run = FramePass(LabelFrames(segmenter, image.direction), image.grid.ascending(), classify, outputs, inspect)
    dtypes = tuple(np.dtype(np.int32) if name == "labels" else np.dtype(object) for name in outputs)
    arrays = image.run(run, others, dtypes, lazy_output, show_progressbar)
    if segmenter.loss is not None:
        segmenter.loss.report(image.count, isinstance(arrays[0], da.Array), stacklevel=4)
    signals = []
    for name, array in zip(outputs, arrays, strict=True):
        if name == "labels":
            signals.append(labels_signal(image, array, segmenter.parameters))
        else:
            detection = {DETECTION: ""} if getattr(segmenter, "detects", False) else {}
            units = {**column_units(image.grid.units), **detection, **(extra_units or {})}
            full = image.record(segmentation=segmenter.parameters, **(record or {}))
            signals.append(make_table(array, image.navigation_axes, units, full, image.titled("Particles")))
            _warn_of_jumps(array)
    return signals


def _warn_of_jumps(tables) -> None:
    """Warn of frames of a series that hold far fewer or more particles than those around them, once they are known."""
    if isinstance(tables, np.ndarray) and tables.ndim == 1:
        text = unusual_text([len(rows) for rows in tables])
        if text:
            warnings.warn(text, UserWarning, stacklevel=5)
