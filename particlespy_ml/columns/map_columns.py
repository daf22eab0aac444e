"""The verb `map_columns`, for any image signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from particlespy_ml.columns.by_network import read_frame
from particlespy_ml.columns.read import maps_of_outputs
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import ascending, frame_name
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.core.resample import enlarge_map
from particlespy_ml.models.column_mapper import ColumnMapper
from particlespy_ml.models.load import load_model

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike

    from particlespy_ml.models.model import Model

DEFAULT = "columns-hrtem"


def map_columns(
    signal: Signal2D,
    model: str | Path | Model = DEFAULT,
    *,
    mask: BaseSignal | ArrayLike | None = None,
    device: str | None = None,
    counted: bool | None = None,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> Signal2D:
    """Map where a network sees columns, and how sure it is of every pixel.

    Parameters
    ----------
    signal
        Image or series of any navigation shape, lazy or not, calibrated in a unit of length.
    model
        Name of a bundled model such as "columns-hrtem", or a folder of your own.
    mask
        Where to look: booleans of the shape of the image, or of one frame for all.
    device
        Where the network runs; by default on a GPU where there is one.
    counted
        Whether pixel values are proportional to electrons, see `find_columns`.
    lazy_output
        Whether to return a lazy signal; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    Signal2D
        Of the image's size, float32, with one more navigation axis, ``map``, in front: the probability of the
        background, that of each kind and number of atoms at its places, and the confidence, the largest of them all at
        each pixel. Their names are in ``metadata.particlespy_ml.maps``.

    Raises
    ------
    ValueError
        If the image is not calibrated, its pixels are too large for the model, or the model maps no columns.

    References
    ----------
    J. Madsen et al., Adv. Theory Simul. 1, 1800037 (2018).

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> maps = pml.data.columns_of_gold().map_columns()
    >>> maps.metadata.particlespy_ml.maps[:2]
    ['background', 'metal 1']
    """
    from hyperspy.signals import LazySignal2D, Signal2D

    from particlespy_ml.segmentation.choose import given_mask

    image = ImageFrames.of(signal)
    mapper = column_mapper(model, image.grid, device)
    others = () if mask is None else (given_mask(image, mask),)
    names = map_names(mapper)
    function = FrameMaps(image.grid, mapper, len(names), counted)
    outputs = (np.dtype("f4"),) * len(names)
    arrays = image.run(function, others, outputs, lazy_output=lazy_output, show_progressbar=show_progressbar)
    is_lazy = isinstance(arrays[0], da.Array)
    data = (da if is_lazy else np).stack(arrays)
    data = data.reshape((len(names), *image.shape))
    axes = [{"name": "map", "size": len(names), "navigate": True}]
    axes += [{**axis, "navigate": True} for axis in image.navigation_axes if image.is_series]
    axes += [{**axis, "navigate": False} for axis in image.signal_axes]
    result = (LazySignal2D if is_lazy else Signal2D)(data, axes=axes)
    result.metadata.General.title = image.titled("Column maps")
    record = image.record(mapping={"model": mapper.name, "sha256": mapper.sha256})
    result.metadata.set_item(METADATA_NODE, {**record, "maps": names})
    return result


def map_names(model: ColumnMapper) -> list[str]:
    """Return the names of the maps of a model, in order."""
    highest = dict(model.kinds)
    outputs = [f"{kind} {number}" if highest[kind] > 1 else kind for kind, number in model.outputs]
    return ["background", *outputs, "confidence"]


@dataclass(frozen=True)
class FrameMaps:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: frames to maps of their size."""

    grid: PixelGrid
    model: ColumnMapper
    number: int
    counted: bool | None = None

    def __call__(self, frames: np.ndarray, masks: np.ndarray | None = None, *, indices: list[tuple]) -> list[tuple]:
        """Return the maps of each frame, as `map_names` has them."""
        direction, results = self.grid.direction, []
        for number, frame in enumerate(frames):
            mask = None if masks is None else ascending(masks[number], direction)
            try:
                frame = ascending(frame, direction)
                threshold = self.model.threshold
                maps, found, known, step = read_frame(
                    frame, self.grid.nanometres, self.model, threshold, mask, self.counted
                )
            except ValueError as error:
                raise ValueError(f"Frame {frame_name(indices[number])}: {error}") from error
            result = np.zeros((self.number, *frame.shape), np.float32)
            result[[0, -1]] = 1
            if maps is not None:
                for row, values in zip(
                    result, (maps.background, *maps_of_outputs(self.model, maps, found)), strict=False
                ):
                    row[:] = enlarge_map(values, frame.shape, step)
                result[-1] = result[:-1].max(0)
            if known is not None:
                result[:, ~known] = 0
                result[0, ~known] = 1
            results.append(tuple(ascending(row, direction) for row in result))
        return results


def column_mapper(
    model: str | Path | Model, grid: PixelGrid, device: str | None = None, several: bool = False
) -> ColumnMapper:
    """Return a loaded model that maps columns and can see those of an image, or of *several* together.

    Raises
    ------
    ValueError
        If the model is of another task, sees another number of images, or the pixels are larger than it can use.
    """
    mapper = load_model(model, device)
    if not isinstance(mapper, ColumnMapper):
        raise ValueError(f"The model {mapper.name!r} finds no columns; expected one such as {DEFAULT!r}.")
    if (mapper.images > 1) != several:
        told = "single images: use find_columns" if several else "focal series: use find_heights"
        raise ValueError(f"The model {mapper.name!r} sees {told}(model=...).")
    _, largest = mapper.card["pixel_size_range_angstrom"]
    if max(grid.nanometres) * 10 > largest:
        raise ValueError(
            f"The pixels of {max(grid.nanometres) * 10:.3g} Å are too large for the model {mapper.name!r}, which needs "
            f"{largest:g} Å or less to tell columns apart; check the calibration, or record at a higher magnification."
        )
    return mapper
