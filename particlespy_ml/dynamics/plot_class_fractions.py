"""The verb `plot_class_fractions`: fractions of classes, frame by frame or with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.dynamics.class_fractions import frame_fractions
from particlespy_ml.dynamics.comparison import series_fractions, step_fractions
from particlespy_ml.plotting.colours import class_colours, written
from particlespy_ml.plotting.fractions import new_axes, plot_fractions, turn_crowded_labels
from particlespy_ml.plotting.sequence import frame_edges
from particlespy_ml.plotting.table import legend_beside, navigation_position
from particlespy_ml.tables.as_classes import as_classes
from particlespy_ml.tables.classes import UNDEFINED

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


def plot_class_fractions(
    table: BaseSignal,
    per: str | int | ArrayLike = "frame",
    confidence: float = 0.95,
    by: str = "class",
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw the fractions of the classes of a table.

    Parameters
    ----------
    table
        Particle table. A lazy one is computed.
    per
        "frame": bars of all classes on top of each other, frame by frame and half way to the neighbours, or beside each
        other for one image; frames without particles are left blank. "series", the name of a navigation axis, a number
        of frames, or one value for each frame, as for `ParticleTable.class_fractions`: with intervals, see
        `plot_fractions`.
    confidence
        Confidence of the intervals.
    by
        "class", or "cluster" or another column of whole numbers or names, whose values are taken for classes.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().classify_particles()
    >>> table.plot_class_fractions(per="series").get_ylabel()
    'Fraction, corrected'
    """
    table = as_classes(table, by)
    if not isinstance(per, str) or per != "frame":
        whole = isinstance(per, str) and per == "series"
        frame = series_fractions(table, confidence) if whole else step_fractions(table, per, confidence)
        return plot_fractions(frame, ax=ax, figsize=figsize)
    if len(table.axes_manager.navigation_axes) > 1:
        raise ValueError(
            f"Class fractions are drawn along one axis, but the table has {len(table.axes_manager.navigation_axes)}; "
            "choose a series with inav."
        )
    fractions = frame_fractions(table)
    if len(fractions) > 1:
        position, label = navigation_position(table)
        edges = frame_edges(position)
    ax = new_axes(ax, figsize)
    colours = class_colours(table.classes)
    names = [*table.classes, UNDEFINED]
    if len(fractions) == 1:
        heights = fractions.iloc[0][names].fillna(0).to_numpy(float)
        ax.bar(range(len(names)), heights, color=[colours[name] for name in names])
        ax.set_xticks(range(len(names)), [written(name) for name in names])
        ax.set(ylabel="Fraction of particles", ylim=(0, 1.05 * heights.max() or 1))
        turn_crowded_labels(ax, names, 56)
        return ax
    left, width = np.minimum(edges[:-1], edges[1:]), np.abs(np.diff(edges))
    bars = {}
    bottom = np.zeros(len(fractions))
    for name in names:
        height = fractions[name].fillna(0).to_numpy()
        if height.any():
            bars[name] = ax.bar(left, height, width, bottom, align="edge", color=colours[name], linewidth=0)
        bottom += height
    ax.set(xlabel=label, ylabel="Fraction of particles", ylim=(0, 1))
    ax.set_xlim(edges.min(), edges.max())  # also where the first or last frame has no particles
    legend_beside(ax, bars)
    return ax
