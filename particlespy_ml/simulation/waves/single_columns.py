"""Profiles of single columns: what a column of n atoms, alone in vacuum, adds to an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.columns.fit.profiles import ColumnProfiles
from particlespy_ml.counting.to_atoms import ALIGNMENTS
from particlespy_ml.simulation.recording.optics import Optics, transfer_function, wavelength
from particlespy_ml.simulation.waves.exit_wave import fourier_resample, simulate_exit_wave
from particlespy_ml.simulation.waves.haadf import HAADFMicroscope, simulate_haadf

EDGE = 20.0  # Å, of the field of a column: waves have spread by less behind particles of some nm
STEP = 0.05  # Å between pixels of a wave's profile


def column_exit_waves(
    symbol: str,
    spacing: float,
    heights: Sequence[int],
    *,
    energy: float = 300e3,
    thickness: float | None = None,
    align: str = "centre",
    thermal_rms: float = 0.08,
    configurations: int = 16,
    sampling: float = 0.14,
    slice_thickness: float = 1.5,
    seed: int = 0,
) -> ColumnProfiles:
    """Simulate what columns add to a plane wave, each alone, 1.5 Å behind a particle, by the multislice algorithm.

    Parameters
    ----------
    symbol
        Chemical symbol of the atoms.
    spacing
        Distance between the atoms of a column in Å.
    heights
        Numbers of atoms wanted.
    energy
        Beam energy in eV.
    thickness
        Extent of the particle along the beam in Å, from the first atom to the last; by default that of its highest
        column. Waves of lower columns spread on their way to the plane behind the particle.
    align
        Where lower columns lie along the beam: "centre", or with the highest at the "top", where the beam enters, or
        the "bottom".
    thermal_rms
        Thermal displacement along each axis in Å.
    configurations
        Number of thermal configurations whose waves are averaged: what is scattered by the motion adds no wave. Each
        counts eight times, turned and mirrored.
    sampling, slice_thickness
        Of the potential in Å.
    seed
        Of the thermal displacements.

    Returns
    -------
    particlespy_ml.columns.fit.profiles.ColumnProfiles
        Complex, of a step of 0.05 Å.

    Raises
    ------
    ValueError
        If heights are below one, or the particle is thinner than its columns.

    References
    ----------
    D. Van Dyck and M. Op de Beeck, Ultramicroscopy 64, 99 (1996). J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    numbers = _numbers(heights)
    highest = (numbers[-1] - 1) * spacing
    whole = highest if thickness is None else float(thickness)
    if whole < highest - 0.5 * spacing:  # surfaces relax inwards by less
        raise ValueError(f"thickness={whole:.4g} Å is less than that of a column of {numbers[-1]} atoms.")
    if align not in ALIGNMENTS:
        raise ValueError(f"Unknown alignment {align!r}; expected one of {', '.join(ALIGNMENTS)}.")
    pixels = round(EDGE / STEP)
    k2 = fft.fftfreq(pixels, STEP)[:, None] ** 2 + fft.fftfreq(pixels, STEP) ** 2
    count = configurations if thermal_rms else 1
    moved = thermal_rms * np.random.default_rng(seed).normal(size=(count, numbers[-1], 3))
    settings = {"energy": energy, "sampling": sampling, "slice_thickness": slice_thickness}
    found = []
    for number in numbers:
        z = (np.arange(number) - (number - 1) / 2) * spacing
        waves = []
        for shift in moved:
            places = np.column_stack([np.full((number, 2), EDGE / 2), z]) + shift[:number]
            wave = fourier_resample(simulate_exit_wave([symbol] * number, places, EDGE, **settings) - 1, pixels)
            # thermal motion moves the plane behind the last atom
            waves.append(_propagated(wave, k2, z[-1] - places[:, 2].max(), energy))
        free = max(whole - (number - 1) * spacing, 0.0)
        behind = {"centre": free / 2, "top": free, "bottom": 0.0}[align]
        found.append(fft.fftshift(_propagated(_symmetric(np.mean(waves, axis=0)), k2, behind, energy)))
    return ColumnProfiles(np.array(found).astype(np.complex64), numbers, STEP)


def through_lens(waves: ColumnProfiles, optics: Optics) -> ColumnProfiles:
    """Return what columns add to the wave in the image plane of a lens, from what they add behind the particle.

    Parameters
    ----------
    waves
        See `column_exit_waves`.
    optics
        The lens, its focus on the plane of the waves. A shift of the image during the exposure, which it calls
        deflection, blurs the waves: that is exact for what the image owes to single columns beside the empty beam.

    Returns
    -------
    particlespy_ml.columns.fit.profiles.ColumnProfiles
    """
    pixels = waves.arrays.shape[1]
    frequency = fft.fftfreq(pixels, waves.step)
    transfer = transfer_function(replace(optics, deflection=0.0), pixels, pixels * waves.step)
    transfer = transfer * np.exp(-2 * (np.pi * optics.deflection) ** 2 * (frequency[:, None] ** 2 + frequency**2))
    middle = (-2, -1)
    spectra = fft.fft2(fft.ifftshift(waves.arrays, middle)) * transfer
    return ColumnProfiles(fft.fftshift(fft.ifft2(spectra), middle).astype(np.complex64), waves.heights, waves.step)


