"""Polar decompositions against their definition, and against singular values."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from particlespy_ml.strain import left_polar

numbers = st.floats(-0.3, 0.3)


@settings(max_examples=40)
@given(st.tuples(numbers, numbers, numbers, numbers), st.floats(-3, 3))
def test_stretch_times_turn_is_the_matrix(entries, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = (np.eye(2) + np.reshape(entries, (2, 2))) @ turn
    strain, rotation = left_polar(matrix)
    c, s = np.cos(rotation), np.sin(rotation)
    np.testing.assert_allclose((np.eye(2) + strain) @ [[c, -s], [s, c]], matrix, atol=1e-12)
    assert np.trace(strain) > -2
    left, values, _ = np.linalg.svd(matrix)
    np.testing.assert_allclose(strain + np.eye(2), left * values @ left.T, atol=1e-12)


def test_what_has_no_deformation_has_no_strain():
    strain, rotation = left_polar(np.full((2, 2, 2), np.nan))
    assert np.isnan(strain).all() and np.isnan(rotation).all()
