"""Strain of columns along a line and from the surface inwards, and the directions of their lattices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.lengths import in_units
from particlespy_ml.plotting.colours import PALETTE, UNDEFINED_COLOUR, line_colour
from particlespy_ml.plotting.strain import COMPONENTS, folds, label_of, unwrapped
from particlespy_ml.plotting.table import _axes, legend, legend_beside
from particlespy_ml.strain.layers import check_strained, layers_of_rows, means_of_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal
    from matplotlib.axes import Axes

MEASURED = tuple(name for name in COMPONENTS if not name.endswith("_error"))
SPREAD = 0.3  # of a layer: over how much of it the columns are drawn


def plot_strain_profile(
    table: BaseSignal,
    start: Sequence[float],
    stop: Sequence[float],
    components: str | Sequence[str] = "planar",
    width: float | str | None = None,
    index: int = 0,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw the strain of the columns along a line, with standard errors.

    Parameters
    ----------
    table
        Column table with strain, see `measure_strain`. A lazy one is computed.
    start, stop
        Ends (x, y) of the line, in the unit of the table.
    components
        One or several of "exx", "eyy", "exy" and "planar", or "rotation".
    width
        Of the strip around the line that columns are taken from: a number in the unit of the table, or a text such as
        "0.5 nm"; by default three distances between neighbours.
    index
        Number of the frame.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
        Bars are of one standard error.

    Raises
    ------
    ValueError
        If the columns have no strain, there is no such component or frame, or the line has no length.
    """
    check_strained(table)
    names = (components,) if isinstance(components, str) else tuple(components)
    if not names or not set(names) <= set(MEASURED) or ("rotation" in names and len(names) > 1):
        raise ValueError(
            f"components={components!r}; expected one or several of {', '.join(MEASURED)}, and rotation by itself."
        )
    ends = np.array([start, stop], float)
    if ends.shape != (2, 2) or not np.linalg.norm(ends[1] - ends[0]) > 0:
        raise ValueError(f"start={start}, stop={stop}; expected two places (x, y) that differ.")
    table = table._computed()
    rows, _ = table.frame(index)
    places = np.column_stack([rows["x"], rows["y"]]).astype(float)
    width = 3 * _nearest(places) if width is None else in_units(width, table.grid, "width")
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    across = (places - ends[0]) @ [-along[1], along[0]]
    distance = (places - ends[0]) @ along
    inside = (np.abs(across) <= width / 2) & (distance >= 0) & (distance <= np.linalg.norm(ends[1] - ends[0]))
    order = np.flatnonzero(inside)[np.argsort(distance[inside])]
    ax = _axes(ax, figsize)
    entries = {}
    for number, name in enumerate(names):
        values = unwrapped(table, rows) if name == "rotation" else 100 * rows[name]
        errors = rows[f"{name}_error"] * (1 if name == "rotation" else 100)
        known = order[np.isfinite(values[order])]
        style = {"fmt": "o", "markersize": 3.5, "elinewidth": 1, "capsize": 1.5, "color": line_colour(number)}
        entries[label_of(name)] = ax.errorbar(distance[known], values[known], errors[known], **style)
    ax.set(xlabel=f"Distance along the line ({table.grid.units})", ylabel=_what(names), xlim=(0, None))
    if names != ("rotation",):
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    if len(names) > 1:
        legend_beside(ax, entries)
    return ax


