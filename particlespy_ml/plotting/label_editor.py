"""The labels of one frame while they are corrected, with all that was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import ascending
from particlespy_ml.core.lengths import in_units
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.plotting.editor_figure import EditorFigure
from particlespy_ml.segmentation import edit_labels as edits
from particlespy_ml.segmentation.numbers import check_labels, number_particles

if TYPE_CHECKING:
    from hyperspy.signals import Signal2D
    from matplotlib.figure import Figure

EDITS_NODE = f"{METADATA_NODE}.edits"
# Radius of the brush, as a fraction of the width of the frame, and in pixels at least.
BRUSH, FINEST_BRUSH = 0.01, 2
MOST_NAMED = 4  # positions in a message


@dataclass(frozen=True)
class _Step:
    """One change, and what undoes it."""

    pixels: np.ndarray
    before: np.ndarray
    after: np.ndarray
    change: dict
    selected: list[int]


class LabelEditor:
    """Corrects the labels of one frame, with the mouse or by its methods.

    Positions are (x, y) in the units of the image. Particles that are not touched keep their numbers, and a number that
    was given up is not given again.

    Parameters
    ----------
    image
        The frame, shape (rows, columns).
    grid
        Its calibration.
    labels
        Labels of the whole series, lazy or not; they are not changed.
    place
        Indices of the frame in the data of *labels*; none for a single image.
    frame
        Number of the frame.
    radius
        Radius of the brush in the unit of the image, or a text such as "3 px".
    lazy_output
        Whether `labels` are lazy; otherwise they are computed when they are asked for.

    Attributes
    ----------
    selected : list of int
        Particles that are selected, which `delete` and `merge` take by default.
    radius : float
        Of the brush, in the unit of the image.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> s = pml.data.gold_on_carbon()
    >>> editor = s.edit_labels()
    >>> editor.delete(3)
    >>> editor.merge(1, 2)
    1
    >>> editor.numbers
    [1, 4, 5, 6]
    >>> editor.undo()
    >>> s.measure_particles(editor.labels).n_particles
    5
    """

    def __init__(
        self,
        image: np.ndarray,
        grid: PixelGrid,
        labels: Signal2D,
        place: tuple[int, ...],
        frame: int,
        radius: float | str | None = None,
        lazy_output: bool = False,
    ):
        self._image, self._place, self._number = image, place, frame
        # pixels are edited as their axes ascend, so that it does not matter which way they run
        self.grid, self._direction = grid.ascending(), grid.direction
        self._source, self._lazy_output = labels, lazy_output
        given = np.asarray(labels.data[place])
        check_labels(given)
        self._frame = ascending(edits.check_frame_labels(given), grid.direction).astype(np.int32, order="C")
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._highest = max([int(self._frame.max(initial=0)), *_new_numbers(self._earlier(), frame)])
        self.selected: list[int] = []
        width = max(BRUSH * grid.shape[1], FINEST_BRUSH) * grid.scale[1]
        self.radius = width if radius is None else self._length(radius)
        self._view = EditorFigure(self, image, grid)

    def __repr__(self) -> str:
        return (
            f"<LabelEditor, frame {self._number}: {len(self.numbers)} particles, {len(self._done)} "
            f"{'change' if len(self._done) == 1 else 'changes'}>"
        )

    # --- what there is ---

    @property
    def labels(self) -> Signal2D:
        """Labels of the whole series, as `segment_particles` returns them; only those of this frame are changed.

        ``metadata.particlespy_ml.edits`` holds what was done, in this editor and before.
        """
        if self._source._lazy and not self._lazy_output:
            self._source.compute()
        labels = self._source.deepcopy()
        if labels.data.dtype != np.int32:
            labels.data = labels.data.astype(np.int32)
        labels.data[self._place or ...] = self.frame_labels
        made = self._earlier() + self.changes
        if made:
            labels.metadata.set_item(EDITS_NODE, made)
        return labels

    @property
    def frame_labels(self) -> np.ndarray:
        """Labels of the frame as they are now, shape (rows, columns), int32; a copy."""
        return ascending(self._frame, self._direction).copy()

    @property
    def changes(self) -> list[dict]:
        """What was done and not undone, in its order: the name of the method, the frame, and its arguments.

        Numbers that particles got are in ``new``. `repeat` does the same again.
        """
        return deepcopy([step.change for step in self._done])

    @property
    def numbers(self) -> list[int]:
        """Numbers of the particles, ascending."""
        return self.numbered()[0].tolist()

    def numbered(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers, and the frame in which they are 1 to n and axes ascend, as `grid` says."""
        return number_particles(self._frame)

    @property
    def figure(self) -> Figure:
        """The figure, also after it was closed; `show` opens another."""
        return self._view.figure

    def number_at(self, x: float, y: float) -> int:
        """Return the number of the particle at a position; 0 for background, and beyond the frame."""
        row, column = np.floor(self._pixels((x, y))[0] + 0.5).astype(int)
        inside = 0 <= row < self._frame.shape[0] and 0 <= column < self._frame.shape[1]
        return int(self._frame[row, column]) if inside else 0

    def numbers_along(self, line: ArrayLike) -> np.ndarray:
        """Return the numbers of the pixels along a line of positions (x, y), background included."""
        return edits.line_numbers(self._frame, self._pixels(line))

    # --- what may be done ---

    def select(self, *numbers: int) -> None:
        """Select particles, or none."""
        missing = sorted(set(numbers) - set(self.numbers))
        if missing:
            raise ValueError(f"There is no particle {missing[0]}; the particles are: {self.numbers}.")
        self.selected = [int(number) for number in dict.fromkeys(numbers)]
        self._view.refresh()

    def delete(self, *numbers: int) -> None:
        """Make particles background; by default those that are selected."""
        numbers = self._wanted(numbers)
        self._change(edits.delete(self._frame, numbers), {"action": "delete", "numbers": numbers}, self.selected)

    def merge(self, *numbers: int) -> int:
        """Make particles one, by default those that are selected; return its number, the lowest of theirs.

        Particles that do not touch stay in pieces, which are measured as one particle.
        """
        numbers = self._wanted(numbers)
        self._change(edits.merge(self._frame, numbers), {"action": "merge", "numbers": numbers}, [min(numbers)])
        return min(numbers)

    def split(self, number: int, line: ArrayLike | None = None) -> list[int]:
        """Cut a particle along a line, see `particlespy_ml.segmentation.edit_labels.split`.

        Parameters
        ----------
        number
            The particle.
        line
            Two positions (x, y) or more. Without, only pieces that do not hang together become particles.

        Returns
        -------
        list of int
            Numbers of the parts, that of the largest first, which keeps its number.
        """
        pixels = None if line is None else self._pixels(line)
        with self._saying_where(line):
            found = edits.split(self._frame, number, pixels, new_number=self._next)
        return self._parted(found, number, {"action": "split", "number": int(number)}, line=line)

    def split_at(self, number: int, points: ArrayLike) -> list[int]:
        """Part a particle around points inside of it, where it is narrowest between them.

        Parameters
        ----------
        number
            The particle.
        points
            Two positions (x, y) or more, one inside of each part.

        Returns
        -------
        list of int
            Numbers of the parts in the order of the points; the first one keeps its number.
        """
        options = {"new_number": self._next, "pixel_size": self.grid.scale}
        pixels = self._pixels(points)
        with self._saying_where(points):
            found = edits.split_at(self._frame, number, pixels, **options)
        return self._parted(found, number, {"action": "split_at", "number": int(number)}, points=points)

    def paint(self, points: ArrayLike, radius: float | str | None = None, number: int | None = None) -> int:
        """Fill an outline, or with a radius the stroke of a brush.

        Parameters
        ----------
        points
            Positions (x, y), shape (points, 2).
        radius
            That of the brush in the unit of the image, or a text such as "3 px". Without, the points are an outline.
        number
            The particle that the pixels are added to; by default they are a new one.

        Returns
        -------
        int
            Number of the particle.
        """
        change = {"action": "paint", **self._stroke(points, radius)}
        if number is None:
            number = self._next
            change["new"] = [number]
        elif number < 1:
            raise ValueError(f"Expected the number of a particle, 1 or more, not {number}; erase() makes background.")
        else:
            change |= {"number": int(number)} | ({} if number in self.numbers else {"new": [int(number)]})
        pixels, radii = self._pixels(points), self._radii(radius)
        with self._saying_where(points):
            found = edits.paint(self._frame, pixels, radii, number)
        self._change(found, change, [number])
        return int(number)

    def erase(self, points: ArrayLike, radius: float | str | None = None, number: int | None = None) -> None:
        """Make what an outline, or the stroke of a brush, covers background.

        Parameters
        ----------
        points, radius
            As for `paint`.
        number
            Erase this particle alone; by default all.
        """
        change = {"action": "erase", **self._stroke(points, radius)}
        if number is not None:
            change["number"] = int(number)
            if number not in self.numbers:
                raise ValueError(f"There is no particle {number}; the particles are: {self.numbers}.")
        pixels, radii = self._pixels(points), self._radii(radius)
        with self._saying_where(points):
            found = edits.paint(self._frame, pixels, radii, 0, only=number)
        self._change(found, change, self.selected)

    def undo(self) -> None:
        """Undo the last change; nothing happens where there is none."""
        self._move(self._done, self._undone, "before", "Nothing is left to undo.")

    def redo(self) -> None:
        """Do again what was undone last; nothing happens where nothing was."""
        self._move(self._undone, self._done, "after", "Nothing was undone.")

    def repeat(self, changes: Iterable[dict]) -> None:
        """Do again what `changes`, or ``metadata.particlespy_ml.edits`` of labels, say; other frames are left out."""
        for change in changes:
            if change["frame"] == self._number:
                rest = {key: value for key, value in change.items() if key not in ("action", "frame", "new")}
                self._method(change["action"])(*rest.pop("numbers", ()), **rest)

    def show(self) -> Figure:
        """Return the figure; where it was closed, open another."""
        if self._view.closed:
            self._view = EditorFigure(self, self._image, self._view.image_grid)
        return self._view.figure

    # --- how it is done ---

    @property
    def _next(self) -> int:
        """A number that no particle has or had."""
        return 1 + max([self._highest, *_new_numbers(self.changes, self._number)])

    def _earlier(self) -> list[dict]:
        """What was done to the labels before this editor."""
        return [dict(change) for change in self._source.metadata.get_item(EDITS_NODE, [])]

    def _method(self, name: str) -> Callable:
        known = ("delete", "merge", "split", "split_at", "paint", "erase")
        if name not in known:
            raise ValueError(f"Unknown action {name!r}; expected one of {', '.join(known)}.")
        return getattr(self, name)

    def _wanted(self, numbers: tuple[int, ...]) -> list[int]:
        if not (numbers or self.selected):
            raise ValueError("Expected the numbers of particles; none is given or selected.")
        return list(numbers or self.selected)

    def _length(self, radius: float | str) -> float:
        radius = in_units(radius, self.grid, "radius")
        if radius <= 0:
            raise ValueError(f"Expected the radius of a brush, more than 0 {self.grid.units}, not {radius}.")
        return radius

    def _radii(self, radius: float | str | None) -> tuple[float, float] | None:
        """Radius of the brush in pixels along rows and columns."""
        return None if radius is None else tuple(self._length(radius) / scale for scale in self.grid.scale)

    def _pixels(self, points: ArrayLike) -> np.ndarray:
        """Pixel coordinates of positions (x, y), on axes that ascend."""
        points = np.asarray(points, float)
        if points.shape == (2,):
            points = points[np.newaxis]
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"Expected positions (x, y) of the shape (points, 2), not {points.shape}.")
        # rounded, so that neither offsets nor the way that an axis runs decide between two pixels
        return np.round(np.stack(self.grid.to_pixels(*points.T), axis=1), 6)

    @contextmanager
    def _saying_where(self, points: ArrayLike | None) -> Iterator[None]:
        """Errors with the positions that lie outside of the image, and how far it reaches."""
        try:
            yield
        except ValueError as error:
            text = "" if points is None else self._outside(points)
            raise (ValueError(f"{error}{text}") if text else error) from None

    def _outside(self, points: ArrayLike) -> str:
        """Text about the positions that lie outside of the image; empty where none does."""
        points = np.asarray(points, float).reshape(-1, 2)
        low, high = (self.grid.to_xy(*place) for place in ((-0.5, -0.5), np.subtract(self._frame.shape, 0.5)))
        low, high = np.minimum(low, high), np.maximum(low, high)
        outside = points[((points < low) | (points > high)).any(1)]
        if not len(outside):
            return ""
        named = ", ".join(f"({x:.4g}, {y:.4g})" for x, y in outside[:MOST_NAMED]) + ", …" * (len(outside) > MOST_NAMED)
        return (
            f" Of {len(points)} positions (x, y) {len(outside)} lie outside of the image: {named}; it reaches from "
            f"({low[0]:.4g}, {low[1]:.4g}) to ({high[0]:.4g}, {high[1]:.4g}) {self.grid.units}."
        )

    def _stroke(self, points: ArrayLike, radius: float | str | None) -> dict:
        """What is kept of a stroke."""
        return {"points": _plain(points), **({} if radius is None else {"radius": self._length(radius)})}

    def _parted(self, found: np.ndarray, number: int, change: dict, **where) -> list[int]:
        new = np.unique(found[found >= self._next]).tolist()
        change |= {key: _plain(value) for key, value in where.items() if value is not None}
        self._change(found, {**change, "new": new}, [int(number), *new])
        return [int(number), *new]

    def _change(self, found: np.ndarray, change: dict, selected: list[int]) -> None:
        """Take new labels of the frame and keep what undoes it."""
        pixels = np.flatnonzero(found != self._frame)
        change = {"action": change.pop("action"), "frame": self._number, **change}
        if "numbers" in change:
            change["numbers"] = [int(number) for number in change["numbers"]]
        if pixels.size:
            before, after = self._frame.ravel()[pixels], found.ravel()[pixels].astype(np.int32)
            self._done.append(_Step(pixels, before, after, change, self.selected))
            self._undone.clear()
            self._frame.ravel()[pixels] = after
        message = "" if pixels.size else "That changes nothing."
        if message and change["action"] == "erase" and "number" in change:
            message += f" The particle {change['number']} alone is erased."
        self._took(pixels, selected, message)

    def _move(self, source: list[_Step], target: list[_Step], side: str, nothing: str) -> None:
        if not source:
            self._view.refresh(message=nothing)
            return
        step = source.pop()
        target.append(step)
        self._frame.ravel()[step.pixels] = getattr(step, side)
        self._took(step.pixels, step.selected if side == "before" else [])

    def _took(self, pixels: np.ndarray, selected: list[int], message: str = "") -> None:
        self.selected = [number for number in selected if number in self.numbers]
        self._view.refresh(changed=pixels.size > 0, message=message)


def _new_numbers(changes: list[dict], frame: int) -> list[int]:
    """Numbers that changes gave to particles of a frame."""
    return [int(number) for change in changes if change["frame"] == frame for number in change.get("new", ())]


def _plain(points: ArrayLike) -> list[list[float]]:
    return np.asarray(points, float).reshape(-1, 2).tolist()
