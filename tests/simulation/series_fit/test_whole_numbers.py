"""Whole numbers of atoms from parts of atoms, whose errors columns share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from particlespy_ml.simulation.series_fit.whole_numbers import OFFSET, OWN, OWN_SHARE, SCALE, whole_numbers

KNOWN = np.full((12, 8), 1 / 8)


def drawn(seed, shared, own):
    rng = np.random.default_rng(seed)
    true = rng.integers(1, 8, 12)
    covariance = shared**2 * np.ones((12, 12)) + own**2 * np.eye(12)
    return true, true + shared * rng.normal() + own * rng.normal(size=12), covariance


@given(st.integers(0, 10_000), st.floats(0.0, 0.25))
@settings(max_examples=20, deadline=None)
def test_an_error_that_all_columns_share_is_found(seed, shared):
    true, heights, covariance = drawn(seed, shared, 0.03)
    posterior = whole_numbers(heights, covariance, 8, KNOWN)
    np.testing.assert_allclose(posterior.sum(1), 1, rtol=1e-9)
    assert (posterior.argmax(1) + 1 == true).mean() > 0.8


def test_probabilities_are_as_often_right_as_they_say():
    """Errors are drawn as large as they are taken for: those of scattering, of an offset and of each column too."""
    right, told, rng = [], [], np.random.default_rng(0)
    for _ in range(40):
        true = rng.integers(1, 8, 12)
        covariance = 0.15**2 * np.ones((12, 12)) + 0.2**2 * np.eye(12)
        whole = 1.5 * covariance + SCALE**2 * np.outer(true, true) + OFFSET**2
        whole += np.diag(OWN**2 + (OWN_SHARE * true) ** 2)
        posterior = whole_numbers(rng.multivariate_normal(true, whole), covariance, 8, KNOWN)
        right.append((posterior.argmax(1) + 1 == true).mean())
        told.append(posterior.max(1).mean())
    assert 0.6 < np.mean(right) < 0.95
    assert np.mean(told) == pytest.approx(np.mean(right), abs=0.06)


def test_what_was_known_before_tells_where_the_fit_does_not():
    known = np.full((1, 4), 0.05)
    known[0, 2] = 0.85
    doubtful = whole_numbers(np.array([2.5]), np.array([[0.5**2]]), 6, known)
    assert doubtful[0].argmax() == 2 and doubtful.shape == (1, 6)
    even = whole_numbers(np.array([2.5]), np.array([[0.5**2]]), 6, np.full((1, 4), 0.25))
    assert even[0, 1] == pytest.approx(even[0, 2], rel=0.2)


def test_neither_what_was_known_nor_columns_that_are_none_move_all_others():
    true = np.tile(np.arange(1, 8), 8)
    rng = np.random.default_rng(0)
    together = 0.3**2 + 0.05**2 * np.eye(len(true))
    heights = true + 0.05 * rng.normal(size=len(true))
    numbers = np.arange(1, 13)
    high = np.exp(-0.5 * (numbers - true[:, None] - 1) ** 2)
    known = high / high.sum(1, keepdims=True)
    assert (whole_numbers(heights, together, 12, known).argmax(1) + 1 == true).mean() > 0.95
    heights[:2] = 0.3
    assert (whole_numbers(heights, together, 12, known).argmax(1) + 1 == true)[2:].mean() > 0.95


def test_columns_above_the_highest_number_do_not_pull_the_others_down():
    true = np.tile(np.arange(3, 19), 3)
    together = 0.2**2 + 0.05**2 * np.eye(len(true))
    posterior = whole_numbers(true.astype(float), together, 14, np.full((len(true), 12), 1 / 12))
    assert posterior.shape[1] == 14
    np.testing.assert_allclose(posterior.sum(1), 1)
    np.testing.assert_array_equal(posterior.argmax(1) + 1, np.minimum(true, 14))
