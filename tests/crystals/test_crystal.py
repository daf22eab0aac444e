"""Crystals against ASE, closed forms and each other; names of directions."""

import numpy as np
import pytest
from ase.build import bulk, graphene

from particlespy_ml.crystals.crystal import COMPOUNDS, Crystal, as_crystal, crystal, cubic_element, lattice_of
from particlespy_ml.crystals.directions import crystal_system, direction, direction_name, low_index_zone_axes

# atoms of the conventional and of the primitive cell
CELLS = {
    "Pt": (4, 1),
    "Fe": (2, 1),
    "Co": (2, 2),
    "Si": (8, 2),
    "CeO2": (12, 3),
    "MgO": (8, 2),
    "TiO2-rutile": (6, 6),
    "TiO2-anatase": (12, 6),
    "graphene": (2, 2),
    "fcc": (4, 1),
    "bcc": (2, 1),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_hold_as_many_atoms_as_they_should(name):
    one = as_crystal(name)
    atoms, primitive = CELLS[name]
    assert len(one.symbols) == atoms
    assert atoms * abs(np.linalg.det(one.primitive)) == pytest.approx(primitive)


@pytest.mark.parametrize("name", CELLS)
def test_the_primitive_cell_leaves_the_crystal_as_it_is(name):
    one = as_crystal(name)
    places = np.array(one.places)
    for shift in one.primitive:
        apart = places[:, None] + shift - places[None]
        apart = np.linalg.norm((apart - np.rint(apart)) @ one.cell, axis=-1)
        assert [one.symbols[k] for k in apart.argmin(1)] == list(one.symbols)
        np.testing.assert_allclose(apart.min(1), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("symbol", "a", "volume"),
    [("Au", 4.08, 4.08**3), ("W", 3.16, 3.16**3), ("Ti", 2.95, 2.95**3 * 1.588 * np.sqrt(0.75))],
)
def test_elements_are_those_of_ase(symbol, a, volume):
    one = crystal(symbol)
    assert one.a == pytest.approx(a, abs=0.01)
    assert abs(np.linalg.det(one.cell)) == pytest.approx(volume, rel=0.005)
    assert set(one.symbols) == {symbol}
    known = bulk(symbol)
    assert known.cell.volume / len(known) == pytest.approx(abs(np.linalg.det(one.cell)) / len(one.symbols))


@pytest.mark.parametrize(
    ("name", "pair", "distance", "neighbours"),
    [
        ("CeO2", ("Ce", "O"), np.sqrt(3) / 4 * 5.411, 8),
        ("MgO", ("Mg", "O"), 4.2112 / 2, 6),
        ("TiO2-rutile", ("Ti", "O"), 1.9485, 4),  # S. C. Abrahams and J. L. Bernstein (1971): 1.9485 and 1.9800 Å
        ("TiO2-anatase", ("Ti", "O"), 1.934, 4),
        ("graphene", ("C", "C"), 1.42, 3),
        ("Si", ("Si", "Si"), np.sqrt(3) / 4 * 5.43, 4),
    ],
)
def test_bonds_are_those_that_are_known(name, pair, distance, neighbours):
    from ase.neighborlist import neighbor_list

    atoms = crystal(name).to_atoms()
    first, second, lengths = neighbor_list("ijd", atoms, 1.006 * distance)
    symbols = np.array(atoms.get_chemical_symbols())
    of_pair = (symbols[first] == pair[0]) & (symbols[second] == pair[1])
    np.testing.assert_allclose(lengths[of_pair], distance, rtol=0.002)
    assert of_pair.sum() == neighbours * (symbols == pair[0]).sum()


@pytest.mark.parametrize("name", ["Co", *COMPOUNDS])
def test_there_and_back_through_ase(name):
    one = crystal(name)
    again = Crystal.from_atoms(one.to_atoms(), name)
    assert again.symbols == one.symbols and again.name == name
    np.testing.assert_allclose(again.cell, one.cell)
    np.testing.assert_allclose(again.places, one.places, atol=1e-12)
    assert hash(crystal(name)) == hash(one) and crystal(name) == one


def test_a_larger_cell_is_the_same_crystal():
    large = Crystal.from_atoms(bulk("Cu", cubic=True).repeat((2, 1, 3)))
    assert abs(np.linalg.det(large.primitive @ large.cell)) == pytest.approx(3.61**3 / 4)
    np.testing.assert_allclose(
        abs(np.linalg.det(lattice_of(np.array([[0, 0, 0], [0, 0, 1 / 3], [0, 0, 2 / 3]])))), 1 / 3
    )


def test_constants_and_structures_of_ones_own():
    assert crystal("Pt", 4.0).a == pytest.approx(4.0)
    ratio = [one.cell[2, 2] / one.a for one in (crystal("TiO2-anatase"), crystal("TiO2-anatase", 3.9))]
    assert ratio[0] == pytest.approx(ratio[1])
    assert crystal("ThO2", 5.597, structure="fluorite").symbols.count("O") == 8
    assert crystal("NiO", 4.177, structure="rocksalt").symbols.count("O") == 4
    assert crystal("Pt", 3.1, structure="bcc").primitive.tolist() == as_crystal("bcc").primitive.tolist()
    assert crystal("Ni", 2.5, structure="hcp").cell[2, 2] == pytest.approx(2.5 * np.sqrt(8 / 3))
    assert cubic_element("Pt") == ("fcc", pytest.approx(3.92))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: crystal("Xx"), "fcc, bcc, an element, or one of CeO2"),
        (lambda: crystal("Ga"), "Crystal.from_atoms"),
        (lambda: crystal("Pt", -1), "above zero"),
        (lambda: crystal("Pt", structure="bcc"), "give lattice_constant"),
        (lambda: crystal("Pt", 4.0, structure="garnet"), "rocksalt"),
        (lambda: crystal("Pt", 4.0, structure="fluorite"), "such as ThO2"),
        (lambda: crystal("??", 4.0, structure="rocksalt"), "such as MgO"),
        (lambda: Crystal("none", np.zeros((3, 3)), ["Pt"], [[0, 0, 0]]), "in no plane"),
        (lambda: Crystal("none", np.eye(3), ["Pt"], [[0, 0]]), "three numbers for each atom"),
        (lambda: Crystal.from_atoms(graphene()), "vacuum"),
    ],
)
def test_errors(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    ("axis", "name", "numbers"),
    [
        ("<011>", "Pt", (0, 1, 1)),
        ("[1-10]", "Pt", (1, -1, 0)),
        ("[1, 1, -12]", "Pt", (1, 1, -12)),
        ((2, 2, 4), "Pt", (1, 1, 2)),
        (np.array([0.0, 0.0, 3.0]), "Pt", (0, 0, 1)),
        ("[0001]", "Co", (0, 0, 1)),
        ("<11-20>", "Co", (1, 1, 0)),
        ("<10-10>", "Co", (2, 1, 0)),
        ((1, 1, -2, 3), "Co", (1, 1, 1)),
        ("110", "Co", (1, 1, 0)),
    ],
)
def test_directions(axis, name, numbers):
    assert direction(axis, crystal(name)) == numbers


