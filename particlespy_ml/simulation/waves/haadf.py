"""HAADF-STEM images of atomic models by the PRISM algorithm of abTEM."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.waves.engine import abtem_engine

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
    field: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, dict]:
    """Simulate the annular dark-field images of a free particle.

    Parameters
    ----------
    atoms
        Particle. It is in the middle of a square cell.
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
        Smallest edge of the window in Å in which PRISM keeps the probe. The cell is a whole number of windows, which is
        the interpolation factor, and of scan points.
    annuli
        Edges of the annular detectors, as fractions of the largest angle simulated.
    thermal_rms
        Thermal displacement along each axis in Å.
    frozen_phonons
        Number of thermal configurations averaged.
    field
        Lowest and highest x, y and z in Å of what the cell holds in its middle, for images that lie on each other; by
        default of the particle's own atoms.
    seed
        Seed of the thermal displacements.

    Returns
    -------
    images
        Fraction of the beam on each annulus, shape (annuli, rows, columns), float32. Rows are the y axis.
    parameters
        What was simulated, including the angles of the annuli in mrad.

    Notes
    -----
    The defaults are fast enough for thousands of images and true to a tenth: slices of 2 Å and a window of 6 Å leave
    the cross-sections of columns up to 10 % off. To count atoms take thin slices and a window that the probe does not
    leave, or a whole probe and one slice for each atomic layer, as
    `particlespy_ml.simulation.waves.column_cross_sections.simulate_column_library` does.

    References
    ----------
    C. Ophus, Adv. Struct. Chem. Imaging 3, 13 (2017). J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021).
    """
    microscope = microscope or HAADFMicroscope()
    low, high = (atoms.positions.min(0), atoms.positions.max(0)) if field is None else np.asarray(field, float)
    extent = high - low
    interpolation = int(np.ceil((extent[:2].max() + vacuum) / probe_window))
    points = int(np.ceil(interpolation * probe_window / scan_step - 1e-6))
    edge = points * scan_step
    particle = atoms.copy()
    particle.set_cell([edge, edge, extent[2] + 2.0])
    particle.positions += particle.cell.lengths() / 2 - (low + high) / 2
    with abtem_engine() as abtem:
        phonons = abtem.FrozenPhonons(particle, frozen_phonons, sigmas=thermal_rms, seed=seed)
        potentials = (
            abtem.Potential(
                configuration,
                gpts=potential_points(edge, interpolation, sampling),
                slice_thickness=slice_thickness,
                projection="infinite",
            )
            for configuration in phonons
        )
        parts = [
            prism_images(potential, microscope, interpolation, edge, scan_step, annuli) for potential in potentials
        ]
    images, angles = np.mean([part for part, _ in parts], axis=0), parts[0][1]
    parameters = {
        **asdict(microscope),
        "abtem": abtem.__version__,
        "scan_step": scan_step,
        "sampling": sampling,
        "slice_thickness": slice_thickness,
        "interpolation": interpolation,
        "annuli_mrad": [float(angle) for angle in angles],
        "thermal_rms": thermal_rms,
        "frozen_phonons": frozen_phonons,
        "seed": seed,
    }
    return images.astype(np.float32), parameters


def potential_points(edge: float, interpolation: int, sampling: float) -> int:
    """Return the points along an edge of a potential: no farther apart than *sampling*, as many in every window.

    Those of a window are a multiple of six, so that a third of half of them, beyond which abTEM limits waves, is whole.

    Examples
    --------
    >>> potential_points(18.0, 3, 0.1), potential_points(18.15, 3, 0.1)
    (180, 198)
    """
    return 6 * interpolation * int(np.ceil(edge / (6 * interpolation * sampling) - 1e-6))


def prism_images(potential, microscope: HAADFMicroscope, interpolation: int, edge: float, scan_step: float, annuli):
    """Return images of one potential, as fractions of the beam, shape (annuli, rows, columns), and the annuli's angles.

    Parameters
    ----------
    potential
        Of abTEM, over a square field.
    microscope
        Beam and probe.
    interpolation, edge
        Of PRISM, and edge of the field in Å.
    scan_step, annuli
        See `simulate_haadf`.
    """
    import abtem

    potential = potential.build(lazy=False)
    beam = {"energy": microscope.energy, "semiangle_cutoff": microscope.semiangle}
    ctf = abtem.CTF(**beam, defocus=microscope.defocus, Cs=microscope.spherical_aberration)
    matrix = abtem.SMatrix(potential=potential, interpolation=interpolation, **beam)
    largest = min(matrix.cutoff_angles)
    angles = [fraction * largest for fraction in annuli]
    matrix = matrix.build(lazy=False)

    def detect(extent, points, edges):
        scan = abtem.GridScan((0, 0), (extent, extent), gpts=(points, points), endpoint=False)
        detectors = [abtem.AnnularDetector(inner, outer) for inner, outer in zip(edges[:-1], edges[1:], strict=True)]
        found = matrix.reduce(scan=scan, detectors=detectors, ctf=ctf, max_batch_reduction=256)
        found = found if isinstance(found, (list, tuple)) else [found]
        return np.stack([np.asarray(part.to_cpu().array).T for part in found])

    # abTEM's versions normalise aberrated probes differently, so the beam is taken from the empty corner of the cell
    whole_beam = detect(scan_step, 2, [0.0, largest]).mean()
    return detect(edge, round(edge / scan_step), angles) / whole_beam, angles
