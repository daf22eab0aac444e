"""Affine maps, and derivatives of polar decompositions, against closed forms and differences."""

from __future__ import annotations

import numpy as np
import pytest

from particlespy_ml.strain.deformation import Polar, affine_maps, fold_angles, unwrap_angles


def test_gradients_are_differences():
    rng = np.random.default_rng(0)
    matrices = np.eye(2) + rng.normal(0, 0.2, (5, 2, 2))
    found = Polar.of(matrices)

    def values(m):
        one = Polar.of(m)
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


def test_unwrapped_angles_lie_together_and_differ_by_whole_periods():
    rng = np.random.default_rng(0)
    for middle, fold in ((44.9, 4), (-10, 6), (89, 2), (0, 1)):
        turned = middle + rng.normal(0, 2, 40)
        folded = fold_angles(turned, np.full(40, fold))
        found = unwrap_angles(folded, np.full(40, fold))
        steps = (found - turned) * fold / 360
        np.testing.assert_allclose(steps, np.rint(steps[0]), atol=1e-9)
        assert np.abs(np.median(found)) <= 180 / fold + 1e-9
    both = unwrap_angles(np.array([89, -89, np.nan, 20.0]), np.array([2, 2, 2, 6]))
    assert both[1] - both[0] == pytest.approx(2) and np.isnan(both[2]) and both[3] == 20
    domains = np.array([-72, -36, 0, 36, 72]).repeat(9) + rng.normal(0, 1, 45)
    found = unwrap_angles(domains, np.full(45, 2))
    assert all(np.ptp(found[k : k + 9]) < 8 for k in range(0, 45, 9))
    assert unwrap_angles(np.empty(0), np.empty(0)).shape == (0,)
