"""The ideal observer beside a closed form."""

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.columns_hrtem.ideal_observer import told_right, told_right_of_normal


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("detectability", [0.5, 2.0, 4.0])
def test_two_images_are_told_apart_as_their_distance_says(images, detectability):
    edge, pixels, dose = 20.0, 16, 500.0
    shown = np.ones((2, images, pixels, pixels))
    shown[1, :, 4:8, 4:8] += 0.01
    of_area = dose * (edge / pixels) ** 2 * np.sum((shown[1] - shown[0]) ** 2)
    shown[1] = 1 + (shown[1] - 1) * detectability / np.sqrt(of_area)
    found = told_right(shown, 0, dose, edge, 20_000, np.random.default_rng(0))
    assert found == pytest.approx(norm.cdf(detectability / 2), abs=0.01)


def test_equal_images_are_told_apart_by_chance_alone():
    shown = np.ones((4, 1, 8, 8))
    assert told_right(shown, 0, 1e3, 10.0, 100, np.random.default_rng(0)) == 1.0, "the first of equals"
    assert told_right(shown, 2, 1e3, 10.0, 100, np.random.default_rng(0)) == 0.0


def test_motion_along_the_difference_hides_it():
    """Two means a distance apart, both of which scatter along it: a normal distribution wider by that."""
    axis = np.zeros((1, 4, 4))
    axis[0, 1, 2] = 1.0
    for distance, spread in ((1.5, 0.0), (3.0, 2.0)):
        pair = [(number * distance * axis, spread * axis[None]) for number in (0, 1)]
        found = told_right_of_normal(pair, 40_000, np.random.default_rng(0))
        assert found == pytest.approx(norm.cdf(distance / 2 / np.hypot(1, spread)), abs=0.01)
    beside = [(number * 3.0 * axis, 2.0 * np.roll(axis, 1, 2)[None]) for number in (0, 1)]
    found = told_right_of_normal(beside, 40_000, np.random.default_rng(0))
    assert found == pytest.approx(norm.cdf(1.5), abs=0.01), "motion across the difference hides nothing"
