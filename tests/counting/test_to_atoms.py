"""Models of atoms: a known crystal is given back from its columns."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.counting.to_atoms import build_atoms, column_heights, column_levels, identify_projection
from particlespy_ml.crystals.crystal import crystal
from particlespy_ml.crystals.projection import ZONE_AXES, projection
from particlespy_ml.crystals.relax import relax


def columns_of(atoms):
    """Positions and counts of the columns of atoms along z."""
    order, places, counts = [], [], []
    for position in atoms.positions:
        near = [k for k, p in enumerate(order) if np.linalg.norm(p - position[:2]) < 0.3]
        if near:
            places[near[0]].append(position[:2])
            counts[near[0]] += 1
        else:
            order.append(position[:2])
            places.append([position[:2]])
            counts.append(1)
    return np.array([np.mean(p, axis=0) for p in places]), np.array(counts)


def particle(zone, turn, symbol="Pt"):
    from ase import Atoms
    from ase.cluster import Octahedron

    cluster = Octahedron(symbol, 7, 2)
    axis = np.array(ZONE_AXES[zone], float)
    to_beam, _ = Rotation.align_vectors([[0, 0, 1]], [axis / np.linalg.norm(axis)])
    turned = (Rotation.from_euler("z", turn, degrees=True) * to_beam).apply(cluster.positions)
    return Atoms(cluster.get_chemical_symbols(), positions=turned - turned.mean(0))


@pytest.mark.parametrize("zone", ZONE_AXES)
@pytest.mark.parametrize("turn", [0, 20, 77])
def test_a_particle_is_given_back(zone, turn):
    truth = particle(zone, turn)
    positions, counts = columns_of(truth)
    atoms = build_atoms(positions, counts, "Pt")
    assert len(atoms) == 201 and atoms.info["zone_axis"] == zone
    assert atoms.info["lattice_constant"] == pytest.approx(3.92, rel=0.01)
    # a mirror plane across the beam cannot be told from an image along it
    found = atoms.positions
    distances = []
    for flip in (1, -1):
        moved = found * [1, 1, flip]
        for shift in np.arange(-2, 2.01, 0.5) * projection("fcc", zone).period * 3.92 / 6:
            distances.append(np.mean(cKDTree(truth.positions).query(moved + [0, 0, shift])[0] < 0.6))
    assert max(distances) >= 0.9


@pytest.mark.parametrize("zone", ZONE_AXES)
def test_neighbours_are_those_of_the_crystal(zone):
    positions, counts = columns_of(particle(zone, 33))
    for align in ("centre", "bottom", "top"):
        atoms = build_atoms(positions, counts, "Pt", align=align)
        tree = cKDTree(atoms.positions)
        nearest = tree.query(atoms.positions, 2)[0][:, 1]
        np.testing.assert_allclose(nearest, 3.92 / np.sqrt(2), rtol=0.02)


@pytest.mark.parametrize(("align", "low", "high"), [("bottom", 0, np.inf), ("top", -np.inf, 0)])
def test_alignment(align, low, high):
    rng = np.random.default_rng(0)
    indices, counts = rng.integers(-3, 4, (20, 2)), rng.integers(1, 6, 20)
    heights = column_heights(indices, counts, np.eye(2), np.array([2 / 3, 1 / 3]), 3.0, align)
    for column in heights:
        assert low - 1e-9 <= column.min() and column.max() <= high + 1e-9
        end = column.min() if align == "bottom" else -column.max()
        assert end < 3.0
    with pytest.raises(ValueError, match="centre, bottom, top"):
        column_heights(indices, counts, np.eye(2), np.array([0.5, 0.5]), 3.0, "middle")


def test_shapes_are_told_apart():
    for zone in ZONE_AXES:
        turn = Rotation.from_euler("z", 0.3).as_matrix()[:2, :2]
        basis = 3.9 * projection("fcc", zone).basis @ turn.T
        seen, constant, change = identify_projection(np.array([[1, 0], [1, 1]]) @ basis)
        assert seen.zone_axis == zone and constant == pytest.approx(3.9)
        assert abs(np.linalg.det(change)) == pytest.approx(1)
    with pytest.raises(ValueError, match="no fcc crystal"):
        identify_projection([[1.0, 0.0], [0.0, 2.5]])


def test_errors():
    positions, counts = columns_of(particle("<001>", 0))
    with pytest.raises(ValueError, match="lattice constant of the columns"):
        build_atoms(positions * 2, counts, "Pt")
    with pytest.raises(ValueError, match="no lattice"):
        build_atoms(positions[:2], counts[:2], "Pt")
    with pytest.raises(ValueError, match="no chemical element"):
        build_atoms(positions, counts, "Zz")


def test_uncounted_columns_are_left_out():
    positions, counts = columns_of(particle("<001>", 0))
    counts = counts.copy()
    counts[3] = -1
    atoms = build_atoms(positions, counts, "Pt")
    assert len(atoms) == counts[counts > 0].sum() and 3 not in atoms.arrays["column"]


def test_relaxed_atoms_are_where_forces_are_small():
    from ase.calculators.emt import EMT

    positions, counts = columns_of(particle("<001>", 0))
    positions = positions + np.random.default_rng(0).normal(scale=0.05, size=positions.shape)
    start = build_atoms(positions, counts, "Pt")
    relaxed = relax(start, fmax=0.3, steps=60)
    assert relaxed.info["relaxed"] and relaxed.calc is None
    relaxed.calc = EMT()
    assert np.linalg.norm(relaxed.get_forces(), axis=1).max() <= 0.31
    assert relaxed.info["energy"] == pytest.approx(relaxed.get_potential_energy())
    start.calc = EMT()
    assert relaxed.info["energy"] < start.get_potential_energy()


def test_elements_that_emt_does_not_know():
    atoms = build_atoms(*columns_of(particle("<001>", 0)), "Pt")
    atoms.symbols[:] = "Rh"
    with pytest.raises(ValueError, match="Rh.*another ASE calculator"):
        relax(atoms)


def block(symbol, zone, turn, edge=11.0):
    """Atoms of a ball of a crystal with the beam along z."""
    from ase import Atoms

    known = crystal(symbol)
    seen = projection(known, zone)
    atoms = known.to_atoms().repeat(2 * int(np.ceil(2.2 * edge / known.a)))
    positions = (atoms.positions - atoms.positions.mean(0)) @ seen.frame.T
    positions = positions[np.linalg.norm(positions, axis=1) < edge]
    return Atoms([symbol] * len(positions), positions=Rotation.from_euler("z", turn, degrees=True).apply(positions))


@pytest.mark.parametrize(
    ("symbol", "zone"), [("Co", "<0001>"), ("Co", "<11-20>"), ("Co", "<10-10>"), ("Si", "<011>"), ("Ti", "<0001>")]
)
@pytest.mark.parametrize("turn", [0, 37])
def test_crystals_with_a_basis_are_given_back(symbol, zone, turn):
    truth = block(symbol, zone, turn)
    positions, counts = columns_of(truth)
    atoms = build_atoms(positions, counts, symbol)
    assert atoms.info["zone_axis"] == zone and len(atoms) == len(truth)
    assert atoms.info["lattice_constant"] == pytest.approx(crystal(symbol).a, rel=0.01)
    # neighbours are at the distances of the crystal, and at no others
    bond = np.sort(cKDTree(known_neighbours(symbol)).query([0, 0, 0], 13)[0])[1]
    nearest = cKDTree(atoms.positions).query(atoms.positions, 2)[0][:, 1]
    assert np.abs(nearest / bond - 1).max() < 0.03


def known_neighbours(symbol):
    atoms = crystal(symbol).to_atoms().repeat(5)
    return atoms.positions - atoms.positions[len(atoms) // 2]


def test_levels_follow_each_other():
    for levels in ([0.0], [0.1, 0.6], [0.0, 0.25]):
        for count in range(1, 7):
            for align in ("centre", "bottom", "top"):
                found = column_levels(levels, count, align)
                assert len(found) == count and (np.diff(found) > 0).all()
                np.testing.assert_allclose(np.isin(np.round(found % 1, 9), levels), True)
            assert column_levels(levels, count, "bottom")[0] >= 0 >= column_levels(levels, count, "bottom")[0] - 1
            assert column_levels(levels, count, "top")[-1] <= 0
            assert abs(column_levels(levels, count).mean()) <= 0.5


def test_columns_that_are_on_no_sites():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="on the sites of no Co crystal"):
        build_atoms(rng.uniform(0, 30, (40, 2)), np.ones(40, int), "Co")


def test_the_middle_of_the_model_is_told():
    positions, counts = columns_of(particle(sorted(ZONE_AXES)[0], 20))
    atoms = build_atoms(positions + (31.0, 17.0), counts, "Pt", zone_axis=sorted(ZONE_AXES)[0])
    np.testing.assert_allclose(atoms.positions.mean(0), 0, atol=1e-9)
    back = atoms.positions[:, :2] + atoms.info["middle"]
    away, _ = cKDTree(positions + (31.0, 17.0)).query(back)
    assert away.max() < 0.05
