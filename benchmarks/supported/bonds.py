"""What bonds do to an image: the potential of density functional theory beside that of independent atoms."""

from __future__ import annotations

import time

import numpy as np
from ase import Atoms

from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.simulate_image import simulate_image, true_columns
from particlespy_ml.simulation.waves.dft_potential import DFTPotential, gpaw_potential
from particlespy_ml.simulation.waves.engine import abtem_engine

OPTICS = Optics(80e3, defocus=-84.0, spherical_aberration=-1.2e5, focal_spread=30.0, deflection=0.25)


def boron_nitride(height: float = 8.0) -> Atoms:
    """A rectangular cell, of some height in Å, of a sheet of hexagonal boron nitride."""
    a = 2.504
    step, across = a / np.sqrt(3), a * np.sqrt(3)
    places = [(0, 0, 0), (step, 0, 0), (across / 2, a / 2, 0), (across / 2 + step, a / 2, 0)]
    atoms = Atoms("BNBN", positions=places, cell=[across, a, height], pbc=(1, 1, 0))
    atoms.center(axis=2)
    return atoms


def independent_atoms(atoms: Atoms, spacing: float = 0.05) -> DFTPotential:
    """The potential of independent atoms on a grid."""
    with abtem_engine() as abtem:
        built = abtem.Potential(
            atoms, sampling=spacing, slice_thickness=spacing, projection="finite", parametrization="kirkland"
        ).build(lazy=False)
        thickness = np.asarray(built.slice_thickness)[:, None, None]
        return DFTPotential(np.moveaxis(np.asarray(built.array) / thickness, 0, 2), atoms)


def print_bonds() -> None:
    """Contrast of both sublattices with bonds and without, where GPAW is installed."""
    try:
        from gpaw import GPAW
    except ImportError:
        print("Bonds: GPAW is not installed, so there is no potential of density functional theory to image")
        return
    atoms = boron_nitride()
    started = time.process_time()
    atoms.calc = GPAW(mode="lcao", basis="dzp", xc="PBE", kpts=(3, 5, 1), txt=None)
    atoms.get_potential_energy()
    potentials = {"GPAW": gpaw_potential(atoms.calc), "independent": independent_atoms(atoms)}
    print(f"A sheet of BN at 80 kV and -8.4 nm, GPAW (LCAO, PBE), {time.process_time() - started:.1f} s")
    images = {}
    for name, potential in potentials.items():
        projected = potential.slices(0.5, 0.1)[0].sum(0)
        outside = potential.values[:, :, 0].mean() * potential.edges[2]
        options = {"optics": OPTICS, "pixel_size": 0.1, "thermal_rms": 0.06, "sampling": 0.1, "slice_thickness": 0.5}
        image = simulate_image(potential, "HRTEM", "plan", edge=12.0, **options)
        images[name] = image.data
        columns = true_columns(image)
        rows, across = (np.rint(columns[key] / 0.01).astype(int) for key in ("y", "x"))
        seen = columns[(rows < image.data.shape[0]) & (across < image.data.shape[1])]
        of = {kind: image.data[rows[part.index], across[part.index]].mean() - 1 for kind, part in seen.groupby("kind")}
        print(
            f"  {name:12} mean projected potential {projected.mean() - outside:5.1f} V Å, contrast "
            f"{image.data.std() / image.data.mean():.4f}, intensity less one at B {of['B']:+.4f}, at N {of['N']:+.4f}"
        )
    print(f"  correlation of the images {np.corrcoef(*(one.ravel() for one in images.values()))[0, 1]:.4f}")
