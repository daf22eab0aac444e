"""Histograms and scatter plots of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.plotting.colours import (
    PALETTE,
    UNDEFINED_COLOUR,
    class_colours,
    cluster_colour,
    number_texts,
    written,
)
from particlespy_ml.tables.dataframe import navigation_units, to_dataframe
from particlespy_ml.tables.distributions import FittedDistribution, fit_distribution

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import ArrayLike

MOST_GROUPS = 12
MOST_BINS = 500  # a few values far away from all others would ask for millions
SYMBOLS = ("exx", "eyy", "exy")  # names that are not written as words
MISSING = "no value"  # name of the particles whose number is not finite
CLUSTERS = ("cluster", "subcluster")  # whose negative values are no cluster


def plot_histogram(
    table: BaseSignal,
    column: str,
    by: str | None = None,
    bins: int | str | ArrayLike = "auto",
    fit: str | None = None,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw a histogram of a column, stacked by the values of another one.

    Parameters
    ----------
    table
        Particle or column table. A lazy one is computed.
    column
        A column of numbers.
    by
        A column of few values, such as "class" or "track", or "template" of columns.
    bins
        As for `numpy.histogram_bin_edges`.
    fit
        "lognormal", "normal" or "auto": the law fitted to all values is drawn over the bars, with dashed lines at D10,
        D50 and D90, which the legend gives. Particles that the border of the image cuts are then left out, as
        `fit_sizes` does.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
        Numbers that are not finite are in no bin.

    Raises
    ------
    ValueError
        If a column is unknown, is not of numbers, or has too many values to stack by, or a law cannot be fitted.
    """
    table = table._computed()
    frame = _columns(table, column)
    if fit is not None and "touches_border" in frame:
        frame = frame[~frame["touches_border"]]
    groups = _groups(table, frame, by)
    values = frame[column].to_numpy(float)
    fitted = None if fit is None else fit_distribution(values, fit)
    edges = bin_edges(values[np.isfinite(values)], bins)
    ax = _axes(ax, figsize or (None if fitted is None else (6.4, 3.6)))  # room for the legend
    entries = draw_histogram(ax, values, edges, groups, fitted, table.units.get(column, ""))
    ax.set(xlabel=axis_label(table, column), ylabel=table._rows_are.capitalize())
    if by is None:
        entries.pop("all")
    legend_beside(ax, entries, None if by is None else axis_label(table, by))
    return ax


def draw_histogram(
    ax: Axes,
    values: np.ndarray,
    edges: np.ndarray,
    groups: list[tuple] | None = None,
    fitted: FittedDistribution | None = None,
    unit: str = "",
) -> dict:
    """Draw a stacked histogram of numbers, and a law over it; return what a legend may list.

    Parameters
    ----------
    ax
        Axes.
    values
        Numbers; those that are not finite are in no bin.
    edges
        Of the bins.
    groups
        Name, mask and colour of each group that is stacked; by default one, "all".
    fitted
        Law that was fitted to the values.
    unit
        Their unit, for the entries of a law.
    """
    finite = np.isfinite(values)
    entries = {}
    bottom = np.zeros(len(edges) - 1)
    for name, mask, colour in groups or _groups(None, values, None):
        height = np.histogram(values[mask & finite], edges)[0]
        entries[name] = ax.bar(edges[:-1], height, np.diff(edges), bottom, align="edge", color=colour, linewidth=0)
        for bar in entries[name]:
            bar.sticky_edges.y[:] = [0]  # not the upper edge of the bar beneath, which would end the axis
        bottom += height
    return entries if fitted is None else entries | _draw_law(ax, fitted, edges, unit)


def _draw_law(ax, fitted: FittedDistribution, edges: np.ndarray, unit: str) -> dict:
    """Draw a fitted law over the bars of a histogram; return what the legend says of it."""
    margin = 0.1 * (edges[-1] - edges[0])
    low, high = edges[0] - margin, edges[-1] + margin
    grid = np.linspace(low if fitted.name == "normal" else max(low, 0), high, 400)
    # of bins of unlike widths the curve is that of the mean width
    (curve,) = ax.plot(grid, fitted.count * np.diff(edges).mean() * fitted.density(grid), color="black", linewidth=1.5)
    entries = {f"{fitted.name}, n = {fitted.count}": curve}
    for name, share in (("D10", 0.1), ("D50", 0.5), ("D90", 0.9)):
        value, lower, upper = fitted.quantile(share)
        line = ax.axvline(value, color="black", linewidth=0.8, linestyle="--")
        entries[f"{name} = {value:.3g} ({lower:.3g} to {upper:.3g}) {unit}".rstrip()] = line
    return entries


def bin_edges(values: np.ndarray, bins="auto") -> np.ndarray:
    """Return the edges of the bins of a histogram, a reasonable number of them.

    Parameters
    ----------
    values
        Finite numbers.
    bins
        As for `numpy.histogram_bin_edges`.

    Examples
    --------
    >>> bin_edges(np.array([1.0, 2.0]), 2).tolist()
    [1.0, 1.5, 2.0]
    >>> len(bin_edges(np.append(np.linspace(1, 2, 100), 1e12)))
    501
    """
    if not len(values):
        return np.linspace(0, 1, 2)
    if np.ptp(values) <= 1e-9 * np.abs(values).max():  # one value, but for rounding
        margin = max(0.5, 1e-3 * np.abs(values).max())
        count = bins if isinstance(bins, int) else 1
        return np.linspace(values.min() - margin, values.max() + margin, count + 1) if np.ndim(bins) == 0 else bins
    if isinstance(bins, str) and bins in ("auto", "fd"):
        width = 2 * np.subtract(*np.quantile(values, (0.75, 0.25))) / len(values) ** (1 / 3)  # Freedman and Diaconis
        if 0 < width < np.ptp(values) / MOST_BINS:
            bins = MOST_BINS
    return np.histogram_bin_edges(values, bins)


