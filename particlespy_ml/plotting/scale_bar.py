"""A bar of a round length, which says how large things in a picture are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.offsetbox import AnchoredOffsetbox

CORNERS = ("lower left", "lower right", "upper left", "upper right")
CORNER, POINTS = (0.25, 0.12), 12  # part of the width and height that a bar takes, and points each way to look at
NO_UNITS = ("", "None", "<undefined>")  # what HyperSpy's axes without a unit say


def draw_scale_bar(
    ax: Axes,
    units: str,
    scale: float = 1.0,
    share: float = 0.2,
    fontsize: float = 10.0,
    corner: str = "lower left",
) -> AnchoredOffsetbox:
    """Draw a scale bar in a corner, white with a black edge, so that it is seen on any image.

    It keeps its place when the axes are zoomed, and grows with the image.

    Parameters
    ----------
    ax
        Axes with an image.
    units
        Unit of length, or "px". Without one the bar is in pixels, which the coordinates of the axes then are taken for.
    scale
        Size in this unit of one step of the axes' coordinates; the sign does not count.
    share
        Part of the width of the axes that the bar takes at most; it takes two fifths of that at least.
    fontsize
        Size of the text in points; the bar is as thick as suits it.
    corner
        One of `CORNERS`, such as `free_corner` finds.

    Returns
    -------
    matplotlib.offsetbox.AnchoredOffsetbox

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = plt.subplots()[1]
    >>> image = ax.imshow([[0, 1], [1, 0]], extent=(0, 30, 30, 0))
    >>> bar = draw_scale_bar(ax, "nm")
    >>> scale_bar_text(bar)
    '5 nm'
    """
    from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import blended_transform_factory

    if str(units) in NO_UNITS:
        units, scale = "px", 1.0
    scale = abs(scale)
    length = round_length(share * abs(np.subtract(*ax.get_xlim())) * scale)
    edge = 0.1 * fontsize
    line = Rectangle((0, 0), length / scale, 0.3 * fontsize / 72, color="white", linewidth=0)
    line.set(path_effects=[withStroke(linewidth=2 * edge, foreground="black")], clip_path=ax.patch)
    # as long as the coordinates of the data say, as thick as so many inches
    bar = AuxTransformBox(blended_transform_factory(ax.transData, ax.figure.dpi_scale_trans))
    bar.add_artist(line)
    style = {"color": "white", "fontsize": fontsize, "clip_on": True}
    text = TextArea(f"{length:g} {units}", textprops=style)
    for part in text.get_children():
        part.set(path_effects=[withStroke(linewidth=2.5 * edge, foreground="black")], clip_path=ax.patch)
    packed = VPacker(children=[text, bar], align="center", pad=0, sep=0.15 * fontsize)
    font = {"size": fontsize}
    return ax.add_artist(AnchoredOffsetbox(corner, pad=0, borderpad=0.8, child=packed, prop=font, frameon=False))


def free_corner(polygons: Sequence[np.ndarray], extent: tuple[float, float, float, float]) -> str:
    """Return the corner of an image that particles fill least, the lower left one where others are no better.

    Parameters
    ----------
    polygons
        Outlines, each of the shape (vertices, 2).
    extent
        Left, right, bottom and top of the image, in the coordinates of the outlines.

    Examples
    --------
    >>> square = np.array([(0, 0), (4, 0), (4, 4), (0, 4)], float)
    >>> free_corner([square], (0, 20, 0, 20)), free_corner([square + 12], (0, 20, 0, 20))
    ('lower right', 'lower left')
    """
    from matplotlib.path import Path

    across = (np.arange(POINTS) + 0.5) / POINTS
    x, y = np.meshgrid(across * CORNER[0], across * CORNER[1])
    filled = []
    for corner in CORNERS:
        from_left = x if "left" in corner else 1 - x
        from_bottom = y if "lower" in corner else 1 - y
        places = np.column_stack(
            [
                (extent[0] + from_left * (extent[1] - extent[0])).ravel(),
                (extent[2] + from_bottom * (extent[3] - extent[2])).ravel(),
            ]
        )
        inside = np.zeros(len(places), bool)
        for polygon in polygons:
            if (polygon.min(0) <= places.max(0)).all() and (polygon.max(0) >= places.min(0)).all():
                inside |= Path(polygon).contains_points(places)
        filled.append(np.count_nonzero(inside))
    return CORNERS[int(np.argmin(filled))]


def scale_bar_text(bar: AnchoredOffsetbox) -> str:
    """Return what a scale bar says."""
    from matplotlib.text import Text

    return bar.findobj(Text)[0].get_text()


def round_length(length: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above a length.

    Examples
    --------
    >>> [round_length(length) for length in (0.07, 1.9, 4.99, 999)]
    [0.05, 1.0, 2.0, 500.0]
    """
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length * 1.0001))
