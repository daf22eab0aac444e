"""The verb `find_heights`, for a focal series of any image signal."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.columns.by_network import NetworkColumns, columns_in_frame
from particlespy_ml.columns.map_columns import DEFAULT, column_mapper
from particlespy_ml.columns.network import may_be_counts
from particlespy_ml.columns.register import column_shift
from particlespy_ml.columns.rows import LENGTHS, network_dtype
from particlespy_ml.core.frames import ascending, frame_name, run_frames
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike

    from particlespy_ml.models.column_mapper import ColumnMapper
    from particlespy_ml.models.model import Model

SERIES = "heights-hrtem"


def find_heights(
    signal: Signal2D,
    axis: str | int = "defocus",
    *,
    model: str | Path | Model = SERIES,
    register: str | Path | Model | None = DEFAULT,
    max_shift: float | str | None = None,
    min_probability: float | None = None,
    device: str | None = None,
    counted: bool | None = None,
    mask: ArrayLike | None = None,
    check_lattice: bool = True,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> BaseSignal:
    """Find the columns of a focal series and the number of atoms of each.

    Images at several defoci tell heights apart that one image confuses. They are shifted onto the middle one by the
    places of their columns, which a network finds in each whatever its contrast, and are seen together by another.

    Parameters
    ----------
    signal
        Series with a navigation axis of defocus and any others, calibrated in a unit of length, lazy or not.
    axis
        Name or number of that axis, towards overfocus or towards underfocus, which the images tell; more of them than
        the network sees are thinned out evenly.
    model
        Name of a bundled model of several images, or a folder of your own.
    register
        Network that finds the columns of single images, by which these are shifted onto each other; None for a series
        that was registered before.
    max_shift
        Largest drift between two images: a number in the image's units, or a text such as "20 px"; by default 1.5 nm.
    min_probability
        Probability from which there is a column; by default that of the model.
    device
        Where the networks run; by default on a GPU where there is one.
    counted
        Whether pixel values are proportional to electrons, see `find_columns`.
    mask
        Where to look for columns in the middle image, booleans of the shape of one.
    check_lattice
        Flag columns off the lattice.
    lazy_output
        Whether to return a lazy table; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    ColumnTable or LazyColumnTable
        For each position on the other navigation axes one row for each column, places as in the middle image; columns
        as of `find_columns` by a network.

    Raises
    ------
    ValueError
        If there is no such axis, it has fewer images than the network sees, or `find_columns` would raise.

    Warns
    -----
    UserWarning
        If an image shows too few columns to be registered: it is taken as it lies.

    References
    ----------
    J. Madsen et al., Adv. Theory Simul. 1, 1800037 (2018).
    """
    from particlespy_ml.tables.table import make_table

    image = ImageFrames.of(signal)
    mapper = column_mapper(model, image.grid, device, several=True)
    along = _axis_number(image, axis)
    chosen = _chosen_images(image.frames.shape[along], mapper, image.navigation_axes[along]["name"])
    where = None if mask is None else np.asarray(getattr(mask, "data", mask))
    if where is not None and where.shape != image.grid.shape:
        raise ValueError(f"Expected a mask of the shape of one frame, {image.grid.shape}, not {where.shape}.")
    reach = 1.5 / image.grid.nanometres[0] if max_shift is None else in_pixels(max_shift, image.grid, "max_shift")
    threshold = mapper.threshold if min_probability is None else min_probability
    if not 0 < threshold <= 1:
        raise ValueError(f"min_probability={min_probability}; expected a number above 0, and 1 at most.")
    finder = FocalColumns(
        image.grid,
        mapper,
        float(threshold),
        bool(check_lattice),
        counted=counted,
        registrar=None if register is None else column_mapper(register, image.grid, device),
        max_shift=float(reach),
        where=where,
    )
    (array,) = run_frames(
        finder, _tall(image.frames, along, chosen), lazy_output=lazy_output, show_progressbar=show_progressbar
    )
    axes = [one for number, one in enumerate(image.navigation_axes) if number != along]
    axes = axes or [{"name": "image", "size": 1, "navigate": True}]
    record = {
        "method": "focal series",
        "axis": str(image.navigation_axes[along]["name"]),
        "images": [int(number) for number in chosen],
        "model": mapper.name,
        "sha256": mapper.sha256,
        "min_probability": float(threshold),
        "registered": register is not None,
        "check_lattice": bool(check_lattice),
        "counted": "" if counted is None else bool(counted),
    }
    units = {name: image.grid.units if name in LENGTHS else "" for name in network_dtype(mapper.kinds).names}
    return make_table(array, axes, units, image.record(finding=record), image.titled("Columns"), "column_table")


@dataclass(frozen=True)
class FocalColumns(NetworkColumns):
    """A picklable function for `particlespy_ml.core.frames.map_frames`: images on top of each other to rows.

    Parameters
    ----------
    registrar
        Network that finds the columns of single images, by which they are registered; None to take them as they lie.
    max_shift
        In pixels.
    where
        Where to look, shape of one image.
    """

    registrar: ColumnMapper | None = None
    max_shift: float = 0.0
    where: np.ndarray | None = None

    def __call__(self, frames: np.ndarray, *, indices: list[tuple]) -> list[tuple]:
        """Return the rows of each focal series, whose images lie on top of each other in a tall frame."""
        mask = None if self.where is None else ascending(self.where, self.grid.direction)
        results = []
        for number, frame in enumerate(frames):
            stack = frame.reshape(-1, *self.grid.shape)
            try:
                stack = ascending(stack, self.grid.direction)
                rows = self.as_recorded(stack).rows(self.registered(stack), mask)
            except ValueError as error:
                raise ValueError(f"Series {frame_name(indices[number])}: {error}") from error
            results.append((rows,))
        return results

    def as_recorded(self, stack: np.ndarray) -> FocalColumns:
        """Return the same function, told whether images are counts: once they are registered they do not show it."""
        if self.counted is not None:
            return self
        return replace(self, counted=all(may_be_counts(image) for image in stack))

    def registered(self, stack: np.ndarray) -> np.ndarray:
        """Return images shifted onto the middle one."""
        if self.registrar is None:
            return stack
        found = [
            columns_in_frame(image, self.grid.nanometres, self.registrar, 0.5, counted=self.counted)[0].places
            for image in stack
        ]
        middle = len(stack) // 2
        result, lost = stack.astype(np.float32), []
        for number in range(len(stack)):
            if number == middle:
                continue
            shift = column_shift(found[middle], found[number], self.max_shift)
            if shift is None:
                lost.append(number)
            else:
                result[number] = ndi.shift(result[number], shift, order=1, mode="nearest")
        if lost:
            warnings.warn(
                f"Images {lost} of a focal series show too few columns to be registered; they are taken as they lie.",
                stacklevel=2,
            )
        return result


def _axis_number(image: ImageFrames, axis: str | int) -> int:
    """Number of a navigation axis in the order of the array."""
    names = [str(one.get("name", "")) for one in image.navigation_axes]
    if not image.is_series:
        raise ValueError("Expected a focal series, an image for each defocus along a navigation axis, not one image.")
    if isinstance(axis, str):
        if axis not in names:
            raise ValueError(f"There is no navigation axis {axis!r}; expected one of {names[::-1]}, or its number.")
        return names.index(axis)
    if not 0 <= axis < len(names):
        raise ValueError(f"There is no navigation axis {axis}; expected a number from 0 to {len(names) - 1}.")
    return len(names) - 1 - axis  # HyperSpy counts from the fastest


def _chosen_images(number: int, model: ColumnMapper, name: str) -> np.ndarray:
    """Numbers of the images that the network sees."""
    wanted = model.images
    if number < wanted:
        raise ValueError(f"The axis {name!r} has {number} images; the model {model.name!r} needs {wanted}.")
    return np.rint(np.linspace(0, number - 1, wanted)).astype(int)


def _tall(frames, along: int, chosen: np.ndarray):
    """Frames of which those along an axis lie on top of each other, shape (others..., images * rows, columns)."""
    import dask.array as da

    library = da if isinstance(frames, da.Array) else np
    moved = library.moveaxis(frames, along, -3)[..., chosen, :, :]
    if isinstance(moved, da.Array):
        moved = moved.rechunk({axis: -1 for axis in range(moved.ndim - 3, moved.ndim)})
    moved = moved.reshape((*moved.shape[:-3], -1, moved.shape[-1]))
    return moved if moved.ndim > 2 else moved[None]
