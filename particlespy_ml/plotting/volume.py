"""Figures of reconstructions: slices, surface, resolution."""

from __future__ import annotations

import numpy as np

from particlespy_ml.plotting.overlay import grey_limits
from particlespy_ml.plotting.scale_bar import draw_scale_bar


def plot_fsc(reconstruction, criterion: float = 0.143, ax=None, figsize=None):
    """Draw the Fourier shell correlation of the half maps.

    Parameters
    ----------
    reconstruction
        A `Reconstruction`.
    criterion
        Correlation that is drawn as a line.
    ax
        Axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=figsize or (4.5, 3), layout="constrained")
    table, units = reconstruction.fsc, reconstruction.units
    ax.plot(table["frequency"], table["correlation"], color="#1f5a96", lw=1.6)
    ax.axhline(criterion, color="0.5", lw=0.8, ls="--")
    ax.axhline(0, color="0.8", lw=0.6)
    ax.axvline(1 / reconstruction.resolution, color="#c2571a", lw=0.8)
    ax.annotate(
        f"{reconstruction.resolution:.2g} {units}",
        (1 / reconstruction.resolution, 0.9),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        color="#c2571a",
    )
    ax.set(xlabel=f"Spatial frequency (1/{units})", ylabel="Fourier shell correlation", ylim=(-0.1, 1.05))
    ax.set_xlim(0, table["frequency"].iloc[-1])
    return ax


def plot_slices(reconstruction, scale_bar: bool = True, cmap="gray", axes=None, figsize=None):
    """Draw the three slices through the middle, the first with a scale bar.

    Parameters
    ----------
    reconstruction
        A `Reconstruction`.
    scale_bar
        Whether a bar of a round length is drawn.
    cmap
        Colour map of the slices.
    axes
        Three axes to draw in; by default those of a new figure.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(1, 3, figsize=figsize or (7.5, 2.6), layout="constrained")
    volume = reconstruction.volume.data
    box = volume.shape[0]
    middle = box // 2
    low, high = np.percentile(volume, [1, 99.9])
    if low == high:
        low, high = grey_limits(volume)
    names = (("x", "y"), ("x", "z"), ("y", "z"))
    slices = (volume[middle], volume[:, middle], volume[:, :, middle])
    for ax, picture, (horizontal, vertical) in zip(axes, slices, names, strict=True):
        ax.imshow(picture, cmap=cmap, vmin=low, vmax=high, origin="lower")
        ax.set(xticks=[], yticks=[], xlabel=horizontal, ylabel=vertical)
    if scale_bar:
        draw_scale_bar(axes[0], reconstruction.units, reconstruction.volume.axes_manager.signal_axes[0].scale)
    return np.asarray(axes)


def plot_surface(reconstruction, level: float | None = None, ax=None, figsize=None):
    """Draw the surface of the volume, shaded.

    Parameters
    ----------
    reconstruction
        A `Reconstruction`.
    level
        Value of the surface; by default Otsu's threshold of the volume smoothed to its resolution.
    ax
        Three-dimensional axes to draw in; by default a new figure's.
    figsize
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the volume does not reach the level.
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import LightSource
    from skimage.filters import threshold_otsu
    from skimage.measure import marching_cubes

    volume = np.asarray(reconstruction.volume.data, float)
    scale = reconstruction.volume.axes_manager.signal_axes[0].scale
    if level is None:
        level = threshold_otsu(volume[volume > 0.02 * volume.max()]) if volume.max() > 0 else 0.0
        if level == volume.max():  # all of the particle has one value
            level = (volume.min() + volume.max()) / 2
    if not volume.min() < level < volume.max():
        raise ValueError(
            f"The level {level:.4g} lies outside of the volume's values, {volume.min():.4g} to {volume.max():.4g}."
        )
    corners, faces, _, _ = marching_cubes(volume, level)
    corners = (corners[:, ::-1] - volume.shape[0] // 2) * scale
    if ax is None:
        _, ax = plt.subplots(figsize=figsize or (4, 4), subplot_kw={"projection": "3d"}, layout="constrained")
    ax.plot_trisurf(
        *corners.T, triangles=faces, color="#e0b040", lightsource=LightSource(315, 40), linewidth=0, antialiased=False
    )
    reach = np.abs(corners).max()
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    ax.set_box_aspect((1, 1, 1))
    ax.set_axis_off()
    return ax
