"""Single particles as they are drawn in montages."""

from __future__ import annotations

import numpy as np

from particlespy_ml.plotting.overlay import grey_limits


def draw_tile(ax, tile: np.ndarray, colour: str, cmap="gray") -> None:
    """Draw a particle with a contrast of its own, framed in a colour."""
    ax.set_axis_on()
    low, high = grey_limits(tile)
    ax.imshow(tile, cmap=cmap, vmin=low, vmax=high)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color=colour, linewidth=2)
