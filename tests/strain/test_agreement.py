"""Matches that hold strangers, or stand alone."""

from __future__ import annotations

import numpy as np

from particlespy_ml.strain.agreement import fit_matches, with_witnesses
from particlespy_ml.strain.templates import template


def test_a_stranger_is_told_from_scatter_and_strain():
    site = template("hexagonal").sites[0]
    of_template = np.tile(np.vstack([[0, 0], site.neighbours]), (300, 1, 1))
    known, nearest = np.ones(of_template.shape[:2], bool), np.ones(300)
    rng = np.random.default_rng(0)
    strained = of_template @ np.array([[1.08, 0.03], [-0.05, 0.97]])
    for noise in (0, 0.01, 0.04):
        places = strained + rng.normal(0, noise, strained.shape)
        assert not fit_matches(places, of_template, known, nearest).strange.any()
        places[7, 3] += 0.5
        assert np.flatnonzero(fit_matches(places, of_template, known, nearest).strange).tolist() == [7]


def test_four_points_of_which_three_lie_on_a_line():
    places = np.array([[[0, 0], [1, 0], [-1, 0], [0, 1.0]]])
    assert not fit_matches(places, places, np.ones((1, 4), bool), np.ones(1)).strange.any()


def test_matches_rest_on_one_another():
    chain = np.array([[1, -1], [0, 2], [1, -1]])
    assert not with_witnesses(np.ones(3, bool), chain, np.ones((3, 2), bool)).any()
    triangle = np.array([[1, 2], [0, 2], [0, 1], [2, -1]])
    assert with_witnesses(np.ones(4, bool), triangle, np.ones((4, 2), bool)).all()
    agree = np.ones((4, 2), bool)
    agree[3] = False
    assert with_witnesses(np.ones(4, bool), triangle, agree).tolist() == [True, True, True, False]