def plot_scatter(
    table: BaseSignal,
    x: str,
    y: str,
    by: str | None = None,
    cmap: str | Colormap | None = None,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw one column against another, coloured by the values of a third one.

    Parameters
    ----------
    table
        Particle or column table. A lazy one is computed.
    x, y
        Columns of numbers.
    by
        A column: one of few values, such as "class" or "track", gives a legend, one of many numbers a colour bar.
    cmap
        Colour map of many numbers.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
        Particles whose number to colour by is not finite are grey.

    Raises
    ------
    ValueError
        If a column is unknown, is not of numbers, or has too many values for a legend.
    """
    table = table._computed()
    frame = _columns(table, x, y)
    continuous = by in frame and _is_continuous(table, frame, by)
    groups = _missing(frame, by) if continuous else _groups(table, frame, by)
    ax = _axes(ax, figsize)
    across, up = frame[x].to_numpy(float), frame[y].to_numpy(float)
    points = {
        name: ax.scatter(across[mask], up[mask], s=14, alpha=0.8, color=colour, linewidths=0)
        for name, mask, colour in groups
    }
    if continuous:
        values = frame[by].to_numpy(float)
        finite = np.isfinite(values)
        shown = ax.scatter(across[finite], up[finite], s=14, c=values[finite], cmap=cmap, linewidths=0)
        if finite.any():
            ax.figure.colorbar(shown, ax=ax, label=axis_label(table, by))
    ax.set(xlabel=axis_label(table, x), ylabel=axis_label(table, y))
    if points and by is not None:
        # beside a colour bar there is no room for a legend
        legend(ax, points, loc="best", frameon=True) if continuous else legend_beside(ax, points, axis_label(table, by))
    return ax


def navigation_position(table) -> tuple[np.ndarray, str]:
    """Return the calibrated position of each frame along the one navigation axis of a series, and the axis' label."""
    (axis,) = table.axes_manager.navigation_axes
    if str(axis.name) in ("<undefined>", "None", ""):
        return np.arange(axis.size), "Frame"
    units = str(axis.units)
    label = _title(str(axis.name))
    return np.asarray(axis.axis), label + (f" ({units})" if units not in ("<undefined>", "None", "") else "")


def _is_continuous(table, frame, column: str) -> bool:
    """Whether a column holds measured numbers, or more values than a legend can list."""
    measured = frame[column].dtype.kind == "f" and column in table.columns
    return measured or (frame[column].dtype.kind in "iuf" and frame[column].nunique() > MOST_GROUPS)


def legend(ax, entries: dict, title: str | None = None, **style) -> None:
    """Draw a legend of names and their artists; matplotlib by itself leaves out names that begin with "_".

    Parameters
    ----------
    ax
        Axes.
    entries
        Artist of each name, in order; without any there is no legend.
    title
        Title of the legend.
    **style
        For ``ax.legend``.
    """
    if entries:
        style = {"frameon": False, "fontsize": 8, "title_fontsize": 8, "title": title, **style}
        ax.legend(list(entries.values()), [written(name) for name in entries], **style)


def legend_columns(names, width: float) -> int:
    """Return how many names of a legend stand beside each other in so many inches."""
    room = 11.7 * width  # characters
    return int(max(1, min(len(names), room // (max(len(written(name)) for name in names) + 4)))) if names else 1


def width_of(ax) -> float:
    """Return the width in inches that axes will have when a layout has made them as wide as it can."""
    return ax.bbox.width / ax.figure.dpi / 0.775  # of a new subplot until then


def legend_beside(ax, entries: dict, title: str | None = None) -> None:
    """Draw a legend right of the axes, where it covers no data; see `legend`."""
    legend(ax, entries, title, loc="upper left", bbox_to_anchor=(1, 1))


def axis_label(table, column: str) -> str:
    """Return the name of a column with its unit."""
    unit = {**navigation_units(table), **table.units}.get(column, "")
    return f"{_title(column)} ({unit})" if unit else _title(column)


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return written(words if name.startswith(SYMBOLS) else words.capitalize())


def _axes(ax, figsize=None):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize or (5, 3.6), layout="constrained")[1]


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
    values = [value for value in frame[by].unique() if value == value and value not in (np.inf, -np.inf)]
    if len(values) > MOST_GROUPS:
        raise ValueError(
            f"The column {by!r} has {len(values)} values; expected {MOST_GROUPS} at most. Select some "
            "particles with table.select(), or take another column."
        )
    clusters = by in CLUSTERS
    known = {str(n): cluster_colour(n) for n in range(-1, MOST_GROUPS)} if clusters else class_colours(table.classes)
    values.sort(key=str if isinstance(values and values[0], str) else None)
    if clusters:
        values.sort(key=lambda value: value < 0)  # those in no cluster come last
    if values and frame[by].dtype.kind == "f":
        names = number_texts(values)
    else:
        names = ["none" if clusters and value < 0 else str(value) for value in values]
    found = [
        (name, (frame[by] == value).to_numpy(), known.get(str(value), PALETTE[i % len(PALETTE)]))
        for i, (name, value) in enumerate(zip(names, values, strict=True))
    ]
    return found + _missing(frame, by)


def _missing(frame, by: str) -> list[tuple]:
    """The group of the particles without a value to group them by, if there are any."""
    values = frame[by]
    missing = values.isna().to_numpy()
    if values.dtype.kind == "f":
        missing = missing | ~np.isfinite(values.to_numpy(float))
    return [(MISSING, missing, UNDEFINED_COLOUR)] if missing.any() else []
