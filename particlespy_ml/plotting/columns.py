"""Figures of columns: counts over the image, mixtures with their criteria, models of atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.frames import frames_array
from particlespy_ml.plotting.colours import PALETTE, UNDEFINED_COLOUR
from particlespy_ml.plotting.overlay import draw_frame

if TYPE_CHECKING:
    from ase import Atoms
    from hyperspy.signals import BaseSignal, Signal2D
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap


FLAGGED = PALETTE[5]
# number of atoms, its probability and its mean: as counted from cross-sections, and as a network finds them
_COUNTED = (("count", "probability", "expected_count"), ("height", "height_probability", "expected_height"))


def plot_columns(
    table: BaseSignal,
    image: Signal2D,
    index: int = 0,
    scale_bar: bool = True,
    cmap: str | Colormap = "gray",
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw the columns of a frame over the image: those with flags, and each kind, in another colour.

    Parameters
    ----------
    table
        Column table. A lazy one is computed.
    image
        Image or series that the columns are of; only the frame drawn is read.
    index
        Number of the frame.
    scale_bar
        Whether a bar of a round length is drawn.
    cmap
        Colour map of the image.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
    """
    table = table._computed()
    rows, where = table.frame(index)
    flagged = rows["flags"] != 0
    beside = 0.8 if flagged.any() or "class" in table.names else 0
    ax = _new_axes(table, ax, figsize, beside=beside)
    _draw_image(ax, table, image, where, scale_bar, cmap)
    for which, colour, name in (*_kinds(table, rows, ~flagged), (flagged, FLAGGED, "flagged")):
        if which.any():
            style = {"s": 14, "color": colour, "edgecolors": "white", "linewidths": 0.7}  # seen on dark and on bright
            ax.scatter(rows["x"][which], rows["y"][which], label=name, **style)
    if beside:
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=8, markerscale=1.8)
    return ax


def _kinds(table, rows: np.ndarray, which: np.ndarray) -> list[tuple[np.ndarray, str, str]]:
    """Rows, colour and name of each kind of columns."""
    if "class" not in table.names:
        return [(which, PALETTE[1], "columns")]
    colours = [PALETTE[1], PALETTE[2], *PALETTE[3:5], *PALETTE[6:]]
    return [
        (which & (rows["class"] == number), colours[number % len(colours)], name)
        for number, name in enumerate(table.names["class"])
    ]


