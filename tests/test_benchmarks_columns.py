"""The ideal observer beside a closed form."""

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.columns_hrtem.ideal_observer import told_right


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
