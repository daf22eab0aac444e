"""A frame with outlines and labels, as a figure for a page or a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import PixelGrid, pixel_grid
from particlespy_ml.core.frames import frames_array
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.plotting.colours import class_colours, label_anchors, row_colours, row_labels
from particlespy_ml.plotting.table import legend, legend_columns
from particlespy_ml.tables.check import check_measured

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.axes import Axes


def plot_overlay(
    table: BaseSignal,
    image: Signal2D,
    index: int | tuple[int, ...] | None = None,
    label: str | None = "auto",
    ax: Axes | None = None,
) -> Axes:
    """Draw one frame with the outlines of its particles, a scale bar and a legend of classes.

    Parameters
    ----------
    table
        Particle table. A lazy one is computed.
    image
        Its image or series; only the frame drawn is read.
    index
        Frame: its number as in the column ``frame`` of `ParticleTable.to_dataframe`, or a tuple of indices in the order
        of ``image.axes_manager.navigation_axes``, as for ``image.inav``. By default the current one.
    label
        Column written beside each particle: "class", "track", "label" or any other; None for outlines alone. By default
        the class where there is one, or else the number of the track or of the particle.
    ax
        Axes to draw in; by default a new figure's.

    Returns
    -------
    matplotlib.axes.Axes
    """
    check_measured(table)
    table = table._computed()
    grid = PixelGrid.from_dict(table.metadata.get_item(f"{METADATA_NODE}.image").as_dictionary())
    if pixel_grid(image).shape != grid.shape:
        raise ValueError(f"The table was measured on frames of {grid.shape} pixels, not {pixel_grid(image).shape}.")
    if index is None:
        index = image.axes_manager.indices
    frames = frames_array(image)
    where = frame_place(index, table.data.shape)
    if table.data.shape != frames.shape[:-2] or where is None:
        raise ValueError(
            f"The frame {index} of an image with the navigation shape {image.axes_manager.navigation_shape} was asked "
            f"for, but the table has {table.axes_manager.navigation_shape}; expected one index for each navigation "
            "axis, as for inav, or the number of the frame."
        )
    frame = np.asarray(frames[where], dtype=float)
    texts = row_labels(table, table.data[where], label)
    if ax is None:
        import matplotlib.pyplot as plt

        ratio = grid.shape[0] * grid.scale[0] / (grid.shape[1] * grid.scale[1])
        _, ax = plt.subplots(figsize=(6, np.clip(6 * ratio, 1.5, 12) + 0.3), layout="constrained")
    _draw_frame(ax, frame, grid)
    _draw_particles(ax, table, table.data[where], texts)
    return ax


def frame_place(index: int | tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the indices of a frame in an array of frames; None where there is no such frame.

    Parameters
    ----------
    index
        Number of the frame, or indices in the order of ``inav``; negative ones count from the end.
    shape
        Navigation shape of the array.

    Examples
    --------
    >>> frame_place(4, (2, 3)), frame_place((1, 1), (2, 3)), frame_place(6, (2, 3))
    ((1, 1), (1, 1), None)
    """
    size = int(np.prod(shape))
    if isinstance(index, (int, np.integer)) and -size <= index < size:
        return tuple(int(i) for i in np.unravel_index(index % size, shape))
    where = tuple(int(i) for i in np.atleast_1d(index)[::-1]) or (0,)
    if len(where) != len(shape) or not all(-n <= i < n for i, n in zip(where, shape, strict=True)):
        return None
    return tuple(i % n for i, n in zip(where, shape, strict=True))


def _draw_frame(ax, frame: np.ndarray, grid: PixelGrid) -> None:
    left, top = grid.to_xy(-0.5, -0.5)
    right, bottom = grid.to_xy(grid.shape[0] - 0.5, grid.shape[1] - 0.5)
    low, high = grey_limits(frame)
    ax.imshow(frame, cmap="gray", extent=(left, right, bottom, top), vmin=low, vmax=high)
    ax.set_axis_off()
    length = np.copysign(round_length(abs(right - left) / 5), right - left)
    x, y = left + 0.04 * (right - left), bottom - 0.04 * (bottom - top)
    from matplotlib.patheffects import withStroke

    edge = [withStroke(linewidth=3, foreground="black")]
    bar = [withStroke(linewidth=5, foreground="black")]
    ax.plot([x, x + length], [y, y], color="white", linewidth=3, solid_capstyle="butt", path_effects=bar)
    text = f"{abs(length):g} {grid.units}"
    position = (x + length / 2, y - 0.02 * (bottom - top))
    ax.text(*position, text, color="white", ha="center", va="bottom", path_effects=edge)


def _draw_particles(ax, table, rows: np.ndarray, texts: list[str]) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    colours = row_colours(table, rows)
    if len(rows):
        edge = [withStroke(linewidth=2.4, foreground="black")]  # grey outlines would not show on grey images
        polygons = rows["outline"].astype(float)
        ax.add_collection(
            PolyCollection(polygons, facecolors="none", edgecolors=colours, linewidths=1.3, path_effects=edge)
        )
    outline = [withStroke(linewidth=2, foreground="black")]
    for (x, y), colour, text in zip(label_anchors(table, rows), colours, texts, strict=True):
        across, down = ax.transAxes.inverted().transform(ax.transData.transform((x, y)))
        # beside the edges of the frame a label grows inwards
        side = "left" if across < 0.08 else "right" if across > 0.92 else "center"
        style = {"ha": side, "va": "top" if down > 0.95 else "bottom", "path_effects": outline, "clip_on": True}
        ax.text(x, y, text, color=colour, fontsize=7, **style)
    if table.classes and "class_index" in (rows.dtype.names or ()):
        present = set(table.class_names(rows["class_index"]))
        colours = class_colours(table.classes)
        lines = {name: Line2D([], [], color=colour) for name, colour in colours.items() if name in present}
        legend(ax, lines, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=legend_columns(lines))


def grey_limits(image: np.ndarray) -> tuple[float, float]:
    """Return the values drawn black and white; outliers, and pixels that are not finite, do not count.

    Examples
    --------
    >>> grey_limits(np.full((4, 4), 3.0))
    (2.5, 3.5)
    >>> grey_limits(np.array([[0.0, 1.0, 1.0, 1.0], [np.nan, np.inf, 1.0, 1.0]]))[1]
    1.0
    """
    finite = image[np.isfinite(image)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, (0.3, 99.7)))
    if high <= low:  # all alike but for a few pixels, or all
        low, high = float(finite.min()), float(finite.max())
    if high <= low:
        low, high = low - max(0.5, 1e-3 * abs(low)), high + max(0.5, 1e-3 * abs(high))
    return low, high


def round_length(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above a length."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length * 1.0001))
