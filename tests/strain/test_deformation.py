"""Affine maps and polar decompositions against closed forms and differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from particlespy_ml.strain.deformation import affine_maps, fold_angles, polar_decomposition

numbers = st.floats(-0.3, 0.3)


@settings(max_examples=40)
@given(st.tuples(numbers, numbers, numbers, numbers), st.floats(-3, 3))
def test_stretch_times_turn_is_the_matrix(entries, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = (np.eye(2) + np.reshape(entries, (2, 2))) @ turn
    found = polar_decomposition(matrix[None])
    xx, yy, xy = found.stretch[0]
    c, s = np.cos(found.angle[0]), np.sin(found.angle[0])
    np.testing.assert_allclose(np.array([[xx, xy], [xy, yy]]) @ [[c, -s], [s, c]], matrix, atol=1e-12)
    assert xx + yy > 0


def test_gradients_are_differences():
    rng = np.random.default_rng(0)
    matrices = np.eye(2) + rng.normal(0, 0.2, (5, 2, 2))
    found = polar_decomposition(matrices)

    def values(m):
        one = polar_decomposition(m)
        return np.column_stack([one.stretch, one.angle, one.stretch[:, :2].mean(1)])

    for a in range(2):
        for b in range(2):
            step = np.zeros((2, 2))
            step[a, b] = 1e-6
            slope = (values(matrices + step) - values(matrices - step)) / 2e-6
            np.testing.assert_allclose(found.gradients[:, :, a, b], slope, atol=1e-8)


def test_maps_are_those_of_least_squares():
    rng = np.random.default_rng(1)
    template, points = rng.normal(size=(2, 4, 6, 2))
    known = np.ones((4, 6), bool)
    known[:, 4:] = [[False, False], [True, False], [True, True], [False, True]]
    maps = affine_maps(points, template, known)
    for k in range(4):
        design = np.column_stack([template[k][known[k]], np.ones(known[k].sum())])
        solution, squares, *_ = np.linalg.lstsq(design, points[k][known[k]], rcond=None)
        np.testing.assert_allclose(maps.matrices[k], solution[:2].T)
        np.testing.assert_allclose(maps.squares[k], squares.sum())
        hat = design @ np.linalg.pinv(design)
        np.testing.assert_allclose(maps.leverages[k][known[k]], np.diag(hat))
    assert maps.freedom.tolist() == [2, 4, 6, 4]


def test_points_on_a_line_have_no_map():
    line = np.arange(4)[None, :, None] * np.ones((1, 1, 2))
    assert np.isnan(affine_maps(line, line, np.ones((1, 4), bool)).matrices).all()


@pytest.mark.parametrize(("angle", "fold", "folded"), [(44, 4, 44), (46, 4, -44), (-45, 4, 45), (200, 1, -160)])
def test_folded_angles(angle, fold, folded):
    assert fold_angles(np.array([angle]), np.array([fold]))[0] == pytest.approx(folded)
