"""Outlines and labels as HyperSpy markers."""

from __future__ import annotations

import numpy as np

from particlespy_ml.plotting.colours import label_anchors, row_colours, row_labels


def to_markers(table, label: str | None = "auto") -> list:
    """Return markers of outlines and labels; they follow the navigation of the images.

    Parameters
    ----------
    table
        Computed particle table.
    label
        See `particlespy_ml.plotting.colours.row_labels`.

    Returns
    -------
    list of hyperspy markers
        Polygons, and texts where there are labels. Add them with ``image.add_marker(markers)``. They are not meant to
        be permanent: permanent markers that vary in number stop HyperSpy from plotting parts of a series.
    """
    from hyperspy.api import plot
    from matplotlib.colors import to_rgba_array

    single = table.axes_manager.navigation_size <= 1
    shape = table.data.shape
    outlines, colours, anchors, texts = (np.empty(shape, dtype=object) for _ in range(4))
    for index in np.ndindex(*shape):
        rows = table.data[index]
        outlines[index] = rows["outline"].astype(float)
        colours[index] = to_rgba_array(row_colours(table, rows)) if len(rows) else np.zeros((0, 4))
        anchors[index] = label_anchors(table, rows)
        texts[index] = np.array(row_labels(table, rows, label), dtype=str if single else object)
    arrays = (outlines, colours, anchors, texts)
    # HyperSpy looks markers up by its own order of the navigation axes, the reverse of the array's
    outlines, colours, anchors, texts = (array.flat[0] if single else array.T for array in arrays)
    markers = [plot.markers.Polygons(verts=outlines, facecolors="none", edgecolors=colours, linewidths=1.5)]
    if label is not None:
        style = {"color": "white", "horizontalalignment": "center", "verticalalignment": "bottom"}
        markers.append(plot.markers.Texts(offsets=anchors, texts=texts, **style))
    return markers


def plot_particles(image, table, label: str | None = "auto", **kwargs) -> None:
    """Show an image with the outlines and labels of its particles.

    Parameters
    ----------
    image
        Image or series.
    table
        Its particle table.
    label
        See `particlespy_ml.plotting.colours.row_labels`.
    **kwargs
        For the image's ``plot``.
    """
    table = table._computed()
    if table.data.shape != (image.axes_manager.navigation_shape[::-1] or (1,)):
        raise ValueError(
            f"The table has the navigation shape {table.axes_manager.navigation_shape}, the image "
            f"{image.axes_manager.navigation_shape}; expected the image that the table was measured on."
        )
    image.plot(**kwargs)
    if table.n_particles:
        image.add_marker(to_markers(table, label), permanent=False)
