"""Errors from blocks of neighbours, against the inverse of the whole matrix."""

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from particlespy_ml.columns.fit.errors import inverse_diagonal, standard_errors


def overlap_matrix(places, width):
    """Normal matrix of the volumes of Gaussians: their overlap integrals."""
    distance = np.linalg.norm(places[:, None] - places, axis=-1)
    return np.where(distance < 6 * width, np.exp(-(distance**2) / (4 * width**2)), 0)


@pytest.mark.parametrize("spacing", [2.6, 3.5, 5.0])
def test_the_diagonal_is_that_of_the_whole_inverse(spacing):
    places = spacing * np.stack(np.mgrid[:14, :12], -1).reshape(-1, 2)
    places = places + np.random.default_rng(0).normal(scale=0.1, size=places.shape)
    matrix = overlap_matrix(places, 1.0)
    exact = np.sqrt(np.diag(np.linalg.inv(matrix)))
    np.testing.assert_allclose(np.sqrt(inverse_diagonal(csc_matrix(matrix), places, 5.0)), exact, rtol=0.02)


def test_a_border_that_all_share_adds_to_the_errors():
    rng = np.random.default_rng(1)
    places = 4.0 * np.stack(np.mgrid[:6, :5], -1).reshape(-1, 2)
    local, border, corner = overlap_matrix(places, 1.0), rng.normal(size=(30, 2)) * 0.1, 5 * np.eye(2)
    whole = np.linalg.inv(np.block([[local, border], [border.T, corner]]))
    errors, first = standard_errors(csc_matrix(local), border, corner, places, 1.0, 1)
    np.testing.assert_allclose(errors[:, 0], np.sqrt(np.diag(whole)[:30]), rtol=0.01)
    assert first == pytest.approx(np.sqrt(whole[30, 30]), rel=0.01)


def test_no_border():
    places = 4.0 * np.stack(np.mgrid[:3, :3], -1).reshape(-1, 2)
    errors, first = standard_errors(csc_matrix(np.eye(9) * 4), np.zeros((9, 0)), np.zeros((0, 0)), places, 1.0, 1)
    assert np.all(errors == 0.5) and first == 0
