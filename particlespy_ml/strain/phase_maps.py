"""Strain maps of a frame from the waves of two reflections, on plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from particlespy_ml.crystals.plane_lattice import reduce_basis
from particlespy_ml.strain.find_reflections import Spectrum, find_reflections, noise_level, spectrum_of
from particlespy_ml.strain.lattice_wave import TAPER, LatticeWave, lattice_wave, within_margin
from particlespy_ml.strain.polar import left_polar

STRAINS = ("exx", "eyy", "exy", "rotation")
MAPS = (*STRAINS, "phase 1", "phase 2", "amplitude 1", "amplitude 2", *(f"{name} error" for name in STRAINS))
LEAST_STEP = 0.1  # of the standard deviation of a frame: from padding to what was scanned
IN_REGION = 0.5  # of the largest amplitude of a reflection: its root mean square in the region of the reference
TOGETHER = 0.6  # correlation of the amplitudes of two reflections of one grain; half a frame each has .2
LARGEST_TURN = 8.0  # degrees from the reference: more is another grain
LARGEST_STRAIN = 0.15  # likewise
BOUNDARY = 1.5  # widths from another grain, whose wave is still seen
SIGNIFICANT = 4.0  # an amplitude over the standard deviation that noise alone gives: one pixel in 10 million has more


@dataclass(frozen=True)
class PhaseSettings:
    """How a frame is analysed.

    Parameters
    ----------
    steps
        Pixel size along rows and columns.
    width
        Standard deviation of the blur, in shortest lattice vectors.
    min_amplitude
        Of the largest in the frame; where either reflection has less, there is no strain.
    noise
        Standard deviation of a pixel; None for what the spectrum of each frame shows.
    column
        Standard deviation of columns in the image, a length.
    """

    steps: tuple[float, float]
    width: float
    min_amplitude: float
    noise: float | None
    column: float = 0.0


@dataclass(frozen=True)
class Reflections:
    """Where the masks are in Fourier space, and the lattice that strain is measured from.

    Parameters
    ----------
    centres, reference
        Reciprocal vectors (x, y), one in each row, shape (2, 2).
    """

    centres: np.ndarray
    reference: np.ndarray

    @property
    def spacing(self) -> float:
        """Shortest vector of the lattice that the centres span."""
        return lattice_spacing(self.centres)


def lattice_spacing(g: np.ndarray) -> float:
    """Return the shortest vector of the lattice of two reciprocal vectors."""
    return float(np.linalg.norm(reduce_basis(np.linalg.inv(g).T), axis=1).min())


def waves_of(frame: np.ndarray, settings: PhaseSettings, centres: np.ndarray) -> list[LatticeWave]:
    """Return the waves of two reflections.

    Raises
    ------
    ValueError
        If the width is too large for the frame.
    """
    spacing = lattice_spacing(centres)
    sigma = settings.width * spacing
    if not within_margin(frame.shape, settings.steps, sigma).any():
        across = min(n * step for n, step in zip(frame.shape, settings.steps, strict=True)) / spacing
        raise ValueError(
            f"width={settings.width:g} is too large for an image of {across:.3g} lattice spacings; expected less than "
            f"{across / 4:.2g}."
        )
    return [lattice_wave(frame, settings.steps, g, sigma, TAPER * spacing, settings.column) for g in centres]


def where_seen(waves: list[LatticeWave], settings: PhaseSettings, spacing: float, noise: float) -> np.ndarray:
    """Return where both reflections are strong enough, and far enough from the border; shape (rows, columns)."""
    inside = within_margin(waves[0].wave.shape, settings.steps, settings.width * spacing)
    seen = inside.copy()
    for found in waves:
        size = np.abs(found.wave)
        seen &= np.isfinite(found.gradient).all(0)
        seen &= size > SIGNIFICANT * noise * np.sqrt(found.wave_variance)
        seen &= size > settings.min_amplitude * size[inside].max()
    return seen


def scanned(frame: np.ndarray) -> tuple[slice, slice]:
    """Return rows and columns without those that are padded: of one value, beside others that are far from it."""
    spread = float(np.std(frame))
    parts = []
    for rows in (frame, frame.T):
        constant = (rows == rows[:, :1]).all(1)
        inner = np.flatnonzero(~constant)
        if not len(inner):
            return slice(0, frame.shape[0]), slice(0, frame.shape[1])
        ends = []
        for first, outside in ((inner[0], inner[0] - 1), (inner[-1], inner[-1] + 1)):
            there = 0 <= outside < len(rows)
            # vacuum may be of one value too, and fades into the crystal
            padded = there and np.median(np.abs(rows[first] - rows[outside, 0])) > LEAST_STEP * spread
            ends.append(first if padded else (0 if outside < first else len(rows) - 1))
        parts.append(slice(int(ends[0]), int(ends[1]) + 1))
    return parts[0], parts[1]


@dataclass(frozen=True)
class Whereabouts:
    """Tells whether reflections are of one grain, and of that in the reference region.

    Parameters
    ----------
    frame
        Shape (rows, columns).
    settings
        See `PhaseSettings`.
    region
        Booleans of the shape of the frame; None for all of it.
    """

    frame: np.ndarray
    settings: PhaseSettings
    region: np.ndarray | None

    def size(self, g: np.ndarray) -> np.ndarray:
        """Return the amplitude of a reflection in the frame, averaged over two of its periods."""
        period = 1 / float(np.linalg.norm(g))
        return np.abs(lattice_wave(self.frame, self.settings.steps, g, 2 * period, TAPER * period).wave)

    def in_region(self, g: np.ndarray) -> bool:
        """Whether a reflection is seen in the region as elsewhere."""
        if self.region is None or not self.region.any():
            return True
        size = self.size(g)
        return bool(np.sqrt(np.mean(size[self.region] ** 2)) >= IN_REGION * size.max())

    def together(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Whether reflections are seen at the same places."""
        first, second = self.size(one), self.size(other)
        return bool(np.sum(first * second) >= TOGETHER * np.sqrt(np.sum(first**2) * np.sum(second**2)))


