"""Atomic models against magic numbers, coordination and symmetry."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from particlespy_ml.simulation.atoms import structures

AU = structures.lattice_constant("Au")
NEIGHBOUR = AU / np.sqrt(2)


@pytest.mark.parametrize(("kind", "n_atoms"), [("icosahedron", 309), ("cuboctahedron", 309), ("cuboctahedron", 561)])
def test_magic_numbers(kind, n_atoms):
    assert len(structures.closed_shell(kind, n_atoms)) == n_atoms


@pytest.mark.parametrize("kind", structures.ISOMERS[:3])
def test_nearest_neighbours_are_at_the_metal_distance(kind):
    atoms = structures.closed_shell(kind, 309)
    shortest = pdist(atoms.positions).min()
    assert shortest == pytest.approx(NEIGHBOUR, rel=0.06)  # icosahedra are strained by 5 %
    np.testing.assert_allclose(atoms.positions.mean(0), 0, atol=1e-9)


def test_bulk_atoms_of_a_cuboctahedron_have_twelve_neighbours():
    coordination = structures.coordination_numbers(
        structures.closed_shell("cuboctahedron", 309).positions, 1.2 * NEIGHBOUR
    )
    assert coordination.max() == 12
    assert np.sum(coordination == 12) == 147  # the next smaller magic number is the interior


def test_removed_atoms_come_from_the_surface_and_corners_go_first():
    atoms = structures.closed_shell("cuboctahedron", 561)
    before = structures.coordination_numbers(atoms.positions, 1.2 * NEIGHBOUR)
    rng = np.random.default_rng(0)
    removed = []
    for _ in range(20):
        kept = structures.remove_surface_atoms(atoms, 0.1, rng)
        gone = ~(atoms.positions[:, None] == kept.positions[None]).all(-1).any(1)
        assert gone.sum() == round(0.1 * np.sum(before < 10))
        removed.extend(before[gone])
    assert max(removed) < 10
    assert np.mean(removed) < np.mean(before[before < 10])


def test_added_atoms_touch_three_and_overlap_none():
    atoms = structures.closed_shell("icosahedron", 147)
    more = structures.add_surface_atoms(atoms, 6, np.random.default_rng(1))
    assert len(more) == 153
    assert pdist(more.positions).min() > 0.85 * NEIGHBOUR
    coordination = structures.coordination_numbers(more.positions, 1.2 * NEIGHBOUR)
    assert coordination[-6:].min() >= 3


def test_unfinished_shells_keep_the_number_asked_for():
    atoms = structures.closed_shell("icosahedron", 561)
    kept = structures.keep_nearest(atoms, 430, np.random.default_rng(2))
    assert len(kept) == 430
    assert len(structures.keep_nearest(atoms, 5000, np.random.default_rng(2))) == 561


def test_amorphous_particles_are_dense_and_have_no_lattice():
    atoms = structures.amorphous(147, rng=np.random.default_rng(3))
    assert len(atoms) == 147
    assert pdist(atoms.positions).min() > 0.8 * NEIGHBOUR
    vectors = atoms.positions[:, None] - atoms.positions[None]
    crystal = structures.closed_shell("cuboctahedron", 147).positions
    ordered = crystal[:, None] - crystal[None]

    def shell(found):
        lengths = np.linalg.norm(found, axis=-1).ravel()
        return np.mean(np.abs(lengths - AU) < 0.05 * AU)  # second neighbours of fcc

    assert shell(vectors) < 0.7 * shell(ordered)


def test_displacements_have_the_stated_spread():
    atoms = structures.closed_shell("cuboctahedron", 1415)
    moved = structures.displace(atoms, 0.2, np.random.default_rng(4))
    assert (moved.positions - atoms.positions).std() == pytest.approx(0.2, rel=0.05)


def test_orientations_are_uniform():
    from ase import Atoms

    arrow = Atoms("Au2", positions=[[0, 0, 1], [0, 0, -1]])
    rng = np.random.default_rng(5)
    z = np.array([structures.random_rotation(arrow, rng).positions[0, 2] for _ in range(2000)])
    # the height of a uniform point on a sphere is uniform
    assert np.abs(np.histogram(z, bins=4, range=(-1, 1))[0] / 2000 - 0.25).max() < 0.04


@pytest.mark.parametrize("kind", structures.ISOMERS)
def test_drawing_is_seeded_and_near_the_size(kind):
    one = structures.draw_isomer(kind, 200, np.random.default_rng(6))
    two = structures.draw_isomer(kind, 200, np.random.default_rng(6))
    np.testing.assert_array_equal(one.positions, two.positions)
    assert 120 < len(one) < 330


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="icosahedron"):
        structures.closed_shell("cube", 55)
    with pytest.raises(ValueError, match="expected one of"):
        structures.draw_isomer("cube", 55, np.random.default_rng(0))
    with pytest.raises(ValueError, match="fcc"):
        structures.lattice_constant("Fe")
    with pytest.raises(ValueError, match="no chemical element"):
        structures.lattice_constant("Xx")


def test_clusters_are_the_same_in_threads():
    from concurrent.futures import ThreadPoolExecutor

    from particlespy_ml.simulation.atoms import structures

    wanted = [("icosahedron", 147), ("cuboctahedron", 561), ("decahedron", 1103)] * 4
    alone = [len(structures.closed_shell(*arguments)) for arguments in wanted]
    structures._families.cache_clear()
    structures._build.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda arguments: len(structures.closed_shell(*arguments)), wanted))
    assert together == alone
    assert alone[:2] == [147, 561]
