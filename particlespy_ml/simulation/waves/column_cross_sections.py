"""Libraries of scattering cross-sections of atomic columns, simulated with abTEM."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from particlespy_ml.counting.library import ColumnLibrary
from particlespy_ml.crystals.crystal import cubic_element
from particlespy_ml.crystals.projection import ZONE_AXES, projection
from particlespy_ml.simulation.waves.engine import abtem_engine
from particlespy_ml.simulation.waves.haadf import HAADFMicroscope


def zone_axis_slab(symbol: str, zone_axis: str, atoms_per_column: int, lattice_constant: float | None = None):
    """Return an orthogonal periodic cell of a crystal with the zone axis along z.

    Parameters
    ----------
    symbol
        A cubic element.
    zone_axis
        "<001>", "<011>" or "<111>".
    atoms_per_column
        Number of atoms along the beam, rounded up to whole cells.
    lattice_constant
        In Å; by default ASE's.

    Returns
    -------
    ase.Atoms
    """
    from ase.build import bulk, make_supercell

    structure, constant = cubic_element(symbol)
    if zone_axis not in ZONE_AXES:
        raise ValueError(f"Unknown zone axis {zone_axis!r}; expected one of {', '.join(ZONE_AXES)}.")
    cubic = bulk(symbol, structure, a=lattice_constant or constant, cubic=True)
    turns = {
        "<001>": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "<011>": [[1, 0, 0], [0, 1, -1], [0, 1, 1]],
        "<111>": [[1, -1, 0], [1, 1, -2], [1, 1, 1]],
    }
    cell = make_supercell(cubic, turns[zone_axis])
    lengths = np.linalg.norm(cell.cell.array, axis=1)
    scaled = cell.get_scaled_positions(wrap=True)
    from ase import Atoms

    upright = Atoms([symbol] * len(cell), scaled_positions=scaled % (1 - 1e-9), cell=lengths, pbc=True)
    period = projection(structure, zone_axis).period * (lattice_constant or constant)
    repeats = max(1, int(np.ceil(atoms_per_column * period / lengths[2] - 1e-6)))
    return upright.repeat((1, 1, repeats))


def simulate_column_library(
    symbol: str,
    zone_axis: str,
    n_atoms: int = 12,
    microscope: HAADFMicroscope | None = None,
    *,
    inner: float = 50.0,
    outer: float = 80.0,
    lattice_constant: float | None = None,
    sampling: float = 0.1,
    edge: float = 18.0,
    thermal_rms: float = 0.08,
    frozen_phonons: int = 8,
    seed: int = 0,
) -> ColumnLibrary:
    """Simulate the cross-sections of columns of 1, 2, ... atoms of a crystal along a zone axis.

    A multislice calculation of a probe over a cell of the crystal gives the fraction of the beam on the detector behind
    every atomic layer; its mean over the cell times the area of a column is the cross-section.

    Parameters
    ----------
    symbol
        A cubic element.
    zone_axis
        "<001>", "<011>" or "<111>".
    n_atoms
        Number of atoms of the thickest column.
    microscope
        Beam and probe.
    inner, outer
        Angles of the detector in mrad. The outer one is limited by the sampling to wavelength / (3 sampling).
    lattice_constant
        In Å; by default ASE's.
    sampling
        Real-space sampling of the potential in Å.
    edge
        Smallest edge of the cell in Å, so that the probe does not see itself.
    thermal_rms
        Thermal displacement along each axis in Å.
    frozen_phonons
        Number of thermal configurations averaged. Six leave an error of 2 to 4 %, forty one of 1 %: the result has the
        standard errors of its cross-sections, as far as configurations tell, in ``parameters["standard_errors"]``.
    seed
        Seed of the thermal displacements.

    Returns
    -------
    ColumnLibrary

    References
    ----------
    J. Madsen and T. Susi, Open Res. Eur. 1, 24 (2021). H. E et al., Ultramicroscopy 133, 109 (2013) for cross-sections.
    """
    microscope = microscope or HAADFMicroscope()
    structure, constant = cubic_element(symbol)
    constant = lattice_constant or constant
    seen = projection(structure, zone_axis)
    slab = zone_axis_slab(symbol, zone_axis, n_atoms, constant)
    cell = slab.cell.lengths()[:2]
    repeats = np.maximum(np.ceil(edge / cell).astype(int), 1)
    slab = slab.repeat((*repeats, 1))
    period = seen.period * constant
    layers = int(np.rint(slab.cell.lengths()[2] / period))
    # a slice for every atomic layer, which lies in its middle: slices of another thickness would move the atoms of a
    # column along it, and with them the interference of what the atoms scatter by less than about 80 mrad
    slices = max(1, round(1 / _finest(seen)))
    slab.positions[:, 2] += 0.5 * period / slices
    slab.wrap()
    with abtem_engine() as abtem:
        phonons = abtem.FrozenPhonons(slab, frozen_phonons, sigmas=thermal_rms, seed=seed)
        # an image holds frequencies up to twice the probe's; the mean over a period is exact above that
        wavelength = abtem.core.energy.energy2wavelength(microscope.energy)
        points = tuple(int(np.ceil(2.2e-3 * microscope.semiangle / wavelength * length)) for length in cell)
        # each point a cell further on, so that thermal motion is averaged over many columns; the cell is periodic
        end = tuple((n + 1) * length for n, length in zip(points, cell, strict=True))
        scan = abtem.GridScan((0, 0), end, gpts=points, endpoint=False)
        detector = abtem.AnnularDetector(inner, outer)
        runs = []
        for configuration in phonons:
            potential = abtem.Potential(
                configuration,
                sampling=sampling,
                slice_thickness=period / slices * (1 + 1e-6),  # or rounding makes one slice more
                exit_planes=slices,
                projection="infinite",
            )
            probe = abtem.Probe(
                energy=microscope.energy,
                semiangle_cutoff=microscope.semiangle,
                defocus=microscope.defocus,
                Cs=microscope.spherical_aberration,
            )
            found = probe.multislice(potential, scan=scan, detectors=detector, lazy=False)
            runs.append(np.asarray(found.to_cpu().array).reshape(-1, points[0] * points[1]).mean(1))
    fractions = np.array(runs)
    fractions = fractions[:, -layers:][:, :n_atoms]  # without the plane before the slab
    area = seen.area * constant**2
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.std(fractions, axis=0) / np.sqrt(len(fractions) - 1)  # NaN for a single configuration
    parameters = {
        **asdict(microscope),
        "abtem": abtem.__version__,
        "symbol": symbol,
        "zone_axis": zone_axis,
        "structure": structure,
        "lattice_constant": constant,
        "inner": inner,
        "outer": outer,
        "sampling": sampling,
        "thermal_rms": thermal_rms,
        "frozen_phonons": frozen_phonons,
        "seed": seed,
        "standard_errors": (error * area).tolist(),
    }
    return ColumnLibrary(fractions.mean(0) * area, "Å²", None, period / 10, parameters)


def _finest(seen) -> float:
    """Smallest distance between heights of atoms of different columns, in periods."""
    heights = {round(float(h), 6) for h in seen.heights if 1e-6 < h < 1 - 1e-6}
    return min([*heights, *(1 - h for h in heights)], default=1.0)
