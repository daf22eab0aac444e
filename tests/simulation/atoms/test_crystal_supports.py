"""Flakes of oxides: the crystals, their edges, and that no atoms lie in others."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.crystal_supports import (
    CUPRITE,
    SPINEL,
    TITANATE,
    ZINCITE,
    changed_crystal,
    flakes,
    oxide,
)

EDGE = 60.0


@pytest.mark.parametrize(
    ("material", "bond"),
    [
        ("SrTiO3", TITANATE / 2),
        ("MgAl2O4", SPINEL[0] * np.sqrt(3) * (SPINEL[1] - 1 / 8)),
        # three of the four neighbours of zinc are nearest: a / √3 across, (1/2 - u) c along
        ("ZnO", np.hypot(ZINCITE[0] / np.sqrt(3), (0.5 - ZINCITE[2]) * ZINCITE[1])),
        ("CeO2", np.sqrt(3) / 4 * 5.4113),
        ("Cu2O", np.sqrt(3) / 4 * CUPRITE),
        ("Al2O3", 1.854),  # J. Lewis et al., 1982
    ],
)
def test_nearest_distances_are_those_of_the_crystal(material, bond):
    atoms = oxide(material).to_atoms().repeat(2)
    distances = atoms.get_all_distances(mic=True)
    assert distances[distances > 0.1].min() == pytest.approx(bond, abs=0.01)


def test_changed_crystals_have_other_metals_and_axes():
    crystal = oxide("SrTiO3")
    drawn = [changed_crystal(crystal, np.random.default_rng(seed)) for seed in range(20)]
    stretches = np.array([np.linalg.norm(one.cell, axis=1) for one in drawn]) / TITANATE
    assert 0.85 < stretches.min() < 0.93 and 1.07 < stretches.max() < 1.15
    for one in drawn:
        assert one.places == crystal.places
        assert one.symbols.count("O") == 3 and len(set(one.symbols)) == 3
    assert len({one.symbols for one in drawn}) > 10
    symbols, _ = flakes("MgO", EDGE, (8.0, 12.0), np.random.default_rng(0), changed=True)
    assert "O" in symbols and "Mg" not in symbols


@pytest.mark.parametrize("seed", range(6))
def test_flakes_lie_on_a_plane_and_apart(seed):
    symbols, positions = flakes("MgO", EDGE, (8.0, 16.0), np.random.default_rng(seed))
    assert len(symbols) == len(positions) > 100
    assert positions[:, 2].min() >= 0
    # the largest flakes are no thicker than asked, small crystals not much
    assert positions[:, 2].max() < 48
    placed = np.column_stack([positions[:, :2] % EDGE % EDGE, positions[:, 2]])
    distance, _ = cKDTree(placed, boxsize=[EDGE, EDGE, 1e3]).query(placed, k=2)
    assert distance[:, 1].min() >= 1.59
    # within a flake the density is that of the crystal: eight atoms in a cell
    spacing = np.median(distance[:, 1])
    assert spacing == pytest.approx(4.2112 / 2, abs=0.01)


def test_the_same_seed_gives_the_same_flakes():
    one, other = (flakes("ZnO", EDGE, (8.0, 12.0), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one[1], other[1])


def test_unknown_materials_are_refused():
    with pytest.raises(ValueError, match="Unknown support"):
        oxide("unobtainium oxide")
