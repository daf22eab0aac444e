"""Electrostatic potentials of density functional theory, and the waves that leave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from particlespy_ml.simulation.waves.engine import abtem_engine

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

_SQUARE = 1e-6  # of the cell's edges by which its axes may be off x, y and z


@dataclass(frozen=True)
class DFTPotential:
    """The electrostatic potential of a cell, bonds included.

    Parameters
    ----------
    values
        In V, positive where it attracts electrons, shape (nx, ny, nz). The first sample is at the origin of the cell.
        Its zero does not matter.
    atoms
        The atoms of the cell, whose axes lie along x, y and z. Along x and y it is periodic.

    Raises
    ------
    ValueError
        If the cell is not rectangular, or the values are not those of a volume.
    """

    values: np.ndarray
    atoms: Atoms

    def __post_init__(self):
        cell = np.array(self.atoms.cell)
        edges = np.diag(cell)
        if not (edges > 0).all() or np.abs(cell - np.diag(edges)).max() > _SQUARE * edges.max():
            raise ValueError(
                f"A cell of {cell.round(3).tolist()}; expected one whose axes lie along x, y and z. Repeat and cut the "
                "cell, for example with ase.build.cut, before the calculation."
            )
        if np.ndim(self.values) != 3 or np.iscomplexobj(self.values):
            raise ValueError(f"Values of shape {np.shape(self.values)}; expected real ones of shape (nx, ny, nz).")

    @property
    def edges(self) -> tuple[float, float, float]:
        """Edges of the cell in Å."""
        return tuple(float(one) for one in np.diag(self.atoms.cell))

    def slices(self, thickness: float, sampling: float, rms: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return the potential projected along z, slice by slice.

        Parameters
        ----------
        thickness
            Of the slices in Å, about.
        sampling
            Along x and y in Å, at most; finer spatial frequencies are cut off.
        rms
            Thermal displacement of the atoms along each axis in Å, by which the potential is blurred: the potential of
            the mean.

        Returns
        -------
        projected
            In V Å, shape (slices, ny, nx).
        thicknesses
            Of the slices in Å.
        """
        values = np.asarray(self.values, np.float32)
        edges = self.edges
        step = edges[2] / values.shape[2]
        parts = np.array_split(np.arange(values.shape[2]), max(1, round(edges[2] / thickness)))
        projected = np.stack([values[:, :, part].sum(2) * step for part in parts]).transpose(0, 2, 1)
        sides = edges[1::-1]
        ky, kx = (fft.fftfreq(n, side / n) for n, side in zip(projected.shape[1:], sides, strict=True))
        spectrum = fft.fft2(projected) * np.exp(-2 * (np.pi * rms) ** 2 * (ky[:, None] ** 2 + kx**2))
        for axis, side in zip((1, 2), sides, strict=True):
            spectrum = _cut(spectrum, int(np.ceil(side / sampling)), axis)
        return fft.ifft2(spectrum).real.astype(np.float32), step * np.array([len(part) for part in parts])


def _cut(spectrum: np.ndarray, pixels: int, axis: int) -> np.ndarray:
    """A spectrum without the frequencies along an axis that do not fit some pixels; it keeps fewer pixels as it is."""
    whole = spectrum.shape[axis]
    if pixels >= whole:
        return spectrum
    kept = whole // 2 - pixels // 2 + np.arange(pixels)
    return fft.ifftshift(np.take(fft.fftshift(spectrum, axes=axis), kept, axis=axis), axes=axis) * (pixels / whole)


def gpaw_potential(calculator: Calculator, grid_spacing: float = 0.05) -> DFTPotential:
    """Return the all-electron electrostatic potential that GPAW found.

    Parameters
    ----------
    calculator
        GPAW's calculator after its calculation, such as ``atoms.calc``.
    grid_spacing
        In Å. Nuclei are sharper: 0.05 Å resolves what images of 0.2 Å and a thermal motion of 0.05 Å show.

    Returns
    -------
    DFTPotential

    Raises
    ------
    ValueError
        If the calculator is none of GPAW, or has calculated nothing.

    References
    ----------
    J. Enkovaara et al., J. Phys. Condens. Matter 22, 253202 (2010). S. Kurasch et al., Beilstein J. Nanotechnol. 2, 394
    (2011), for images of such potentials.
    """
    from ase.units import Bohr

    if getattr(calculator, "dft", None) is None:
        raise ValueError(
            f"{type(calculator).__name__} holds no calculation of GPAW; expected the calculator of atoms whose energy "
            "was found with gpaw.GPAW (version 25 or later)."
        )
    # GPAW 26.7 takes the spacing in units of 1.89 Å; where it takes Å, the grid is finer than asked for
    potential = calculator.dft.electrostatic_potential()
    found = potential.all_electron_potential(grid_spacing=grid_spacing * Bohr)
    values = -np.asarray(found.data, float)  # it is the energy of an electron
    # where an axis is not periodic the first sample, zero, may be left out
    values = np.pad(values, [(int(start), 0) for start in found.desc.start_c])
    return DFTPotential(values, calculator.atoms.copy())


def exit_wave_of_potential(
    potential: DFTPotential,
    *,
    energy: float = 300e3,
    sampling: float = 0.1,
    slice_thickness: float = 0.5,
    thermal_rms: float = 0.0,
) -> np.ndarray:
    """Return the wave at the exit of a cell, a plane wave of amplitude one having entered along z.

    Parameters
    ----------
    potential
        Of the cell, from `gpaw_potential` or of your own.
    energy
        Beam energy in eV.
    sampling, slice_thickness
        Of the multislice calculation in Å.
    thermal_rms
        See `DFTPotential.slices`.

    Returns
    -------
    numpy.ndarray
        Wave of one cell, shape (rows, columns), complex64, rows along y.

    References
    ----------
    J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    slices, thicknesses = potential.slices(slice_thickness, sampling, thermal_rms)
    with abtem_engine() as abtem:
        array = abtem.PotentialArray(
            np.ascontiguousarray(slices.transpose(0, 2, 1)),
            slice_thickness=tuple(thicknesses.tolist()),
            extent=potential.edges[:2],
        )
        wave = abtem.PlaneWave(energy=energy).multislice(array, lazy=False)
    return np.asarray(wave.to_cpu().array).T.astype(np.complex64)
