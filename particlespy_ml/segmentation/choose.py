"""The segmenter that a verb's arguments ask for."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np

from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.segmentation.make_segmenter import given_segmenter, make_segmenter
from particlespy_ml.segmentation.options import given_options

ANY_SUPPORT = "particles-stem"  # the network for images whose background is a support
ONLY_AUTO = {"smoothing", "background_diameter", "split", "split_depth"}  # given, they ask for the method "auto"
FOR_SUPPORTS = {"model", "min_detection"}


def choose_segmenter(image: ImageFrames, method, labels, exclude_border: bool, options: dict, mask=None):
    """Choose the segmenter of an image.

    Returns
    -------
    segmenter, others
        *others* holds the user's labels, and then the mask, as arrays of the data's shape, where these are given.
    """
    segmenter, others = _choose(image, method, labels, exclude_border, options)
    if mask is None:
        return segmenter, others
    return replace(segmenter, masked=True), (*others, given_mask(image, mask))


def _choose(image: ImageFrames, method, labels, exclude_border: bool, options: dict):
    options = given_options(options, image.grid)
    by_default = labels is None and method is None
    if by_default:
        method = default_method(image.signal_type)
        if method == "auto" and set(options) & FOR_SUPPORTS and not set(options) & ONLY_AUTO:
            method = "network"
    if labels is not None:
        if method is not None or options:
            raise TypeError("Give either labels= or a method with its options, not both.")
        given = given_labels(image, labels)
        return given_segmenter(given.dtype, exclude_border, are_numbered(labels)), (given,)
    if isinstance(method, str) and method == "network" and image.signal_type != "HRTEM":
        options = {"model": ANY_SUPPORT, **options}
    if isinstance(method, str) and method in ("auto", "network") and image.signal_type == "HAADF":
        options = {"polarity": "bright", **options}
    segmenter = make_segmenter(method, grid=image.grid, exclude_border=exclude_border, **options)
    if by_default and method == "auto" and not set(options) & ONLY_AUTO:
        least = options.get("min_diameter") or 0.0
        segmenter = replace(segmenter, on_support=ANY_SUPPORT, min_diameter_on_support=least)
    return segmenter, ()


def are_numbered(labels) -> bool:
    """Whether labels are a signal that this package made, edited or not, and no mask of one value."""
    if not hasattr(labels, "metadata") or labels.data.dtype.kind not in "iu":
        return False
    return labels.metadata.has_item(f"{METADATA_NODE}.segmentation")


def default_method(signal_type: str) -> str:
    """Return the way to segment images of a signal type."""
    return "network" if signal_type == "HRTEM" else "auto"


def needs_calibration(labels, method, signal_type: str) -> bool:
    """Whether a way to segment, or its default, must know the size of a pixel."""
    if labels is not None:
        return False
    method = default_method(signal_type) if method is None else method
    return isinstance(method, str) and method in ("auto", "network")


def given_mask(image: ImageFrames, mask) -> np.ndarray | da.Array:
    """Return a user's mask, True where to look, in the shape of the frames of an image."""
    data = mask.data if hasattr(mask, "axes_manager") else mask
    data = data if isinstance(data, da.Array) or isinstance(data, str) or callable(data) else np.asarray(data)
    given = given_labels(image, data, "a mask")
    if given.dtype.kind not in "biu":
        raise TypeError(f"Expected a mask of booleans, True where to look, not {given.dtype}.")
    return given_labels(image, data != 0, "a mask")  # one of a frame stays as small as that


def given_labels(image: ImageFrames, labels, what: str = "labels") -> np.ndarray | da.Array:
    """Return a user's labels or mask in the shape of the frames of an image; one frame's labels serve all frames."""
    if isinstance(labels, str) or hasattr(labels, "segment") or callable(labels):
        raise TypeError(f"Expected labels or a mask, not {type(labels).__name__}; a way to segment goes in method=.")
    data = labels.data if hasattr(labels, "axes_manager") else labels
    data = data if isinstance(data, da.Array) else np.asarray(data)
    frames = image.frames
    if data.shape in (frames.shape, image.shape):
        return data.reshape(frames.shape)
    if data.shape == frames.shape[-2:]:
        broadcast = da.broadcast_to if isinstance(data, da.Array) else np.broadcast_to
        return broadcast(data, frames.shape)
    raise ValueError(
        f"Expected {what} of the shape {image.shape} or, for all frames alike, {frames.shape[-2:]}; got {data.shape}."
    )
