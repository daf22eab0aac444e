"""The likelihood-ratio test: its rate of false positives is what it says."""

import numpy as np
import pytest
from scipy.ndimage import maximum_filter
from scipy.stats import norm, poisson

from particlespy_ml.columns.search.detection import (
    expected_false_columns,
    matched_significance,
    poisson_significance,
    significance_threshold,
)

WIDTH = 2.0
TEMPLATE = np.exp(-0.5 * (np.arange(-8, 9) / WIDTH) ** 2) / (np.sqrt(2 * np.pi) * WIDTH)


def test_thresholds_invert_the_expected_number():
    for rate in (0.5, 0.05, 1e-3):
        assert expected_false_columns(significance_threshold(rate, 4000.0), 4000.0) == pytest.approx(rate)
    assert significance_threshold(0.05, 4000.0) < significance_threshold(0.01, 4000.0)
    assert significance_threshold(0.5, 1e-3) == 1.0


@pytest.mark.parametrize("mean", [0.2, 2.0, 50.0])
def test_false_positives_of_empty_images(mean):
    rng = np.random.default_rng(0)
    shape, images, rate = (120, 120), 150, 0.3
    threshold = significance_threshold(rate, shape[0] * shape[1] / WIDTH**2)
    count = 0
    for _ in range(images):
        image = rng.poisson(mean, shape)
        variance = np.full(shape, mean)
        _, found = matched_significance(image - mean, variance, variance, TEMPLATE)
        count += np.sum((found == maximum_filter(found, 5)) & (found > threshold))
    # the number of false columns is Poisson: three standard deviations, and one part in four for the approximation
    expected = rate * images
    assert 0.5 * expected < count < 1.3 * expected + 3 * np.sqrt(expected)


def test_the_template_measures_volumes():
    image = np.zeros((60, 60))
    image[22:39, 22:39] = 7.0 * np.outer(TEMPLATE, TEMPLATE)
    volume, found = matched_significance(image, np.ones_like(image), np.zeros_like(image), TEMPLATE)
    assert volume[30, 30] == pytest.approx(7.0, rel=1e-6)
    # without skewness it is the volume over its standard error
    assert found[30, 30] == pytest.approx(7.0 * np.sqrt(np.sum(np.outer(TEMPLATE, TEMPLATE) ** 2)), rel=1e-3)


@pytest.mark.parametrize("mean", [3.0, 30.0])
def test_skewed_statistics_become_normal(mean):
    for deviate in (2.0, 3.5):
        count = mean + deviate * np.sqrt(mean)
        found = poisson_significance(deviate, 1 / np.sqrt(mean))
        # the tail beyond a whole count, between those with and without it
        low, high = poisson.sf(np.ceil(count), mean), poisson.sf(np.floor(count) - 1, mean)
        assert low * 0.8 < norm.sf(found) < high * 1.2
    assert poisson_significance(3.0, 0.0) == pytest.approx(3.0, rel=1e-3)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2])
def test_errors(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        significance_threshold(rate, 100.0)
