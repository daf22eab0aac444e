"""Projections against blocks of ASE's atoms, structure factors of the cell, and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from particlespy_ml.crystals.crystal import Crystal, as_crystal, crystal
from particlespy_ml.crystals.directions import direction, low_index_zone_axes
from particlespy_ml.crystals.projection import EXPONENT, projection

NAMES = ("Pt", "Fe", "Co", "Si", "CeO2", "MgO", "TiO2-rutile", "TiO2-anatase", "graphene")
LOW = [(name, zone) for name in NAMES for zone in low_index_zone_axes(crystal(name))]
axes = st.tuples(*3 * [st.integers(-5, 5)]).filter(any)


def check_columns(one, zone):
    """Every atom of a block is where sites, basis, heights and period say that one of its kind is."""
    seen = projection(one, zone)
    beam = np.array(direction(zone, one)) @ one.cell
    np.testing.assert_allclose(seen.frame @ seen.frame.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(seen.frame) == pytest.approx(1)
    assert seen.frame[2] @ beam == pytest.approx(np.linalg.norm(beam))
    atoms = one.to_atoms().repeat(4)
    positions = atoms.positions @ seen.frame.T / one.a
    fractions = positions[:, :2] @ np.linalg.inv(seen.basis)
    from_site = fractions[:, None] - seen.sites[None]
    numbers = np.rint(from_site)
    away = np.linalg.norm((from_site - numbers) @ seen.basis, axis=-1)
    column = away.argmin(1)
    np.testing.assert_allclose(away.min(1), 0, atol=1e-5)
    assert set(column) == set(range(len(seen.sites)))  # no column is empty
    found = [set() for _ in seen.sites]
    for k, (symbol, number) in enumerate(zip(atoms.get_chemical_symbols(), column, strict=True)):
        height = positions[k, 2] / seen.period - numbers[k, number] @ seen.heights
        levels = np.array(seen.site_heights[number])
        off = height - levels
        level = int(np.argmin(np.abs(off - np.rint(off))))
        assert off[level] == pytest.approx(np.rint(off[level]), abs=1e-5)
        assert seen.species[number][level] == symbol
        found[number].add(level)
    assert [len(levels) for levels in found] == [len(levels) for levels in seen.species]  # and no atom is missing
    return seen


def check_lattice(one, seen):
    """The plane cell is the smallest one, and its vectors the shortest."""
    first, second = seen.basis
    assert first[0] * second[1] - first[1] * second[0] == pytest.approx(seen.area)  # counter-clockwise
    assert -1e-9 <= 2 * (first @ second) <= min(first @ first, second @ second) + 1e-9  # reduced (Lagrange, Gauss)
    volume = abs(np.linalg.det(one.primitive @ one.cell)) / one.a**3
    assert seen.area * seen.period == pytest.approx(volume)
    atoms = len(one.symbols) * volume / (abs(np.linalg.det(one.cell)) / one.a**3)
    assert sum(map(len, seen.species)) == pytest.approx(atoms)


@pytest.mark.parametrize(("name", "zone"), LOW)
def test_atoms_are_in_their_columns(name, zone):
    check_lattice(crystal(name), check_columns(crystal(name), zone))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NAMES), axes)
def test_atoms_are_in_their_columns_along_any_axis(name, axis):
    check_lattice(crystal(name), check_columns(crystal(name), axis))


@settings(max_examples=30, deadline=None)
@given(axes, st.integers(0, 2**32 - 1))
def test_any_crystal_has_columns(axis, seed):
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(3, 6, 3)) + rng.uniform(-1, 1, (3, 3))
    places = rng.uniform(size=(4, 3))
    one = Crystal("triclinic", cell, ["Pt", "O", "O", "C"], places)
    assert abs(np.linalg.det(one.primitive)) == pytest.approx(1)
    check_lattice(one, check_columns(one, axis))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(NAMES), st.tuples(*3 * [st.integers(-2, 2)]).filter(any))
def test_reflections_are_those_of_the_cell(name, axis):
    """The zone law and structure factors of the three-dimensional cell give the same lengths and strengths."""
    one = crystal(name)
    seen = projection(one, axis)
    weights = {"Pt": 78, "Fe": 26, "Co": 27, "Si": 14, "Ce": 58, "Mg": 12, "Ti": 22, "O": 8, "C": 6}
    weights = np.array([float(weights[symbol]) ** EXPONENT for symbol in one.symbols])
    hkl = np.stack(np.meshgrid(*3 * [np.arange(-9, 10)], indexing="ij"), -1).reshape(-1, 3)
    hkl = hkl[(hkl @ direction(axis, one) == 0) & hkl.any(1)]
    factors = np.abs(np.exp(2j * np.pi * hkl @ np.array(one.places).T) @ weights) / weights.sum()
    lengths = np.linalg.norm(hkl @ np.linalg.inv(one.cell).T, axis=1) * one.a
    shells = seen.reflections(3)
    for vectors in shells:
        length = np.linalg.norm(vectors[0])
        same = np.isclose(lengths, length, atol=1e-5) & (factors > 1e-6)
        assert same.sum() == 2 * len(vectors)
        found = np.abs(seen.structure_factors(np.rint(vectors @ seen.basis.T)))
        np.testing.assert_allclose(np.sort(np.repeat(found, 2)), np.sort(factors[same]), atol=1e-6)
    shown = np.unique(lengths[factors > 1e-6].round(5))[:3]
    np.testing.assert_allclose([np.linalg.norm(vectors[0]) for vectors in shells], shown, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "zone", "vector"),
    [
        ("Si", "<011>", (2, 0)),  # the glide planes of diamond
        ("Co", "<11-20>", (0, 2.51 / 4.07)),  # the screw axis of hcp: 0001
        ("TiO2-rutile", "<001>", (1, 0)),  # the glide planes of rutile
        ("TiO2-anatase", "<100>", (0, 2 * 3.7845 / 9.5143)),  # 002
    ],
)
def test_known_extinctions(name, zone, vector):
    seen = projection(crystal(name), zone)
    shells = seen.reflections(6)
    lengths = [np.linalg.norm(vectors[0]) for vectors in shells]
    assert min(abs(length - np.linalg.norm(vector)) for length in lengths) > 0.01
    with_all = np.linalg.norm(seen.reflections(6, weakest=-1)[0][0])
    assert with_all <= lengths[0]


def test_a_lattice_without_shells_enough():
    with pytest.raises(ValueError, match="give fewer or a lower limit"):
        projection("CeO2", "<011>").reflections(2, weakest=1.1)


@pytest.mark.parametrize(
    ("name", "zone", "nearest"),
    [
        ("graphene", "<0001>", 2.46 / np.sqrt(3)),
        ("Co", "<0001>", 2.51 / np.sqrt(3)),
        ("Co", "<11-20>", np.hypot(2.51 / np.sqrt(12), 4.07 / 2)),
        ("Co", "<10-10>", 2.51 / 2),
        ("Si", "<011>", 5.43 / 4),  # the dumb-bell
        ("CeO2", "<011>", 5.4113 / 4),
        ("CeO2", "<001>", 5.4113 / np.sqrt(8)),
        ("TiO2-rutile", "<001>", (1 - 2 * 0.30479) * 4.59366 / np.sqrt(2)),  # the two oxygens between
        ("TiO2-anatase", "<001>", 3.7845 / 2),
    ],
)
def test_known_distances(name, zone, nearest):
    one = crystal(name)
    assert projection(one, zone).nearest * one.a == pytest.approx(nearest, rel=2e-3)


def test_cerium_and_oxygen_stand_apart_along_011():
    seen = projection("CeO2", "<011>")
    assert sorted(seen.species) == [("Ce",), ("O",), ("O",)]
    cerium, *oxygens = seen.sites[np.argsort([column[0] for column in seen.species])]
    for oxygen in oxygens:  # a quarter of the lattice constant away along [100], that is, along the sum of the vectors
        apart = (oxygen - cerium + 0.5) % 1 - 0.5
        np.testing.assert_allclose(np.abs(apart), 0.25)
        assert apart[0] == pytest.approx(apart[1])


def test_columns_of_rutile():
    seen = projection("TiO2-rutile", "[001]")
    assert sorted(seen.species) == [*4 * [("O",)], *2 * [("Ti",)]]
    np.testing.assert_allclose(np.abs(seen.basis), np.eye(2), atol=1e-12)
    strengths = dict(zip(seen.species, seen.strengths(), strict=True))
    assert strengths["Ti",] / strengths["O",] == pytest.approx((22 / 8) ** EXPONENT)
    titanium = np.array([site for site, kind in zip(seen.sites, seen.species, strict=True) if kind == ("Ti",)])
    np.testing.assert_allclose(sorted(map(tuple, titanium)), [(0, 0), (0.5, 0.5)], atol=1e-9)
    oxygen = np.array([site for site, kind in zip(seen.sites, seen.species, strict=True) if kind == ("O",)])
    u = 0.30479
    np.testing.assert_allclose(
        sorted(map(tuple, oxygen)), sorted([(u, u), (1 - u, 1 - u), (0.5 + u, 0.5 - u), (0.5 - u, 0.5 + u)]), atol=1e-9
    )


def test_titanium_of_anatase_along_a():
    """Rows a / 2 apart that are a quarter of c higher each, and oxygens u c above and below each."""
    seen = projection("TiO2-anatase", "[100]")
    c = 9.5143 / 3.7845
    places = seen.sites @ seen.basis @ seen.frame[:2] @ [[0, 0], [1, 0], [0, 1]]  # along b and c
    places = places / [1, c]
    titanium = [kind == ("Ti",) for kind in seen.species]
    apart = np.abs(np.diff(places[titanium], axis=0)[0]) % 0.5
    np.testing.assert_allclose(np.minimum(apart, 0.5 - apart), [0, 0.25], atol=1e-6)
    assert seen.area == pytest.approx(c / 2) and np.sum(titanium) == 2


def test_names_and_numbers_are_the_same_axis():
    one = as_crystal("Co")
    named, numbers = projection(one, "<11-20>"), projection(one, (1, 1, 0))
    assert (named.zone_axis, numbers.zone_axis) == ("<11-20>", "[110]")
    np.testing.assert_array_equal(named.basis, numbers.basis)
    np.testing.assert_array_equal(projection(one, [2, 2, 0]).basis, numbers.basis)
