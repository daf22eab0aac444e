"""The verb `extract_particles`: image and table to a stack of centred particles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask
import dask.array as da
import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import compute
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_pixels
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.particles.measure import find_bbox_pixels, label_masks, outline_mask
from particlespy_ml.tables.check import check_measured

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike


def extract_particles(
    signal: Signal2D,
    table: BaseSignal,
    box: float | str | None = None,
    *,
    remove_background: bool = False,
    mask: bool = False,
    labels: BaseSignal | ArrayLike | None = None,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> Signal2D:
    """Cut every particle out of its frame, centred in one box.

    Pixels are copied, never interpolated: the pixel nearest to the particle's centroid comes to the pixel
    ``box // 2`` of the box, which is 0 on its axes. These run as those of the image: where one runs backwards, so does
    the box, and its middle is counted from the other end. Where the box reaches beyond the frame it is filled with the
    particle's background.

    Parameters
    ----------
    signal
        The image or series that the table was measured on.
    table
        Its table. A lazy table is computed, since the number of particles must be known.
    box
        Edge of the box: a number in the image's unit along x, or a text such as "64 px". By default the longest
        bounding box with a margin of 10 % on each side.
    remove_background
        Subtract each particle's background; the stack is then float32.
    mask
        Replace what lies outside of the particle by its background. Without *labels* its outline says what is inside.
    labels
        Labels, or the mask, that the table was measured on, for *mask*.
    lazy_output
        Whether the stack is lazy; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    The image's own class
        Stack with one navigation axis, "particle", in the order of the table's rows.

    Raises
    ------
    ValueError
        If the table or the labels do not belong to the image, there are no particles, the box is larger than the image,
        or pixels are not finite.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> stack = s.extract_particles(s.measure_particles(), box="48 px")
    >>> stack.data.shape
    (6, 48, 48)
    """
    image = ImageFrames.of(signal, False)
    grid = image.grid
    if not hasattr(table, "n_particles"):
        raise TypeError(f"Expected a particle table, as measure_particles returns it, not {type(table).__name__}.")
    check_measured(table, "x", "y", "background", "outline")
    if table._lazy:
        table = table.deepcopy()
        table.compute(show_progressbar=show_progressbar)
    frames = image.finite()
    _check_table(table, frames, grid)
    edge = _box_in_pixels(box, table, grid)
    dtype = np.dtype(np.float32) if remove_background else frames.dtype
    cutter = dask.delayed(_cut_block, pure=False)
    settings = {"grid": grid, "edge": edge, "dtype": dtype, "remove_background": remove_background, "mask": mask}
    given = None
    if labels is not None and mask:
        from particlespy_ml.segmentation.choose import given_labels

        given = given_labels(image, labels)
    if not isinstance(frames, da.Array):
        stack = _cut_block(frames, given, list(table.data.ravel()), **settings)
        if lazy_output:
            stack = da.from_array(stack, chunks=(1, -1, -1))
    else:
        parts = []
        for block, where in _blocks(frames):
            rows = list(table.data[where].ravel())
            count = sum(len(part) for part in rows)
            if count:
                given_block = None if given is None else given[where]
                part = cutter(block, given_block, rows, **settings)
                parts.append(da.from_delayed(part, (count, edge, edge), dtype=dtype))
        stack = da.concatenate(parts)
        if lazy_output is False:
            (stack,) = compute(stack, show_progressbar=show_progressbar)
    return _stack_signal(signal, stack, table, grid.middle_of_box(edge))


def _check_table(table, frames, grid: PixelGrid) -> None:
    recorded = PixelGrid.from_dict(table.metadata.get_item(f"{METADATA_NODE}.image").as_dictionary())
    if table.data.shape != frames.shape[:-2] or recorded.shape != grid.shape:
        raise ValueError(
            f"The table was measured on frames of {recorded.shape} pixels and the navigation shape "
            f"{table.data.shape}; this image has {grid.shape} and {frames.shape[:-2]}."
        )
    if not recorded.matches(grid):
        raise ValueError(
            f"The calibration is not that of the image that the table was measured on: {grid} instead of {recorded}; "
            "measure again."
        )
    if table.n_particles == 0:
        raise ValueError("The table has no particles to extract.")


def _box_in_pixels(box, table, grid: PixelGrid) -> int:
    if box is None:
        extents = [0]
        for rows in table.data.ravel():
            if len(rows):
                top, left, bottom, right = find_bbox_pixels(rows, grid)
                extents.append(int(max((bottom - top).max(), (right - left).max())))
        return min(int(np.ceil(max(extents) * 1.2)), *grid.shape)
    edge = int(round(in_pixels(box, grid, "box")))
    if edge < 1:
        raise ValueError(f"box={box!r} is less than a pixel.")
    if edge > min(grid.shape):
        raise ValueError(
            f"box={box!r} is {edge} pixels, more than the image of {grid.shape} pixels has: a number is in "
            f'{grid.units}; for pixels write, for example, box="64 px".'
        )
    return edge


def _blocks(frames: da.Array):
    """Chunks of whole frames with the slices of the navigation they cover."""
    bounds = [np.concatenate([[0], np.cumsum(chunk)]) for chunk in frames.chunks[:-2]]
    for index in np.ndindex(*frames.numblocks[:-2]):
        where = tuple(slice(int(b[i]), int(b[i + 1])) for b, i in zip(bounds, index, strict=True))
        yield frames.blocks[index], where


def _cut_block(frames, given, tables, *, grid, edge, dtype, remove_background, mask) -> np.ndarray:
    """Boxes of all particles of a block of frames, shape (particles, edge, edge)."""
    frames = np.asarray(frames).reshape(-1, *frames.shape[-2:])
    given = None if given is None else np.asarray(given).reshape(frames.shape)
    boxes = []
    for i, (frame, rows) in enumerate(zip(frames, tables, strict=True)):
        if not mask:
            masks = (None for _ in rows)
        elif given is None:
            masks = (outline_mask(row, grid) for row in rows)
        else:
            masks = label_masks(rows, given[i], grid)
        for row, inside in zip(rows, masks, strict=True):
            boxes.append(_cut(frame, row, grid, edge, dtype, row["background"], remove_background, inside))
    return np.stack(boxes) if boxes else np.empty((0, edge, edge), dtype)


def _cut(frame, row, grid, edge, dtype, background, remove_background, inside) -> np.ndarray:
    out = np.full((edge, edge), 0 if remove_background else _value_in(dtype, background), dtype=dtype)
    start = grid.nearest_pixel(row["x"], row["y"]) - grid.middle_of_box(edge)
    low = np.maximum(start, 0)
    high = np.minimum(start + edge, frame.shape)
    source = tuple(slice(lo, hi) for lo, hi in zip(low, high, strict=True))
    target = tuple(slice(lo - s, hi - s) for lo, hi, s in zip(low, high, start, strict=True))
    # whole numbers above 2**24 are none in single precision
    pixels = frame[source].astype(float) - background if remove_background else frame[source]
    out[target] = pixels if inside is None else np.where(inside[source], pixels, out[target])
    return out


def _value_in(dtype: np.dtype, value: float):
    """Return the value of a dtype that is nearest to a number, such as a background below zero."""
    if dtype.kind == "f":
        return value
    limits = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    return min(max(int(np.rint(value)), limits[0]), limits[1])


def _stack_signal(signal, stack, table, middle):
    from hyperspy.signals import LazySignal2D, Signal2D

    cls = LazySignal2D if isinstance(stack, da.Array) else Signal2D
    axes = [{"name": "particle", "size": stack.shape[0], "navigate": True}]
    for axis, size, zero in zip(signal.axes_manager.signal_axes[::-1], stack.shape[1:], middle, strict=True):
        axes.append(
            {
                "name": axis.name,
                "size": size,
                "scale": axis.scale,
                "offset": -int(zero) * axis.scale,
                "units": axis.units,
                "navigate": False,
            }
        )
    result = cls(stack, axes=axes)
    result.metadata.General.title = f"Particles of {signal.metadata.get_item('General.title', '')}".removesuffix(" of ")
    record = table.metadata.get_item(METADATA_NODE).as_dictionary()
    result.metadata.set_item(METADATA_NODE, record)
    result.set_signal_type(signal.metadata.get_item("Signal.signal_type", ""))
    return result
