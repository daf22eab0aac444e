"""Images in fractions of the beam, from an image of the detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal, Signal2D
    from numpy.typing import ArrayLike


ACTIVE = 0.25  # of the range of the detector image, as in atomap


@dataclass(frozen=True)
class DetectorResponse:
    """What a detector shows without and with the beam.

    Parameters
    ----------
    dark
        Signal where the beam misses the detector.
    bright
        Mean signal of the active area.
    active
        Pixels of the active area that were averaged, shape of the detector image.
    """

    dark: float
    bright: float
    active: np.ndarray


def detector_response(
    detector,
    inner_angle: float | None = None,
    outer_angle: float | None = None,
    flux_exponent: float | None = None,
) -> DetectorResponse:
    """Return the response of an annular detector from an image of it, scanned with the beam; any shape.

    Parameters
    ----------
    detector
        Image of the detector, shape (rows, columns).
    inner_angle
        Inner collection angle in mrad, which gives the scale of the image; needed with *outer_angle*.
    outer_angle
        Leave out what lies outside of this angle in mrad, where no electrons are.
    flux_exponent
        Weight the active area by the angle to minus this power, as electrons fall on it.

    Raises
    ------
    ValueError
        If the image has no two levels, or an angle is missing.

    References
    ----------
    G. T. Martinez et al., Ultramicroscopy 159, 46 (2015). The steps are those of atomap's ``detector_normalisation``,
    which needs a square image.
    """
    detector = np.asarray(detector, float)
    if detector.ndim != 2 or not np.isfinite(detector).all():
        raise ValueError(f"Expected a two-dimensional image of the detector, finite everywhere, not {detector.shape}.")
    low, high = float(detector.min()), float(detector.max())
    if not high > low:
        raise ValueError("The image of the detector has one level; expected its active area and what lies around it.")
    active = (detector - low) / (high - low) >= ACTIVE
    dark = float(detector[~active].mean())
    rows, columns = np.indices(detector.shape)
    if outer_angle is None and flux_exponent is None:
        return DetectorResponse(dark, float(detector[active].mean()), active)
    centre = _hole_centre(active)
    radius = np.hypot(rows - centre[0], columns - centre[1])
    if outer_angle is not None:
        if inner_angle is None or not 0 < inner_angle < outer_angle:
            raise ValueError(
                f"inner_angle={inner_angle}, outer_angle={outer_angle}; expected mrad, the inner one smaller "
                f"and given, since it says how large a pixel is."
            )
        active = active & (radius * inner_angle / _inner_radius(detector, radius) < outer_angle)
    weight = active.astype(float)
    if flux_exponent is not None:
        weight = np.where(active, np.maximum(radius, 1.0) ** -abs(flux_exponent), 0.0)
    if not weight.any():
        raise ValueError(f"No part of the detector lies inside of outer_angle={outer_angle} mrad.")
    return DetectorResponse(dark, float((weight * detector).sum() / weight.sum()), active)


def detector_normalisation(
    signal: Signal2D,
    detector: BaseSignal | ArrayLike,
    inner_angle: float | None = None,
    outer_angle: float | None = None,
    flux_exponent: float | None = None,
) -> Signal2D:
    """Return an image in fractions of the incident beam.

    Parameters
    ----------
    signal
        Image or series, lazy or not; taken with the same gain and offset as the detector's.
    detector
        Image of the detector, a signal or an array of any shape.
    inner_angle, outer_angle, flux_exponent
        See `detector_response`.

    Returns
    -------
    The image's own class
        Lazy where the image is.

    Examples
    --------
    >>> import numpy as np
    >>> import particlespy_ml as pml
    >>> rows, columns = np.indices((60, 80))
    >>> radius = np.hypot(rows - 30, columns - 40)
    >>> detector = np.where((radius > 8) & (radius < 25), 50.0, 10.0)
    >>> s = pml.data.gold_on_carbon()
    >>> s.data = 10 + 4.0 * np.ones(s.data.shape)
    >>> round(float(pml.counting.detector_normalisation(s, detector).data.mean()), 6)
    0.1
    """
    from particlespy_ml.core.image import check_image
    from particlespy_ml.core.provenance import METADATA_NODE

    check_image(signal)
    image = np.asarray(getattr(detector, "data", detector))
    response = detector_response(image.reshape(image.shape[-2:]), inner_angle, outer_angle, flux_exponent)
    result = signal._deepcopy_with_new_data((signal.data - response.dark) / (response.bright - response.dark))
    result.metadata.set_item(f"{METADATA_NODE}.normalisation", {"dark": response.dark, "bright": response.bright})
    return result


def _hole_centre(active: np.ndarray) -> np.ndarray:
    """Centre of mass of the largest hole of the active area, or of the area itself where it has none."""
    from scipy.ndimage import label

    holes, n = label(~active)
    border = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
    sizes = np.bincount(holes.ravel())
    sizes[border] = 0
    sizes[0] = 0
    region = holes == np.argmax(sizes) if n and sizes.max() > 0 else active
    return np.argwhere(region).mean(0)


def _inner_radius(detector: np.ndarray, radius: np.ndarray) -> float:
    """Radius in pixels at which the detector begins: that of the steepest rise of the mean over angles."""
    whole = radius.astype(int)
    profile = np.bincount(whole.ravel(), detector.ravel()) / np.maximum(np.bincount(whole.ravel()), 1)
    return float(max(np.argmax(np.gradient(profile)) + 0.5, 1.0))
