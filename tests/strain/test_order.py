"""Orders of neighbours: what the search finds, the order finds at once."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from particlespy_ml.strain.order import order_neighbours, search_neighbours
from particlespy_ml.strain.templates import STANDARD, template


def disturbed(site, count=200, noise=0.03, seed=0):
    """Neighbours of columns that are turned and scaled at random, from the nearest on."""
    rng = np.random.default_rng(seed)
    shape = (count, len(site.places))
    vectors = site.places + noise * site.radii[0] * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    vectors *= rng.uniform(0.5, 2, (count, 1)) * np.exp(2j * np.pi * rng.random((count, 1)))
    return np.take_along_axis(vectors, np.abs(vectors).argsort(1), 1)


def least_rmsd(vectors, site):
    """RMSD over all ways to number the neighbours, and the best scale, turn and shift of each."""
    best = np.inf
    places = np.append(0, site.places)
    for way in permutations(vectors):
        design = np.column_stack([places, np.ones(len(places))])
        points = np.append(0, way)
        solution = np.linalg.lstsq(design, points, rcond=None)[0]
        left = np.abs(points - design @ solution) / np.abs(solution[0])
        best = min(best, np.sqrt(np.mean(left**2)))
    return best / site.radii[0]


@pytest.mark.parametrize("name", STANDARD)
def test_order_and_search_agree(name):
    site = template(name).sites[0]
    vectors = disturbed(site)
    found, by_order = order_neighbours(vectors, site)
    places, by_search = search_neighbours(vectors, site, 0.1)
    np.testing.assert_allclose(by_order, by_search, atol=1e-9)
    # the same places up to a turn of the template
    turned = np.take_along_axis(site.places[places], found, 1) / site.places
    assert np.abs(turned - turned[:, :1]).max() < 1e-6


def test_rings_behind_one_another():
    site = template("hexagonal", neighbours=18).sites[0]
    assert order_neighbours(disturbed(site, noise=0.02), site)[1].max() < 0.06


def test_the_search_finds_the_least():
    site = template("square", neighbours=4).sites[0]
    vectors = disturbed(site, 20, 0.15)
    found = search_neighbours(vectors, site, 0.25)[1]
    truth = np.array([least_rmsd(one, site) for one in vectors])
    np.testing.assert_allclose(found[truth < 0.25], truth[truth < 0.25])
    assert np.isinf(found[truth > 0.25]).all()


@pytest.mark.parametrize("name", ["square", "hexagonal", "graphene"])
def test_some_neighbours_are_missing(name):
    site = template(name).sites[0]
    keep = np.flatnonzero(site.places.real > -0.1 * site.radii[0])
    vectors = 1.3j * site.places[keep][None]
    vectors = np.take_along_axis(vectors, np.abs(vectors).argsort(1, kind="stable"), 1)
    order, rmsd = search_neighbours(vectors, site, 0.05)
    assert rmsd[0] < 1e-7
    turned = site.places[order[0]] / vectors[0]
    np.testing.assert_allclose(turned, turned[0])


def test_nothing_within_the_bound():
    site = template("square").sites[0]
    order, rmsd = search_neighbours(np.array([[1, 1.1j, -3, 1 + 3j]]), site, 0.05)
    assert (order == -1).all() and np.isinf(rmsd).all()
    assert search_neighbours(np.empty((0, 4), complex), site, 0.05)[0].shape == (0, 4)
    assert order_neighbours(np.empty((0, 8), complex), site)[0].shape == (0, 8)
