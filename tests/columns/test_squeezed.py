"""Gaps of lattices, beside lattices and rims that have none."""

import numpy as np
import pytest

from particlespy_ml.columns.squeezed import squeezed


def fcc110(count=8):
    """Columns of fcc along <110>, in distances between neighbours."""
    i, j = (one.ravel() for one in np.mgrid[:count, :count])
    return np.column_stack([np.sqrt(2) * (i + j % 2 / 2), j * 0.866])[:, ::-1]


def graphene(count=6):
    one = np.array([(np.sqrt(3) * (i + j / 2), 1.5 * j) for i in range(count) for j in range(count)])
    return np.concatenate([one, one + [0, 1]])


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_what_is_between_columns_is_in_a_gap(turn):
    rng = np.random.default_rng(0)
    places = fcc110()
    inside = places[(np.abs(places - places.mean(0)) < 2.5).all(1)]
    gaps = inside[::2] + [0.55, 0.0]
    both = np.concatenate([places, gaps]) @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    sure = np.r_[rng.uniform(0.7, 1, len(places)), rng.uniform(0.4, 0.6, len(gaps))]
    assert np.array_equal(squeezed(both * 12, sure), np.arange(len(both)) >= len(places))
    order = rng.permutation(len(both))
    assert np.array_equal(squeezed(both[order], sure[order]), order >= len(places))
    assert not squeezed(both, np.full(len(both), 0.8)).any(), "places that are as sure as their neighbours stay"


@pytest.mark.parametrize("places", [fcc110(), graphene()])
def test_lattices_have_none(places):
    rng = np.random.default_rng(1)
    assert not squeezed(places + rng.normal(scale=0.04, size=places.shape), rng.uniform(0.3, 1, len(places))).any()


def test_an_adatom_beside_the_rim_stays():
    places = fcc110()
    low = places[places[:, 0].argmin()]
    both = np.concatenate([places, [low + [-0.6, 0.05]]])
    assert not squeezed(both, np.r_[np.full(len(places), 0.95), 0.4]).any()


def test_few_places_have_no_gaps():
    for count in range(4):
        assert not squeezed(np.arange(2.0 * count).reshape(count, 2), np.linspace(0.2, 1, count)).any()
