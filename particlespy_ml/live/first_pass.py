"""The first look at an image: are there particles, is it in focus, and what went wrong while it was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.quality.focus import field_contrast, focus_score
from particlespy_ml.quality.recording import (
    calibration_fault,
    directional_blur,
    row_jumps,
    saturated_share,
)
from particlespy_ml.quality.spectrum import power_spectrum, strongest_spacing

if TYPE_CHECKING:
    from collections.abc import Callable

# What the first look finds, in the order of a row, and what it is.
FIRST = {
    "count": "particles found",
    "coverage": "share of the image that they cover",
    "diameter": "median of their equivalent circular diameters in nm",
    "focus": "from 0 to 1",
    "contrast": "spread of brightness relative to its mean, without noise: of one field most in focus (scanned images)",
    "blur_ratio": "blur along the direction of most blur, relative to that across it",
    "blur_angle": "that direction in degrees from x towards y",
    "row_jumps": "jumps of brightness from row to row, relative to noise",
    "saturated": "share of pixels at the largest value",
    "spacing": "of the strongest lattice in nm",
}
# From which on each is a fault.
BLUR_RATIO, ROW_JUMPS, DIM_FOCUS = 1.4, 4.0, 0.3
ENERGY = 300.0  # keV, of HRTEM images that do not say theirs: rings depend on it little


def look_at(
    frame: np.ndarray,
    pixel_size: tuple[float, float] | None,
    segment: Callable[[], np.ndarray],
    *,
    energy: float | None = None,
    scanned: bool = True,
) -> tuple[dict, np.ndarray | None]:
    """Look at one image before it is measured.

    Parameters
    ----------
    frame : numpy.ndarray
        Shape (rows, columns).
    pixel_size : tuple of float
        Rows and columns in nm; None where the image is not calibrated.
    segment
        Called without arguments for the labels of the particles.
    energy
        Energy of a parallel beam in keV; None for a scanned image.
    scanned
        Whether rows were recorded one after the other, so that charging shows in them.

    Returns
    -------
    dict
        A value for each name of `FIRST`, None where it cannot be told, ``focus_reason``, and ``flags``: what is wrong,
        in words, empty where nothing is.
    numpy.ndarray
        The labels; None where no particles could be looked for.
    """
    row: dict = dict.fromkeys(FIRST)
    flags = []
    row["saturated"] = saturated_share(frame)
    if row["saturated"]:
        flags.append(f"{100 * row['saturated']:.2g} % of the pixels are saturated")
    if scanned and np.isfinite(jumps := row_jumps(frame)):
        row["row_jumps"] = jumps
        if jumps > ROW_JUMPS:
            flags.append("brightness jumps from row to row: charging, or an unsteady beam")
    if pixel_size is None:
        row["focus_reason"] = "not calibrated"
        return {**row, "flags": "; ".join(["not calibrated: give the size of a pixel", *flags])}, None
    labels = np.asarray(segment())
    sizes = np.bincount(labels.ravel())[1:]
    sizes = sizes[sizes > 0]
    row["count"], row["coverage"] = len(sizes), float(sizes.sum() / labels.size)
    if len(sizes):
        row["diameter"] = float(np.median(np.sqrt(4 / np.pi * sizes * pixel_size[0] * pixel_size[1])))
    else:
        flags.append("no particles")
    row |= _see_sharpness(frame, pixel_size, energy)
    if row["focus"] is None:
        return {**row, "flags": "; ".join(flags)}, labels
    if row["focus"] < DIM_FOCUS:
        flags.append("out of focus")
    if row["blur_ratio"] > BLUR_RATIO:
        flags.append(
            f"blurred along {row['blur_angle']:.0f}°: drift, vibration or astigmatism, unless the particles are long"
        )
    fault = calibration_fault(pixel_size, row["spacing"], row["diameter"] or float("nan"))
    if fault:
        flags.append(f"the calibration cannot be right: {fault}")
    row = {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in row.items()}
    return {**row, "flags": "; ".join(flags)}, labels


def _see_sharpness(frame: np.ndarray, pixel_size: tuple[float, float], energy: float | None) -> dict:
    """What the spectrum of a frame tells of a row."""
    if min(frame.shape) < 16:
        return {"focus_reason": "too small"}
    spectrum = power_spectrum(frame, pixel_size)
    focus = focus_score(frame, pixel_size, energy=energy, spectrum=spectrum)
    blur = dict(zip(("blur_ratio", "blur_angle"), directional_blur(spectrum), strict=True))
    contrast = {"contrast": field_contrast(frame, spectrum)} if energy is None else {}
    spacing = strongest_spacing(spectrum)
    return {"focus": focus.score, "focus_reason": focus.reason, **contrast, **blur, "spacing": spacing}
