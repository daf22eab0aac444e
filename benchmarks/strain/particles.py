"""Truncated octahedra of gold along <110> at 300 K: snapshots of molecular dynamics, and images of their mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from particlespy_ml.crystals.relax import relax
from particlespy_ml.simulation.atoms.projected import project
from particlespy_ml.simulation.atoms.rough_particles import FRAMES

SHAPES = {2: (7, 2), 4: (15, 5), 6: (22, 7)}  # nm across: length of an edge of the octahedron, and what is cut off
SNAPSHOTS = {2: 40, 4: 40, 6: 16}  # by default
TURN = np.radians(10.0)  # in the image: pixels are not along the crystal
TEMPERATURE = 300.0  # K
STEP = 5.0  # fs
FRICTION = 0.02  # 1/fs
STEPS_BEFORE = 60  # of a trajectory: six times the time in which friction forgets
STEPS_BETWEEN = 20
OF_A_TRAJECTORY = {2: 8, 4: 8, 6: 2}  # snapshots of a trajectory, by size


@dataclass(frozen=True)
class Particle:
    """A particle and its thermal motion.

    Parameters
    ----------
    ideal
        Places in Å of the unrelaxed crystal, the beam along z, shape (n, 3).
    column
        Number of the column of each atom, shape (n,).
    snapshots
        Places in Å without drift and turn of the whole, shape (m, n, 3).
    """

    ideal: np.ndarray
    column: np.ndarray
    snapshots: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        """Number of atoms of each column."""
        return np.bincount(self.column)

    def tilted(self, degrees: float, azimuth: float = 35.0) -> Particle:
        """Return the particle turned about an axis in the image, in degrees from x."""
        direction = np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth)), 0])
        turn = Rotation.from_rotvec(np.radians(degrees) * direction)
        moved = turn.apply(self.snapshots.reshape(-1, 3)).reshape(self.snapshots.shape)
        return Particle(turn.apply(self.ideal), self.column, moved)


def truncated_octahedron(size: int):
    """Return ASE atoms of a particle of gold, <110> along z and [001] at ten degrees from x."""
    from ase.cluster import Octahedron

    length, cut = SHAPES[size]
    atoms = Octahedron("Au", length, cut)
    frame = np.array(FRAMES["<110>"], float)
    frame /= np.linalg.norm(frame, axis=1, keepdims=True)
    turned = Rotation.from_rotvec([0, 0, TURN]).apply((atoms.positions - atoms.positions.mean(0)) @ frame.T)
    from ase import Atoms

    return Atoms(atoms.get_chemical_symbols(), positions=turned)


def particle(folder: str | Path, size: int, count: int | None = None) -> Particle:
    """Return a particle of 2, 4 or 6 nm with snapshots at 300 K, made once and kept in a folder."""
    count = count or SNAPSHOTS[size]
    atoms = truncated_octahedron(size)
    columns = project(atoms.get_chemical_symbols(), atoms.positions).column
    relaxed, found = None, []
    for number in range(-(-count // OF_A_TRAJECTORY[size])):
        path = Path(folder) / f"gold-{size}nm-{number}.npy"
        if not path.exists():
            relaxed = relax(atoms, fmax=0.03, steps=150) if relaxed is None else relaxed
            made = _trajectory(relaxed, OF_A_TRAJECTORY[size], np.random.default_rng([size, number]))
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, made.astype(np.float32))
        found.append(np.load(path).astype(float))
    return Particle(atoms.positions, columns, np.concatenate(found)[:count])


def _trajectory(relaxed, count: int, rng: np.random.Generator) -> np.ndarray:
    """Snapshots of Langevin dynamics with effective medium theory, turned back onto the relaxed particle."""
    from ase import units
    from ase.calculators.emt import EMT
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

    atoms, places = relaxed.copy(), []
    atoms.calc = EMT()
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * TEMPERATURE, rng=rng)  # half of it goes into potential energy
    dynamics = Langevin(
        atoms, STEP * units.fs, temperature_K=TEMPERATURE, friction=FRICTION / units.fs, fixcm=False, rng=rng
    )
    for number in range(count):
        dynamics.run(STEPS_BETWEEN if number else STEPS_BEFORE)
        centred = atoms.positions - atoms.positions.mean(0)
        still = relaxed.positions - relaxed.positions.mean(0)
        places.append(Rotation.align_vectors(still, centred)[0].apply(centred))
    return np.stack(places)
