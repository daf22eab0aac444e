"""Histograms and scatter plots of particle tables."""

from __future__ import annotations

import numpy as np

from particlespy_ml.particles.dataframe import navigation_units, to_dataframe
from particlespy_ml.plotting.colours import PALETTE, class_colours, cluster_colour

MOST_GROUPS = 12
CLUSTERS = ("cluster", "subcluster")  # whose negative values are no cluster


def plot_histogram(table, column: str, by: str | None = None, bins="auto", ax=None):
    """Draw a histogram of a column, stacked by the values of another one.

    Parameters
    ----------
    table
        Computed particle table.
    column
        A column of numbers.
    by
        A column of few values, such as "class" or "track".
    bins
        As for `numpy.histogram_bin_edges`.
    ax
        Axes to draw in; by default a new figure's.

    Returns
    -------
    matplotlib.axes.Axes
    """
    frame = _columns(table, column)
    groups = _groups(table, frame, by)
    ax = _axes(ax)
    values = frame[column].to_numpy(float)
    values = values[np.isfinite(values)]
    edges = np.histogram_bin_edges(values, bins) if len(values) else np.linspace(0, 1, 2)
    if groups:
        data = [frame.loc[mask, column].to_numpy(float) for _, mask, _ in groups]
        ax.hist(data, bins=edges, stacked=True, label=[name for name, _, _ in groups], color=[c for *_, c in groups])
    ax.set(xlabel=axis_label(table, column), ylabel="Particles")
    if by is not None and groups:
        legend_beside(ax, axis_label(table, by))
    return ax


def plot_scatter(table, x: str, y: str, by: str | None = None, ax=None):
    """Draw one column against another, coloured by the values of a third one.

    Parameters
    ----------
    table
        Computed particle table.
    x, y
        Columns of numbers.
    by
        A column: one of few values, such as "class" or "track", gives a legend, one of many numbers a colour bar.
    ax
        Axes to draw in; by default a new figure's.

    Returns
    -------
    matplotlib.axes.Axes
    """
    frame = _columns(table, x, y)
    if by in frame and _is_continuous(table, frame, by):
        ax = _axes(ax)
        points = ax.scatter(frame[x], frame[y], s=14, c=frame[by], linewidths=0)
        ax.figure.colorbar(points, ax=ax, label=axis_label(table, by))
        ax.set(xlabel=axis_label(table, x), ylabel=axis_label(table, y))
        return ax
    groups = _groups(table, frame, by)
    ax = _axes(ax)
    for name, mask, colour in groups:
        ax.scatter(frame.loc[mask, x], frame.loc[mask, y], s=14, alpha=0.8, color=colour, label=name, linewidths=0)
    ax.set(xlabel=axis_label(table, x), ylabel=axis_label(table, y))
    if by is not None and groups:
        legend_beside(ax, axis_label(table, by))
    return ax


def navigation_position(table) -> tuple[np.ndarray, str]:
    """Return the calibrated position of each frame along the one navigation axis of a series, and the axis' label."""
    (axis,) = table.axes_manager.navigation_axes
    if str(axis.name) in ("<undefined>", "None", ""):
        return np.arange(axis.size), "Frame"
    units = str(axis.units)
    label = str(axis.name).replace("_", " ").capitalize()
    return np.asarray(axis.axis), label + (f" ({units})" if units not in ("<undefined>", "None", "") else "")


def _is_continuous(table, frame, column: str) -> bool:
    """Whether a column holds measured numbers, or more values than a legend can list."""
    measured = frame[column].dtype.kind == "f" and column in table.columns
    return measured or (frame[column].dtype.kind in "iuf" and frame[column].nunique() > MOST_GROUPS)


def legend_beside(ax, title: str | None = None) -> None:
    """Put the legend right of the axes, where it covers no data."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(title=title, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=8, title_fontsize=8)


def axis_label(table, column: str) -> str:
    """Return the name of a column with its unit."""
    unit = {**navigation_units(table), **table.units}.get(column, "")
    name = column.replace("_", " ").capitalize()
    return f"{name} ({unit})" if unit else name


def _axes(ax):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(5, 3.6), layout="constrained")[1]


def _columns(table, *names: str):
    frame = to_dataframe(table)
    for name in names:
        if name not in frame or frame[name].dtype.kind not in "biuf":
            numeric = [column for column in frame if frame[column].dtype.kind in "biuf"]
            raise ValueError(f"There is no column of numbers {name!r}; expected one of {', '.join(numeric)}.")
    return frame


def _groups(table, frame, by: str | None) -> list[tuple]:
    """Name, mask and colour of each value of a column."""
    if by is None:
        return [("all", np.ones(len(frame), bool), PALETTE[6])]
    if by not in frame:
        raise ValueError(f"There is no column {by!r}; expected one of {', '.join(frame.columns)}.")
    if frame[by].nunique() > MOST_GROUPS:
        raise ValueError(
            f"The column {by!r} has {frame[by].nunique()} values; expected {MOST_GROUPS} at most. Select some "
            "particles with table.select(), or take another column."
        )
    clusters = by in CLUSTERS
    known = {str(n): cluster_colour(n) for n in range(-1, MOST_GROUPS)} if clusters else class_colours(table.classes)
    values = [value for value in frame[by].unique() if value == value]
    values.sort(key=str if isinstance(values and values[0], str) else None)
    if clusters:
        values.sort(key=lambda value: value < 0)  # those in no cluster come last
    return [
        (
            f"{value:g}" if isinstance(value, float) else "none" if clusters and value < 0 else str(value),
            (frame[by] == value).to_numpy(),
            known.get(str(value), PALETTE[i % len(PALETTE)]),
        )
        for i, value in enumerate(values)
    ]
