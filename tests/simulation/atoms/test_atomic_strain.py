"""Strain of atoms: known deformations, turns, periodic cells, and what is not affine."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cluster import Octahedron
from scipy.linalg import polar
from scipy.spatial.transform import Rotation

from particlespy_ml.simulation.atoms.atomic_strain import NAMES, atomic_strain
from particlespy_ml.simulation.atoms.model_views import view_matrix
from particlespy_ml.simulation.atoms.supported_particle import supported_particle


@pytest.fixture(scope="module")
def particle():
    return Octahedron("Pt", 6, 1)


def deformed(atoms, matrix):
    moved = atoms.copy()
    moved.positions = moved.positions @ np.transpose(matrix)
    return moved


def test_a_homogeneous_deformation_is_told_exactly(particle):
    rng = np.random.default_rng(0)
    matrix = np.eye(3) + 0.03 * rng.normal(size=(3, 3))
    turn, stretch = polar(matrix, side="left")
    found = atomic_strain(deformed(particle, matrix), particle)
    expected = (stretch - np.eye(3))[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    np.testing.assert_allclose(found[list(NAMES)], np.tile(expected, (len(particle), 1)), atol=1e-10)
    assert found["nonaffine"].max() < 1e-10
    angle = np.degrees(Rotation.from_matrix(turn).magnitude())
    np.testing.assert_allclose(found["rotation"], angle, atol=1e-6)
    assert found["n_neighbours"].max() == 12


def test_a_turn_is_no_strain(particle):
    found = atomic_strain(deformed(particle, Rotation.from_rotvec([0.1, 0.3, -0.2]).as_matrix()), particle)
    assert np.abs(found[list(NAMES)].to_numpy()).max() < 1e-10


def test_the_lattice_without_strain_and_the_axes_of_a_view(particle):
    matrix = np.diag([1.03, 1.0, 0.98])
    found = atomic_strain(deformed(particle, matrix), particle, view="profile", scale=1.01)
    along = view_matrix("profile") @ matrix @ view_matrix("profile").T / 1.01
    expected = (along - np.eye(3))[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    np.testing.assert_allclose(found[list(NAMES)].mean(), expected, atol=1e-10)


def test_periodic_cells_have_no_surface():
    crystal = bulk("Au", cubic=True).repeat(3)
    strained = crystal.copy()
    strained.set_cell(crystal.cell * [1.01, 1.0, 1.02], scale_atoms=True)
    found = atomic_strain(strained, crystal)
    assert (found["n_neighbours"] == 12).all()
    np.testing.assert_allclose(found[["exx", "eyy", "ezz"]], np.tile([0.01, 0, 0.02], (len(crystal), 1)), atol=1e-10)


def test_what_is_not_affine_is_what_scatters(particle):
    shaken = particle.copy()
    shaken.positions += 0.05 * np.random.default_rng(1).normal(size=shaken.positions.shape)
    found = atomic_strain(shaken, particle)
    whole = found["n_neighbours"] == 12
    # the difference of two places scatters by 0.05 times the root of 6; a map of nine numbers takes part of it
    told = np.sqrt(np.mean(found["nonaffine"][whole] ** 2))
    assert 0.6 * 0.05 * np.sqrt(6) < told < 0.05 * np.sqrt(6)
    assert np.abs(found["exx"][whole]).mean() < 0.02


def test_of_a_supported_particle_its_own_atoms_are_looked_at():
    built = supported_particle("Pt", "TiO2-anatase", "100", 12, face="001", thickness=6)
    moved = built.copy()
    own = built.get_tags() > 0
    moved.positions[own, :2] *= 1.02
    moved.positions[~own] += 0.3 * np.random.default_rng(2).normal(size=(int((~own).sum()), 3))
    found = atomic_strain(moved, built)
    assert found.index.tolist() == np.flatnonzero(own).tolist()
    np.testing.assert_allclose(found["exx"].dropna(), 0.02, atol=1e-9)
    np.testing.assert_allclose(found["ezz"].dropna(), 0.0, atol=1e-9)
    assert found["layer"].min() == 1


def test_atoms_without_enough_neighbours_have_none():
    flat = Atoms("Au9", positions=[(2.88 * x, 2.88 * y, 0) for x in range(3) for y in range(3)])
    found = atomic_strain(flat, flat)
    assert found["exx"].isna().all() and found["n_neighbours"].max() == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [({"scale": 0.0}, "above zero"), ({"cutoff": -1.0}, "above zero"), ({"reference": Atoms("Au")}, "same atoms")],
)
def test_bad_input(particle, change, message):
    arguments = {"model": particle, "reference": particle, **change}
    with pytest.raises(ValueError, match=message):
        atomic_strain(**arguments)


def test_a_lone_atom_is_no_particle():
    with pytest.raises(ValueError, match="no neighbour"):
        atomic_strain(Atoms("Au"), Atoms("Au"))
