"""Figures of columns: counts over the image, mixtures with their criteria, models of atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.frames import frames_array
from particlespy_ml.plotting.colours import PALETTE, UNDEFINED_COLOUR
from particlespy_ml.plotting.overlay import _draw_frame

if TYPE_CHECKING:
    from ase import Atoms
    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.axes import Axes


FLAGGED = PALETTE[5]


def plot_columns(table: BaseSignal, image: Signal2D, index: int = 0, ax: Axes | None = None) -> Axes:
    """Draw the columns of a frame over the image, those with flags in another colour.

    Parameters
    ----------
    table
        Column table. A lazy one is computed.
    image
        Image or series that the columns are of; only the frame drawn is read.
    index
        Number of the frame.
    ax
        Axes to draw in; by default a new figure's.

    Returns
    -------
    matplotlib.axes.Axes
    """
    table = table._computed()
    rows, where = table.frame(index)
    ax = _image_axes(table, image, where, ax)
    flagged = rows["flags"] != 0
    for which, colour, name in ((~flagged, PALETTE[1], "columns"), (flagged, FLAGGED, "flagged")):
        if which.any():
            style = {"s": 14, "color": colour, "edgecolors": "white", "linewidths": 0.7}  # seen on dark and on bright
            ax.scatter(rows["x"][which], rows["y"][which], label=name, **style)
    if flagged.any():
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=8)
    return ax


def plot_counts(table: BaseSignal, image: Signal2D | None = None, index: int = 0, ax: Axes | None = None) -> Axes:
    """Draw the number of atoms of every column of a frame as a map, over the image where it is given.

    Columns that are not counted are grey; the fainter a column, the less probable its count.

    Parameters
    ----------
    table
        Counted column table. A lazy one is computed.
    image
        Image or series that the columns are of.
    index
        Number of the frame.
    ax
        Axes to draw in; by default a new figure's.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import BoundaryNorm

    table = table._computed()
    if "count" not in table.columns:
        raise ValueError("The columns are not counted; call count_atoms() first.")
    table = table._computed()
    rows, where = table.frame(index)
    ax = _image_axes(table, image, where, ax)
    counted = rows["count"] >= 0
    size = _marker_size(ax, rows)
    if (~counted).any():
        ax.scatter(rows["x"][~counted], rows["y"][~counted], s=size, color=UNDEFINED_COLOUR, linewidths=0)
    if counted.any():
        count = rows["count"][counted]
        low, high = int(count.min()), int(count.max())
        colours = plt.get_cmap("viridis", max(high - low + 1, 2))
        norm = BoundaryNorm(np.arange(low - 0.5, max(high, low + 1) + 1), colours.N)
        shown = ax.scatter(
            rows["x"][counted],
            rows["y"][counted],
            c=count,
            s=size,
            cmap=colours,
            norm=norm,
            alpha=np.clip(np.nan_to_num(rows["probability"][counted]), 0.3, 1),
            linewidths=0,
        )
        step = max(1, (high - low) // 10)
        bar = ax.figure.colorbar(shown, ax=ax, label="Atoms", ticks=np.arange(low, high + 1, step), shrink=0.8)
        bar.solids.set_alpha(1)
        atoms = rows["expected_count"][counted].sum()
        ax.set_title(f"{atoms:.0f} atoms in {counted.sum()} columns", fontsize=9)
    return ax


def plot_atoms(
    atoms: Atoms,
    colour_by: str = "coordination",
    azimuth: float = 20.0,
    elevation: float = 25.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw a model of a particle in three dimensions; with an interactive matplotlib backend it can be turned.

    Parameters
    ----------
    atoms
        ASE atoms.
    colour_by
        "coordination": number of neighbours; "height": place along the beam.
    azimuth, elevation
        Direction of view in degrees.
    ax
        Three-dimensional axes to draw in; by default a new figure's.

    Returns
    -------
    mpl_toolkits.mplot3d.axes3d.Axes3D
    """
    from scipy.spatial import cKDTree

    if colour_by not in ("coordination", "height"):
        raise ValueError(f"colour_by={colour_by!r}; expected 'coordination' or 'height'.")
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure(figsize=(5, 5), layout="constrained").add_subplot(projection="3d")
    positions = atoms.positions
    if colour_by == "coordination" and len(atoms) > 1:
        tree = cKDTree(positions)
        near = np.median(tree.query(positions, 2)[0][:, 1])
        values = np.asarray(tree.query_ball_point(positions, 1.2 * near, return_length=True)) - 1
    else:
        values = positions[:, 2]
    extent = max(float(np.ptp(positions, axis=0).max()), 1.0) if len(atoms) else 1.0
    size = (260 * 2.6 / (extent + 3)) ** 2 * 0.5
    shown = ax.scatter(*positions.T, c=values, s=size, edgecolors="black", linewidths=0.3, depthshade=True, alpha=1)
    label = "Neighbours" if colour_by == "coordination" else "Height (Å)"
    ax.figure.colorbar(shown, ax=ax, label=label, shrink=0.6)
    ax.set_box_aspect(np.maximum(np.ptp(positions, axis=0), 0.05 * extent) if len(atoms) else (1, 1, 1))
    ax.set(xlabel="x (Å)", ylabel="y (Å)", zlabel="z (Å)")
    ax.view_init(elev=elevation, azim=azimuth)
    return ax


def _image_axes(table, image, where, ax):
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(5.5, 5), layout="constrained")[1]
    grid = table.grid
    if image is not None:
        frames = frames_array(image)
        if frames.shape[:-2] != table.data.shape or frames.shape[-2:] != grid.shape:
            raise ValueError(
                f"The columns are of frames of {grid.shape} pixels and the navigation shape {table.data.shape}; "
                f"this image has {frames.shape[-2:]} and {frames.shape[:-2]}."
            )
        _draw_frame(ax, np.asarray(frames[where], float), grid)
    else:
        ax.set_aspect("equal")
        left, top = grid.to_xy(0, 0)
        right, bottom = grid.to_xy(grid.shape[0] - 1, grid.shape[1] - 1)
        ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=f"x ({grid.units})", ylabel=f"y ({grid.units})")
    return ax


def _marker_size(ax, rows) -> float:
    """Area of a marker in points that nearly touches its neighbours."""
    if len(rows) < 2:
        return 40.0
    from scipy.spatial import cKDTree

    places = np.column_stack([rows["x"], rows["y"]])
    near = float(np.median(cKDTree(places).query(places, 2)[0][:, 1]))
    width = ax.get_window_extent().width / ax.figure.dpi * 72
    return float(np.clip((0.6 * near / abs(np.diff(ax.get_xlim())[0]) * width) ** 2, 2, 400))
