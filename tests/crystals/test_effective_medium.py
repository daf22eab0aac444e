"""Effective medium theory over all pairs at once, beside ASE's, which goes from atom to atom."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from particlespy_ml.crystals.effective_medium import EffectiveMedium
from particlespy_ml.crystals.relax import relax


def ball(symbols, seed=0):
    """Atoms of a small disturbed fcc ball, of these elements in turn."""
    atoms = bulk("Au", "fcc", a=4.0, cubic=True).repeat(3)
    atoms.positions += np.random.default_rng(seed).normal(scale=0.2, size=atoms.positions.shape)
    return Atoms([symbols[n % len(symbols)] for n in range(len(atoms))], positions=atoms.positions)


@pytest.mark.parametrize("symbols", [("Au",), ("Pt", "Cu", "Al")], ids="-".join)
def test_the_numbers_of_ase(symbols):
    ours, theirs = ball(symbols), ball(symbols)
    ours.calc, theirs.calc = EffectiveMedium(), EMT()
    np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=1e-10)
    np.testing.assert_allclose(ours.get_potential_energies(), theirs.get_potential_energies(), atol=1e-10)
    assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy(), abs=1e-9)


@pytest.mark.parametrize("places", [[[0, 0, 0]], [[0, 0, 0], [0, 0, 30]], [[0, 0, 0], [0, 0, 2.6], [0, 0, 50]]])
def test_atoms_alone(places):
    ours, theirs = (Atoms(["Au"] * len(places), positions=places) for _ in range(2))
    ours.calc, theirs.calc = EffectiveMedium(), EMT()
    np.testing.assert_allclose(ours.get_potential_energies(), theirs.get_potential_energies(), atol=1e-12)
    np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=1e-12)


def test_forces_are_the_slopes_of_the_energy():
    atoms = ball(("Au", "Ag"), seed=1)
    atoms.calc = EffectiveMedium()
    force, step = atoms.get_forces()[5, 1], 1e-4
    energies = []
    for sign in (1, -1):
        atoms.positions[5, 1] += sign * step
        energies.append(atoms.get_potential_energy())
        atoms.positions[5, 1] -= sign * step
    assert (energies[1] - energies[0]) / (2 * step) == pytest.approx(force, abs=1e-5)


def test_elements_follow_the_atoms():
    atoms = ball(("Au",))
    atoms.calc = EffectiveMedium()
    before = atoms.get_potential_energy()
    atoms.symbols[0] = "Pt"
    assert atoms.get_potential_energy() != pytest.approx(before)
    atoms.symbols[0] = "Rh"
    with pytest.raises(NotImplementedError, match="no parameters of Rh"):
        atoms.get_potential_energy()


def test_periodic_atoms_are_left_to_ase():
    atoms = bulk("Cu", cubic=True)
    atoms.calc = EffectiveMedium()
    with pytest.raises(NotImplementedError, match="Periodic"):
        atoms.get_potential_energy()
    assert relax(bulk("Cu", cubic=True), steps=2).info["relaxed"]
