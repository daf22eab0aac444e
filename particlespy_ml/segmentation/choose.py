"""The segmenter that a verb's arguments ask for."""

from __future__ import annotations

import dask.array as da
import numpy as np

from particlespy_ml.core.calibration import pixel_grid
from particlespy_ml.core.frames import check_image, frames_array
from particlespy_ml.segmentation.segmenter import given_segmenter, make_segmenter


def choose_segmenter(signal, method, labels, exclude_border: bool, options: dict, needs_grid: bool = True):
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
