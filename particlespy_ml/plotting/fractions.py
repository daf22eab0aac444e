"""Fractions of classes: stacked frame by frame, or with their intervals over steps and conditions."""

from __future__ import annotations

import numpy as np

from particlespy_ml.dynamics.comparison import series_fractions, step_fractions
from particlespy_ml.models.card import UNDEFINED
from particlespy_ml.particles.dataframe import class_fractions
from particlespy_ml.plotting.colours import class_colours, number_texts, written
from particlespy_ml.plotting.sequence import frame_edges
from particlespy_ml.plotting.table import legend_beside, navigation_position


def plot_class_fractions(table, per="frame", confidence: float = 0.95, ax=None):
    """Draw the fractions of the classes of a table.

    Parameters
    ----------
    table
        Computed particle table with classes.
    per
        "frame": bars of all classes on top of each other, frame by frame and half way to the neighbours, or beside each
        other for one image; frames without particles are left blank. "series", the name of a navigation axis, a number
        of frames, or one value for each frame, as for `ParticleTable.class_fractions`: with intervals, see
        `plot_fractions`.
    confidence
        Confidence of the intervals.
    ax
        Axes to draw in; by default a new figure's.

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
    if not isinstance(per, str) or per != "frame":
        whole = isinstance(per, str) and per == "series"
        frame = series_fractions(table, confidence) if whole else step_fractions(table, per, confidence)
        return plot_fractions(frame, ax=ax)
    if len(table.axes_manager.navigation_axes) > 1:
        raise ValueError(
            f"Class fractions are drawn along one axis, but the table has {len(table.axes_manager.navigation_axes)}; "
            "choose a series with inav."
        )
    fractions = class_fractions(table)
    if len(fractions) > 1:
        position, label = navigation_position(table)
        edges = frame_edges(position)
    ax = _axes(ax)
    colours = class_colours(table.classes)
    names = [*table.classes, UNDEFINED]
    if len(fractions) == 1:
        heights = fractions.iloc[0][names].fillna(0).to_numpy(float)
        ax.bar(range(len(names)), heights, color=[colours[name] for name in names])
        ax.set_xticks(range(len(names)), [written(name) for name in names])
        ax.set(ylabel="Fraction of particles", ylim=(0, 1.05 * heights.max() or 1))
        _turn_crowded_labels(ax, names, 56)
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


def plot_fractions(frame, corrected: bool | None = None, ax=None):
    """Draw fractions with their intervals: lines with bands over numbers, otherwise points beside each other.

    Parameters
    ----------
    frame
        As `ParticleTable.class_fractions` returns it for a series or its steps, or
        `particlespy_ml.dynamics.compare_fractions` for several tables.
    corrected
        Draw the fractions that are corrected by the model's confusion matrix; by default where there are any.
    ax
        Axes to draw in; by default a new figure's.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the frame holds no fractions, or no corrected ones where they are asked for.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> from particlespy_ml.plotting.fractions import plot_fractions
    >>> table = pml.data.gold_on_carbon().classify_particles()
    >>> frame = pml.dynamics.compare_fractions({300: table, 500: table}, name="temperature")
    >>> pml.plotting.plot_fractions(frame).get_xlabel()
    'Temperature'
    """
    if not {"class", "fraction", "low", "high"} <= set(frame.columns):
        raise ValueError(
            "Expected fractions with intervals, as from table.class_fractions(per='series') or compare_fractions(), "
            f"not a frame with the columns {', '.join(map(str, frame.columns))}."
        )
    if corrected is None:
        corrected = "corrected" in frame
    if corrected and "corrected" not in frame:
        raise ValueError("These fractions are not corrected: the model's confusion matrix is not known.")
    if not len(frame):
        raise ValueError("There are no fractions to draw: the frame has no rows.")
    names = ("corrected", "corrected_low", "corrected_high") if corrected else ("fraction", "low", "high")
    classes = tuple(dict.fromkeys(frame["class"]))
    colours = class_colours(classes)
    step = frame.columns[0] if frame.columns[0] != "class" else None
    ax = _axes(ax)
    ylabel = "Fraction, corrected" if corrected else "Fraction"
    if step is None:
        for place, (name, *values) in enumerate(frame[["class", *names]].itertuples(index=False)):
            _points(ax, np.array([float(place)]), *np.reshape(values, (3, 1)), colours[name], None)
        ax.set_xticks(range(len(classes)), [written(name) for name in classes])
        _turn_crowded_labels(ax, classes, 56)
        ax.set(ylabel=ylabel, ylim=(0, 1), xlim=(-0.5, len(classes) - 0.5))
        return ax
    steps = list(dict.fromkeys(frame[step]))
    numbers = frame[step].dtype.kind in "iuf"
    lines = {}
    for place, name in enumerate(classes):
        rows = frame[frame["class"] == name]
        if numbers:
            rows = rows.sort_values(step)
        values = rows[list(names)].to_numpy(float).T
        if numbers and len(steps) > 1:
            x = rows[step].to_numpy(float)
            ax.fill_between(x, values[1], values[2], color=colours[name], alpha=0.15, linewidth=0)
            ax.plot(x, values[1:].T, color=colours[name], alpha=0.5, linewidth=0.6)
            style = {"color": colours[name], "markersize": 4, "linewidth": 1.5, "label": name}
            (lines[name],) = ax.plot(x, values[0], "o-", **style)
        else:
            x = np.array([steps.index(value) for value in rows[step]]) + (place - (len(classes) - 1) / 2) * 0.7 / len(
                classes
            )
            lines[name] = _points(ax, x, *values, colours[name], name)
    if not numbers or len(steps) == 1:
        ax.set_xticks(range(len(steps)), number_texts(steps) if numbers else [written(s) for s in steps])
        _turn_crowded_labels(ax, steps)
        ax.set_xlim(-0.5, len(steps) - 0.5)
        for edge in range(1, len(steps)):
            ax.axvline(edge - 0.5, color="0.85", linewidth=0.8, zorder=0)
    ax.set(xlabel=frame.attrs.get("label", str(step)), ylabel=ylabel, ylim=(0, 1))
    legend_beside(ax, lines)
    return ax


def _axes(ax):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(5.4, 3.6), layout="constrained")[1]


def _points(ax, x, values, low, high, colour, label):
    """Draw points with bars from low to high, which need not hold the point, and return the points."""
    ax.vlines(x, low, high, color=colour, linewidth=2)
    return ax.plot(x, values, "o", color=colour, markersize=6, label=label)[0]


def _turn_crowded_labels(ax, labels, room: int = 40) -> None:
    """Turn labels that take more than so many characters in a line."""
    if max((len(str(label)) for label in labels), default=0) * len(labels) > room:
        ax.tick_params(axis="x", labelrotation=30)
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
