"""A frame with outlines and labels, as a figure for a page or a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import PIXEL, PixelGrid, pixel_grid
from particlespy_ml.core.frames import frames_array
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.plotting.colours import class_colours, label_anchors, row_colours, row_labels
from particlespy_ml.plotting.scale_bar import NO_UNITS, draw_scale_bar, free_corner
from particlespy_ml.plotting.table import legend, legend_columns, width_of
from particlespy_ml.tables.check import check_measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap


def plot_overlay(
    table: BaseSignal,
    image: Signal2D,
    index: int | tuple[int, ...] | None = None,
    label: str | None = "auto",
    scale_bar: bool = True,
    cmap: str | Colormap = "gray",
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
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
    scale_bar
        Whether a bar of a round length is drawn.
    cmap
        Colour map of the image.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
    """
    check_measured(table)
    table = table._computed()
    grid = PixelGrid.from_dict(table.metadata.get_item(f"{METADATA_NODE}.image").as_dictionary())
    shape = pixel_grid(image, False).shape
    if shape != grid.shape:
        raise ValueError(f"The table was measured on frames of {grid.shape} pixels, not {shape}.")
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
    rows = table.data[where]
    texts = row_labels(table, rows, label)
    entries = _legend_entries(table, rows)
    if ax is None:
        import matplotlib.pyplot as plt

        from particlespy_ml.plotting.layout import SettledLayout

        ratio = grid.shape[0] * grid.scale[0] / (grid.shape[1] * grid.scale[1])
        lines = -(-len(entries) // legend_columns(entries, 6.0))
        figsize = figsize or (6, np.clip(6 * ratio, 1.5, 12) + (0.03 + 0.19 * lines if lines else 0))
        ax = plt.subplots(figsize=figsize, layout=SettledLayout())[1]
    draw_frame(ax, frame, grid, scale_bar, cmap, rows["outline"].astype(float))
    _draw_particles(ax, table, rows, texts)
    legend(ax, entries, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=legend_columns(entries, width_of(ax)))
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


def draw_frame(
    ax: Axes,
    frame: np.ndarray,
    grid: PixelGrid,
    scale_bar: bool = True,
    cmap: str | Colormap = "gray",
    polygons: Sequence[np.ndarray] = (),
) -> None:
    """Draw a frame where its grid is, without ticks, with a scale bar if wanted, in the corner that polygons leave."""
    left, top = grid.to_xy(-0.5, -0.5)
    right, bottom = grid.to_xy(grid.shape[0] - 0.5, grid.shape[1] - 0.5)
    low, high = grey_limits(frame)
    # grey levels are averaged, not colours, which takes two thirds of the time
    shown = {"cmap": cmap, "vmin": low, "vmax": high, "interpolation_stage": "data"}
    ax.imshow(frame, extent=(left, right, bottom, top), **shown)
    ax.set_axis_off()
    if scale_bar:
        corner = free_corner(polygons, (left, right, bottom, top))
        in_pixels = grid.units in (*NO_UNITS, PIXEL)  # one of which is a step of the grid
        units, scale = (PIXEL, 1 / grid.scale[1]) if in_pixels else (grid.units, 1.0)
        draw_scale_bar(ax, units, scale, corner=corner)


def _draw_particles(ax, table, rows: np.ndarray, texts: list[str]) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.patheffects import withStroke

    from particlespy_ml.plotting.inner_text import InnerText

    colours = row_colours(table, rows)
    if len(rows):
        edge = [withStroke(linewidth=2.4, foreground="black")]  # grey outlines would not show on grey images
        polygons = rows["outline"].astype(float)
        ax.add_collection(
            PolyCollection(polygons, facecolors="none", edgecolors=colours, linewidths=1.3, path_effects=edge)
        )
    outline = [withStroke(linewidth=1.6, foreground="black")]
    style = {"ha": "center", "va": "bottom", "fontsize": 8, "path_effects": outline}
    for (x, y), colour, text in zip(label_anchors(table, rows), colours, texts, strict=True):
        InnerText(ax, x, y, text, color=colour, **style)


def _legend_entries(table, rows: np.ndarray) -> dict:
    """Lines in the colours of the classes that a frame has."""
    from matplotlib.lines import Line2D

    if not table.classes or "class_index" not in (rows.dtype.names or ()):
        return {}
    present = set(table.class_names(rows["class_index"]))
    return {
        name: Line2D([], [], color=colour) for name, colour in class_colours(table.classes).items() if name in present
    }


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