def find_lattice(frame, settings: PhaseSettings, given: tuple = (None, None), region=None) -> Reflections:
    """Return the reflections of a frame and the mean lattice of a region.

    Parameters
    ----------
    frame
        Shape (rows, columns), ascending.
    settings
        See `PhaseSettings`.
    given
        Two reciprocal vectors (x, y), or None for those that are found.
    region
        Booleans of the shape of the frame, True where the lattice is the reference; None for all of it that is seen.

    Raises
    ------
    ValueError
        If there is no such lattice, or none in the region.
    """
    part = scanned(frame)
    frame, region = frame[part], None if region is None else region[part]
    spectrum = spectrum_of(frame, settings.steps)
    centres = find_reflections(spectrum, given, Whereabouts(frame, settings, region))
    waves = waves_of(frame, settings, centres)
    seen = where_seen(waves, settings, lattice_spacing(centres), noise_of(spectrum, centres, settings))
    if not seen.any():
        raise ValueError(
            "The lattice is nowhere strong enough: no pixel away from the border has both reflections; try a larger "
            "width=, a smaller min_amplitude=, or give other reflections."
        )
    chosen = seen if region is None else seen & region
    if not chosen.any():
        raise ValueError(
            "The lattice is not seen in the reference region; expected one that is bright with lattice fringes and "
            "not within two widths of the border of the image."
        )
    return Reflections(centres, np.stack([_mean(wave, g, chosen) for wave, g in zip(waves, centres, strict=True)]))


