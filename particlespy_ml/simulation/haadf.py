"""HAADF-STEM images of atomic models by the PRISM algorithm of abTEM."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class HAADFMicroscope:
    """What the simulation needs to know of a probe-forming microscope.

    Parameters
    ----------
    energy
        Beam energy in eV.
    semiangle
        Convergence semi-angle in mrad.
    defocus
        Defocus in Å (positive is underfocus, as in abTEM).
    spherical_aberration
        Third-order spherical aberration in Å.
    """

    energy: float = 200e3
    semiangle: float = 22.0
    defocus: float = 0.0
    spherical_aberration: float = 0.0


def simulate_haadf(
    atoms: Atoms,
    microscope: HAADFMicroscope | None = None,
    *,
    scan_step: float = 0.3,
    sampling: float = 0.1,
    slice_thickness: float = 2.0,
    vacuum: float = 6.0,
    probe_window: float = 6.0,
    annuli: tuple[float, ...] = (0.5, 0.66, 0.82, 0.98),
    thermal_rms: float = 0.08,
    frozen_phonons: int = 1,
    seed: int = 0,
) -> tuple[np.ndarray, dict]:
    """Simulate the annular dark-field images of a free particle.

    Parameters
    ----------
    atoms
        Particle. It is centred in a cubic cell.
    microscope
        Beam and probe.
    scan_step
        Distance of scan points in Å.
    sampling
        Real-space sampling of the potential in Å. It limits the scattering angle to wavelength / (3 sampling).
    slice_thickness
        Thickness of the slices in Å.
    vacuum
        Space left around the particle in Å, both sides together.
    probe_window
        Edge of the window in Å in which PRISM keeps the probe. The cell is a whole number of windows, and that number
        is the interpolation factor.
    annuli
        Edges of the annular detectors, as fractions of the largest angle simulated.
    thermal_rms
        Thermal displacement along each axis in Å.
    frozen_phonons
        Number of thermal configurations averaged.
    seed
        Seed of the thermal displacements.

    Returns
    -------
    images
        Fraction of the beam on each annulus, shape (annuli, rows, columns), float32. Rows are the y axis.
    parameters
        What was simulated, including the angles of the annuli in mrad.

    References
    ----------
    C. Ophus, Adv. Struct. Chem. Imaging 3, 13 (2017). J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    abtem = _import_abtem()
    import dask

    microscope = microscope or HAADFMicroscope()
    extent = np.ptp(atoms.positions, axis=0)
    interpolation = int(np.ceil((extent[:2].max() + vacuum) / probe_window))
    edge = interpolation * probe_window
    particle = atoms.copy()
    particle.set_cell([edge, edge, extent[2] + 2.0])
    particle.center()
    settings = {"precision": "float32", "fftw.planning_effort": "FFTW_ESTIMATE", "diagnostics.progress_bar": False}
    with abtem.config.set(settings), dask.config.set(scheduler="synchronous"):
        phonons = abtem.FrozenPhonons(particle, frozen_phonons, sigmas=thermal_rms, seed=seed)
        total = None
        for configuration in phonons:
            potential = abtem.Potential(
                configuration, sampling=sampling, slice_thickness=slice_thickness, projection="infinite"
            ).build(lazy=False)
            matrix = abtem.SMatrix(
                potential=potential,
                energy=microscope.energy,
                semiangle_cutoff=microscope.semiangle,
                interpolation=interpolation,
            )
            largest = min(matrix.cutoff_angles)
            angles = [fraction * largest for fraction in annuli]
            ctf = abtem.CTF(
                energy=microscope.energy,
                semiangle_cutoff=microscope.semiangle,
                defocus=microscope.defocus,
                Cs=microscope.spherical_aberration,
            )
            detectors = [
                abtem.AnnularDetector(inner, outer) for inner, outer in zip(angles[:-1], angles[1:], strict=True)
            ]
            points = round(edge / scan_step)
            scan = abtem.GridScan((0, 0), (edge, edge), gpts=(points, points), endpoint=False)
            parts = matrix.build(lazy=False).reduce(scan=scan, detectors=detectors, ctf=ctf, max_batch_reduction=256)
            parts = parts if isinstance(parts, (list, tuple)) else [parts]
            image = np.stack([np.asarray(part.array).T for part in parts])
            total = image if total is None else total + image
    parameters = {
        **asdict(microscope),
        "scan_step": scan_step,
        "sampling": sampling,
        "slice_thickness": slice_thickness,
        "interpolation": interpolation,
        "annuli_mrad": [float(angle) for angle in angles],
        "thermal_rms": thermal_rms,
        "frozen_phonons": frozen_phonons,
        "seed": seed,
    }
    return (total / frozen_phonons).astype(np.float32), parameters


def _import_abtem():
    try:
        import abtem
    except ImportError as error:
        raise ImportError(
            "Simulating images needs abTEM: install the extra with `pip install particlespy-ml[simulation]`."
        ) from error
    return abtem
