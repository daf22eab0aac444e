"""Shifts between images from the places of columns."""

import numpy as np
import pytest

from particlespy_ml.columns.register import column_shift


def particle(radius=12.0, spacing=2.5):
    """Columns of a square lattice in a circle."""
    axis = np.arange(-10, 11) * spacing
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    return points[np.hypot(*points.T) <= radius]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.7, -0.4), (4.1, -6.3)])
def test_the_true_shift_is_found_and_not_one_by_a_lattice_vector(shift):
    rng = np.random.default_rng(0)
    places = particle()
    others = places - shift + rng.normal(scale=0.05, size=places.shape)
    np.testing.assert_allclose(column_shift(places, others, 15.0), shift, atol=0.03)


def test_missed_and_false_columns_do_not_matter():
    rng = np.random.default_rng(1)
    places = particle()
    others = places[rng.random(len(places)) < 0.7] - (2.0, 3.0)
    others = np.concatenate([others, rng.uniform(-12, 12, (15, 2))])
    np.testing.assert_allclose(column_shift(places, others, 10.0), (2.0, 3.0), atol=0.05)


def test_too_few_columns_tell_no_shift():
    places = particle()
    assert column_shift(places[:3], places, 5.0) is None
    assert column_shift(places, np.empty((0, 2)), 5.0) is None
    assert column_shift(places, places + 500.0, 5.0) is None