def hrtem_profiles(
    symbol: str,
    spacing: float,
    heights: Sequence[int],
    optics: Optics,
    *,
    thickness: float | None = None,
    align: str = "centre",
    thermal_rms: float = 0.08,
    configurations: int = 16,
    seed: int = 0,
) -> ColumnProfiles:
    """Simulate what columns add to the wave in the image plane of a lens, each alone.

    Parameters
    ----------
    symbol, spacing, heights
        Chemical symbol of the atoms, their distance along a column in Å, and numbers of atoms wanted.
    optics
        The lens. Its focus is on a plane 1.5 Å behind the particle, as that of `simulate_exit_wave`.
    thickness, align, thermal_rms, configurations, seed
        See `column_exit_waves`.

    Returns
    -------
    particlespy_ml.columns.fit.profiles.ColumnProfiles
        Complex, of a step of 0.05 Å; for `particlespy_ml.columns.refine_places`.
    """
    waves = column_exit_waves(
        symbol,
        spacing,
        heights,
        energy=optics.energy,
        thickness=thickness,
        align=align,
        thermal_rms=thermal_rms,
        configurations=configurations,
        seed=seed,
    )
    return through_lens(waves, optics)


def haadf_profiles(
    symbol: str,
    spacing: float,
    heights: Sequence[int],
    microscope: HAADFMicroscope | None = None,
    *,
    source_size: float = 0.0,
    annulus: tuple[float, float] = (0.5, 0.98),
    thermal_rms: float = 0.08,
    configurations: int = 8,
    scan_step: float = 0.2,
    sampling: float = 0.1,
    seed: int = 0,
) -> ColumnProfiles:
    """Simulate the fraction of the beam that columns scatter to an annular detector, each alone.

    Parameters
    ----------
    symbol, spacing, heights
        See `column_exit_waves`.
    microscope
        Beam and probe.
    source_size
        Full width at half maximum of the effective source in Å.
    annulus
        Edges of the detector, as fractions of the largest angle simulated.
    thermal_rms, configurations, seed
        Thermal displacement along each axis in Å, number of configurations, each of which counts eight times, and seed.
    scan_step, sampling
        Of the scan and of the potential in Å.

    Returns
    -------
    particlespy_ml.columns.fit.profiles.ColumnProfiles
        Real, of a step of *scan_step*.
    """
    from ase import Atoms

    numbers, found = _numbers(heights), []
    for number in numbers:
        column = Atoms([symbol] * number, positions=np.outer(np.arange(number) * spacing, [0, 0, 1.0]))
        images, told = simulate_haadf(
            column,
            microscope,
            scan_step=scan_step,
            sampling=sampling,
            slice_thickness=spacing / 2,
            vacuum=11.9,
            annuli=annulus,
            thermal_rms=thermal_rms,
            frozen_phonons=configurations if thermal_rms else 1,
            seed=seed,
        )
        # the scan starts at the corner of a field that has the column in its middle
        image = _symmetric(images[0].astype(float))
        found.append(ndi.gaussian_filter(fft.fftshift(image), source_size / 2.3548 / scan_step, mode="wrap"))
    return ColumnProfiles(np.array(found), numbers, scan_step)


def _numbers(heights) -> np.ndarray:
    numbers = np.unique(np.asarray(heights, int))
    if not len(numbers) or numbers[0] < 1:
        raise ValueError(f"heights={heights}; expected numbers of atoms of one or more.")
    return numbers


def _propagated(wave: np.ndarray, k2: np.ndarray, distance: float, energy: float) -> np.ndarray:
    """A wave after a distance in Å in vacuum."""
    return fft.ifft2(fft.fft2(wave) * np.exp(-1j * np.pi * wavelength(energy) * distance * k2))


def _symmetric(array: np.ndarray) -> np.ndarray:
    """Mean of a periodic array and its turns and mirror images about the middle, which is moved to the first pixel."""
    array = fft.ifftshift(array)
    turned = [array, np.roll(array[::-1], 1, 0)]
    turned += [np.roll(one[:, ::-1], 1, 1) for one in turned]
    return np.mean([*turned, *(one.T for one in turned)], axis=0)
