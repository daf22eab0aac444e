"""The function `compare`: a measured image beside simulated ones of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy import ndimage as ndi
from scipy.optimize import minimize

from particlespy_ml.core.image import ImageFrames
from particlespy_ml.simulation.atoms.model_views import model_columns, view_matrix
from particlespy_ml.simulation.recording.camera import Camera
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.simulate_image import exit_waves, mean_intensity, to_pixels

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from hyperspy.signals import Signal2D
    from matplotlib.figure import Figure

_VACUUM, _LEAST_VACUUM = 8.0, 3.0  # Å
_RIM = 2.0  # Å around the model that count


@dataclass(frozen=True)
class Comparison:
    """How a measured image and that of a model agree.

    Parameters
    ----------
    correlation
        Pearson's, over the pixels of the model.
    r_factor
        Sum of the absolute differences over the sum of the measured values, after the best scale and offset.
    model
        Number of the model among those given: of a series of thicknesses, the thickness.
    defocus, defocus_error
        In Å; the error is that of a fit whose residuals are independent, NaN where the defocus is at an end of its
        range.
    tilt, azimuth
        In degrees.
    shift
        x and y of the model's image in nm: where its first pixel lies in the measured one.
    scale, offset
        Measured counts are scale times the fraction of the beam plus offset.
    columns
        Of the particle and the support: ``x`` and ``y`` in the unit of the image, ``height``, ``kind``, ``layer`` and
        the ``correlation`` of the pixels around each.
    tries
        Correlation of every model, tilt, azimuth and defocus of the search.
    measured, simulated
        Images of the same pixels, shape (rows, columns), simulated ones in counts; NaN beyond the model.
    pixel_size
        In nm.
    at_limit
        What lies at an end of its range, so that the best value may lie beyond.
    """

    correlation: float
    r_factor: float
    model: int
    defocus: float
    defocus_error: float
    tilt: float
    azimuth: float
    shift: tuple[float, float]
    scale: float
    offset: float
    columns: pd.DataFrame
    tries: pd.DataFrame
    measured: np.ndarray
    simulated: np.ndarray
    pixel_size: float
    at_limit: tuple[str, ...]

    def __str__(self) -> str:
        told = f"correlation {self.correlation:.3f}, R {self.r_factor:.3f}, model {self.model}"
        told += f", defocus {self.defocus:.1f} ± {self.defocus_error:.1f} Å, tilt {self.tilt:g}°"
        return told + (f"; at the end of its range: {', '.join(self.at_limit)}" if self.at_limit else "")

    def plot(self, *, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw measured, simulated, their difference, and the correlation of the columns.

        Parameters
        ----------
        figsize
            In inches.
        """
        from particlespy_ml.plotting.comparison import plot_comparison

        return plot_comparison(self.measured, self.simulated, self.columns, self.pixel_size, str(self), figsize=figsize)


