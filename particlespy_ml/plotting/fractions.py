"""Fractions of classes: stacked frame by frame, or with their intervals over steps and conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.plotting.colours import class_colours, number_texts, written
from particlespy_ml.plotting.table import legend_beside

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_fractions(
    frame: pd.DataFrame,
    corrected: bool | None = None,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
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
    figsize
        Width and height of a new figure in inches.

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
    ax = new_axes(ax, figsize)
    ylabel = "Fraction, corrected" if corrected else "Fraction"
    if step is None:
        for place, (name, *values) in enumerate(frame[["class", *names]].itertuples(index=False)):
            _points(ax, np.array([float(place)]), *np.reshape(values, (3, 1)), colours[name], None)
        ax.set_xticks(range(len(classes)), [written(name) for name in classes])
        turn_crowded_labels(ax, classes, 56)
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
            style = {"color": colours[name], "markersize": 4, "linewidth": 1.5, "label": name, "clip_on": False}
            (lines[name],) = ax.plot(x, values[0], "o-", **style)
        else:
            x = np.array([steps.index(value) for value in rows[step]]) + (place - (len(classes) - 1) / 2) * 0.7 / len(
                classes
            )
            lines[name] = _points(ax, x, *values, colours[name], name)
    if not numbers or len(steps) == 1:
        ax.set_xticks(range(len(steps)), number_texts(steps) if numbers else [written(s) for s in steps])
        turn_crowded_labels(ax, steps)
        ax.set_xlim(-0.5, len(steps) - 0.5)
        for edge in range(1, len(steps)):
            ax.axvline(edge - 0.5, color="0.85", linewidth=0.8, zorder=0)
    ax.set(xlabel=frame.attrs.get("label", str(step)), ylabel=ylabel, ylim=(0, 1))
    legend_beside(ax, lines)
    return ax


def new_axes(ax, figsize=None):
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize or (5.4, 3.6), layout="constrained")[1]


def _points(ax, x, values, low, high, colour, label):
    """Draw points with bars from low to high, which need not hold the point, and return the points."""
    ax.vlines(x, low, high, color=colour, linewidth=2)
    return ax.plot(x, values, "o", color=colour, markersize=6, label=label, clip_on=False)[0]


def turn_crowded_labels(ax, labels, room: int = 40) -> None:
    """Turn labels that take more than so many characters in a line."""
    if max((len(str(label)) for label in labels), default=0) * len(labels) > room:
        ax.tick_params(axis="x", labelrotation=30)
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
