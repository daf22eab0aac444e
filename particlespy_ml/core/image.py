"""An image signal as verbs need it: its frames, grid, axes and names, checked once at the door."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import dask.array as da
import numpy as np

from particlespy_ml.core.calibration import PixelGrid, axis_directions, pixel_grid
from particlespy_ml.core.frames import ascending, check_blocks, frames_array, run_frames
from particlespy_ml.core.provenance import package_versions


@dataclass(frozen=True)
class ImageFrames:
    """Frames of an image or a series.

    Parameters
    ----------
    frames
        Shape (navigation..., rows, columns), with at least one navigation dimension; lazy ones in whole frames.
    grid
        Calibration of the frames; None where none was asked for.
    direction
        Which way rows and columns run, as in `particlespy_ml.core.calibration.PixelGrid`.
    navigation_axes, signal_axes
        As dictionaries in array order; an image has one navigation axis of size 1.
    is_series
        Whether the signal has navigation axes.
    title, filename, signal_type
        What the signal says of itself.
    """

    frames: np.ndarray | da.Array
    grid: PixelGrid | None
    direction: tuple[int, int]
    navigation_axes: list[dict]
    signal_axes: list[dict]
    is_series: bool
    title: str
    filename: str
    signal_type: str

    @classmethod
    def of(cls, signal, calibrated: bool | None = True) -> ImageFrames:
        """Check a signal and take what verbs need.

        Parameters
        ----------
        signal
            HyperSpy signal of two signal dimensions and any navigation shape, lazy or not.
        calibrated
            Whether pixels must have units of length; with False one other unit or none will do, and with None there is
            no grid.

        Raises
        ------
        TypeError
            If it is no HyperSpy signal, or its numbers are complex, RGB or not numbers.
        ValueError
            If there are not two signal dimensions, or the calibration is not as it must be.

        Examples
        --------
        >>> import particlespy_ml as pml
        >>> from particlespy_ml.core.image import ImageFrames
        >>> image = ImageFrames.of(pml.data.gold_on_carbon())
        >>> image.frames.shape, image.grid.units
        ((1, 384, 384), 'nm')
        """
        check_image(signal)
        return cls(
            frames_array(signal),
            None if calibrated is None else pixel_grid(signal, calibrated),
            axis_directions(signal),
            navigation_axes(signal),
            [axis.get_axis_dictionary() for axis in signal.axes_manager.signal_axes[::-1]],
            signal.axes_manager.navigation_dimension > 0,
            signal.metadata.get_item("General.title", ""),
            signal.metadata.get_item("General.original_filename", ""),
            signal.metadata.get_item("Signal.signal_type", ""),
        )

    @property
    def is_lazy(self) -> bool:
        """Whether the frames are computed when they are needed."""
        return isinstance(self.frames, da.Array)

    @property
    def count(self) -> int:
        """Number of frames."""
        return int(np.prod(self.frames.shape[:-2]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data of the signal."""
        return self.frames.shape if self.is_series else self.frames.shape[1:]

    def finite(self, kind: str = "Frame") -> np.ndarray | da.Array:
        """Return the frames without pixels that are not finite, which raise ValueError with the number of the frame.

        Eager frames are checked at once, lazy ones whenever they are computed: nothing is read twice. *kind* is what a
        frame is called in the message.
        """
        return check_blocks(self.frames, kind)

    def ascending(self, kind: str = "Frame") -> np.ndarray | da.Array:
        """Return finite frames whose rows and columns run as their axes ascend."""
        return ascending(self.finite(kind), self.direction)

    def run(
        self,
        function: Callable,
        others: tuple = (),
        outputs: tuple[np.dtype, ...] = (np.dtype(object),),
        lazy_output: bool | None = None,
        show_progressbar: bool | None = None,
    ) -> list[np.ndarray | da.Array]:
        """Run a function on the frames, see `particlespy_ml.core.frames.run_frames`."""
        return run_frames(function, self.frames, others, outputs, lazy_output, show_progressbar)

    def titled(self, what: str) -> str:
        """Return the title of what was made of the image."""
        return f"{what} of {self.title}".removesuffix(" of ")

    def record(self, **more) -> dict:
        """Return what is recorded with a result: the image, the versions, and more."""
        image = {
            "title": self.title,
            "original_filename": self.filename,
            "signal_type": self.signal_type,
            **self.grid.as_dict(),
        }
        return {"image": image, "versions": package_versions(), **more}


def navigation_axes(signal) -> list[dict]:
    """Return the navigation axes of a signal as dictionaries in array order; one of size 1 for a single image."""
    axes = [axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes[::-1]]
    return axes or [{"name": "image", "size": 1, "navigate": True}]


def check_image(signal) -> None:
    """Raise if a signal is not an image, or a series of images, of real numbers.

    Raises
    ------
    TypeError
        If the argument is no HyperSpy signal, or its numbers are complex, RGB or not numbers.
    ValueError
        If there are not two signal dimensions.
    """
    if not hasattr(signal, "axes_manager"):
        raise TypeError(f"Expected a HyperSpy image signal, not {type(signal).__name__}; load it with hyperspy.api.")
    dimension = signal.axes_manager.signal_dimension
    if dimension != 2:
        raise ValueError(
            f"Expected two signal dimensions (an image or a series of images), not {dimension}; "
            "change them with s.transpose(signal_axes=2) or s.as_signal2D((x_axis, y_axis))."
        )
    _warn_of_swapped_axes(signal)
    dtype = signal.data.dtype
    if dtype.fields is not None:
        numbers = "uint16" if dtype[0].itemsize == 2 else "uint8"
        raise TypeError(
            f'Expected an image of real numbers, not RGB; make it grey first: s.change_dtype("{numbers}"); '
            's = s.isig[:3].mean("RGB index").transpose(signal_axes=2); then s.set_signal_type(...) again.'
        )
    if dtype.kind == "c":
        raise TypeError("Expected an image of real numbers, not complex ones; take s.amplitude or s.real first.")
    if dtype.kind not in "biuf":
        raise TypeError(f"Expected an image of real numbers, not {dtype}.")


def _warn_of_swapped_axes(signal) -> None:
    """Warn of frames that are narrow and as many as they are long, as an array of (rows, columns, frames) gives."""
    shape = signal.data.shape
    if len(shape) != 3 or signal.axes_manager.navigation_dimension != 1:
        return
    frames, rows, columns = shape
    if min(frames, rows) >= max(4 * columns, 32) and max(frames, rows) <= 2 * min(frames, rows):
        warnings.warn(
            f"{frames} frames of {rows} by {columns} pixels: if the array was (rows, columns, frames), turn it with "
            f"Signal2D(numpy.moveaxis(data, -1, 0)), which gives {columns} frames of {frames} by {rows} pixels.",
            UserWarning,
            stacklevel=4,
        )
