"""Particles whose surface sites may be empty."""

import numpy as np
import pytest

from particlespy_ml.simulation.atoms.changing_surface import APART, NEIGHBOURS, changing_surface, displaced_columns


@pytest.fixture(scope="module")
def particle():
    return changing_surface(0)


def test_groups_are_apart_and_pairs_are_neighbours(particle):
    _, own, groups, kinds = particle
    places = np.array([one[0, :2] for one in own])
    group = np.repeat(np.arange(len(groups)), [len(one) for one in groups])
    assert sorted(site for one in groups for site in one) == list(range(len(own)))
    away = np.linalg.norm(places[:, None] - places, axis=-1)
    assert away[group[:, None] != group].min() > APART
    for one, kind in zip(groups, kinds, strict=True):
        assert (len(one) == 2) == (kind != "alone")
        if len(one) == 2:
            assert 2.0 < away[one[0], one[1]] < NEIGHBOURS


def test_sites_lie_on_the_lattice_and_hold_atoms_that_are_not_there_yet(particle):
    atoms, own, _, _ = particle
    both = np.concatenate(own)
    away = np.linalg.norm(both[:, None] - atoms, axis=-1).min(1)
    assert 2.5 < away.min() and away.max() < 3.3  # nearest neighbours of gold, a little displaced
    assert all(np.ptp(one[:, :2], axis=0).max() < 1e-6 for one in own)
    assert {len(one) for one in own} <= {1, 2, 3, 4, 5}
    places, heights = displaced_columns(atoms)
    assert heights.sum() == len(atoms) and len(places) > 40


def test_the_same_seed_gives_the_same():
    one, other = changing_surface(5), changing_surface(5)
    np.testing.assert_array_equal(one[0], other[0])
