"""The figure of a label editor: it draws what the editor holds, and turns mouse and keys into calls of its methods."""

from __future__ import annotations

from textwrap import shorten

import numpy as np

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.plotting.colours import PALETTE
from particlespy_ml.plotting.overlay import draw_frame

# name of each mode: its key, and what the mouse does in it
MODES = {
    "select": ("v", "Click a particle; with shift, several."),
    "split": ("s", "Drag a line across a particle."),
    "paint": ("p", "Drag around a new particle."),
    "add": ("a", "Select a particle, then drag over what belongs to it, too."),
    "erase": ("e", "Drag over what is no particle; with a selection, of that one alone."),
}
# name of each button: the key that is shown, others, and the method of the editor
ACTIONS = {
    "delete": ("d", ("delete", "backspace"), "delete"),
    "merge": ("m", (), "merge"),
    "undo": ("u", ("ctrl+z", "cmd+z"), "undo"),
    "redo": ("r", ("ctrl+y", "ctrl+Z", "ctrl+shift+z", "cmd+Z"), "redo"),
}
STILL = "A still picture: %matplotlib widget (pip install ipympl) makes it clickable; methods work anyway."
SMALLEST_PIECE = 0.05  # of a particle, which has its number written on it
MOST_NUMBERS = 300  # more numbers than that would hide the image
LONGEST_MESSAGE = 120  # characters that fit below the image
WHITE_ON_BLACK = {"color": "white", "fontsize": 9, "ha": "center", "va": "center", "clip_on": True}