def plot_strain_layers(
    table: BaseSignal,
    components: str | Sequence[str] = "planar",
    index: int = 0,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw the mean strain of each layer of columns from the surface inwards, with its standard error.

    Parameters
    ----------
    table
        Column table with strain, see `measure_strain`. A lazy one is computed.
    components
        One or several of "exx", "eyy", "exy" and "planar".
    index
        Number of the frame.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
        Means and standard errors of `strain_by_layer`, and small dots for the columns.

    Raises
    ------
    ValueError
        If the columns have no strain, or there is no such component or frame.
    """
    check_strained(table)
    names = (components,) if isinstance(components, str) else tuple(components)
    if not names:
        raise ValueError("components is empty; expected exx, eyy, exy or planar, or several of these.")
    table = table._computed()
    rows, _ = table.frame(index)
    found = {name: means_of_rows(rows, name) for name in names}
    layers = layers_of_rows(rows)
    ax = _axes(ax, figsize)
    entries = {}
    for number, (name, means) in enumerate(found.items()):
        aside = SPREAD * ((number + 0.5) / len(names) - 0.5)
        drawn = np.flatnonzero((layers > 0) & np.isfinite(rows[name]))
        colour = line_colour(number)
        ax.scatter(layers[drawn] + aside, 100 * rows[name][drawn], s=5, color=colour, alpha=0.35, linewidths=0)
        style = {"fmt": "o-", "markersize": 5, "capsize": 3, "color": colour, "linewidth": 1}
        layer, mean, error = (np.array([one[key] for one in means], float) for key in ("layer", "mean", "error"))
        entries[label_of(name)] = ax.errorbar(layer + aside, 100 * mean, 100 * error, **style)
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    ax.set(xlabel="Layer from the surface inwards", ylabel=_what(names))
    ax.xaxis.get_major_locator().set_params(integer=True)
    if len(names) > 1:
        legend_beside(ax, entries)
    return ax


def plot_rotations(
    table: BaseSignal,
    index: int | None = None,
    bins: int = 72,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw how many columns have their lattice in which direction, as a rose.

    A lattice that looks the same after a turn is drawn in all directions that it may have: twice for fcc along <110>.

    Parameters
    ----------
    table
        Column table with strain, see `measure_strain`. A lazy one is computed.
    index
        Number of the frame; by default all frames together.
    bins
        Petals of the whole circle, a multiple of 12.
    ax
        Polar axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.projections.polar.PolarAxes
        Angles run from x towards y as they do in the image, by template in colours.

    Raises
    ------
    ValueError
        If the columns have no strain, there is no such frame, the axes are not polar, or the bins no multiple of 12.
    """
    check_strained(table)
    if bins < 12 or bins % 12:
        raise ValueError(f"bins={bins}; expected a multiple of 12, so that all turns of a template fall alike.")
    if ax is not None and ax.name != "polar":
        raise ValueError('The axes are not polar; make them with plt.subplot(projection="polar").')
    table = table._computed()
    rows = np.concatenate(table._frames()) if index is None else table.frame(index)[0]
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=figsize or (5, 3.6), subplot_kw={"projection": "polar"}, layout="constrained")[1]
    direction = table.grid.direction
    ax.set_theta_zero_location("E" if direction[1] > 0 else "W")
    ax.set_theta_direction(-1 if direction[0] * direction[1] > 0 else 1)
    edges = np.linspace(0, 2 * np.pi, bins + 1)
    turns, bottom, entries = folds(table, rows), np.zeros(bins), {}
    for code, name in enumerate(table.names["template"]):
        own = np.flatnonzero((rows["template"] == code) & np.isfinite(rows["rotation"]))
        if not len(own):
            continue
        fold = int(turns[own[0]])
        angles = rows["rotation"][own, None] + 360 / fold * np.arange(fold)
        height = np.histogram(np.radians(angles.ravel() % 360), edges)[0]
        style = {"align": "edge", "color": PALETTE[code % len(PALETTE)], "edgecolor": "white", "linewidth": 0.3}
        entries[name] = ax.bar(edges[:-1], height, np.diff(edges), bottom, **style)
        bottom += height
    undefined = int((rows["template"] < 0).sum())
    ax.tick_params(labelsize=8)
    ax.set_rlabel_position(15)
    ax.yaxis.get_major_locator().base.set_params(integer=True, nbins=3)
    if undefined:
        from matplotlib.patches import Patch

        entries[f"{undefined} undefined"] = Patch(color=UNDEFINED_COLOUR)
    legend(ax, entries, loc="upper left", bbox_to_anchor=(1.08, 1.05))
    return ax


def _what(names: tuple[str, ...]) -> str:
    return "Rotation (°)" if names == ("rotation",) else label_of(names[0]) if len(names) == 1 else "Strain (%)"


def _nearest(places: np.ndarray) -> float:
    from scipy.spatial import cKDTree

    return float(np.median(cKDTree(places).query(places, 2)[0][:, 1])) if len(places) > 1 else 1.0