def compare(
    image: Signal2D,
    models: Atoms | Sequence[Atoms],
    view: str | Sequence[float] = "profile",
    *,
    optics: Optics | None = None,
    defocus: Sequence[float] = (-100.0, 100.0),
    defocus_step: float = 10.0,
    tilts: Sequence[float] = (0.0,),
    azimuths: Sequence[float] = (0.0,),
    turn: float = 0.0,
    camera: Camera | None = None,
    thermal_rms: float = 0.06,
    phonons: int = 2,
    sampling: float = 0.15,
    seed: int = 0,
) -> Comparison:
    """Register simulated images of a model with a measured one, and find the defocus, thickness and tilt that fit best.

    For each model and tilt the exit wave is computed once. Its images at every defocus of the range are registered by
    the correlation over the pixels of the model, the best of all is refined, and counts are scaled by least squares.

    Parameters
    ----------
    image
        HRTEM image, calibrated, of one frame. It holds the whole model or more.
    models
        A model, or several: thicknesses, structures.
    view, turn
        See `simulate_image`; the model must be turned as the image is, to a degree or so.
    optics
        The lens, whose defocus is found.
    defocus, defocus_step
        Range, and step of the search in Å.
    tilts, azimuths
        Tilts off the view that are tried, and azimuths of each but zero, in degrees.
    camera
        Whose transfer blurs the simulated images.
    thermal_rms, phonons, sampling, seed
        See `simulate_image`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the image is a series, smaller than the model, or the ranges are empty.

    Notes
    -----
    A high correlation of one model says little without those of others: look at ``tries``. Images of opposite defocus
    and contrast, and thicknesses that differ by a period of the contrast, may fit alike.
    """
    from ase import Atoms

    checked = ImageFrames.of(image)
    if checked.is_series:
        raise ValueError("The image is a series; expected one frame, such as image.inav[0].")
    low, high = float(min(defocus)), float(max(defocus))
    if not high > low or not defocus_step > 0:
        raise ValueError(f"defocus={tuple(defocus)}, defocus_step={defocus_step}; expected a range and a step in Å.")
    several = [models] if isinstance(models, Atoms) else list(models)
    frame = np.asarray(checked.frames[0], float)[:: checked.direction[0], :: checked.direction[1]]
    sizes = checked.grid.nanometres
    if abs(sizes[0] / sizes[1] - 1) > 1e-3:
        raise ValueError(f"Pixels of {sizes[0]:g} x {sizes[1]:g} nm; expected square ones.")
    pixel = 10 * sizes[1]
    lens = optics or Optics()
    steps = np.linspace(low, high, max(2, round((high - low) / defocus_step) + 1))
    tries, best = [], None
    for number, model in enumerate(several):
        for tilt, azimuth in product(tilts, azimuths):
            if not tilt and azimuth != azimuths[0]:
                continue
            matrix = view_matrix(view, tilt, azimuth, turn)
            seen = (model.positions @ matrix.T)[:, :2]
            room = pixel * min(frame.shape)
            if room < np.ptp(seen, axis=0).max() + _LEAST_VACUUM:
                raise ValueError(
                    f"The image is {room:.1f} Å wide and the model {np.ptp(seen, axis=0).max():.1f} Å, with "
                    f"{_LEAST_VACUUM:g} Å around it: crop the model, or take a larger image."
                )
            edge = min(room, float(np.ptp(seen, axis=0).max()) + 2 * _VACUUM)
            waves, edge, corner = exit_waves(
                [model],
                matrix,
                energy=lens.energy,
                sampling=sampling,
                thermal_rms=thermal_rms,
                phonons=phonons,
                seed=seed,
                edge=edge,
            )
            made = _Maker(waves, edge, corner, pixel, lens, camera, seen)
            for value in steps:
                score, place = register(frame, made.image(value), made.mask)
                tries.append((number, tilt, azimuth, value, score))
                if best is None or score > best[0]:
                    best = (score, number, tilt, azimuth, value, place, made)
    return _result(frame, several, best, tries, (low, high), steps, tilts, checked, view, turn)


class _Maker:
    """Images of some waves at any defocus."""

    def __init__(self, waves, edge: float, corner, pixel: float, optics: Optics, camera, places):
        self.waves, self.edge, self.corner, self.pixel = waves, edge, corner, pixel
        self.optics, self.camera = optics, camera
        self.count = int(edge / pixel + 1e-6)
        inside = np.zeros((self.count, self.count), bool)
        at = np.clip(np.rint((places - corner) / pixel).astype(int), 0, self.count - 1)
        inside[at[:, 1], at[:, 0]] = True
        self.mask = ndi.distance_transform_edt(~inside) * pixel < _RIM

    def image(self, defocus: float) -> np.ndarray:
        intensity = mean_intensity(self.waves, self.edge, replace(self.optics, defocus=float(defocus)))
        made = to_pixels(intensity, self.edge, self.pixel)
        if self.camera is None:
            return made
        ky, kx = fft.fftfreq(len(made))[:, None], fft.rfftfreq(len(made))[None]
        return fft.irfft2(fft.rfft2(made) * self.camera.transfer(np.hypot(ky, kx)), s=made.shape)


def register(image: np.ndarray, part: np.ndarray, mask: np.ndarray) -> tuple[float, tuple[int, int]]:
    """Return the largest correlation of a part with an image, over the pixels of a mask, and where: row and column.

    Parameters
    ----------
    image
        Shape (rows, columns).
    part, mask
        Of one shape, no larger than the image.

    References
    ----------
    D. Padfield, IEEE Trans. Image Process. 21, 2706 (2012), for correlation under masks by Fourier transforms.
    """
    shape = [fft.next_fast_len(n) for n in image.shape]
    rows, columns = (n - m + 1 for n, m in zip(image.shape, part.shape, strict=True))
    centred = image - image.mean()
    weight = mask.astype(float)
    template = np.where(mask, part - part[mask].mean(), 0.0)
    spectrum, square = fft.rfft2(centred, shape), fft.rfft2(centred**2, shape)
    own = np.conj(fft.rfft2(weight, shape))
    cross = fft.irfft2(spectrum * np.conj(fft.rfft2(template, shape)), shape)[:rows, :columns]
    total = fft.irfft2(spectrum * own, shape)[:rows, :columns]
    power = fft.irfft2(square * own, shape)[:rows, :columns]
    variance = np.maximum(power - total**2 / weight.sum(), 1e-12 * max(float(power.max()), 1e-300))
    score = cross / np.sqrt(variance * max(float((template**2).sum()), 1e-300))
    row, column = np.unravel_index(np.argmax(score), score.shape)
    return float(score[row, column]), (int(row), int(column))


