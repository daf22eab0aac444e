"""Volumes to start from: of atoms, of other volumes, and their symmetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from particlespy_ml.reconstruction.registration import rotate_volume

if TYPE_CHECKING:
    from ase import Atoms


ATOM_WIDTH = 0.6  # Å, standard deviation of an atom: thermal motion and the probe


def volume_of_atoms(atoms: Atoms, box: int, pixel_size: float, width: float = ATOM_WIDTH) -> np.ndarray:
    """Return the scattering power of atoms, about their mean position, as Gaussians of Z^1.7.

    Parameters
    ----------
    atoms
        ASE atoms.
    box
        Edge in pixels.
    pixel_size
        In Å.
    width
        Standard deviation of an atom in Å.

    Returns
    -------
    numpy.ndarray
        Shape (box, box, box), float32.

    Raises
    ------
    ValueError
        If the atoms do not fit into the box.
    """
    at = (atoms.positions - atoms.positions.mean(0)) / pixel_size + box // 2
    if at.min() < 1 or at.max() > box - 2:
        raise ValueError(
            f"The model is {np.ptp(atoms.positions, axis=0).max():.1f} Å wide and does not fit into a box of "
            f"{box * pixel_size:.1f} Å; extract the particles with a larger box."
        )
    low = np.floor(at).astype(int)
    part = at - low
    volume = np.zeros((box,) * 3)
    power = atoms.numbers.astype(float) ** 1.7
    for corner in np.ndindex(2, 2, 2):
        share = np.prod(np.where(corner, part, 1 - part), axis=1)
        x, y, z = (low + corner).T
        np.add.at(volume, (z, y, x), share * power)
    k2 = sum(np.square(g) for g in np.meshgrid(*(fft.fftfreq(box),) * 3, indexing="ij", sparse=True))
    spectrum = fft.fftn(volume) * np.exp(-2 * (np.pi * width / pixel_size) ** 2 * k2)
    return fft.ifftn(spectrum).real.astype(np.float32)


def symmetrise(volume: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the mean of a volume over the operations of a point group about box // 2."""
    if len(group) == 1:
        return volume
    total = np.zeros_like(volume, dtype=float)
    for operation in group:
        total += rotate_volume(volume, operation)
    return (total / len(group)).astype(np.float32)


def check_symmetry(volume: np.ndarray, group: np.ndarray, name: str, smallest: float = 0.9) -> np.ndarray:
    """Return a model made symmetric.

    Raises
    ------
    ValueError
        If the model is far from symmetric: another point group, or other axes.
    """
    mean = symmetrise(volume, group)
    smooth = [ndi.gaussian_filter(v, 1.0).ravel() for v in (volume, mean)]
    correlation = float(np.corrcoef(*smooth)[0, 1])
    if not correlation >= smallest:
        raise ValueError(
            f"The model is not symmetric in {name} (correlation {correlation:.2f} with its mean over the group; "
            f"{smallest} at least expected). Main axes lie along z, two-fold axes of dihedral groups along x, and "
            "those of cubic groups along x, y and z: turn the model, or give another point_group."
        )
    return mean
