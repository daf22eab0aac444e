"""Backgrounds: polynomials, and splines for columns that stand on something brighter than they are."""

import numpy as np
import pytest

from particlespy_ml.columns.fit.background import Background
from particlespy_ml.columns.fit.refine import gaussian_columns, refine_columns
from particlespy_ml.columns.search.in_image import find_columns_in

ROWS, COLUMNS = np.indices((120, 130))


def on_a_dome(noise=True):
    """Columns on a bright curved support; places in pixels."""
    i, j = (k.ravel() for k in np.mgrid[-3:4, -3:4])
    inside = np.abs(i + j) <= 3
    places = np.column_stack([60 + 12 * (i + j / 2)[inside], 65 + 12 * 0.866 * j[inside]])
    dome = 1000 + 5 * COLUMNS + 3000 * np.exp(-0.5 * ((ROWS - 55) ** 2 + (COLUMNS - 70) ** 2) / 45**2)
    image = gaussian_columns(ROWS.shape, places, 12000.0, 2.5) + dome
    return (np.random.default_rng(0).poisson(image) if noise else image), places


@pytest.mark.parametrize("degree", [-1, 0, 1, 2, 3])
def test_terms_of_a_polynomial(degree):
    assert len(Background(degree).terms((10, 10))) == (degree + 1) * (degree + 2) // 2


def test_splines_sum_to_one_and_follow_a_cubic():
    spline = Background.local(10.0)
    along = spline.functions(np.arange(100), 0, (100, 80), None, None)
    np.testing.assert_allclose(along.sum(0), 1)
    cubic = 1 + np.linspace(-1, 1, 100) ** 3
    fitted = along.T @ np.linalg.lstsq(along.T, cubic, rcond=None)[0]
    np.testing.assert_allclose(fitted, cubic, atol=1e-9)
    assert len(spline.terms((100, 80))) == len(along) * len(spline.functions([0], 1, (100, 80), None, None))
    assert spline.scaled(2).knots == spline.knots / 2 and Background(2).scaled(2) == Background(2)


def test_columns_on_a_dome_are_refined_to_what_made_them():
    image, places = on_a_dome(noise=False)
    fit = refine_columns(image, np.round(places), 2.3, background=Background.local(10.4))
    np.testing.assert_allclose(fit.positions, places, atol=0.05)
    np.testing.assert_allclose(fit.volumes, 12000, rtol=0.04)
    assert (
        np.abs(
            fit.background
            - (image - gaussian_columns(image.shape, places, 12000.0, 2.5))[tuple(np.rint(fit.positions).astype(int).T)]
        ).max()
        < 60
    )


def test_columns_on_a_bright_support_are_found():
    image, places = on_a_dome()
    found = find_columns_in(image, 0.02)
    distance = np.linalg.norm(found.fit.positions[:, None] - places, axis=-1)
    assert len(found) == len(places) and distance.min(1).max() < 1.5
    assert np.median(found.fit.volumes) == pytest.approx(12000, rel=0.06)
    assert found.background.knots is not None
    assert find_columns_in(image, 0.02, background=1).reason


def test_a_plane_stays_where_it_is_enough():
    i, j = (k.ravel() for k in np.mgrid[:6, :6])
    image = gaussian_columns(ROWS.shape, np.column_stack([30 + 12 * i, 35 + 12 * j]), 900.0, 2.5, 10.0)
    found = find_columns_in(np.random.default_rng(0).poisson(image), 0.02)
    assert found.background == Background(1) and len(found) == 36
