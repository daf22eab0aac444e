"""Outlines and labels as HyperSpy markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.plotting.colours import inner_anchors, row_colours, row_labels
from particlespy_ml.tables.check import check_measured

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D


def to_markers(table: BaseSignal, label: str | None = "auto") -> list:
    """Return markers of outlines and labels; they follow the navigation of the images.

    Parameters
    ----------
    table
        Particle table. A lazy one is computed.
    label
        Column written beside each particle: "class", "track", "label" or any other; None for outlines alone. By default
        the class where there is one, or else the number of the track or of the particle.

    Returns
    -------
    list of hyperspy markers
        Polygons, and texts, inside of the image, where a particle has a label. Add them with
        ``image.add_marker(markers)``. They are not meant to be permanent: permanent markers that vary in number stop
        HyperSpy from plotting parts of a series.

    Raises
    ------
    ValueError
        If there is no such column.
    """
    from hyperspy.api import plot
    from matplotlib.colors import to_rgba_array

    check_measured(table)
    table = table._computed()
    single = table.axes_manager.navigation_size <= 1
    shape = table.data.shape
    outlines, colours, anchors, texts = (np.empty(shape, dtype=object) for _ in range(4))
    labelled = False
    for index in np.ndindex(*shape):
        rows = table.data[index]
        labels = np.array(row_labels(table, rows, label), dtype=str)
        some = labels != ""  # HyperSpy's texts cannot be empty
        labelled |= some.any()
        outlines[index] = rows["outline"].astype(float)
        colours[index] = to_rgba_array(row_colours(table, rows)) if len(rows) else np.zeros((0, 4))
        anchors[index] = inner_anchors(table, rows, labels)[some]
        texts[index] = labels[some]
    arrays = (outlines, colours, anchors, texts)
    # HyperSpy looks markers up by its own order of the navigation axes, the reverse of the array's
    outlines, colours, anchors, texts = (array.flat[0] if single else array.T for array in arrays)
    markers = [plot.markers.Polygons(verts=outlines, facecolors="none", edgecolors=colours, linewidths=1.5)]
    if labelled:
        style = {"color": "white", "horizontalalignment": "center", "verticalalignment": "bottom"}
        markers.append(plot.markers.Texts(offsets=anchors, texts=texts, **style))
    return markers


def plot_particles(
    image: Signal2D,
    table: BaseSignal,
    label: str | None = "auto",
    *,
    figsize: tuple[float, float] | None = None,
    **kwargs: object,
) -> None:
    """Show an image with the outlines and labels of its particles, which follow the navigation.

    In Jupyter the windows are live after ``%matplotlib widget``, which needs ipympl.

    Parameters
    ----------
    image
        Image or series. An earlier plot of it is closed, with its markers, as by ``image.plot``.
    table
        Its particle table. A lazy one is computed.
    label
        As for `to_markers`.
    figsize
        Width and height of the image's window in inches.
    **kwargs
        For `hyperspy.api.signals.Signal2D.plot`, such as ``cmap``.

    Raises
    ------
    ValueError
        If the table is of another image, or there is no such column.
    """
    table = table._computed()
    if table.data.shape != (image.axes_manager.navigation_shape[::-1] or (1,)):
        raise ValueError(
            f"The table has the navigation shape {table.axes_manager.navigation_shape}, the image "
            f"{image.axes_manager.navigation_shape}; expected the image that the table was measured on."
        )
    import matplotlib.pyplot as plt

    markers = to_markers(table, label)
    _close_plot(image)
    others = plt.get_fignums()
    try:
        image.plot(**kwargs)
        if figsize is not None:
            image._plot.signal_plot.figure.set_size_inches(figsize)
        if table.n_particles:
            image.add_marker(markers, permanent=False)
    except Exception:
        _close_plot(image)
        for number in set(plt.get_fignums()) - set(others):
            plt.close(number)
        raise


def _close_plot(image) -> None:
    """Close a plot, also one that failed halfway and that HyperSpy itself would trip over."""
    plot, image._plot = image._plot, None
    if plot is None:
        return
    for figure in (plot.signal_plot, plot.navigator_plot):
        if figure is not None:
            figure.ax_markers[:] = [marker for marker in figure.ax_markers if marker._collection is not None]
    plot.close()