@pytest.mark.parametrize("indices", [(1, 1, -2, 0), (1, 0, -1, 0), (2, -1, -1, 3), (0, 0, 0, 1), (1, 2, -3, 4)])
def test_four_indices_are_the_sum_of_four_vectors(indices):
    """[uvtw] is u a1 + v a2 + t a3 + w c with a1 + a2 + a3 = 0."""
    cell = crystal("Mg").cell
    wanted = np.array(indices) @ np.array([cell[0], cell[1], -cell[0] - cell[1], cell[2]])
    found = np.array(direction(indices, crystal("Mg"))) @ cell
    assert found @ wanted == pytest.approx(np.linalg.norm(found) * np.linalg.norm(wanted))


@pytest.mark.parametrize(
    ("axis", "name", "match"),
    [
        ("[11]", "Pt", "three whole numbers"),
        ("[000]", "Pt", "three whole numbers"),
        ("[1x1]", "Pt", "three whole numbers"),
        ("[1 x 1]", "Pt", "three whole numbers"),
        ("", "Pt", "three whole numbers"),
        ((0.5, 0, 1), "Pt", "three whole numbers"),
        ("<0001>", "Pt", "not hexagonal"),
        ("[1110]", "Co", "expected zero"),
    ],
)
def test_wrong_directions(axis, name, match):
    with pytest.raises(ValueError, match=match):
        direction(axis, crystal(name))


def test_names_and_systems():
    assert direction_name("<011>") == "<011>" and direction_name((1, -1, 0)) == "[1-10]"
    assert direction_name((1, 0, -12)) == "[1 0 -12]"
    systems = {"Pt": "cubic", "Co": "hexagonal", "TiO2-rutile": "tetragonal", "graphene": "hexagonal"}
    assert {name: crystal_system(crystal(name)) for name in systems} == systems
    other = Crystal("odd", [[2, 0, 0], [0, 3, 0], [0.5, 0, 4]], ["Pt"], [[0, 0, 0]])
    assert crystal_system(other) == "other" and low_index_zone_axes(other)[0] == "<001>"
    assert low_index_zone_axes(crystal("Pt")) == ("<001>", "<011>", "<111>")
    assert low_index_zone_axes(crystal("graphene")) == ("<0001>",)
