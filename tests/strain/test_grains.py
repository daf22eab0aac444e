"""Matches across boundaries: refused where grains differ, kept at twin planes and in strained crystals."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.strain.grains import _at_surface, holding_others, neighbourhood
from benchmarks.strain.structures import decahedron, graphene_grains, lattice, sheet_of_rings
from particlespy_ml.strain.match import OUTCOMES, SEVERAL_GRAINS, fewest_neighbours, match_columns
from particlespy_ml.strain.templates import as_templates, template


@pytest.fixture(scope="module")
def sheet():
    return sheet_of_rings(13.0, rounds=6)


@pytest.fixture(scope="module")
def grains():
    return graphene_grains(18.0)


@pytest.mark.parametrize("noise", [0, 0.01, 0.03])
@pytest.mark.parametrize("number", [3, 9, 12])
def test_graphene_by_any_number_of_neighbours(grains, number, noise):
    one = template("graphene", neighbours=number)
    near, there = neighbourhood(grains.places, one)
    alike = ~(there & (grains.grain[near] != grains.grain[:, None])).any(1)
    able = there[:, 1:].sum(1) >= fewest_neighbours(number)
    places = grains.places + np.random.default_rng(1).normal(0, noise, grains.places.shape)
    found = match_columns(places, [one])
    across = holding_others(found, grains.grain)
    assert found.matched[alike & able].mean() >= 0.985
    assert np.where(alike, found.matched, ~across)[able].mean() >= 0.985
    # of three neighbours hardly any is left over to tell strangers by
    assert across.sum() / (~alike).sum() <= (0.15 if number == 3 else 0.03)
    if number == 9 and noise == 0.03:
        refused = found.outcome == SEVERAL_GRAINS
        assert refused.any() and not alike[refused].all()


@pytest.mark.parametrize("number", [9, 12])
def test_rings_of_five_and_seven_have_no_strain(sheet, number):
    one = template("graphene", neighbours=number)
    near, there = neighbourhood(sheet.grains.places, one)
    core = sheet.rings > 0
    around = np.where(there, sheet.rings[near], 0).max(1) > 0
    able = there[:, 1:].sum(1) >= fewest_neighbours(number)
    assert core.sum() > 20
    found = match_columns(sheet.grains.places, [one])
    assert not found.matched[core].any()
    assert found.matched[~around & able].mean() >= 0.97


def test_two_lattices_that_meet():
    """Of squares turned by 20 degrees none is matched across."""
    rng = np.random.default_rng(2)
    left, right = lattice("square", 12), lattice("square", 12, None, 20, (0.3, 0.2))
    left, right = left[left[:, 0] < 0], right[right[:, 0] >= 0.35]
    places, grain = np.vstack([left, right]), np.arange(len(left) + len(right)) >= len(left)
    across = 0
    for _ in range(4):
        found = match_columns(places + rng.normal(0, 0.02, places.shape), [template("square")])
        across += holding_others(found, grain.astype(int)).sum()
        assert found.matched[(np.abs(places[:, 0]) > 2) & (np.linalg.norm(places, axis=1) < 11)].mean() > 0.99
    assert across == 0


def test_a_phase_boundary():
    square, hexagonal = lattice("square", 9), lattice("hexagonal", 9, None, 11)
    places = np.vstack([square[square[:, 0] < 0], hexagonal[hexagonal[:, 0] >= 0.5]])
    found = match_columns(places, as_templates(["square", "hexagonal"]))
    right = np.where(places[:, 0] < 0.2, 0, 1)
    assert (found.template[found.matched] == right[found.matched]).all() and found.matched.mean() > 0.93


@pytest.mark.parametrize("noise", [0, 0.02])
def test_twin_planes_are_coherent(noise):
    grains = decahedron(8)
    places = grains.places + np.random.default_rng(3).normal(0, noise, grains.places.shape)
    for wanted in ("fcc<110>", ["fcc<110>", "fcc<110> twin"]):
        found = match_columns(places, as_templates(wanted))
        assert found.matched[grains.grain >= 0].mean() >= 0.99
        assert (found.outcome == SEVERAL_GRAINS).sum() <= 1


@pytest.mark.parametrize(("crystal", "axis", "name"), [("square", None, "square"), ("fcc", "<011>", "fcc<110>")])
@pytest.mark.parametrize("relaxed", [0.03, -0.03])
def test_a_relaxed_layer_stays_matched(crystal, axis, name, relaxed):
    shares = [_at_surface(crystal, axis, name, turn, relaxed, 0.01, 0) for turn in (0.0, 54.74, 90.0)]
    assert min(shares) == 1


@pytest.mark.parametrize("strain", [0.08, -0.08])
def test_strained_crystals_stay_matched(strain):
    for name, axis in (("square", None), ("hexagonal", None), ("fcc", "<011>"), ("graphene", "<0001>")):
        places = lattice(name, 6, axis, 10) @ np.diag([1 + strain, 1])
        places += np.random.default_rng(0).normal(0, 0.01, places.shape)
        found = match_columns(places, [template("fcc<110>" if name == "fcc" else name)])
        rim = found.outcome == OUTCOMES.index("too few neighbours")
        assert found.matched[~rim].mean() >= 0.98, name
