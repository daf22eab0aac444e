"""Figures of the sites of a movie: maps of what each one does, strips over time, animations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.core.frames import frames_array
from particlespy_ml.plotting.layout import SettledLayout
from particlespy_ml.plotting.overlay import draw_frame
from particlespy_ml.plotting.sequence import frame_edges

if TYPE_CHECKING:
    from hyperspy.signals import Signal2D
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

MOST_LABELS = 30  # of strips


def plot_sites(
    found,
    values: np.ndarray,
    label: str,
    limits: tuple[float | None, float | None] = (None, None),
    image: Signal2D | None = None,
    cmap: str | Colormap = "viridis",
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
) -> Axes:
    """Draw a value of each site as a map, over an image where it is given.

    Parameters
    ----------
    found
        `particlespy_ml.dynamics.SurfaceDynamics`.
    values
        Of each site, shape (S,).
    label
        What they are.
    limits
        Of the colours; None for the lowest or highest value.
    image
        Image that lies as the mean of the movie does, such as ``found.mean_image(movie)``.
    cmap
        Colour map of the values.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = _new_axes(found, ax, figsize)
    _background(ax, found, image)
    x, y = found.sites["x"], found.sites["y"]
    low = np.min(values, initial=np.inf) if limits[0] is None else limits[0]
    high = np.max(values, initial=low) if limits[1] is None else limits[1]
    style = {"cmap": cmap, "vmin": low, "vmax": high if high > low else low + 1, "linewidths": 0}
    shown = ax.scatter(x, y, c=values, s=_size(ax, x, y), **style)
    ax.figure.colorbar(shown, ax=ax, label=label, shrink=0.8)
    return ax


def plot_strips(found, ax: Axes | None = None, figsize: tuple[float, float] | None = None) -> Axes:
    """Draw the probability that each site that changes is full, over time, one strip a site; grey where unknown.

    Parameters
    ----------
    found
        `particlespy_ml.dynamics.SurfaceDynamics`.
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
        If no site changes.
    """
    import matplotlib.pyplot as plt

    which = np.flatnonzero(found.changing)
    if not len(which):
        raise ValueError("No site of the movie changes, so there are no strips to draw.")
    if ax is None:
        height = float(np.clip(1.0 + 0.22 * len(which), 1.7, 12))
        ax = plt.subplots(figsize=figsize or (7, height), layout="constrained")[1]
    k = found.probability.shape[-1]
    level = found.probability[which] @ (np.arange(k) / max(k - 1, 1))
    edges = frame_edges(found.times)
    colours = plt.get_cmap("Blues").with_extremes(bad="0.8")
    level = np.ma.masked_where(np.broadcast_to(~found.used, level.shape), level)
    shown = ax.pcolormesh(edges, np.arange(len(which) + 1) - 0.5, level, cmap=colours, vmin=0, vmax=1)
    every = int(np.ceil(len(which) / MOST_LABELS))
    ax.set_yticks(range(0, len(which), every), [str(site) for site in found.sites["site"][which][::every]])
    ax.set_ylim(len(which) - 0.5, -0.5)
    ax.set(xlabel="Time (s)" if found.timed else "Frame", ylabel="Site")
    ax.tick_params(axis="y", length=0)
    ax.figure.colorbar(shown, ax=ax, label="Occupancy")
    return ax


def animate(found, smooth: Signal2D, step: int = 1, interval: float = 80.0) -> FuncAnimation:
    """Return an animation of a smoothed movie with rings around the sites that are full.

    Parameters
    ----------
    found
        `particlespy_ml.dynamics.SurfaceDynamics`.
    smooth
        As from ``found.smoothed(movie)``.
    step
        Every so many frames are shown.
    interval
        Time of a frame in ms.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        Save it with ``animation.save("surface.gif")``, or show it in a notebook with ``HTML(animation.to_jshtml())``.
    """
    from matplotlib.animation import FuncAnimation

    frames = frames_array(smooth)
    ax = _new_axes(found, None, None)
    first = np.asarray(frames[0])
    draw_frame(ax, first, found.grid, True, "gray")
    picture = ax.images[0]
    x, y = found.sites["x"], found.sites["y"]
    style = {"facecolors": "none", "edgecolors": np.where(found.changing, "tab:orange", "tab:blue"), "linewidths": 1.2}
    rings = ax.scatter(x, y, s=0.7 * _size(ax, x, y), **style)
    full, title = found.states > 0, ax.set_title(" ")

    def show(number: int) -> tuple:
        picture.set_data(np.asarray(frames[number]))
        rings.set_alpha(full[:, number].astype(float))
        title.set_text(f"{found.times[number]:.4g} s" if found.timed else f"frame {found.frames[number]}")
        return picture, rings, title

    return FuncAnimation(ax.figure, show, range(0, len(found.times), step), interval=interval)


def _new_axes(found, ax, figsize):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    rows, columns = np.multiply(found.grid.shape, found.grid.scale)
    figsize = figsize or (5.8, float(np.clip(5 * rows / columns, 2, 10)))
    return plt.subplots(figsize=figsize, layout=SettledLayout())[1]


def _background(ax, found, image) -> None:
    if image is not None:
        frame = np.asarray(frames_array(image)[0], float)
        if frame.shape != found.grid.shape:
            raise ValueError(f"The image has {frame.shape} pixels; expected {found.grid.shape}, those of the movie.")
        draw_frame(ax, frame, found.grid, True, "gray")
        return
    ax.set_aspect("equal")
    left, top = found.grid.to_xy(-0.5, -0.5)
    right, bottom = found.grid.to_xy(found.grid.shape[0] - 0.5, found.grid.shape[1] - 0.5)
    units = found.grid.units
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=f"x ({units})", ylabel=f"y ({units})")


def _size(ax, x, y) -> float:
    """Area of a marker in points that nearly touches its neighbours."""
    if len(x) < 2:
        return 40.0
    places = np.column_stack([x, y])
    near = float(np.median(cKDTree(places).query(places, 2)[0][:, 1]))
    width = ax.get_window_extent().width / ax.figure.dpi * 72
    return float(np.clip((0.6 * near / abs(np.diff(ax.get_xlim())[0]) * width) ** 2, 2, 400))