def _result(frame, several, best, tries, ends, steps, tilts, checked, view, turn) -> Comparison:
    import pandas as pd

    _, number, tilt, azimuth, value, place, made = best
    step = steps[1] - steps[0]

    def misfit(values):
        defocus, row, column = values
        moved = ndi.shift(made.image(np.clip(defocus, *ends)), (row, column), order=3, mode="nearest")
        return 1 - np.corrcoef(moved[made.mask], measured[made.mask])[0, 1]

    measured = frame[place[0] : place[0] + made.count, place[1] : place[1] + made.count]
    simplex = np.array([value, 0.0, 0.0]) + np.vstack([np.zeros(3), np.diag([step / 2, 0.3, 0.3])])
    options = {"initial_simplex": simplex, "maxfev": 60, "xatol": 0.02, "fatol": 1e-7}
    found = minimize(misfit, simplex[0], method="Nelder-Mead", options=options).x
    defocus = float(np.clip(found[0], *ends))
    clean = ndi.shift(made.image(defocus), found[1:], order=3, mode="nearest")
    scale, offset = np.polyfit(clean[made.mask], measured[made.mask], 1)
    simulated = scale * clean + offset
    away = measured - simulated
    correlation = float(np.corrcoef(clean[made.mask], measured[made.mask])[0, 1])
    total = np.abs(measured[made.mask]).sum()
    limits = [name for name, at in (("defocus", min(defocus - ends[0], ends[1] - defocus) < 0.1 * step),) if at]
    limits += ["tilt"] if len(tilts) > 1 and tilt == max(tilts, key=abs) else []
    limits += ["model"] if len(several) > 2 and number in (0, len(several) - 1) else []
    columns = _columns(
        several[number], made, measured, simulated, (place, found[1:]), (view, tilt, azimuth, turn), checked
    )
    return Comparison(
        correlation,
        float(np.abs(away[made.mask]).sum() / total) if total else float("nan"),
        number,
        defocus,
        float("nan") if "defocus" in limits else _defocus_error(made, found, measured, away, scale, step),
        float(tilt),
        float(azimuth),
        tuple(float(one) for one in (np.array(place[::-1]) + found[:0:-1]) * made.pixel / 10),
        float(scale),
        float(offset),
        columns,
        pd.DataFrame(tries, columns=["model", "tilt", "azimuth", "defocus", "correlation"]),
        measured,
        np.where(made.mask, simulated, np.nan),
        made.pixel / 10,
        tuple(limits),
    )


def _defocus_error(made, found, measured, away, scale: float, step: float) -> float:
    """Standard error of the defocus from how the image changes with it, shift, scale and offset being free."""
    mask, width = made.mask, step / 4
    change = (made.image(found[0] + width) - made.image(found[0] - width)) / (2 * width)
    clean = made.image(found[0])
    others = [np.ones(mask.sum()), clean[mask], *(one[mask] for one in np.gradient(clean))]
    design = np.stack([scale * change[mask], *others], axis=1)
    information = design.T @ design
    variance = (away[mask] ** 2).sum() / max(mask.sum() - design.shape[1], 1)
    return float(np.sqrt(variance * np.linalg.pinv(information, hermitian=True)[0, 0]))


def _columns(model, made, measured, simulated, moved, seen, checked):
    """Columns with the correlation of the pixels around each."""
    import pandas as pd

    view, tilt, azimuth, turn = seen
    columns, layers, _ = model_columns([model], view_matrix(view, 0.0, 0.0, turn))
    # where the columns lie in the image that is tilted
    columns = columns.moved(model.positions @ view_matrix(view, tilt, azimuth, turn).T)
    (row, column), shift = moved
    pixels = (columns.places - made.corner) / made.pixel + shift[::-1]
    nearest = 1.3 / made.pixel  # Å
    y, x = np.indices(measured.shape)
    scores = []
    for place in pixels:
        near = (np.hypot(x - place[0], y - place[1]) < nearest) & made.mask
        ok = near.sum() > 4 and np.ptp(simulated[near]) > 0 and np.ptp(measured[near]) > 0
        scores.append(float(np.corrcoef(simulated[near], measured[near])[0, 1]) if ok else float("nan"))
    size = checked.frames.shape[-2:]
    rows, across = pixels[:, 1] + row, pixels[:, 0] + column
    rows = rows if checked.direction[0] > 0 else size[0] - 1 - rows
    across = across if checked.direction[1] > 0 else size[1] - 1 - across
    xs, ys = checked.grid.to_xy(rows, across)
    return pd.DataFrame(
        {
            "x": xs,
            "y": ys,
            "row": pixels[:, 1],
            "column": pixels[:, 0],
            "height": columns.heights,
            "kind": columns.kinds.astype(str),
            "layer": layers,
            "correlation": scores,
        }
    )
