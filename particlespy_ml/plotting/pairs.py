"""Columns of a table against each other in pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.plotting.colours import written
from particlespy_ml.plotting.table import _groups, axis_label, bin_edges
from particlespy_ml.tables.dataframe import to_dataframe
from particlespy_ml.tables.derive import DEFAULT_COLUMNS, DERIVED, column_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal
    from matplotlib.figure import Figure

MOST_POINTS = 3000


def plot_pairs(
    table: BaseSignal,
    columns: Sequence[str] | None = None,
    by: str | None = "cluster",
    *,
    bins: int = 40,
    seed: int = 0,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw columns against each other in pairs, coloured by the values of another one, with histograms.

    Parameters
    ----------
    table
        Particle table. A lazy one is computed.
    columns
        Two columns of numbers or more, or "aspect_ratio"; by default those that the particles were clustered by.
    by
        A column of few values, such as "cluster" or "class"; None for one colour.
    bins
        Bins of the histograms.
    seed
        Of the choice of the 3,000 particles that are drawn at most; the histograms hold all.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.figure.Figure
        The histograms of the groups lie on the diagonal, over each other, in particles.

    Raises
    ------
    ValueError
        If a column is unknown, or fewer than two are given.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> figure = table.plot_pairs(("area", "circularity", "x"), by=None)
    >>> len(figure.axes)
    6
    """
    import matplotlib.pyplot as plt

    table = table._computed()
    columns = _columns_of(table, columns)
    frame = to_dataframe(table)
    values = {name: _values(table, frame, name) for name in columns}
    if by == "cluster" and by not in table.columns:
        raise ValueError("The particles are not clustered; call cluster_particles(), or give by=None or a column.")
    groups = _groups(table, frame, by)
    rng = np.random.default_rng(seed)
    drawn = np.zeros(len(frame), bool)
    drawn[rng.permutation(len(frame))[:MOST_POINTS]] = True
    size = len(columns)
    edge = float(np.clip(8 / size, 1.5, 2.6))
    figsize = figsize or (edge * size + 0.9, edge * size + 0.3)
    figure, axes = plt.subplots(size, size, figsize=figsize, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    for row, y in enumerate(columns):
        for column, x in enumerate(columns):
            ax = axes[row, column]
            if column > row:
                ax.remove()
                continue
            if column == row:
                _draw_histograms(ax, values[x], groups, bins)
            else:
                _draw_points(ax, values[x], values[y], groups, drawn)
            _finish(ax, table, x, y, row, column, size)
    known = np.all([np.isfinite(part) for part in values.values()], axis=0)
    if not known.all():
        figure.supxlabel(f"{np.count_nonzero(~known)} of {len(frame)} particles lack a number and a point", size=8)
    if by is not None:
        handles = [axes[-1, 0].scatter([], [], s=44, color=colour, linewidths=0) for _, _, colour in groups]
        names = [written(name) for name, *_ in groups]
        style = {"title": axis_label(table, by), "loc": "upper right", "alignment": "left"}
        figure.legend(handles, names, frameon=False, **style)
    return figure


def _columns_of(table, columns) -> tuple[str, ...]:
    if columns is None:
        recorded = table.metadata.get_item(f"{METADATA_NODE}.clustering.columns")
        columns = DEFAULT_COLUMNS if recorded is None else [str(name) for name in recorded]
        columns = [name for name in columns if name not in table.columns or table[name].ndim == 1]
    columns = (columns,) if isinstance(columns, str) else tuple(columns)
    if len(columns) < 2:
        raise ValueError(f"Expected two columns or more to draw in pairs, not {len(columns)}.")
    return columns


def _values(table, frame, name: str) -> np.ndarray:
    if name in DERIVED and name not in frame:
        return np.concatenate([column_of(rows, name) for rows in table.data.ravel()])
    if name not in frame or frame[name].dtype.kind not in "biuf":
        numeric = [column for column in frame if frame[column].dtype.kind in "biuf"]
        raise ValueError(f"There is no column of numbers {name!r}; expected one of {', '.join([*numeric, *DERIVED])}.")
    return frame[name].to_numpy(float)


def _draw_histograms(ax, values, groups, bins) -> None:
    finite = values[np.isfinite(values)]
    edges = bin_edges(finite, bins)
    for _, mask, colour in groups:
        part = values[mask & np.isfinite(values)]
        ax.hist(part, edges, color=colour, alpha=0.55, linewidth=0)
        ax.hist(part, edges, histtype="step", color=colour, linewidth=1.2)


def _draw_points(ax, x, y, groups, drawn) -> None:
    """Points in one random order, so that no group covers another."""
    colours, chosen = [], []
    for _, mask, colour in groups:
        rows = np.flatnonzero(mask & drawn & np.isfinite(x) & np.isfinite(y))
        chosen.append(rows)
        colours += [colour] * len(rows)
    order = np.concatenate(chosen) if chosen else np.zeros(0, int)
    mixed = np.random.default_rng(0).permutation(len(order))
    if len(order):
        ax.scatter(x[order][mixed], y[order][mixed], s=5, c=np.array(colours)[mixed], alpha=0.6, linewidths=0)


def _finish(ax, table, x, y, row, column, size) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=7)
    ax.locator_params(nbins=4)
    if row == size - 1:
        ax.set_xlabel(axis_label(table, x), fontsize=8)
    else:
        ax.tick_params(labelbottom=False)
    if column == 0:
        ax.set_ylabel("Particles" if row == 0 else axis_label(table, y), fontsize=8)
    elif column != row:
        ax.tick_params(labelleft=False)
