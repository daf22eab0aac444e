"""The verb `geometric_phase`, for any image signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from particlespy_ml.core.frames import ascending, check_frame, frame_name
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.lengths import in_units
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.strain.phase_maps import MAPS, PhaseSettings, Reflections, find_lattice, phase_maps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike

LEAST_WIDTH = 0.5  # narrower blurs mix the reflections


def geometric_phase(
    signal: Signal2D,
    g1: Sequence[float] | None = None,
    g2: Sequence[float] | None = None,
    *,
    mask: BaseSignal | ArrayLike | None = None,
    reference: BaseSignal | ArrayLike | object | None = None,
    width: float = 1.0,
    min_amplitude: float = 0.25,
    noise: float | None = None,
    column_width: float | str | None = None,
    per_frame: bool = False,
    lazy_output: bool | None = None,
    show_progressbar: bool | None = None,
) -> Signal2D:
    """Map strain and rotation by the phases of two reflections (geometric phase analysis).

    Strain is that of the left polar decomposition A = P U of the deformation A of the reference lattice: exx, eyy and
    exy are those of P - 1, and the rotation is that of U, in degrees from x towards y; finite ones are exact. A
    positive exx is a lattice that is longer along x than the reference. Phases are never unwrapped.

    Parameters
    ----------
    signal
        Image or series of any navigation shape, lazy or not, calibrated in a unit of length.
    g1, g2
        Reflections (x, y) in one over the unit of the image, moved to the peaks next to them. Where they are not given,
        the two strongest that are not collinear, short ones first; the first is then the one nearer to the x axis.
    mask
        Where strain is wanted: booleans of the shape of the image, or of one frame for all.
    reference
        Where the lattice is the one that strain is measured from: booleans of the shape of one frame, or a
        `hyperspy.api.roi.RectangularROI` or `CircleROI`; by default all of it that is seen, so that mean strain is
        about zero.
    width
        Standard deviation of the Gaussian over which the lattice is averaged, in shortest vectors a of the lattice that
        the two reflections span. The mask in Fourier space is a Gaussian of standard deviation 1 / (2 pi width a).
        `particlespy_ml.strain.equal_width` gives that of equal averaging to a fit to neighbours. .5 at least.
    min_amplitude
        There is no strain where either reflection has less than this fraction of its largest amplitude in the frame.
    noise
        Standard deviation of the noise of a pixel, of which errors are made; by default from the power spectrum of each
        frame beyond the reflections.
    column_width
        Standard deviation of the columns in the image, in its unit or as "3 px", such as the median ``width`` of
        `find_columns`: the mask is then centred so that strain is right up to the surface of a crystal. By default
        that is not done, as columns in HRTEM images have no one shape.
    per_frame
        Whether reflections and reference are those of each frame by itself; by default those of the first frame, which
        is then read at once, serve for the whole series.
    lazy_output
        Whether to return a lazy signal; by default as the signal is.
    show_progressbar
        Show a progress bar; by default HyperSpy's preference.

    Returns
    -------
    Signal2D
        Of the image's size, float32, with one more navigation axis, ``map``, in front: exx, eyy, exy, rotation
        (degrees), phase 1 and 2 (radians, from the middle of the frame, without the wave of the reference), amplitude 1
        and 2 (of the waves, in units of the image), and the standard errors of the first four. Their names are in
        ``metadata.particlespy_ml.maps``, the reflections of the reference in ``metadata.particlespy_ml.phase``. NaN
        within two widths of the border, and but for the amplitudes where the lattice is too weak or outside of the
        mask. In a series read with ``per_frame`` frames without a lattice are NaN.

    Raises
    ------
    ValueError
        If the image is not calibrated, has pixels that are not finite, or shows no lattice of two directions, given
        vectors are collinear, out of range or have no reflection next to them, the lattice is not seen in the reference
        region, or the width is too large for the image.
    TypeError
        If vectors are not two numbers, or the reference is neither booleans nor a region.

    Notes
    -----
    Frames fade to zero over 1.5 lattice spacings at their border and are padded with zeros; what is missing there under
    the Gaussian is made up for. Rows and columns of one value around what was scanned are no part of the frame. Errors
    are those of white noise, independent in every pixel. At the surface of a crystal strain is wrong within about a
    width unless ``column_width`` is given: a column alone has a phase of its own. Where the lattice is turned by more
    than 8 degrees or strained by more than 15 % over two widths, it is that of another grain, which is NaN, as is what
    lies within 1.5 widths of it. Reflections found by themselves are those of one grain: that of the reference region.

    References
    ----------
    M. J. Hÿtch, E. Snoeck and R. Kilaas, Ultramicroscopy 74, 131 (1998).

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> maps = pml.data.sheet_of_graphene().geometric_phase()
    >>> maps.metadata.particlespy_ml.maps[:4]
    ['exx', 'eyy', 'exy', 'rotation']
    >>> exx = maps.inav[0]
    """
    from particlespy_ml.segmentation.choose import given_mask

    image = ImageFrames.of(signal)
    frames = image.finite()
    unit = image.grid.scale[1]  # lengths are in pixels along x from here on
    settings = _settings(image, width, min_amplitude, noise, column_width)
    given = tuple(_vector(g, name, unit) for g, name in ((g1, "g1"), (g2, "g2")))
    others = () if mask is None else (given_mask(image, mask),)
    region = _region(image, reference)
    lattice = None
    if not per_frame:
        first = (0,) * (frames.ndim - 2)
        where = region
        if region is None and others:
            where = ascending(np.asarray(others[0][first]), image.direction)
        lattice = find_lattice(ascending(np.asarray(frames[first], float), image.direction), settings, given, where)
    function = FramePhases(image.direction, settings, lattice, given, region)
    outputs = (np.dtype("f4"),) * len(MAPS)
    arrays = image.run(function, others, outputs, lazy_output=lazy_output, show_progressbar=show_progressbar)
    how = {"width": settings.width, "min_amplitude": settings.min_amplitude, "per_frame": bool(per_frame)}
    if noise is not None:
        how["noise"] = settings.noise
    if column_width is not None:
        how["column_width"] = settings.column * unit
    if lattice is not None:
        g = lattice.reference / unit
        how |= {"g1": g[0].tolist(), "g2": g[1].tolist(), "spacing": lattice.spacing * unit}
    return _as_signal(image, arrays, {**how, "units": f"1/{image.grid.units}"})


def _as_signal(image: ImageFrames, arrays: list, how: dict) -> Signal2D:
    """Maps as a signal with an axis of maps in front."""
    from hyperspy.signals import LazySignal2D, Signal2D

    is_lazy = isinstance(arrays[0], da.Array)
    data = (da if is_lazy else np).stack(arrays).reshape((len(MAPS), *image.shape))
    axes = [{"name": "map", "size": len(MAPS), "navigate": True}]
    axes += [{**axis, "navigate": True} for axis in image.navigation_axes if image.is_series]
    axes += [{**axis, "navigate": False} for axis in image.signal_axes]
    result = (LazySignal2D if is_lazy else Signal2D)(data, axes=axes)
    result.metadata.General.title = image.titled("Geometric phase")
    result.metadata.set_item(METADATA_NODE, {**image.record(phase=how), "maps": list(MAPS)})
    return result


@dataclass(frozen=True)
class FramePhases:
    """A picklable function for `particlespy_ml.core.frames.map_frames`: frames to `MAPS` of their size.

    Parameters
    ----------
    direction
        As in `particlespy_ml.core.calibration.PixelGrid`.
    settings
        See `particlespy_ml.strain.phase_maps.PhaseSettings`.
    lattice
        Reflections and reference for all frames; None to find them in each.
    given, region
        Where to find them, see `particlespy_ml.strain.phase_maps.find_lattice`.
    """

    direction: tuple[int, int]
    settings: PhaseSettings
    lattice: Reflections | None
    given: tuple
    region: np.ndarray | None

    def __call__(self, frames: np.ndarray, masks: np.ndarray | None = None, *, indices: list[tuple]) -> list[tuple]:
        """Return the maps of each frame."""
        results = []
        for number, frame in enumerate(frames):
            check_frame(frame, f"Frame {frame_name(indices[number])}")
            mask = None if masks is None else ascending(masks[number], self.direction)
            image = ascending(np.asarray(frame, float), self.direction)
            try:
                maps = self._maps(image, mask)
            except ValueError as error:
                raise ValueError(f"Frame {frame_name(indices[number])}: {error}") from error
            results.append(tuple(ascending(one, self.direction).astype("f4") for one in maps))
        return results

    def _maps(self, image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        lattice = self.lattice
        if lattice is None:
            try:
                lattice = find_lattice(image, self.settings, self.given, mask if self.region is None else self.region)
            except ValueError:
                return np.full((len(MAPS), *image.shape), np.nan)
        return phase_maps(image, self.settings, lattice, mask)


def _settings(image: ImageFrames, width: float, min_amplitude: float, noise, column_width) -> PhaseSettings:
    """Checked numbers, with lengths in pixels along x."""
    if not LEAST_WIDTH <= width < np.inf:
        raise ValueError(f"width={width}; expected {LEAST_WIDTH:g} or more, in lattice spacings.")
    if not 0 <= min_amplitude < 1:
        raise ValueError(f"min_amplitude={min_amplitude}; expected a fraction from 0 to 1.")
    if noise is not None and not 0 <= noise < np.inf:
        raise ValueError(f"noise={noise}; expected a standard deviation of zero or more, or None to estimate it.")
    # to twelve digits: the same whatever unit the image is in
    ratio = float(f"{image.grid.scale[0] / image.grid.scale[1]:.12g}")
    column = 0.0 if column_width is None else in_units(column_width, image.grid, "column_width") / image.grid.scale[1]
    if not 0 <= column < np.inf:
        raise ValueError(f"column_width={column_width!r}; expected a length of zero or more.")
    known = None if noise is None else float(noise)
    return PhaseSettings((ratio, 1.0), float(width), float(min_amplitude), known, float(column))


def _vector(g, name: str, unit: float) -> np.ndarray | None:
    """A given reflection in periods per pixel along x."""
    if g is None:
        return None
    if isinstance(g, str) or np.shape(g) != (2,):
        raise TypeError(f"{name}={g!r}; expected two numbers, x and y, in one over the unit of the image.")
    vector = np.asarray(g, float) * unit
    if not np.isfinite(vector).all() or not vector.any():
        raise ValueError(f"{name}={g!r}; expected finite numbers that are not both zero.")
    return vector


def _region(image: ImageFrames, reference) -> np.ndarray | None:
    """The region of the reference as booleans of one frame, ascending."""
    if reference is None:
        return None
    shape = image.frames.shape[-2:]
    y, x = (axis["offset"] + axis["scale"] * np.arange(axis["size"]) for axis in image.signal_axes)
    if all(hasattr(reference, name) for name in ("left", "right", "top", "bottom")):
        inside = (
            ((y >= reference.top) & (y < reference.bottom))[:, None] & (x >= reference.left) & (x < reference.right)
        )
    elif all(hasattr(reference, name) for name in ("cx", "cy", "r")):
        distance = np.hypot(x - reference.cx, (y - reference.cy)[:, None])
        hole = getattr(reference, "r_inner", 0)  # traits leave it undefined where there is none
        inside = (distance <= reference.r) & (distance >= (hole if isinstance(hole, float) else 0))
    else:
        inside = np.asarray(reference.data if hasattr(reference, "axes_manager") else reference)
        if inside.dtype.kind not in "bui":
            raise TypeError(
                f"reference={type(reference).__name__}; expected booleans of the shape {shape}, or a RectangularROI or "
                "CircleROI of HyperSpy."
            )
        inside = inside != 0
    if inside.shape != shape:
        raise ValueError(f"Expected a reference of the shape {shape}, that of one frame; got {inside.shape}.")
    if not inside.any():
        raise ValueError("The reference region holds no pixel of the image; expected one in the units of its axes.")
    return ascending(inside, image.direction)
