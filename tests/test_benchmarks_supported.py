"""The strain of layers of a particle, and where it lies on its support, as the benchmark tells them."""

import numpy as np
import pytest
from ase.calculators.emt import EMT

from benchmarks.supported import support_strain
from benchmarks.supported.support_strain import layer_strains, over_element


@pytest.fixture(scope="module")
def built():
    return over_element("Pt", "TiO2-anatase", "100", "001", 15, None)


def test_strain_of_layers_is_that_by_which_they_were_moved(built):
    moved = built.copy()
    rng = np.random.default_rng(0)
    strains = {1: (0.02, -0.01, 0.005), 2: (-0.03, 0.0, 0.0)}
    for layer, (x, y, shear) in strains.items():
        own = moved.arrays["layer"] == layer
        moved.positions[own, :2] = moved.positions[own, :2] @ (np.eye(2) + [[x, shear], [shear, y]]) + 0.7
        moved.positions[own] += 0.001 * rng.normal(size=(own.sum(), 3))
    inside = built.positions[built.get_tags() == 1]
    away = np.linalg.norm(inside[:, None] - inside[None], axis=2)
    lattice = np.sqrt(2) * away[away > 0].min()
    found = layer_strains(built, moved, lattice)
    for layer, expected in strains.items():
        strain, left, number = found[layer]
        assert strain == pytest.approx(expected, abs=2e-3) and left < 0.01
        assert number == (built.arrays["layer"] == layer).sum()
    larger = layer_strains(built, built, lattice / 1.02)
    assert larger[1][0] == pytest.approx([0.02, 0.02, 0.0], abs=1e-9)


@pytest.mark.parametrize("element", ["O", "Ti"])
def test_the_middle_of_a_particle_lies_over_an_element(element):
    atoms = over_element("Pt", "TiO2-anatase", "100", "001", 15, element)
    first = atoms.positions[atoms.arrays["layer"] == 1][:, :2]
    held = atoms[(atoms.get_tags() == 0) & (np.array(atoms.get_chemical_symbols()) == element)].positions[:, :2]
    assert np.linalg.norm(first[:, None] - held[None], axis=2).min() < 0.05


def test_the_table_of_a_system(monkeypatch, capsys, tmp_path):
    def at_rest(atoms, calculator, **options):
        rest = atoms.copy()
        rest.info["relaxation"] = {"energy": -1.0, "steps": 0, "converged": True, "largest_move": 0.0}
        return rest

    monkeypatch.setattr(support_strain, "SYSTEMS", support_strain.SYSTEMS[:1])
    monkeypatch.setattr(support_strain, "get_calculator", lambda name: EMT())
    monkeypatch.setattr(support_strain, "relax_structure", at_rest)
    support_strain.print_support("emt", 15, 2, tmp_path)
    said = capsys.readouterr().out
    assert "Pt{100} on TiO2-anatase (001), over O: " in said
    assert "layer 1: " in said and "pieces 1" in said
