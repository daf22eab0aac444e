"""Columns of atoms: which atom belongs to which, how high they are and where."""

import numpy as np

from particlespy_ml.simulation.atoms.projected import project, tilted


def test_atoms_above_each_other_are_one_column():
    positions = np.array([[0, 0, 0], [0, 0, 2.9], [2, 0, 1.0], [0.05, 0, 5.8]])
    atoms = project(np.full(4, "Au"), positions)
    assert sorted(atoms.heights) == [1, 3]
    three = atoms.column[0]
    np.testing.assert_allclose(atoms.places[three], [0.05 / 3, 0])
    assert set(atoms.kinds) == {"Au"}


def test_species_above_each_other_are_columns_of_their_own():
    atoms = project(np.array(["Ce", "O"]), np.zeros((2, 3)))
    assert sorted(atoms.kinds) == ["Ce", "O"] and atoms.heights.tolist() == [1, 1]


def test_no_atoms_have_no_columns():
    atoms = project(np.array([], "U2"), np.empty((0, 3)))
    assert len(atoms.kinds) == 0 and atoms.heights.shape == (0,) and atoms.places.shape == (0, 2)
    both = atoms.joined(project(np.array(["Au"]), np.zeros((1, 3))))
    assert both.heights.tolist() == [1]


def test_atoms_of_no_column_do_not_count():
    atoms = project(np.array(["Au", "Au"]), np.array([[0, 0, 0], [3.0, 0, 0]]))
    atoms = type(atoms)(atoms.symbols, atoms.positions, np.array([-1, 0]), atoms.kinds[:1])
    assert atoms.heights.tolist() == [1]
    np.testing.assert_allclose(atoms.places, [[3, 0]])


def test_a_tilt_shifts_heights_by_its_tangent():
    high = np.column_stack([np.zeros(5), np.zeros(5), np.arange(5) * 3.0])
    turned = tilted(project(np.full(5, "Au"), high), 2.0, 0.0)
    assert np.ptp(turned.positions[:, 1]) == 12 * np.sin(np.radians(2.0))
    np.testing.assert_allclose(turned.positions[:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(turned.places, [[0, 0]], atol=1e-12)
