"""Texts that stay inside of the axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.text import Text
from matplotlib.transforms import Affine2D

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

MARGIN = 1.5  # points between a text and the edge of the axes


class InnerText(Text):
    """A text at a place of an axes; whenever it is drawn, it moves as far as it must to lie inside of the axes.

    A text whose place is itself outside, of a particle that a zoom leaves out, is cut off.

    Parameters
    ----------
    ax
        Axes that the text is added to.
    x, y
        Place in the coordinates of the data.
    text
        What is written.
    **style
        For `matplotlib.text.Text`.
    """

    def __init__(self, ax: Axes, x: float, y: float, text: str, **style: object) -> None:
        self._shift = Affine2D()
        super().__init__(x, y, text, transform=ax.transData + self._shift, clip_on=True, **style)
        ax.add_artist(self)

    def draw(self, renderer: RendererBase) -> None:
        """Move the text, then draw it."""
        margin = MARGIN * renderer.points_to_pixels(1)
        self._shift.clear().translate(0, margin)  # clear of the outline beneath
        room = self.axes.bbox
        place = self.axes.transData.transform(self.get_position())
        if self.get_text() and room.padded(1).contains(*place):
            text = self.get_window_extent(renderer).padded(margin)
            self._shift.translate(_move(text.x0, text.x1, room.x0, room.x1), _move(text.y0, text.y1, room.y0, room.y1))
        super().draw(renderer)


def _move(start: float, stop: float, low: float, high: float) -> float:
    """How far an interval moves to lie inside of another one; one that is too long begins with it."""
    if start < low or stop - start > high - low:
        return low - start
    return min(high - stop, 0.0)
