"""Slabs, Wulff shapes and particles on supports: what every builder makes can be."""

import numpy as np
import pytest
from ase.build import fcc111

from particlespy_ml.crystals.crystal import crystal
from particlespy_ml.simulation.atoms.check_structure import check_structure
from particlespy_ml.simulation.atoms.coincidence import find_coincidence
from particlespy_ml.simulation.atoms.support_slabs import SUPPORTS, support_slab
from particlespy_ml.simulation.atoms.supported_particle import supported_particle
from particlespy_ml.simulation.atoms.surface_defects import add_adatoms, add_step, add_vacancies, reduce_surface
from particlespy_ml.simulation.atoms.surface_lattice import miller, surface_lattice
from particlespy_ml.simulation.atoms.wulff import family, volume, wulff_particle, wulff_planes

FACES = {
    "CeO2": (("111", "O"), ("110", "Ce/O"), ("100", "O")),
    "c-ZrO2": (("111", "O"), ("110", "O/Zr")),
    "TiO2-rutile": (("110", "O"), ("100", "O")),
    "TiO2-anatase": (("001", "O"), ("101", "O")),
    "MgO": (("100", "Mg/O"), ("111", "O")),
    "graphite": (("0001", "C"),),
    "amorphous carbon": (("001", "C"),),
}
SLABS = [(material, *face) for material, faces in FACES.items() for face in faces]
FORMULAS = {"CeO2": "CeO2", "c-ZrO2": "O2Zr", "MgO": "MgO"}


@pytest.mark.parametrize(("material", "face", "top"), SLABS)
def test_slabs_are_neutral_and_whole(material, face, top):
    slab = support_slab(material, face, width=12)
    found = check_structure(slab)
    assert slab.info["support"]["top"] == top
    assert np.ptp(slab.positions[:, 2]) >= 9.99 - 0.5 * (material == "amorphous carbon")
    assert (slab.cell.lengths()[:2] >= 12).all() and slab.positions[:, 2].max() == 0
    assert found["formula"] == FORMULAS.get(material, "O2Ti" if "Ti" in material else "C")
    assert found["charge"] == 0 and abs(found["dipole"]) < 1e-9
    assert found["closest"] > 0.75 and (found["lone"] == 0 or material == "amorphous carbon")


@pytest.mark.parametrize(
    ("material", "face", "inner"),
    [("CeO2", "111", {"Ce": 8, "O": 4}), ("TiO2-rutile", "110", {"Ti": 6, "O": 3}), ("MgO", "100", {"Mg": 6, "O": 6})],
)
def test_inner_atoms_have_the_coordination_of_the_crystal(material, face, inner):
    assert check_structure(support_slab(material, face, width=12, thickness=25))["coordination"] == inner


def test_slab_is_the_crystal_whatever_its_edges():
    """The density of a slab over its repeats is that of the crystal."""
    slab = support_slab("CeO2", "111", width=(13, 17), thickness=12)
    repeats = slab.arrays["spacing_below"].max() + 1
    volume_of_slab = np.prod(slab.cell.lengths()[:2]) * repeats * 5.4113 / np.sqrt(3)
    assert len(slab) / volume_of_slab == pytest.approx(12 / 5.4113**3)


def test_polar_terminations_are_told():
    with pytest.warns(UserWarning, match="dipole"):
        slab = support_slab("CeO2", "100", width=12, termination="Ce")
    assert slab.info["support"]["top"] == "Ce" and slab.info["support"]["dipole"] != 0
    with pytest.raises(ValueError, match="Unknown termination"):
        support_slab("CeO2", "111", termination="Ti")
    with pytest.raises(ValueError, match="Unknown support"):
        support_slab("CeO3")
    with pytest.raises(ValueError, match="Miller"):
        miller("11")


def test_surface_lattices():
    gold = surface_lattice(crystal("Au"), "111")
    nearest = 4.08 / np.sqrt(2)
    assert np.linalg.norm(gold.basis, axis=1) == pytest.approx([nearest, nearest])
    assert gold.spacing == pytest.approx(4.08 / np.sqrt(3))


def test_wulff_volumes():
    """A cube, and an octahedron, of known volume."""
    assert volume(*wulff_planes({"100": 2.0})) == pytest.approx(64.0)
    assert volume(*wulff_planes({"111": 1.0})) == pytest.approx(4 / 3 * 3**1.5)
    assert len(family("110")) == 12


@pytest.mark.parametrize("facet", ["111", "100"])
def test_particles_have_the_size_they_are_given(facet):
    whole = wulff_particle("Pt", facet, 24, truncation=1)
    half = wulff_particle("Pt", facet, 24)
    assert len(whole) == pytest.approx(np.pi / 6 * 24**3 / (3.92**3 / 4), rel=0.15)
    assert 0.5 < len(half) / len(whole) < 0.65
    assert half.positions[:, 2].min() == 0
    lowest = half.positions[half.positions[:, 2] < 0.1]
    distances = np.linalg.norm(lowest[:, None] - lowest[None], axis=2)
    assert distances[distances > 0.1].min() == pytest.approx(3.92 / np.sqrt(2))


