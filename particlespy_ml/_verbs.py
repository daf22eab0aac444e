"""What the verbs of images share: choosing segmenters, running frames, and making label images and tables."""

from __future__ import annotations

from collections.abc import Callable

import dask.array as da
import numpy as np

from particlespy_ml._calibration import PixelGrid, axis_directions, pixel_grid
from particlespy_ml._frames import check_image, frames_array, run_frames
from particlespy_ml.particles.measure import column_units
from particlespy_ml.particles.pipeline import FramePipeline
from particlespy_ml.particles.table import METADATA_NODE, make_table, navigation_axes, provenance
from particlespy_ml.segmentation.segment import Segmenter, given_segmenter, make_segmenter


def prepare(signal, method, labels, exclude_border: bool, options: dict, needs_grid: bool = True):
    """Check an image and choose its segmenter.

    Returns
    -------
    segmenter, grid, others
        *others* holds the user's labels as an array of the data's shape, or nothing.
    """
    check_image(signal)
    signal_type = signal.metadata.get_item("Signal.signal_type", "")
    if labels is None and method is None:
        method = "network" if signal_type == "HRTEM" else "auto"
    automatic = labels is None and isinstance(method, str) and method in ("auto", "network")
    grid = pixel_grid(signal) if needs_grid or automatic else None
    if labels is not None:
        if method is not None or options:
            raise TypeError("Give either labels= or a method with its options, not both.")
        given = given_labels(signal, labels)
        return given_segmenter(given.dtype, exclude_border), grid, (given,)
    if automatic and method == "auto" and "polarity" not in options and signal_type == "HAADF":
        options = {**options, "polarity": "bright"}
    return make_segmenter(method, grid=grid, exclude_border=exclude_border, **options), grid, ()


def given_labels(signal, labels) -> np.ndarray | da.Array:
    """Return a user's labels or mask in the shape of the frames of a signal; one frame's labels serve all frames."""
    if isinstance(labels, str) or hasattr(labels, "segment") or callable(labels):
        raise TypeError(f"Expected labels or a mask, not {type(labels).__name__}; a way to segment goes in method=.")
    data = labels.data if hasattr(labels, "axes_manager") else labels
    data = data if isinstance(data, da.Array) else np.asarray(data)
    frames = frames_array(signal)
    if data.shape == signal.data.shape:
        return data.reshape(frames.shape)
    if data.shape == frames.shape[-2:]:
        broadcast = da.broadcast_to if isinstance(data, da.Array) else np.broadcast_to
        return broadcast(data, frames.shape)
    raise ValueError(
        f"Expected labels of the shape {signal.data.shape} or, for all frames alike, {frames.shape[-2:]}; "
        f"got {data.shape}."
    )


def run_pipeline(
    signal,
    segmenter: Segmenter,
    grid: PixelGrid | None,
    others: tuple,
    outputs: tuple[str, ...],
    classify=None,
    record: dict | None = None,
    extra_units: dict[str, str] | None = None,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
    inspect: Callable | None = None,
) -> list:
    """Run the frame pipeline and return the results as signals, in the order of *outputs*.

    *classify* gets frames whose axes ascend, with the grid ``grid.ascending()``.
    """
    ascending = None if grid is None else grid.ascending()
    pipeline = FramePipeline(segmenter, ascending, classify, outputs, inspect, axis_directions(signal))
    dtypes = tuple(np.dtype(np.int32) if name == "labels" else np.dtype(object) for name in outputs)
    arrays = run_frames(pipeline, signal, others, dtypes, lazy_output, show_progressbar)
    signals = []
    for name, array in zip(outputs, arrays, strict=True):
        if name == "labels":
            signals.append(_labels_signal(signal, array, segmenter.parameters))
        else:
            units = {**column_units(grid.units), **(extra_units or {})}
            title = f"Particles of {signal.metadata.get_item('General.title', '')}".removesuffix(" of ")
            full = provenance(signal, grid, segmenter.parameters, **(record or {}))
            signals.append(make_table(array, navigation_axes(signal), units, full, title))
    return signals


def _labels_signal(signal, array, parameters: dict):
    """Labels as a plain two-dimensional signal with the image's axes."""
    from hyperspy.signals import LazySignal2D, Signal2D

    cls = LazySignal2D if isinstance(array, da.Array) else Signal2D
    axes = [axis.get_axis_dictionary() for axis in signal.axes_manager._axes]
    title = f"Labels of {signal.metadata.get_item('General.title', '')}".removesuffix(" of ")
    labels = cls(array.reshape(signal.data.shape), axes=axes)
    labels.metadata.General.title = title
    labels.metadata.set_item(METADATA_NODE, {"segmentation": parameters})
    return labels
