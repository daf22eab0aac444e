"""Single particles as they are drawn in montages."""

from __future__ import annotations

import numpy as np

from particlespy_ml.plotting.overlay import grey_limits, round_length


def draw_tile(ax, tile: np.ndarray, colour: str) -> None:
    """Draw a particle with a contrast of its own, framed in a colour."""
    ax.set_axis_on()
    low, high = grey_limits(tile)
    ax.imshow(tile, cmap="gray", vmin=low, vmax=high)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color=colour, linewidth=2)


def draw_scale_bar(ax, edge: int, scale: float, units: str) -> None:
    """Draw a scale bar of a round length."""
    from matplotlib.patheffects import withStroke

    length = round_length(abs(scale) * edge / 2)
    pixels = length / abs(scale)
    left, bottom = 0.07 * edge, 0.92 * edge
    bar = [withStroke(linewidth=4, foreground="black")]
    ax.plot([left, left + pixels], [bottom] * 2, color="white", linewidth=2, solid_capstyle="butt", path_effects=bar)
    text = [withStroke(linewidth=2, foreground="black")]
    style = {"color": "white", "ha": "center", "va": "bottom", "fontsize": 7, "path_effects": text}
    ax.text(left + pixels / 2, bottom - 0.03 * edge, f"{length:g} {units}", **style)
