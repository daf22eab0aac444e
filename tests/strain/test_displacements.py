"""Displacements from the sites of a lattice."""

from __future__ import annotations

import numpy as np

from particlespy_ml.strain import displacements

SITES = np.array([(a, b) for b in range(5) for a in range(6)])
VECTORS = np.array([[0.28, 0.02], [-0.05, 0.31]])


def test_a_known_displacement_is_found_far_from_the_origin():
    moved = np.zeros((30, 2))
    moved[7] = [0.01, -0.02]
    places = SITES @ VECTORS + moved + [4e3, -2e3]
    reference = np.arange(30) != 7
    np.testing.assert_allclose(displacements(places, SITES, reference), moved, atol=1e-9)
    found = displacements(places, SITES)
    assert np.abs(found.mean(0)).max() < 1e-9 and np.argmax(np.linalg.norm(found, axis=1)) == 7
    np.testing.assert_allclose(displacements(places, SITES + [90, -40]), found, atol=1e-9)


def test_columns_without_a_place_are_left_out():
    places = SITES @ VECTORS
    places[3] = np.nan
    found = displacements(places, SITES)
    assert np.isnan(found[3]).all() and np.abs(np.delete(found, 3, 0)).max() < 1e-12


def test_what_makes_no_lattice():
    places = SITES @ VECTORS
    for few in (SITES[:, 1] == 0, np.arange(30) < 2, np.zeros(30, bool)):
        assert np.isnan(displacements(places, SITES, few)).all()
    assert displacements(places[:0], SITES[:0]).shape == (0, 2)