class EditorFigure:
    """Draws the labels of an editor, and calls its methods.

    Parameters
    ----------
    editor
        A `particlespy_ml.plotting.label_editor.LabelEditor`.
    image
        The frame, shape (rows, columns).
    grid
        Its calibration; the axes may descend, and the image is shown as HyperSpy shows it.
    """

    def __init__(self, editor, image: np.ndarray, grid: PixelGrid):
        import matplotlib.pyplot as plt
        from matplotlib.collections import PathCollection
        from matplotlib.lines import Line2D

        self.image_grid = grid
        self.editor, self.mode, self._gone = editor, "select", False
        rows, columns = (n * scale for n, scale in zip(grid.shape, grid.scale, strict=True))
        height = float(np.clip(6 * rows / columns, 3.6, 9))
        self.figure = plt.figure(figsize=(8, height + 0.8))
        # callbacks are weakly held, and an editor that nobody keeps would be deaf
        self.figure.label_editor = editor
        bottom = 0.7 / (height + 0.8)
        self.ax = self.figure.add_axes((0.01, bottom, 0.77, 0.99 - bottom))
        draw_frame(self.ax, np.asarray(image, float), grid)
        self._outlines = self.ax.add_collection(PathCollection([], linewidths=1.5), autolim=False)
        self._drag = self.ax.add_line(Line2D([], [], color="white", linewidth=1.5, visible=False))
        self._points: list[tuple[float, float]] | None = None
        self._background = None
        self._shown: dict[int, tuple] = {}
        self._help = self.figure.text(0.02, 0.40 / (height + 0.8), "", fontsize=9, va="center")
        self._status = self.figure.text(0.02, 0.15 / (height + 0.8), "", fontsize=9, va="center", color="0.35")
        self._add_buttons(height)
        self._connect()
        self.refresh(changed=True)

    # --- what is shown ---

    def refresh(self, changed: bool = False, message: str = "") -> None:
        """Draw the particles as they are now.

        Parameters
        ----------
        changed
            Whether outlines may have changed, not only what is selected.
        message
            What is said below the image.
        """
        from matplotlib.colors import to_rgba

        if changed:
            self._find_outlines()
        selected = set(self.editor.selected)
        colours = [PALETTE[number % len(PALETTE)] for number in self._shown]
        self._outlines.set_paths([path for path, *_ in self._shown.values()])
        self._outlines.set_edgecolors(
            ["white" if number in selected else colour for number, colour in zip(self._shown, colours, strict=True)]
        )
        self._outlines.set_facecolors(
            [
                to_rgba(colour, 0.45 if number in selected else 0)
                for number, colour in zip(self._shown, colours, strict=True)
            ]
        )
        self._outlines.set_linewidths([2.2 if number in selected else 1.4 for number in self._shown])
        self._help.set_text(MODES[self.mode][1] if self.clickable else STILL)
        self._status.set_text(shorten(message, LONGEST_MESSAGE, placeholder=" …") or self._summary())
        self._status.set_color("firebrick" if message else "0.35")
        self._draw()

    @property
    def closed(self) -> bool:
        """Whether the figure was closed; backends without windows do not tell when that happens."""
        import matplotlib.pyplot as plt

        return self._gone or not plt.fignum_exists(self.figure.number)

    @property
    def clickable(self) -> bool:
        """Whether the backend hears the mouse."""
        import matplotlib.pyplot as plt

        backend = plt.get_backend().lower()
        in_browser = any(name in backend for name in ("ipympl", "widget", "nbagg", "notebook", "webagg"))
        return in_browser or getattr(self.figure.canvas, "required_interactive_framework", None) is not None

    def _summary(self) -> str:
        selected = self.editor.selected
        count = len(self._shown)
        text = f"{count} {'particle' if count == 1 else 'particles'}"
        if selected:
            listed = ", ".join(map(str, selected[:8])) + ", …" * (len(selected) > 8)
            text += f"  ·  selected: {listed}"
        if self.mode in ("add", "erase"):
            text += f"  ·  brush: {2 * self.editor.radius:.3g} {self.editor.grid.units}, [ and ] change it"
        return text

    def _find_outlines(self) -> None:
        """Trace the particles that have changed, and place their numbers."""
        from matplotlib.patheffects import withStroke
        from scipy import ndimage as ndi

        edge = [withStroke(linewidth=2, foreground="black")]
        found, numbered = self.editor.numbered()
        known, self._shown = self._shown, {}
        for rank, (number, box) in enumerate(zip(found.tolist(), ndi.find_objects(numbered), strict=True), start=1):
            mask = numbered[box] == rank
            key = (box, mask.tobytes())
            if number in known and known[number][1] == key:
                self._shown[number] = known.pop(number)
                continue
            row, column = (side.start for side in box)
            places = [self.editor.grid.to_xy(r + row, c + column) for r, c in _middles(mask)]
            texts = [self.ax.text(*place, str(number), path_effects=edge, **WHITE_ON_BLACK) for place in places]
            self._shown[number] = (_outline(mask, row, column, self.editor.grid), key, texts)
        for text in (text for *_, texts in known.values() for text in texts):
            text.remove()
        for text in (text for *_, texts in self._shown.values() for text in texts):
            text.set_visible(len(self._shown) <= MOST_NUMBERS)

    def _draw(self) -> None:
        if self.clickable and not self.closed:  # others draw at once, and again when they are saved
            self.figure.canvas.draw_idle()

    # --- what is heard ---

    def _add_buttons(self, height: float) -> None:
        from matplotlib.widgets import Button, RadioButtons

        whole = height + 0.8
        place = self.figure.add_axes((0.80, 0.98 - 1.6 / whole, 0.18, 1.6 / whole))
        place.set_axis_off()
        self._modes = RadioButtons(
            place,
            [f"{name}  ({key})" for name, (key, _) in MODES.items()],
            activecolor="black",
            label_props={"fontsize": [10] * len(MODES)},
        )
        self._modes.on_clicked(lambda label: self.set_mode(label.split()[0]))
        self._buttons = {}
        for k, (name, (key, _, method)) in enumerate(ACTIONS.items()):
            place = self.figure.add_axes((0.81, 0.98 - (2.05 + 0.4 * k) / whole, 0.16, 0.32 / whole))
            button = Button(place, f"{name}  ({key})", color="0.94", hovercolor="0.85")
            button.on_clicked(lambda event, method=method: self._try(getattr(self.editor, method)))
            self._buttons[name] = button

    def _connect(self) -> None:
        canvas = self.figure.canvas
        handler = getattr(canvas.manager, "key_press_handler_id", None)
        if handler is not None:  # matplotlib's own keys: s would save the figure, and p pan
            canvas.mpl_disconnect(handler)
        for name, heard in (
            ("button_press_event", self._press),
            ("motion_notify_event", self._move),
            ("button_release_event", self._release),
            ("key_press_event", self._key),
            ("close_event", self._close),
        ):
            canvas.mpl_connect(name, heard)

    def set_mode(self, mode: str) -> None:
        """Say what the mouse does: "select", "split", "paint", "add" or "erase"."""
        if mode not in MODES:
            raise ValueError(f"mode={mode!r}; expected one of {', '.join(MODES)}.")
        self.mode = mode
        number = list(MODES).index(mode)
        if self._modes.index_selected != number:
            self._modes.set_active(number)  # which calls this again
        else:
            self.refresh()

    def _close(self, event) -> None:
        self._gone = True

    def _key(self, event) -> None:
        if event.key == "escape" and self._points is not None:
            self._end_drag()
            return self.refresh()
        for key, others, method in ACTIONS.values():
            if event.key == key or event.key in others:
                return self._try(getattr(self.editor, method))
        for name, (key, _) in MODES.items():
            if event.key == key or (event.key == "escape" and name == "select"):
                return self.set_mode(name)
        if event.key in ("[", "]"):
            self.editor.radius *= 1.25 if event.key == "]" else 0.8
            self.refresh()
        return None

    def _press(self, event) -> None:
        from matplotlib.patheffects import withStroke

        # while the toolbar pans or zooms, the mouse is its own; a browser tells a double click once more
        free = self.figure.canvas.widgetlock.available(self)
        if event.inaxes is not self.ax or event.button != 1 or event.dblclick or not free:
            return
        if self.mode == "select":
            self._select(event)
            return
        self._points = [self._position(event)]
        brush = self.mode in ("add", "erase")
        edge = withStroke(linewidth=3, foreground="black")  # a white line would not show on white
        self._drag.set(
            linewidth=self._brush_width() if brush else 1.5,
            alpha=0.5 if brush else 1.0,
            color="tomato" if self.mode == "erase" else "white",
            solid_capstyle="round" if brush else "butt",
            solid_joinstyle="round",
            path_effects=[] if brush else [edge],
        )
        canvas = self.figure.canvas
        if canvas.supports_blit:
            canvas.draw()
            self._background = canvas.copy_from_bbox(self.ax.bbox)
        self._drag.set_visible(True)
        self._draw_drag()

    def _move(self, event) -> None:
        if self._points is None:
            return
        if self.mode == "split":
            self._points[1:] = [self._position(event)]
        else:
            self._points.append(self._position(event))
        self._draw_drag()

    def _release(self, event) -> None:
        if self._points is None or event.button != 1:
            return
        self._move(event)
        points = self._points
        self._end_drag()
        moved = [point for point, before in zip(points, [None, *points], strict=False) if point != before]
        self._try(lambda: self._finish(moved))

    def _end_drag(self) -> None:
        self._points = self._background = None
        self._drag.set_visible(False)
        self._draw()

    def _select(self, event) -> None:
        number = self.editor.number_at(*self._position(event))
        several = {"shift", "ctrl", "cmd", "super"} & {*event.modifiers, event.key}
        selected = list(self.editor.selected) if several else []
        if number in selected:
            selected.remove(number)
        elif number:
            selected.append(number)
        self.editor.select(*selected)

    def _finish(self, points: list[tuple[float, float]]) -> None:
        """Call the method that a stroke stands for."""
        editor = self.editor
        one = editor.selected[0] if len(editor.selected) == 1 else None
        if self.mode == "split":
            if len(points) > 1:
                editor.split(one if one in (along := editor.numbers_along(points)) else _most(along), points)
        elif self.mode == "paint":
            if len(points) > 2:
                editor.paint(points)
        elif self.mode == "add":
            number = one or editor.number_at(*points[0])
            if not number:
                raise ValueError("Select one particle first, or begin on one.")
            editor.paint(points, editor.radius, number)
        else:
            editor.erase(points, editor.radius, one)

    def _try(self, action) -> None:
        try:
            action()
        except ValueError as error:
            self.refresh(message=str(error))

    def _position(self, event) -> tuple[float, float]:
        """Where the mouse is, (x, y), to a thousandth of a pixel; also beyond the image."""
        place = self.ax.transData.inverted().transform((event.x, event.y))
        digits = int(np.ceil(3 - np.log10(min(self.editor.grid.scale))))
        return tuple(round(float(value), digits) for value in place)

    def _brush_width(self) -> float:
        """Width of the brush in points."""
        left, right = self.ax.transData.transform([(0, 0), (2 * self.editor.radius, 0)])[:, 0]
        return abs(right - left) * 72 / self.figure.dpi

    def _draw_drag(self) -> None:
        closed = self._points + self._points[:1] if self.mode == "paint" else self._points
        self._drag.set_data(*np.transpose(closed))
        canvas = self.figure.canvas
        if self._background is None:
            self._draw()
            return
        canvas.restore_region(self._background)
        self.ax.draw_artist(self._drag)
        canvas.blit(self.ax.bbox)


