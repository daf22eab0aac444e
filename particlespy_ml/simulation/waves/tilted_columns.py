"""What single columns, straight and tilted, add to a plane wave."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.core.progress import bar
from particlespy_ml.simulation.recording.optics import wavelength
from particlespy_ml.simulation.waves.exit_wave import fourier_resample, simulate_exit_wave

EDGE = 18.0  # Å, of the field of a column
STEP = 0.1  # Å between its samples
TILTS = (0.0, 0.6, 1.2, 1.8, 2.4)  # degrees: a column of twelve atoms leans by its distance to the next at 4


@dataclass(frozen=True)
class TiltedColumns:
    """Waves that columns of 1, 2, ... atoms add behind a particle, each alone, at some tilts.

    Parameters
    ----------
    waves
        Shape (tilts, kinds * heights, n, n), complex64, rows along y; the middle of the column is at (n // 2, n // 2),
        and it leans along x.
    tilts
        In degrees, from 0 on, ascending.
    step
        Distance between samples in Å.
    energy
        Beam energy in eV.
    spacing
        Distance of the atoms of a column in Å.
    kinds
        Of columns, whose waves follow one another along the second axis, as many heights of each.
    """

    waves: np.ndarray
    tilts: tuple[float, ...]
    step: float
    energy: float
    spacing: float
    kinds: tuple[str, ...]

    @property
    def highest(self) -> int:
        """Largest number of atoms."""
        return self.waves.shape[1] // len(self.kinds)

    def beside(self, other: TiltedColumns) -> TiltedColumns:
        """Return the columns of both, of the same tilts, heights and beam.

        Raises
        ------
        ValueError
            If they differ in these.
        """
        for name in ("tilts", "step", "energy", "spacing", "highest"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(f"{name}: {getattr(self, name)} and {getattr(other, name)}; expected the same.")
        waves = np.concatenate([self.waves, other.waves], axis=1)
        return replace(self, waves=waves, kinds=(*self.kinds, *other.kinds))

    def at(self, tilt: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the waves at a tilt, in degrees along x and y, that leans along x, and the angle to turn them by."""
        size = float(np.hypot(*tilt))
        number = int(np.clip(np.searchsorted(self.tilts, size) - 1, 0, len(self.tilts) - 2))
        low, high = self.tilts[number : number + 2]
        share = np.float32(min((size - low) / (high - low), 1.5))
        return (1 - share) * self.waves[number] + share * self.waves[number + 1], float(np.arctan2(tilt[1], tilt[0]))


def tilted_columns(
    symbol: str,
    spacing: float,
    highest: int,
    *,
    energy: float = 300e3,
    tilts: tuple[float, ...] = TILTS,
    thermal_rms: float = 0.08,
    configurations: int = 8,
    sampling: float = 0.14,
    slice_thickness: float = 2.0,
    seed: int = 0,
) -> TiltedColumns:
    """Simulate what columns of 1 to *highest* atoms add to a plane wave, each alone, by the multislice algorithm.

    The waves are those 1.5 Å behind a particle of as many atoms as the highest column, in whose middle lower columns
    lie.

    Parameters
    ----------
    symbol
        Chemical symbol of the atoms.
    spacing
        Distance of the atoms of a column in Å.
    highest
        Largest number of atoms.
    energy
        Beam energy in eV.
    tilts
        Of the columns in degrees, from 0 on, ascending, two or more.
    thermal_rms
        Thermal displacement along each axis in Å.
    configurations
        Number of thermal configurations whose waves are averaged. Each counts twice, mirrored.
    sampling, slice_thickness
        Of the potential in Å.
    seed
        Of the displacements.

    References
    ----------
    D. Van Dyck and M. Op de Beeck, Ultramicroscopy 64, 99 (1996). J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    if highest < 1 or len(tilts) < 2 or tilts[0] != 0 or (np.diff(tilts) <= 0).any():
        raise ValueError(f"highest={highest}, tilts={tilts}; expected one atom or more, and ascending tilts from 0 on.")
    rng, pixels = np.random.default_rng(seed), round(EDGE / STEP)
    k2 = fft.fftfreq(pixels, STEP)[:, None] ** 2 + fft.fftfreq(pixels, STEP) ** 2
    settings = {"energy": energy, "sampling": sampling, "slice_thickness": slice_thickness}
    behind = (highest - 1) * spacing / 2
    waves = np.zeros((len(tilts), highest, pixels, pixels), np.complex64)
    with bar(len(tilts) * highest, "Simulating columns", "column") as shown:
        for number, tilt in enumerate(tilts):
            for height in range(1, highest + 1):
                z = (np.arange(height) - (height - 1) / 2) * spacing
                spectrum = 0
                for _ in range(configurations if thermal_rms else 1):
                    places = np.column_stack([np.full((height, 2), EDGE / 2), z])
                    places = places + thermal_rms * rng.normal(size=(height, 3))
                    places[:, 0] += z * np.tan(np.radians(tilt))
                    wave = fourier_resample(simulate_exit_wave([symbol] * height, places, EDGE, **settings) - 1, pixels)
                    away = behind - places[:, 2].max()
                    spectrum = spectrum + fft.fft2(wave) * np.exp(-1j * np.pi * wavelength(energy) * away * k2)
                wave = fft.ifft2(spectrum / (configurations if thermal_rms else 1))
                waves[number, height - 1] = (wave + np.roll(wave[::-1], 1, 0)) / 2
                shown.update()
    return TiltedColumns(waves, tuple(float(one) for one in tilts), STEP, float(energy), float(spacing), (symbol,))


def sampled(profiles: np.ndarray, which: np.ndarray, dy: np.ndarray, dx: np.ndarray, step: float, turn: float):
    """Return profiles at distances from their columns.

    Parameters
    ----------
    profiles
        Shape (k, n, n).
    which
        Number of the profile of each column, shape (m,).
    dy, dx
        Distances along rows and columns of each window in Å, shape (m, w).
    step
        Of the profiles in Å.
    turn
        Angle in radians, from x towards y, by which profiles are turned.

    Returns
    -------
    numpy.ndarray
        Shape (m, w, w), of the type of the profiles.
    """
    cos, sin = np.cos(turn), np.sin(turn)
    along = dx[:, None, :] * cos + dy[:, :, None] * sin
    across = -dx[:, None, :] * sin + dy[:, :, None] * cos
    middle = profiles.shape[-1] // 2
    points = [np.broadcast_to(which[:, None, None], along.shape), across / step + middle, along / step + middle]
    return ndi.map_coordinates(profiles, points, order=1)
