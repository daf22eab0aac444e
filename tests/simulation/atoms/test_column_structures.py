"""Structures of known columns: particles of fcc metals, ceria and graphene."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.ceria import HIGHEST, ceria_edge
from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.atoms.column_structures import STRUCTURES, draw_structure
from particlespy_ml.simulation.atoms.crystal_pieces import crystal_piece
from particlespy_ml.simulation.atoms.graphene import BOND, graphene_sheet
from particlespy_ml.simulation.atoms.projected import GHOST
from particlespy_ml.simulation.atoms.rough_particles import FRAMES, adatoms, rough_particle
from particlespy_ml.simulation.datasets.column_waves import simulate_column_field

# distances of neighbouring columns and of atoms along one, in lattice constants
SPACINGS = {"<110>": (np.sqrt(3 / 8), np.sqrt(0.5)), "<001>": (0.5, 1.0), "<111>": (np.sqrt(1 / 6), np.sqrt(3))}
RECIPES = {
    "fcc": ColumnWaveRecipe(),
    "ceria": ColumnWaveRecipe(structure="ceria", kinds=("Ce", "O"), widths=(30, 40), vacancies=0.05),
    "crystal": ColumnWaveRecipe(structure="crystal", source="Pt", widths=(18, 22), thicknesses=(8, 16)),
    "graphene": ColumnWaveRecipe(structure="graphene", kinds=("C", "adatom"), symbols=("Si",), edge=30.0, tilt=1.0),
}


def nearest(points):
    return cKDTree(points).query(points, k=2)[0][:, 1]


@pytest.mark.parametrize("zone_axis", FRAMES)
def test_columns_of_a_particle_are_those_of_its_zone_axis(zone_axis):
    particle = rough_particle("Au", 4.08, zone_axis, 24.0, 20.0, np.random.default_rng(1))
    across, along = (4.08 * spacing for spacing in SPACINGS[zone_axis])
    assert nearest(particle.places).min() == pytest.approx(across, abs=1e-6)
    highest = np.argmax(particle.heights)
    z = np.sort(particle.positions[particle.column == highest, 2])
    steps = np.diff(z) / along
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert nearest(particle.positions).min() == pytest.approx(4.08 / np.sqrt(2), abs=1e-6)
    assert 14.0 < np.ptp(particle.positions[:, 2]) < 27.0


def test_a_twin_keeps_the_columns_and_the_bonds():
    rng = np.random.default_rng(4)
    particle = rough_particle("Au", 4.08, "<110>", 26.0, 20.0, rng, roughness=0, vacancies=0, twin=True)
    assert nearest(particle.places).min() > 0.99 * 4.08 * np.sqrt(3 / 8)
    assert nearest(particle.positions).min() == pytest.approx(4.08 / np.sqrt(2), abs=1e-6)
    # a single crystal has two directions to the nearest columns, a twin more
    pairs = cKDTree(particle.places).query_pairs(2.6, output_type="ndarray")
    vectors = particle.places[pairs[:, 1]] - particle.places[pairs[:, 0]]
    angles = np.round(np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 180)
    assert len(np.unique(angles)) > 2


def test_roughness_and_vacancies_change_a_particle():
    def make(**options):
        return rough_particle("Au", 4.08, "<001>", 24.0, 20.0, np.random.default_rng(2), **options)

    smooth, rough, holey = make(roughness=0, vacancies=0), make(roughness=1.0, vacancies=0), make(vacancies=0.2)
    assert len(rough.symbols) != len(smooth.symbols)
    assert len(holey.symbols) < 0.95 * len(smooth.symbols)


def test_adatoms_are_off_the_lattice():
    rng = np.random.default_rng(3)
    particle = rough_particle("Au", 4.08, "<110>", 20.0, 16.0, rng)
    found = adatoms(particle, "Au", 5, rng)
    distance = cKDTree(particle.places).query(found.places)[0]
    assert len(found.kinds) == 5 and (distance >= 2.2 - 1e-9).all() and (distance <= 10.0).all()
    assert set(found.heights) <= {1, 2}


def test_ceria_has_cerium_and_oxygen_in_their_places():
    placed, told = ceria_edge(5.41, 18.0, (6, 8), np.random.default_rng(5), vacancies=0.0)
    cerium, oxygen = (placed.places[placed.kinds == kind] for kind in ("Ce", "O"))
    assert set(told) == {"surface", "facet"}
    assert placed.heights.max() <= HIGHEST + 1 and 1 <= placed.heights[placed.kinds == "Ce"].min()
    assert nearest(cerium).min() == pytest.approx(5.41 * np.sqrt(3 / 8), abs=1e-6)
    assert cKDTree(cerium).query(oxygen)[0].min() == pytest.approx(5.41 / 4, abs=1e-6)
    atoms = placed.positions
    between = cKDTree(atoms[placed.symbols == "Ce"]).query(atoms[placed.symbols == "O"])[0]
    np.testing.assert_allclose(between, 5.41 * np.sqrt(3) / 4, rtol=1e-6)


def test_ceria_columns_hold_any_number_at_the_surface():
    heights = [
        placed.heights[placed.kinds == "Ce"]
        for placed, _ in (ceria_edge(5.41, 20.0, (9, 10), np.random.default_rng(seed)) for seed in range(12))
    ]
    assert set(np.concatenate(heights)) == set(range(1, HIGHEST + 1))


def test_graphene_is_a_honeycomb_but_at_boundaries():
    sheet, boundary = graphene_sheet(40.0, 3, 0, {}, np.random.default_rng(6))
    atoms = sheet.places
    middle = (np.abs(atoms) < 16).all(1)
    distances = cKDTree(atoms).query(atoms, k=4)[0][:, 1:]
    ideal = middle & ~boundary
    assert 0.02 < boundary[middle].mean() < 0.6
    assert np.abs(np.median(distances[ideal], axis=0) - BOND).max() < 0.02
    assert distances[ideal].std() < distances[middle & boundary].std()
    assert nearest(atoms).min() > 1.0
    assert sheet.heights.tolist() == [1] * len(atoms)


def test_graphene_has_holes_and_adatoms():
    whole, _ = graphene_sheet(30.0, 1, 0, {}, np.random.default_rng(7))
    holey, _ = graphene_sheet(30.0, 1, 4, {"Si": 2, "C": 1}, np.random.default_rng(7))
    assert (holey.kinds == "C").sum() < len(whole.kinds)
    assert (holey.kinds == "adatom").sum() == 3
    assert sorted(holey.symbols[holey.kinds == "adatom"]) == ["C", "Si", "Si"]


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_has_the_kinds_of_its_recipe(name):
    recipe = RECIPES[name]
    for seed in range(6):
        atoms, told = draw_structure(recipe, np.random.default_rng(seed))
        assert len(atoms.symbols) == len(atoms.positions) == len(atoms.column)
        assert np.isfinite(atoms.positions).all()
        assert told["tilt"] <= recipe.tilt or told.get("off_axis")
        if len(recipe.kinds) > 1:
            assert set(atoms.kinds) <= set(recipe.kinds)
        assert (atoms.heights > 0).all()


def test_the_same_seed_gives_the_same_structure():
    one, other = (draw_structure(RECIPES["fcc"], np.random.default_rng(9))[0] for _ in range(2))
    np.testing.assert_array_equal(one.positions, other.positions)


def test_particles_far_off_the_zone_axis_have_no_columns():
    recipe = ColumnWaveRecipe(off_axis=1.0)
    atoms, told = draw_structure(recipe, np.random.default_rng(0))
    assert told["off_axis"] and told["tilt"] > recipe.tilt
    assert len(atoms.kinds) == 0 and len(atoms.symbols) > 0


@pytest.fixture(scope="module")
def molybdenite(tmp_path_factory):
    """A sheet of MoS2 in a file."""
    from ase.build import mx2

    file = tmp_path_factory.mktemp("structures") / "mos2.xyz"
    mx2("MoS2").write(file)
    return str(file)


FOUR = ("Mo", "S", "Mo vacancy", "S vacancy")


def test_a_sheet_from_a_file_has_vacancies_of_both_kinds(molybdenite):
    rng = np.random.default_rng(0)
    whole = crystal_piece(molybdenite, "<001>", 30.0, 10.0, rng, kinds=FOUR, vacancies=0.0)
    assert set(whole.kinds) == {"Mo", "S"} and GHOST not in whole.symbols
    assert set(whole.heights[whole.kinds == "Mo"]) == {1} and set(whole.heights[whole.kinds == "S"]) == {2}
    assert nearest(whole.places).min() == pytest.approx(3.18 / np.sqrt(3), abs=1e-6)
    holey = crystal_piece(molybdenite, "<001>", 30.0, 10.0, rng, kinds=FOUR, vacancies=0.15)
    assert set(holey.kinds) == set(FOUR)
    assert (holey.symbols == GHOST).any() and nearest(holey.places).min() == pytest.approx(3.18 / np.sqrt(3), abs=1e-6)
    simple = crystal_piece(molybdenite, "<001>", 30.0, 10.0, rng, kinds=("Mo", "S"), vacancies=0.15)
    assert set(simple.kinds) == {"Mo", "S"} and GHOST not in simple.symbols


def test_a_piece_of_a_crystal_is_seen_along_its_zone_axis():
    piece = crystal_piece("Fe", "<001>", 20.0, 15.0, np.random.default_rng(1), kinds=("Fe",), vacancies=0.0)
    assert np.ptp(piece.positions[:, 2]) <= 15.0
    assert nearest(piece.places).min() == pytest.approx(2.87 / np.sqrt(2), abs=1e-3)  # bcc, from ASE
    assert np.hypot(*piece.places.T).max() < 20.0


def test_vacancies_reach_the_library_as_columns_without_atoms(molybdenite):
    pytest.importorskip("abtem")
    recipe = ColumnWaveRecipe(
        structure="crystal", source=molybdenite, kinds=FOUR, widths=(14.0, 15.0), thicknesses=(4.0, 5.0), tilt=1.0,
        vacancies=0.5, edge=24.0, pixels=96, sampling=0.2, energies=(80e3,), films=("C",), held_out_films=0.0,
    )  # fmt: skip
    entry = simulate_column_field(recipe, 0)
    assert len(entry["kinds"]) == len(entry["places"]) and {0, 1} <= set(entry["kinds"].tolist())
    assert entry["wave"].shape == (2, 96, 96)


def test_an_unknown_structure_and_a_missing_file_are_named():
    with pytest.raises(ValueError, match="Unknown structure 'wurst'; expected one of"):
        draw_structure(ColumnWaveRecipe(structure="wurst"), np.random.default_rng(0))
    with pytest.raises(ValueError, match="no structure file 'nowhere.cif'"):
        crystal_piece("nowhere.cif", "<001>", 20.0, 10.0, np.random.default_rng(0), kinds=("A",))
