"""Exit waves of atoms in a parallel beam by the multislice algorithm of abTEM."""

from __future__ import annotations

import numpy as np

from particlespy_ml.simulation.waves.engine import abtem_engine


def simulate_exit_wave(
    symbols: list[str] | np.ndarray,
    positions: np.ndarray,
    edge: float,
    *,
    energy: float = 300e3,
    sampling: float = 0.2,
    slice_thickness: float = 2.5,
    parametrization: str = "kirkland",
    pixels: int | None = None,
) -> np.ndarray:
    """Return the wave at the exit of a periodic field, a plane wave of amplitude one having entered along z.

    Parameters
    ----------
    symbols
        Chemical symbol of each atom.
    positions
        Positions in Å, shape (n, 3). Along x and y the field is periodic.
    edge
        Edge of the field along x and y in Å.
    energy
        Beam energy in eV.
    sampling
        Real-space sampling of the potential in Å. Waves are limited to 1 / (3 sampling).
    slice_thickness
        Thickness of the slices in Å.
    parametrization
        Of the potentials of atoms, "kirkland" or "lobato".
    pixels
        Number of pixels along each edge of the result; spatial frequencies that do not fit are cut off. By default the
        sampling of the potential.

    Returns
    -------
    numpy.ndarray
        Wave, shape (pixels, pixels), complex64, rows along y.

    References
    ----------
    J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    from ase import Atoms

    low, high = positions[:, 2].min() - 1.5, positions[:, 2].max() + 1.5
    placed = np.column_stack([positions[:, :2] % edge, positions[:, 2] - low])
    atoms = Atoms(symbols, positions=placed, cell=[edge, edge, high - low], pbc=[True, True, False])
    with abtem_engine() as abtem:
        potential = abtem.Potential(
            atoms,
            sampling=sampling,
            slice_thickness=slice_thickness,
            projection="infinite",
            parametrization=parametrization,
        )
        wave = abtem.PlaneWave(energy=energy).multislice(potential, lazy=False)
    array = np.asarray(wave.to_cpu().array).T
    return array.astype(np.complex64) if pixels is None else fourier_resample(array, pixels)


def fourier_resample(wave: np.ndarray, pixels: int) -> np.ndarray:
    """Resample a periodic square wave to another number of pixels by cropping or padding its Fourier transform.

    Parameters
    ----------
    wave
        Shape (n, n).
    pixels
        Number of pixels wanted along each edge.

    Returns
    -------
    numpy.ndarray
        Shape (pixels, pixels), complex64.
    """
    count = len(wave)
    spectrum = np.fft.fftshift(np.fft.fft2(wave))
    start = count // 2 - pixels // 2
    if pixels <= count:
        spectrum = spectrum[start : start + pixels, start : start + pixels]
    else:
        spectrum = np.pad(spectrum, [(-start, pixels - count + start)] * 2)
    return (np.fft.ifft2(np.fft.ifftshift(spectrum)) * (pixels / count) ** 2).astype(np.complex64)
