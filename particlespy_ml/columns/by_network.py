"""Columns of frames by a network: from pixels of any size to rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.columns.flags import Flag
from particlespy_ml.columns.network import MappedColumns, may_be_counts
from particlespy_ml.columns.read import read_columns
from particlespy_ml.columns.rows import FEWEST_FOR_A_LATTICE, cut_columns, flag_lattice, network_dtype
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import ascending, check_frame, frame_name
from particlespy_ml.core.padding import known_pixels
from particlespy_ml.core.resample import resample_frame

if TYPE_CHECKING:
    from particlespy_ml.models.column_mapper import ColumnMapper, ColumnMaps

CUT = 0.5  # Å: a column that is nearer to the border is cut by it
LARGEST_ERROR = 0.5  # atoms: numbers of atoms with a larger standard error are not told apart
_FILLED_OVER = 4.0  # Å, over which the light about pixels that were not recorded is spread into them


@dataclass(frozen=True)
class NetworkColumns:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: frames to rows of columns.

    Parameters
    ----------
    grid
        Calibration of the frames.
    model
        The network.
    min_probability
        Columns of a smaller probability are dropped.
    check_lattice
        Whether columns off the lattice are flagged.
    given
        What comes with the frames: "mask", "labels", both or neither, in this order.
    counted
        Whether values are proportional to electrons; None to judge each frame by its values.
    """

    grid: PixelGrid
    model: ColumnMapper
    min_probability: float
    check_lattice: bool
    given: tuple[str, ...] = ()
    counted: bool | None = None

    def __call__(self, frames: np.ndarray, *others: np.ndarray, indices: list[tuple]) -> list[tuple]:
        """Return the rows of each frame."""
        direction = self.grid.direction
        results = []
        for number, frame in enumerate(frames):
            given = {name: ascending(array[number], direction) for name, array in zip(self.given, others, strict=True)}
            try:
                rows = self.rows(ascending(frame, direction), **given)
            except ValueError as error:
                raise ValueError(f"Frame {frame_name(indices[number])}: {error}") from error
            results.append((rows,))
        return results

    def rows(self, frame: np.ndarray, mask: np.ndarray | None = None, labels: np.ndarray | None = None) -> np.ndarray:
        """Return the columns of a frame, or of a stack for a model of several images, whose axes ascend."""
        found, known = columns_in_frame(
            frame, self.grid.nanometres, self.model, self.min_probability, mask, self.counted
        )
        shape = frame.shape[-2:]
        nearest = np.clip(np.rint(found.places).astype(int), 0, np.array(shape) - 1)
        wanted = np.ones(len(found), bool)
        for where in (mask, labels):
            if where is not None:
                wanted &= where[tuple(nearest.T)] != 0
        found, nearest = found.chosen(wanted), nearest[wanted]
        kinds = self.model.kinds
        rows = np.zeros(len(found), network_dtype(kinds, labels is not None))
        turned = np.where(np.array(self.grid.direction) == 1, found.places, np.array(shape) - 1 - found.places)
        rows["x"], rows["y"] = self.grid.to_xy(*turned.T)
        unit = 0.1 * self.grid.scale[0] / self.grid.nanometres[0]  # of an ångström
        rows["x_error"] = rows["y_error"] = found.errors * unit
        rows["probability"] = found.probabilities
        if labels is not None:
            rows["label"] = labels[tuple(nearest.T)]
        write_heights(rows, found.posterior, kinds)
        reach = np.full(len(found), CUT * unit / max(self.grid.scale))
        rows["flags"] = cut_columns(found.places, reach, shape, known) * Flag.AT_BORDER
        if self.check_lattice and len(rows) >= FEWEST_FOR_A_LATTICE and len(kinds) == 1:
            flag_lattice(rows, found.places * np.array(self.grid.scale) / self.grid.scale[0])
        return rows