def plot_counts(
    table: BaseSignal,
    image: Signal2D | None = None,
    index: int = 0,
    scale_bar: bool = True,
    cmap: str | Colormap = "viridis",
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw the number of atoms of every column of a frame as a map, over the image where it is given.

    Columns that are not counted are grey; the fainter a column, the less probable its count.

    Parameters
    ----------
    table
        Counted column table, or one that a network found with heights. A lazy one is computed.
    image
        Image or series that the columns are of.
    index
        Number of the frame.
    scale_bar
        Whether a bar of a round length is drawn.
    cmap
        Colour map of the numbers of atoms; the image is grey.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import BoundaryNorm

    table = table._computed()
    names = next((names for names in _COUNTED if names[0] in table.columns), None)
    if names is None:
        raise ValueError("The columns are not counted; call count_atoms() first.")
    number, certainty, expected = names
    rows, where = table.frame(index)
    counted = rows[number] >= 0
    if "resolvable" in table.columns:
        counted &= rows["resolvable"]
    beside, ticks = (0.8 if counted.any() else 0), (0.4 if image is None else 0)
    ax = _new_axes(table, ax, figsize, beside + ticks, ticks + (0.2 if counted.any() else 0))
    _draw_image(ax, table, image, where, scale_bar, "gray")
    size = _marker_size(ax, rows)
    if (~counted).any():
        ax.scatter(rows["x"][~counted], rows["y"][~counted], s=size, color=UNDEFINED_COLOUR, linewidths=0)
    if counted.any():
        count = rows[number][counted]
        low, high = int(count.min()), int(count.max())
        colours = plt.get_cmap(cmap).resampled(max(high - low + 1, 2))
        norm = BoundaryNorm(np.arange(low - 0.5, max(high, low + 1) + 1), colours.N)
        shown = ax.scatter(
            rows["x"][counted],
            rows["y"][counted],
            c=count,
            s=size,
            cmap=colours,
            norm=norm,
            alpha=np.clip(np.nan_to_num(rows[certainty][counted]), 0.3, 1),
            linewidths=0,
        )
        step = max(1, (high - low) // 10)
        bar = ax.figure.colorbar(shown, ax=ax, label="Atoms", ticks=np.arange(low, high + 1, step), shrink=0.8)
        bar.solids.set_alpha(1)
        atoms = rows[expected][counted].sum()
        ax.set_title(f"{atoms:.0f} atoms in {counted.sum()} columns", fontsize=9)
    return ax


def plot_atoms(
    atoms: Atoms,
    colour_by: str = "coordination",
    azimuth: float = 20.0,
    elevation: float = 25.0,
    cmap: str | Colormap | None = None,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
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
    cmap
        Colour map of the atoms.
    ax
        Three-dimensional axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    mpl_toolkits.mplot3d.axes3d.Axes3D
    """
    from scipy.spatial import cKDTree

    if colour_by not in ("coordination", "height"):
        raise ValueError(f"colour_by={colour_by!r}; expected 'coordination' or 'height'.")
    zoom = 1.0
    if ax is None:
        import matplotlib.pyplot as plt

        figsize = figsize or (5, 5)
        zoom = min(figsize) / 5
        ax = plt.figure(figsize=figsize, layout="constrained").add_subplot(projection="3d")
    positions = atoms.positions
    if colour_by == "coordination" and len(atoms) > 1:
        tree = cKDTree(positions)
        near = np.median(tree.query(positions, 2)[0][:, 1])
        values = np.asarray(tree.query_ball_point(positions, 1.2 * near, return_length=True)) - 1
    else:
        values = positions[:, 2]
    extent = max(float(np.ptp(positions, axis=0).max()), 1.0) if len(atoms) else 1.0
    size = (zoom * 260 * 2.6 / (extent + 3)) ** 2 * 0.4
    style = {"edgecolors": "black", "linewidths": 0.3, "depthshade": True, "alpha": 1}
    shown = ax.scatter(*positions.T, c=values, s=size, cmap=cmap, **style)
    label = "Neighbours" if colour_by == "coordination" else "Height (Å)"
    ax.figure.colorbar(shown, ax=ax, label=label, shrink=0.6)
    box = np.maximum(np.ptp(positions, axis=0), 0.05 * extent) if len(atoms) else (1, 1, 1)
    ax.set_box_aspect(box, zoom=0.9)  # room for the labels
    ax.set(xlabel="x (Å)", ylabel="y (Å)", zlabel="z (Å)")
    ax.view_init(elev=elevation, azim=azimuth)
    return ax


def _new_axes(table, ax, figsize, beside: float = 0.0, above: float = 0.0):
    """The axes given, or those of a new figure as high as its image, with so many inches for what stands around it."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    from particlespy_ml.plotting.layout import SettledLayout

    rows, columns = np.multiply(table.grid.shape, table.grid.scale)
    figsize = figsize or (5 + beside, np.clip(5 * rows / columns, 1.5, 10) + above)
    return plt.subplots(figsize=figsize, layout=SettledLayout())[1]


def _draw_image(ax, table, image, where, scale_bar: bool, cmap) -> None:
    """Draw a frame, or axes as large as it is where there is none."""
    grid = table.grid
    if image is not None:
        frames = frames_array(image)
        if frames.shape[:-2] != table.data.shape or frames.shape[-2:] != grid.shape:
            raise ValueError(
                f"The columns are of frames of {grid.shape} pixels and the navigation shape {table.data.shape}; "
                f"this image has {frames.shape[-2:]} and {frames.shape[:-2]}."
            )
        draw_frame(ax, np.asarray(frames[where], float), grid, scale_bar, cmap)
    else:
        ax.set_aspect("equal")
        left, top = grid.to_xy(0, 0)
        right, bottom = grid.to_xy(grid.shape[0] - 1, grid.shape[1] - 1)
        ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=f"x ({grid.units})", ylabel=f"y ({grid.units})")


def _marker_size(ax, rows) -> float:
    """Area of a marker in points that nearly touches its neighbours."""
    if len(rows) < 2:
        return 40.0
    from scipy.spatial import cKDTree

    places = np.column_stack([rows["x"], rows["y"]])
    near = float(np.median(cKDTree(places).query(places, 2)[0][:, 1]))
    width = ax.get_window_extent().width / ax.figure.dpi * 72
    return float(np.clip((0.6 * near / abs(np.diff(ax.get_xlim())[0]) * width) ** 2, 2, 400))
