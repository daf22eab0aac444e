"""Images without noise of particles in thermal motion: the mean intensity of snapshots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.waves.engine import abtem_engine
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave
from particlespy_ml.simulation.waves.haadf import HAADFMicroscope, potential_points, prism_images

MARGIN = 8.0  # Å of vacuum around a particle, on either side


def field_pixels(snapshots: np.ndarray, pixel_size: float, margin: float = MARGIN) -> int:
    """Return how many pixels a square field has along its edges that holds the atoms and a margin.

    Parameters
    ----------
    snapshots
        Places of the atoms in Å about the middle of the field, shape (m, n, 3).
    pixel_size, margin
        In Å.
    """
    widest = 2 * float(np.abs(snapshots[..., :2]).max())
    return int(np.ceil((widest + 2 * margin) / pixel_size))


def hrtem_images(
    symbols: Sequence[str],
    snapshots: np.ndarray,
    optics: Sequence[Optics],
    pixel_size: float,
    *,
    margin: float = MARGIN,
    sampling: float = 0.14,
    slice_thickness: float = 1.5,
) -> np.ndarray:
    """Return HRTEM images of several lenses, each the mean over snapshots, in units of the empty beam.

    Parameters
    ----------
    symbols
        Of the atoms, shape (n,).
    snapshots
        Places of the atoms in Å about the middle of the field, the beam along z, shape (m, n, 3).
    optics
        Lenses of one energy. Their focus is 1.5 Å behind the last atom of each snapshot.
    pixel_size
        In Å; a pixel records the mean over its area.
    margin
        Vacuum around the particle in Å.
    sampling, slice_thickness
        Of the potential in Å.

    Returns
    -------
    numpy.ndarray
        Shape (lenses, pixels, pixels), rows along y; the middle of the field is at the middle of the image.
    """
    snapshots = np.asarray(snapshots, float)
    pixels = field_pixels(snapshots, pixel_size, margin)
    edge = pixels * pixel_size
    total = np.zeros((len(optics), pixels, pixels))
    for places in snapshots:
        # fine pixels, two of which make one, lie a quarter of a pixel to either side of its middle
        shifted = places + [edge / 2 - pixel_size / 4, edge / 2 - pixel_size / 4, 0]
        wave = simulate_exit_wave(
            list(symbols),
            shifted,
            edge,
            energy=optics[0].energy,
            sampling=sampling,
            slice_thickness=slice_thickness,
            pixels=pixels,
        )
        for number, lens in enumerate(optics):
            fine = image_intensity(wave, edge, lens)
            total[number] += fine.reshape(pixels, 2, pixels, 2).mean((1, 3))
    return total / len(snapshots)


def haadf_image(
    symbols: Sequence[str],
    snapshots: np.ndarray,
    microscope: HAADFMicroscope | None,
    pixel_size: float,
    *,
    source_size: float = 0.0,
    annulus: tuple[float, float] = (0.5, 0.98),
    sampling: float = 0.1,
    slice_thickness: float = 1.5,
    probe_window: float = 6.0,
    margin: float = 4.0,
) -> np.ndarray:
    """Return the HAADF image, the mean over snapshots, in fractions of the beam.

    Parameters
    ----------
    symbols, snapshots
        See `hrtem_images`.
    microscope
        Beam and probe.
    pixel_size
        In Å.
    source_size
        Full width at half maximum of the effective source in Å.
    annulus
        Edges of the detector, as fractions of the largest angle simulated.
    sampling, slice_thickness, probe_window
        See `particlespy_ml.simulation.waves.haadf.simulate_haadf`.
    margin
        Vacuum around the particle in Å.

    Returns
    -------
    numpy.ndarray
        Shape (pixels, pixels), rows along y; the middle of the field is at the middle of the image.
    """
    from ase import Atoms

    snapshots, microscope = np.asarray(snapshots, float), microscope or HAADFMicroscope()
    windows = int(np.ceil(field_pixels(snapshots, pixel_size, margin) * pixel_size / probe_window))
    pixels = int(np.ceil(windows * probe_window / pixel_size))
    edge = pixels * pixel_size
    total = np.zeros((pixels, pixels))
    with abtem_engine() as abtem:
        for places in snapshots:
            low, high = places[:, 2].min() - 1, places[:, 2].max() + 1
            # pixel i is at i times its size
            corner = np.array([*2 * [edge / 2 - pixel_size / 2], -low])
            atoms = Atoms(list(symbols), positions=places + corner, cell=[edge, edge, high - low], pbc=True)
            points = potential_points(edge, windows, sampling)
            potential = abtem.Potential(atoms, gpts=points, slice_thickness=slice_thickness, projection="infinite")
            total += prism_images(potential, microscope, windows, edge, pixel_size, annulus)[0][0]
    return ndi.gaussian_filter(total / len(snapshots), source_size / 2.3548 / pixel_size, mode="wrap")
