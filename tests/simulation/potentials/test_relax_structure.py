"""Relaxation and dynamics: forces, fixed atoms, seeds, resuming."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from particlespy_ml.simulation.atoms.supported_particle import supported_particle
from particlespy_ml.simulation.atoms.wulff import wulff_particle
from particlespy_ml.simulation.potentials.calculators import MetalOnSupport, get_calculator, lennard_jones
from particlespy_ml.simulation.potentials.relax_structure import estimate_cost, relax_structure, run_dynamics


class Springs(Calculator):
    """Every atom is bound to a place."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        away = atoms.positions - np.array([1.0, 2.0, 3.0])
        self.results = {"energy": float((away**2).sum()), "forces": -2 * away}


@pytest.fixture(scope="module")
def supported():
    return supported_particle("Pt", "MgO", "100", 7, face="100", width=13, thickness=4)


def test_forces_are_the_slope_of_the_energy(supported):
    atoms = supported.copy()
    atoms.set_constraint()
    atoms.rattle(0.05, seed=1)
    atoms.calc = MetalOnSupport(depth={"Mg": 0.2, "O": 0.4})
    forces = atoms.get_forces()
    metal = np.flatnonzero(atoms.get_tags() == 1)
    assert not forces[atoms.get_tags() == 0].any()
    for index, axis in ((metal[0], 0), (metal[0], 2), (metal[-1], 1)):
        ends = []
        for step in (1e-4, -1e-4):
            moved = atoms.copy()
            moved.positions[index, axis] += step
            moved.calc = MetalOnSupport(depth={"Mg": 0.2, "O": 0.4})
            ends.append(moved.get_potential_energy())
        assert forces[index, axis] == pytest.approx(-(ends[0] - ends[1]) / 2e-4, abs=2e-4)


def test_pair_potential():
    distance = np.array([2.0, 5.5, 6.0, 7.0])
    energy, slope = lennard_jones(distance, 2.0, 0.3)
    assert energy[0] == pytest.approx(-0.3) and slope[0] == pytest.approx(0)
    assert energy[2:] == pytest.approx([0, 0]) and slope[3] == pytest.approx(0)


def test_relaxation_keeps_the_support_and_the_particle(supported):
    relaxed = relax_structure(supported, "emt", fmax=0.1, steps=150)
    told = relaxed.info["relaxation"]
    assert told["converged"] and 0 < told["largest_move"] < 2.5
    support = relaxed.get_tags() == 0
    np.testing.assert_array_equal(relaxed.positions[support], supported.positions[support])
    before, after = supported.copy(), relaxed.copy()
    for one in (before, after):
        one.calc = get_calculator("emt", one)
    assert after.get_potential_energy() < before.get_potential_energy()
    assert relaxed.info["supported"] == supported.info["supported"]


def test_relaxation_resumes(tmp_path):
    rough = wulff_particle("Au", "111", 7, truncation=1)
    rough.rattle(0.15, seed=3)
    first = relax_structure(rough, steps=5, trajectory=tmp_path / "relax.traj")
    again = relax_structure(rough, steps=80, trajectory=tmp_path / "relax.traj")
    assert not first.info["relaxation"]["converged"] and again.info["relaxation"]["converged"]
    assert again.info["relaxation"]["energy"] < first.info["relaxation"]["energy"]
    with pytest.raises(ValueError, match="not of these atoms"):
        relax_structure(bulk("Pt"), trajectory=tmp_path / "relax.traj")
    from ase.calculators.lj import LennardJones

    wider = rough.copy()
    wider.positions *= 1.02
    with pytest.raises(ValueError, match="from other positions"):
        relax_structure(wider, trajectory=tmp_path / "relax.traj")
    with pytest.raises(ValueError, match="by the calculator 'emt'"):
        relax_structure(rough, LennardJones(), trajectory=tmp_path / "relax.traj")


def test_a_calculator_of_one_s_own():
    atoms = wulff_particle("Au", "111", 6, truncation=1)[:1]
    assert relax_structure(atoms, Springs()).positions[0] == pytest.approx([1, 2, 3], abs=0.05)


OPTIONS = {"temperatures": (300.0, 500.0, 300.0), "steps": 12, "snapshots": 3, "seed": 4}


def test_dynamics_repeat_with_the_seed_and_resume(tmp_path):
    atoms = wulff_particle("Pt", "111", 7, truncation=1)
    whole = run_dynamics(atoms, **OPTIONS)
    again = run_dynamics(atoms, **OPTIONS, trajectory=tmp_path / "all.traj")
    assert [one.info["dynamics"]["energy"] for one in whole] == [one.info["dynamics"]["energy"] for one in again]
    other = run_dynamics(atoms, **OPTIONS | {"seed": 5})
    assert other[0].info["dynamics"]["energy"] != whole[0].info["dynamics"]["energy"]
    from ase.io import Trajectory, read

    with Trajectory(str(tmp_path / "part.traj"), "w") as writer:  # stopped after three segments
        for one in read(str(tmp_path / "all.traj"), index=":3"):
            writer.write(one)
    for change, said in (
        ({"seed": 5}, "seed 4, not 5"),
        ({"temperatures": (300.0, 900.0, 300.0)}, "temperature 500.0, not 900.0"),
        ({"timestep": 2.0}, "timestep 5.0, not 2.0"),
    ):
        with pytest.raises(ValueError, match=said):
            run_dynamics(atoms, **OPTIONS | change, trajectory=tmp_path / "part.traj")
    with pytest.raises(ValueError, match="another start"):
        run_dynamics(atoms[::-1], **OPTIONS, trajectory=tmp_path / "part.traj")
    resumed = run_dynamics(atoms, **OPTIONS, trajectory=tmp_path / "part.traj")
    assert len(resumed) == 3
    np.testing.assert_allclose(resumed[-1].positions, whole[-1].positions, atol=1e-9)


def test_dynamics_reach_the_temperature():
    atoms = wulff_particle("Pt", "111", 8, truncation=1)
    found = run_dynamics(atoms, temperatures=(400.0,), steps=160, snapshots=16, seed=1)
    mean = np.mean([one.info["dynamics"]["temperature_found"] for one in found])
    assert mean == pytest.approx(400, rel=0.3)
    with pytest.raises(ValueError, match="snapshots"):
        run_dynamics(atoms, steps=4, snapshots=9)
    with pytest.raises(ValueError, match="temperatures"):
        run_dynamics(atoms, temperatures=(), steps=4)


def test_calculators_by_name(monkeypatch):
    import sys

    for name, package in (("sevennet", "sevenn"), ("chgnet", "chgnet")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ImportError, match=rf"{package}.*\[potentials\]"):
            get_calculator(name)
    with pytest.raises(ValueError, match="Unknown calculator"):
        get_calculator("comb")
    with pytest.raises(TypeError, match="ASE calculator"):
        get_calculator(3)
    with pytest.raises(ValueError, match="does not know Fe"):
        get_calculator("emt", bulk("Fe"))


def test_costs_are_told():
    atoms = bulk("Au").repeat(5)
    cost = estimate_cost(atoms, "sevennet", 100)
    assert cost["seconds"] == pytest.approx(125 * 100 * 0.034) and cost["megabytes"] > 200
    assert np.isnan(estimate_cost(atoms, Springs(), 100)["seconds"])
