"""A layout in which nothing is cut at the edges of a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SettledLayout(ConstrainedLayoutEngine):
    """Constrained layout of images, done three times for a new size of the figure.

    Before the first an image, whose pixels are square, is not as wide as it will be, so the room for what stands
    beside it comes out wrong.

    Parameters
    ----------
    **options
        For `matplotlib.layout_engine.ConstrainedLayoutEngine`.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._settled = None

    def execute(self, fig: Figure) -> None:
        """Lay out a figure."""
        size = tuple(fig.get_size_inches())
        for _ in range(1 if size == self._settled else 3):
            super().execute(fig)
        self._settled = size