def _middles(mask: np.ndarray) -> list[tuple[int, int]]:
    """The pixel of each piece of a mask, but for small ones, that is farthest from its outline."""
    from scipy import ndimage as ndi

    pieces, count = ndi.label(mask, np.ones((3, 3)))
    found = []
    for number in range(1, count + 1):
        piece = pieces == number
        if piece.sum() < SMALLEST_PIECE * mask.sum():
            continue
        depth = ndi.distance_transform_edt(np.pad(piece, 1))[1:-1, 1:-1]
        rows, columns = np.nonzero(depth >= 0.95 * depth.max())
        centre = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        found.append((rows[centre], columns[centre]))
    return found


def _outline(mask: np.ndarray, row: int, column: int, grid):
    """Outlines of a particle, of its pieces and holes, as one path in (x, y)."""
    from matplotlib.path import Path
    from skimage.measure import find_contours

    contours = find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="high")
    places = [np.column_stack(grid.to_xy(c[:, 0] - 1 + row, c[:, 1] - 1 + column)) for c in contours]
    return Path.make_compound_path(*(Path(place, closed=True) for place in places))


def _most(numbers: np.ndarray) -> int:
    """The particle that most of the pixels along a line are of."""
    particles = numbers[numbers > 0]
    if not particles.size:
        raise ValueError("The line crosses no particle.")
    found, counts = np.unique(particles, return_counts=True)
    return int(found[counts.argmax()])