@pytest.mark.parametrize(
    ("first", "second", "rotation", "mismatch"),
    [
        (3.92 * np.eye(2), 3.7845 * np.eye(2), 0.0, 1 - 3.7845 / 3.92),
        (4.0 * np.eye(2), 4.0 * np.array([[1, 1], [-1, 1]]), 0.0, 0.0),
        (4.0 * np.eye(2), 4.0 * np.sqrt(2) * np.eye(2), 45.0, 0.0),
        (4.0 * np.array([[1, 0], [0.5, 3**0.5 / 2]]), 4 * 3**0.5 * np.array([[1, 0], [0.5, 3**0.5 / 2]]), 30.0, 0.0),
    ],
)
def test_coincidence_of_known_lattices(first, second, rotation, mismatch):
    found = find_coincidence(first, second, limit=0.04)
    assert abs(found.rotation) % 60 in (pytest.approx(rotation % 60, abs=1e-6), pytest.approx(-rotation % 60, abs=1e-6))
    assert found.mismatch == pytest.approx(mismatch, abs=1e-9) and found.within


def test_a_hundred_random_calls():
    rng = np.random.default_rng(7)
    for number in range(100):
        material = str(rng.choice(SUPPORTS))
        face = FACES[material][rng.integers(len(FACES[material]))][0]
        atoms = supported_particle(
            str(rng.choice(["Pt", "Au", "Pd"])),
            material,
            str(rng.choice(["111", "100"])),
            float(rng.uniform(9, 13)),
            face=face,
            truncation=float(rng.uniform(-0.2, 1)),
            rotation=float(rng.uniform(-90, 90)),
            shift=tuple(rng.uniform(-2, 2, 2)),
            width=14 + 6 * rng.random(),
            thickness=float(rng.uniform(10, 12)),
            seed=number,
        )
        found = check_structure(atoms)
        assert found["closest"] > 0.75 and found["interface"] > 0 and found["particle_pieces"] == 1
        assert found["charge"] == 0 and abs(found["dipole"]) < 1e-9
        assert atoms.constraints[0].get_indices().size and (atoms.arrays["layer"][atoms.get_tags() == 1] > 0).all()


def test_coincidence_turns_the_particle():
    atoms = supported_particle("Pt", "TiO2-anatase", "100", 11, face="001")
    told = atoms.info["supported"]
    assert told["mismatch"] == pytest.approx(1 - 3.7845 / 3.92, abs=1e-3) and abs(told["rotation"]) == pytest.approx(45)
    lowest = atoms.positions[atoms.arrays["layer"] == 1]
    along = lowest[:, None] - lowest[None]
    square = np.abs(np.linalg.norm(along, axis=2) - 3.92) < 0.01
    assert np.abs(np.sort(np.abs(along[square][:, :2]), axis=1)[:, 0]).max() < 1e-6


def test_atoms_of_one_s_own():
    slab = fcc111("Al", (4, 4, 3), orthogonal=True)
    slab.pbc = (True, True, False)
    slab.cell[2] = [0, 0, 30]
    atoms = supported_particle(wulff_particle("Au", "111", 9), slab, gap=2.4, width=11)
    top = atoms.positions[atoms.get_tags() == 0, 2].max()
    assert atoms.positions[atoms.get_tags() == 1, 2].min() - top == pytest.approx(2.4)
    assert atoms.info["supported"]["coincidence"] != ""
    with pytest.raises(ValueError, match="covalent radii"):
        supported_particle(wulff_particle("Au", "111", 9), slab, gap=0.5, width=11)
    with pytest.raises(TypeError, match="metal"):
        supported_particle(3, slab)


def test_defects():
    slab = support_slab("CeO2", "111", width=14, thickness=10)
    stepped = add_step(slab, 0.5)
    assert check_structure(stepped)["formula"] == "CeO2" and len(stepped) < len(slab)
    top = stepped.positions[:, 2].max()
    assert np.ptp(stepped.positions[stepped.positions[:, 2] > top - 0.1, 0]) < 0.6 * slab.cell.lengths()[0]
    assert len(slab) - len(add_vacancies(slab, "Ce", 3, where="all", seed=2)) == 3
    reduced = reduce_surface(slab, 0.25)
    assert reduced.get_chemical_symbols().count("Ce") == slab.get_chemical_symbols().count("Ce")
    more = add_adatoms(slab, "Pt", 4, seed=1)
    assert len(more) == len(slab) + 4 and check_structure(more)["closest"] > 0.75
    assert (more.positions[-4:, 2] > 0).all()
    again = add_adatoms(slab, "Pt", 4, seed=1)
    np.testing.assert_array_equal(more.positions, again.positions)
    with pytest.raises(ValueError, match="expected 0 to"):
        add_vacancies(slab, "Ce", 10_000)
    with pytest.raises(ValueError, match="room"):
        add_adatoms(support_slab("MgO", "100", width=8), "Pt", 50)
    with pytest.raises(ValueError, match="height"):
        add_step(slab, 0.5, height=9)