def _mean(wave: LatticeWave, g: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean reciprocal vector, weighted by the square of the amplitude as its error wants it."""
    weight = np.abs(wave.wave[where]) ** 2
    return g + (wave.gradient[:, where] @ weight) / weight.sum() / (2 * np.pi)


def noise_of(spectrum: Spectrum, centres: np.ndarray, settings: PhaseSettings) -> float:
    """Return the standard deviation of a pixel's noise: given, or estimated beyond the reflections."""
    if settings.noise is not None:
        return settings.noise
    return noise_level(spectrum, float(np.linalg.norm(centres, axis=1).max()))


def phase_maps(frame: np.ndarray, settings: PhaseSettings, lattice: Reflections, mask=None) -> np.ndarray:
    """Return the maps of a frame.

    The local reciprocal vectors are g + grad(phase) / 2 pi. The deformation that takes the lattice of the reference to
    the local one is A = G_local^-1 G_reference, with these vectors in the rows of G, and A = P U its polar
    decomposition: finite strains and rotations are exact.

    Parameters
    ----------
    frame
        Shape (rows, columns), ascending.
    settings, lattice
        See `PhaseSettings`, `Reflections`.
    mask
        Booleans of the shape of the frame, False where there shall be no strain.

    Returns
    -------
    numpy.ndarray
        Shape (12, rows, columns), in the order of `MAPS`.
    """
    part = scanned(frame)
    if frame[part].shape != frame.shape:
        maps = np.full((len(MAPS), *frame.shape), np.nan)
        maps[(slice(None), *part)] = phase_maps(frame[part], settings, lattice, None if mask is None else mask[part])
        away = [s * (p.start + p.stop - n) / 2 for p, n, s in zip(part, frame.shape, settings.steps, strict=True)]
        # phases count from the middle of the frame
        turns = maps[4:6] - 2 * np.pi * (lattice.reference @ away[::-1])[:, None, None]
        maps[4:6] = np.angle(np.exp(1j * turns))
        return maps
    centres, reference = lattice.centres, lattice.reference
    waves = waves_of(frame, settings, centres)
    noise = noise_of(spectrum_of(frame, settings.steps), centres, settings)
    seen = where_seen(waves, settings, lattice.spacing, noise)
    if mask is not None:
        seen &= mask
    maps = np.full((len(MAPS), *frame.shape), np.nan)
    slopes = [np.moveaxis(found.gradient[:, seen], 0, -1) / (2 * np.pi) for found in waves]
    local = np.stack([g + slope for g, slope in zip(centres, slopes, strict=True)], -2)
    turned = np.linalg.det(local) * np.linalg.det(reference) <= 0  # no deformation of the reference
    local[turned] = reference
    strain, rotation = left_polar(deformation(local, reference))
    values = np.stack([strain[:, 0, 0], strain[:, 1, 1], strain[:, 0, 1], np.rad2deg(rotation)])
    errors = strain_errors([noise**2 * w.covariance[:, seen] for w in waves], reference)
    values[:, turned] = errors[:, turned] = np.nan
    maps[:4, seen], maps[8:, seen] = values, errors
    foreign = _other_grains(maps[:4], settings, lattice.spacing)
    maps[:4, foreign] = maps[8:, foreign] = np.nan
    seen &= ~foreign
    inside = within_margin(frame.shape, settings.steps, settings.width * lattice.spacing)
    y, x = (step * (np.arange(n) - (n - 1) / 2) for n, step in zip(frame.shape, settings.steps, strict=True))
    for number, (found, g, first) in enumerate(zip(waves, centres, reference, strict=True)):
        ramp = 2 * np.pi * ((first - g)[0] * x + (first - g)[1] * y[:, None])
        maps[4 + number, seen] = np.angle(found.wave * np.exp(-1j * ramp))[seen]
        maps[6 + number, inside] = 2 * np.abs(found.wave[inside])
    return maps


def _other_grains(strains: np.ndarray, settings: PhaseSettings, spacing: float) -> np.ndarray:
    """Where lattices of other grains are seen, which are no deformation of the reference, and nearly so.

    Surfaces, where strain may be as large and wrong, are less than two widths across.
    """
    with np.errstate(invalid="ignore"):
        far = (np.abs(strains[:3]).max(0) > LARGEST_STRAIN) | (np.abs(strains[3]) > LARGEST_TURN)
    width = settings.width * spacing
    if not far.any():
        return far
    core = ndimage.distance_transform_edt(far, sampling=settings.steps) > width
    if not core.any():
        return core
    return ndimage.distance_transform_edt(~core, sampling=settings.steps) < (1 + BOUNDARY) * width


def deformation(local: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the deformations that take a lattice to others, G_local^-1 G_reference.

    Parameters
    ----------
    local, reference
        Reciprocal vectors in rows, shapes (..., 2, 2) and (2, 2).
    """
    (a, b), (c, d) = np.moveaxis(local, (-2, -1), (0, 1))
    inverse = np.stack([np.stack([d, -b], -1), np.stack([-c, a], -1)], -2) / (a * d - b * c)[..., None, None]
    return inverse @ reference


def strain_errors(covariances: list[np.ndarray], reference: np.ndarray) -> np.ndarray:
    """Return standard errors of strain and rotation from those of the gradients of two phases.

    To first order, strain and rotation change by the symmetric and the antisymmetric part of -G^-1 dG. The noise of two
    reflections is independent where their masks do not overlap.

    Parameters
    ----------
    covariances
        For each reflection the entries xx, yy and xy, shape (3, n), in square radians per square length.
    reference
        Reciprocal vectors, shape (2, 2).

    Returns
    -------
    numpy.ndarray
        Of exx, eyy, exy and the rotation in degrees, shape (4, n).
    """
    inverse = np.linalg.inv(reference)
    variances = np.zeros((4, covariances[0].shape[-1]))
    for (xx, yy, xy), (x, y) in zip(covariances, inverse.T, strict=True):
        variances[0] += x**2 * xx
        variances[1] += y**2 * yy
        variances[2] += (x**2 * yy + y**2 * xx + 2 * x * y * xy) / 4
        variances[3] += (x**2 * yy + y**2 * xx - 2 * x * y * xy) / 4
    errors = np.sqrt(np.maximum(variances, 0)) / (2 * np.pi)
    errors[3] = np.rad2deg(errors[3])
    return errors
