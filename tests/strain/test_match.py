"""Which columns are matched: in crystals, at their rims, between grains, and in amorphous matter."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.strain.structures import decahedron, graphene_grains, lattice, neighbours_of_one_grain
from particlespy_ml.strain.match import Surroundings, choose_template, match_columns
from particlespy_ml.strain.templates import as_templates, template

AUTO = as_templates(["square", "hexagonal", "fcc<110>", "graphene"])
SEEN = {
    "square": ("square", None),
    "hexagonal": ("hexagonal", None),
    "fcc<110>": ("fcc", "<011>"),
    "graphene": ("graphene", "<0001>"),
}


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("noise", [0, 0.03])
def test_the_template_of_a_crystal_is_chosen(name, noise):
    places = lattice(SEEN[name][0], 6, SEEN[name][1], 17)
    places += np.random.default_rng(0).normal(0, noise, places.shape)
    assert choose_template(places, AUTO).name == name
    found = match_columns(places, AUTO)
    right = np.array([one.name for one in AUTO])[found.template] == name
    assert np.mean(right[found.matched]) > (0.99 if noise == 0 else 0.95)
    assert found.matched.mean() > 0.93


def test_missing_neighbours_at_the_rim_and_at_a_vacancy():
    x, y = (one.ravel() for one in np.mgrid[:9, :9])
    places = np.column_stack([x, y])[(x != 4) | (y != 4)]
    number = match_columns(places, [template("square")]).n_neighbours
    assert dict(zip(*np.unique(number, return_counts=True), strict=True)) == {3: 4, 5: 28, 7: 8, 8: 40}
    assert match_columns(places, [template("square")], r_max=1.2).n_neighbours.max() == 4


def test_amorphous_points_match_nothing():
    places = np.random.default_rng(0).random((1000, 2)) * 30
    assert match_columns(places, AUTO).matched.mean() < 0.01
    assert choose_template(places, AUTO) in AUTO


def test_packed_points_match_hardly_anything():
    rng, kept = np.random.default_rng(0), np.empty((0, 2))
    for place in rng.random((4000, 2)) * 20:
        if not len(kept) or np.linalg.norm(kept - place, axis=1).min() > 0.85:
            kept = np.vstack([kept, place])
    assert match_columns(kept, AUTO).matched.mean() < 0.05


@pytest.mark.parametrize("turns", [(0, 13, 27), (30.7, 57, 8.6)])
def test_grains_of_graphene(turns):
    grains = graphene_grains(turns=turns)
    one = template("graphene")
    found = match_columns(grains.places, [one])
    alike = neighbours_of_one_grain(grains, one.sites[0].reach, 9)
    assert np.mean(np.where(alike, found.matched, ~found.matched)) >= 0.99
    assert not found.matched[~alike].any()


@pytest.mark.parametrize("noise", [0, 0.01, 0.03])
def test_a_decahedron(noise):
    grains = decahedron(8)
    places = grains.places + np.random.default_rng(0).normal(0, noise, grains.places.shape)
    found = match_columns(places, as_templates(["fcc<110>", "fcc<110> twin"]))
    expected = np.where(grains.grain >= 0, 0, 1)
    expected[0] = -1  # five domains meet
    assert np.mean(found.template == expected) >= 0.99
    alone = match_columns(places, [template("fcc<110>")])
    assert np.mean(alone.matched == (grains.grain >= 0)) >= 0.99


def test_too_few_and_doubled_columns():
    for count in range(4):
        assert not match_columns(np.random.default_rng(0).random((count, 2)), AUTO).matched.any()
    places = lattice("square", 3)
    doubled = match_columns(np.vstack([places, places[:1]]), [template("square")])
    assert not doubled.matched[[0, -1]].any()


def test_surroundings_of_few_columns():
    around = Surroundings.of(np.array([[0, 0], [1, 0], [0, 2.0]]), 4)
    assert around.nearest[0].tolist() == [1, 2, 3, 3] and np.isinf(around.distances[:, 2:]).all()
    assert around.spacing(2, smooth=True).shape == (3,)