def write_heights(rows: np.ndarray, posterior: np.ndarray, kinds: tuple[tuple[str, int], ...]) -> None:
    """Write the kind of each column, and of kinds whose atoms are counted their number and its error, into rows.

    Parameters
    ----------
    rows
        Shape (n,), of `particlespy_ml.columns.rows.network_dtype`.
    posterior
        Probability of each kind and number of atoms, shape (n, outputs).
    kinds
        Names and largest numbers of atoms.
    """
    starts = np.concatenate([[0], np.cumsum([number for _, number in kinds])])
    shares = shares_of_kinds(posterior, kinds)
    best = shares.argmax(1) if len(rows) else np.zeros(0, int)
    if len(kinds) > 1:
        rows["class"] = best
        for number, (name, _) in enumerate(kinds):
            rows[f"probability_{name}"] = shares[:, number]
    if max(number for _, number in kinds) == 1:
        return
    rows["height"] = -1
    for name in ("height_probability", "expected_height", "expected_height_error"):
        rows[name] = np.nan
    for number, (_, highest) in enumerate(kinds):
        own = best == number
        if highest == 1 or not own.any():
            continue
        heights = np.arange(1, highest + 1)
        told = posterior[own, starts[number] : starts[number + 1]]
        told = told / np.maximum(told.sum(1, keepdims=True), 1e-12)
        expected = told @ heights
        error = np.sqrt(np.maximum(told @ heights**2 - expected**2, 0))
        rows["height"][own], rows["height_probability"][own] = told.argmax(1) + 1, told.max(1)
        rows["expected_height"][own], rows["expected_height_error"][own] = expected, error
        rows["resolvable"][own] = error < LARGEST_ERROR
        for height in heights:
            rows[f"height_probability_{height}"][own] = told[:, height - 1]


def shares_of_kinds(posterior: np.ndarray, kinds: tuple[tuple[str, int], ...]) -> np.ndarray:
    """Return the probability of each kind, shape (n, kinds), from those of each kind and number of atoms."""
    starts = np.concatenate([[0], np.cumsum([number for _, number in kinds])[:-1]]).astype(int)
    return np.add.reduceat(posterior, starts, axis=1) if len(posterior) else np.zeros((0, len(kinds)))


def columns_in_frame(
    frame: np.ndarray,
    pixel_size: tuple[float, float],
    model: ColumnMapper,
    min_probability: float,
    mask: np.ndarray | None = None,
    counted: bool | None = None,
) -> tuple[MappedColumns, np.ndarray | None]:
    """Return the columns of a frame, places in its pixels, and the pixels that were recorded (None for all).

    Parameters
    ----------
    frame
        Shape (rows, columns), or (images, rows, columns) for a model of several images.
    pixel_size
        Rows and columns in nm.
    model, min_probability, counted
        See `NetworkColumns`.
    mask
        Where to look, shape (rows, columns).
    """
    _, found, known, step = read_frame(frame, pixel_size, model, min_probability, mask, counted)
    places = (found.places + 0.5) * step - 0.5
    found = MappedColumns(places, found.errors, found.probabilities, found.posterior)
    if known is not None:
        nearest = np.clip(np.rint(places).astype(int), 0, np.array(known.shape) - 1)
        found = found.chosen(known[tuple(nearest.T)])
    return found, known


def read_frame(
    frame: np.ndarray,
    pixel_size: tuple[float, float],
    model: ColumnMapper,
    min_probability: float,
    mask: np.ndarray | None = None,
    counted: bool | None = None,
) -> tuple[ColumnMaps | None, MappedColumns, np.ndarray | None, np.ndarray]:
    """Return the maps of a frame and its columns at the model's pixel size, the pixels recorded, and that size.

    All pixels were recorded where there is None instead of them. The model's pixel is in pixels of the frame, along
    each axis. There are no maps of a frame that shows nothing, or is smaller than two of the model's pixels.
    """
    step = model.pixel_size / np.array(pixel_size)
    stack = np.asarray(frame).reshape(-1, *frame.shape[-2:])
    known = known_pixels(stack[0], mask)
    if known is not None:
        stack = np.stack([_filled(image, known, 0.1 * _FILLED_OVER / np.array(pixel_size)) for image in stack])
    for image in stack:
        check_frame(image)
    shape = [round(n / s) for n, s in zip(frame.shape[-2:], step, strict=True)]
    if min(shape) < 2 or min(frame.shape[-2:]) < 2 or not np.ptp(stack):
        outputs = len(model.outputs)
        nothing = MappedColumns(np.empty((0, 2)), np.empty(0), np.empty(0), np.empty((0, outputs)))
        return None, nothing, known, step
    seen = np.stack([resample_frame(image, tuple(step)) for image in stack])
    if counted is None:
        counted = all(may_be_counts(image) for image in np.asarray(frame).reshape(-1, *frame.shape[-2:]))
    return *read_columns(model, seen, counted, min_probability), known, step


def _filled(image: np.ndarray, known: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """The image with a smooth continuation of what was recorded in place of the rest."""
    image = np.where(known, image, 0).astype(np.float32)
    if not known.any():
        return image
    share = ndi.gaussian_filter(known.astype(np.float32), sigma)
    light = ndi.gaussian_filter(image, sigma)
    middle = float(image[known].mean())
    return np.where(known, image, (light + 1e-3 * middle) / (share + 1e-3))
