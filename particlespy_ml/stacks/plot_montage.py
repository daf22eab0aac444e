"""The verb `plot_montage`: particles of each class beside each other, with their probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.frames import compute, frames_array
from particlespy_ml.plotting.colours import NO_VALUE, class_colours, room_for, written
from particlespy_ml.plotting.scale_bar import draw_scale_bar
from particlespy_ml.plotting.tiles import draw_tile
from particlespy_ml.stacks.extract_particles import extract_particles
from particlespy_ml.tables.as_classes import as_classes
from particlespy_ml.tables.classes import UNDEFINED

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

ORDERS = ("random", "most probable", "least probable")


def plot_montage(
    table: BaseSignal,
    image: Signal2D,
    columns: int = 8,
    order: str = "random",
    box: float | str | None = None,
    seed: int = 0,
    by: str = "class",
    scale_bar: bool = True,
    cmap: str | Colormap = "gray",
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw particles of each class with their probabilities, one row for each class.

    Parameters
    ----------
    table
        Particle table with classes. A lazy one is computed.
    image
        Image or series that the table was measured on, of which the particles drawn are cut out; or the stack of all
        its particles, as `extract_particles` returns it.
    columns
        Number of particles of each class at most.
    order
        "random": drawn by the seed, so that they stand for their class; "most probable" or "least probable": those at
        the end of the list. They are shown by falling or, for the last, by rising probability.
    box
        Edge of the images, as for `extract_particles`; for images alone.
    seed
        Of the random choice.
    by
        "class", or "cluster" or another column of whole numbers or names, whose values are taken for classes.
    scale_bar
        Whether the first particle has a bar of a round length.
    cmap
        Colour map of the images.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Each particle has a contrast of its own; the length of the scale bar is beneath the particles.

    Raises
    ------
    ValueError
        If the table is not classified or has no particles, or a stack has not one image for each of them.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> table = s.classify_particles()
    >>> figure = table.plot_montage(s, box="48 px")
    >>> sum(bool(ax.images) for ax in figure.axes)
    6
    """
    import matplotlib.pyplot as plt

    from particlespy_ml.plotting.layout import SettledLayout

    if order not in ORDERS:
        raise ValueError(f"order={order!r}; expected one of {', '.join(map(repr, ORDERS))}.")
    if columns < 1:
        raise ValueError(f"columns={columns}; expected one or more.")
    known = by == "class" or f"{by}_probability" in table.columns
    table = as_classes(table, by)
    if table.n_particles == 0:
        raise ValueError("The table has no particles to draw.")
    stack = is_stack(image, table)
    if stack and box is not None:
        raise ValueError("A stack is cut out already; box= is for images.")
    chosen = choose_particles(table, columns, order, seed)
    numbers = np.unique(np.concatenate(list(chosen.values())))
    tiles, scale, units = cut_tiles(image, table, numbers, box, stack)
    where = {number: i for i, number in enumerate(numbers)}
    probability = table["probability"]
    across = max(len(rows) for rows in chosen.values())
    figure, axes = plt.subplots(
        len(chosen),
        across,
        figsize=figsize or (0.9 * across + 1.2 + room_for(chosen), 1.08 * len(chosen) + 0.45),
        squeeze=False,
        layout=SettledLayout(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02),
    )
    colours = class_colours(table.classes)
    for line, (name, rows) in zip(axes, chosen.items(), strict=True):
        for ax in line:
            ax.set_axis_off()
        for ax, number in zip(line, rows, strict=False):
            draw_tile(ax, tiles[where[number]], colours[name], cmap)
            value = probability[number]
            if not known:
                continue
            ax.set_xlabel(f"{100 * value:.0f} %" if np.isfinite(value) else NO_VALUE, fontsize=8, labelpad=2)
        line[0].set_ylabel(written(name), rotation=0, ha="right", va="center", fontsize=9, labelpad=6)
    if scale_bar:
        draw_scale_bar(axes[0, 0], units, scale, share=0.5, fontsize=7)
    return figure


def choose_particles(table, columns: int, order: str, seed: int) -> dict[str, np.ndarray]:
    """Return numbers of rows of the table for each class that has any, and for undefined particles."""
    rng = np.random.default_rng(seed)
    index, probability = table["class_index"], np.nan_to_num(table["probability"], nan=-1.0)
    chosen = {}
    for wanted, name in [*enumerate(table.classes), (-1, UNDEFINED)]:
        rows = np.flatnonzero(index == wanted)
        if not len(rows):
            continue
        if order == "random":
            rows = rng.choice(rows, min(columns, len(rows)), replace=False)
        sign = 1 if order == "least probable" else -1
        chosen[name] = rows[np.argsort(sign * probability[rows], kind="stable")][:columns]
    return chosen


def is_stack(image, table) -> bool:
    """Whether an image is the stack of the particles of a table."""
    axes = image.axes_manager.navigation_axes
    if len(axes) != 1 or str(axes[0].name) != "particle":
        return False
    if axes[0].size != table.n_particles:
        raise ValueError(
            f"The stack has {axes[0].size} particles, the table {table.n_particles}; expected the stack that was cut "
            "out with this table."
        )
    return True


def cut_tiles(image, table, numbers: np.ndarray, box, stack: bool) -> tuple[np.ndarray, float, str]:
    """Images of rows of the table, shape (rows, edge, edge), and the size and unit of a pixel."""
    if not stack:
        keep = np.zeros(table.n_particles, dtype=bool)
        keep[numbers] = True
        image = extract_particles(image, table.select(keep), box, lazy_output=False, show_progressbar=False)
        numbers = np.arange(len(numbers))
    axis = image.axes_manager.signal_axes[0]
    frames = frames_array(image)[numbers]
    if not isinstance(frames, np.ndarray):
        (frames,) = compute(frames, show_progressbar=False)
    return np.asarray(frames, dtype=float), float(axis.scale), str(axis.units)
