"""Properties of a potential beside known ones."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from particlespy_ml.simulation.potentials.check_potential import check_potential, format_check, mean_errors
from particlespy_ml.simulation.potentials.properties import (
    compound_cell,
    dimer,
    elastic_constants,
    element_energy,
    formation_energy,
    oxygen_on_surface,
    relaxed_volume,
    surface_energy,
)


def test_lattice_constant_and_modulus_are_those_of_ase():
    """Beside ASE's own equation of state."""
    from ase.eos import EquationOfState
    from ase.units import GPa

    a, of_atom, modulus = relaxed_volume(lambda one: bulk("Cu", "fcc", a=one), 3.4, EMT)
    cells = [bulk("Cu", "fcc", a=3.59 * (1 + x)) for x in np.linspace(-0.01, 0.01, 5)]
    for one in cells:
        one.calc = EMT()
    volume, least, expected = EquationOfState(
        [one.get_volume() for one in cells], [one.get_potential_energy() for one in cells]
    ).fit()
    assert a == pytest.approx((4 * volume) ** (1 / 3), rel=1e-3)
    assert of_atom == pytest.approx(least, abs=1e-4) and modulus == pytest.approx(expected / GPa, rel=0.02)


def test_elastic_constants_are_those_of_the_stress():
    a, _, modulus = relaxed_volume(lambda one: bulk("Cu", "fcc", a=one), 3.6, EMT)
    c11, c12, c44 = elastic_constants("Cu", a, modulus, EMT)
    atoms = bulk("Cu", "fcc", a=a, cubic=True)
    found = []
    for strain in (np.diag([1.002, 1, 1]), np.array([[1, 0.001, 0], [0.001, 1, 0], [0, 0, 1]])):
        one = atoms.copy()
        one.set_cell(atoms.cell @ strain, scale_atoms=True)
        one.calc = EMT()
        found.append(one.get_stress() / 0.002 / 0.00624150907)
    assert c11 == pytest.approx(found[0][0], rel=0.05) and c12 == pytest.approx(found[0][1], rel=0.05)
    assert c44 == pytest.approx(found[1][5], rel=0.05)


def test_surfaces_and_dimers():
    a, of_atom, _ = relaxed_volume(lambda one: bulk("Cu", "fcc", a=one), 3.6, EMT)
    assert surface_energy("Cu", "111", a, of_atom, EMT) < surface_energy("Cu", "110", a, of_atom, EMT)
    bound, length = dimer("Cu", EMT)
    pair = Atoms("Cu2", [(5, 5, 5), (5 + length, 5, 5)], cell=[12] * 3, calculator=EMT())
    assert bound < 0 and abs(pair.get_forces()).max() < 0.3


class Hollow(Calculator):
    """Oxygen has -3 eV where three metal atoms are equally near, and every pair of its atoms 0.1 eV."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        oxygen = np.flatnonzero(atoms.numbers == 8)
        total = -7.0 * np.count_nonzero(atoms.numbers != 8) + 0.5 * len(oxygen)
        for number in oxygen:
            if (atoms.numbers != 8).any():
                away = np.sort(atoms.get_distances(number, np.flatnonzero(atoms.numbers != 8), mic=True))
                below = atoms.get_distances(number, np.flatnonzero(atoms.numbers != 8), mic=True, vector=True)
                atop = np.hypot(*below.T[:2]).min()
                total -= 3.0 * (np.ptp(away[:3]) < 1e-6 and away[3] > away[2] + 0.5 and atop < 1e-6)
        total += 0.1 * len(oxygen) * (len(oxygen) - 1) / 2
        self.results = {"energy": total, "forces": np.zeros((len(atoms), 3))}


def test_oxygen_lies_in_hollows_and_is_measured_from_free_atoms():
    found = oxygen_on_surface("Au", 4.1, Hollow)
    assert list(found) == [0.25, 0.5, 0.75, 1.0]
    assert list(found.values()) == pytest.approx([-3.0, -2.95, -2.9, -2.85])


def test_formation_energies_are_those_of_an_alloy():
    references = {one: element_energy(one, EMT) for one in ("Cu", "Au")}
    found = formation_energy("CuAu3", "L1_2", 4.0, references, EMT)
    assert -0.2 < found < 0.1
    cell = compound_cell("CuAu3", "L1_2", 4.0)
    assert cell.get_chemical_symbols() == ["Cu", "Au", "Au", "Au"]
    assert np.isnan(relaxed_volume(lambda one: bulk("Cu", "fcc", a=one), 12.0, EMT)[0])


def test_table_of_a_potential():
    frame = check_potential("emt", ["Pt"])
    row = frame.set_index("property").loc["lattice constant"]
    assert row["value"] == pytest.approx(3.92, abs=0.03) and row["error"] == pytest.approx(row["value"] - 3.91)
    errors = mean_errors(frame)
    assert {"elastic constants", "phases"} <= set(errors["group"]) and (errors["error"] >= 0).all()
    text = format_check(frame, "EMT")
    assert "| Pt | lattice constant | Å |" in text and "Mean absolute errors" in text
    with pytest.raises(ValueError, match="No reference of Fe"):
        check_potential("emt", ["Fe"])
