"""The mean image of each cluster beside some of its particles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.plotting.colours import class_colours, room_for, written
from particlespy_ml.plotting.scale_bar import draw_scale_bar
from particlespy_ml.plotting.tiles import draw_tile
from particlespy_ml.stacks.class_averages import class_averages
from particlespy_ml.stacks.extract_particles import extract_particles
from particlespy_ml.stacks.plot_montage import choose_particles, cut_tiles, is_stack
from particlespy_ml.tables.as_classes import as_classes
from particlespy_ml.tables.check import check_measured

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


def plot_populations(
    table: BaseSignal,
    image: Signal2D,
    by: str = "cluster",
    *,
    columns: int = 8,
    box: float | str | None = None,
    most: int = 200,
    mirror: bool = False,
    seed: int = 0,
    scale_bar: bool = True,
    cmap: str | Colormap = "gray",
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw the aligned mean image of each cluster, and beside it some of its particles as they are.

    Parameters
    ----------
    table
        Particle table with clusters. A lazy one is computed.
    image
        Image or series that the table was measured on, or the stack of all its particles.
    by
        "cluster", "class", or another column of whole numbers or names.
    columns
        Particles of each cluster at most, drawn by the seed.
    box
        Edge of the images, as for `extract_particles`; for images alone. By default that of 98 % of the particles.
    most
        Particles of each cluster, drawn by the seed, that the mean is of at most.
    mirror
        Whether particles may be mirrored for the mean.
    seed
        Of the random choices.
    scale_bar
        Whether the first mean has a bar of a round length.
    cmap
        Colour map of the images.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Each image has a contrast of its own.

    Raises
    ------
    ValueError
        If there are no particles or no such column.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> table = s.measure_particles().cluster_particles(n_clusters=2, resamples=0)
    >>> figure = table.plot_populations(s, box="48 px")
    >>> sum(bool(ax.images) for ax in figure.axes)
    8
    """
    import matplotlib.pyplot as plt

    from particlespy_ml.plotting.layout import SettledLayout

    if columns < 1 or most < 1:
        raise ValueError(f"columns={columns}, most={most}; expected one or more of each.")
    table = table._computed()
    if table.n_particles == 0:
        raise ValueError("The table has no particles to draw.")
    check_measured(table)
    grouped = as_classes(table, by)
    stack = is_stack(image, table)
    if not stack and box is None:
        box = _common_box(image, table)
    means, counts = _means(image, grouped, by, box, most, mirror, seed, stack)
    chosen = {name: rows for name, rows in choose_particles(grouped, columns, "random", seed).items() if name in means}
    numbers = np.unique(np.concatenate(list(chosen.values())))
    tiles, scale, units = cut_tiles(image, table, numbers, box, stack)
    where = {number: i for i, number in enumerate(numbers)}
    across = max(len(rows) for rows in chosen.values())
    half = -(-across // 2)
    layout = SettledLayout(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.01)
    figsize = figsize or (0.8 * (2 + half) + 1.3 + room_for(chosen), 1.66 * len(chosen) + 0.15)
    figure = plt.figure(figsize=figsize, layout=layout)
    grid = figure.add_gridspec(2 * len(chosen), 2 + half)
    colours = class_colours(grouped.classes)
    for line, (name, rows) in enumerate(chosen.items()):
        large = figure.add_subplot(grid[2 * line : 2 * line + 2, :2])
        draw_tile(large, means[name], colours[name], cmap)
        if line == 0 and scale_bar:
            draw_scale_bar(large, units, scale, share=0.4, fontsize=8)
        large.set_ylabel(
            f"{written(name)}\n{counts[name]:,}", rotation=0, ha="right", va="center", fontsize=9, labelpad=8
        )
        for i, number in enumerate(rows):
            small = figure.add_subplot(grid[2 * line + i // half, 2 + i % half])
            draw_tile(small, tiles[where[number]], colours[name], cmap)
    return figure


def _common_box(image, table) -> str:
    """A box that holds 98 % of the particles: one long pair of particles does not make all others small."""
    axis = image.axes_manager.signal_axes[0]
    extent = np.maximum(table["bbox_x_max"] - table["bbox_x_min"], table["bbox_y_max"] - table["bbox_y_min"])
    edge = int(np.ceil(1.2 * np.quantile(extent, 0.98) / abs(axis.scale)))
    return f"{max(8, min(edge, *(a.size for a in image.axes_manager.signal_axes)))} px"


def _means(image, table, by, box, most, mirror, seed, stack) -> tuple[dict, dict]:
    """Aligned mean and number of all particles of each class that has any."""
    index = table["class_index"]
    rng = np.random.default_rng(seed)
    keep = np.zeros(len(index), bool)
    for number in np.unique(index[index >= 0]):
        rows = np.flatnonzero(index == number)
        keep[rng.choice(rows, min(most, len(rows)), replace=False)] = True
    if not keep.any():
        raise ValueError(f"No particle has a value of {by!r}: all {len(index)} are undefined, or in no cluster.")
    if stack:
        part = image.inav[np.flatnonzero(keep)] if not keep.all() else image
    else:
        part = extract_particles(image, table.select(keep), box, lazy_output=False, show_progressbar=False)
    found = class_averages(part, index[keep].astype(int), mirror=mirror, seed=seed, show_progressbar=False)
    names = [table.classes[int(n)] for n in found.metadata.particlespy_ml.class_averages.clusters]
    counts = {name: int(np.sum(index == table.classes.index(name))) for name in names}
    return dict(zip(names, found.data, strict=True)), counts
