"""Intervals of shares, beside scipy's."""

import numpy as np
import pytest
from scipy.stats import binomtest

from particlespy_ml.core.proportions import wilson_interval


@pytest.mark.parametrize("n", [1, 2, 7, 50, 10_000])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_whole_numbers_have_the_interval_of_scipy(n, confidence):
    counts = np.unique(np.linspace(0, n, 6).round().astype(int))
    expected = [binomtest(int(k), n).proportion_ci(confidence, "wilson") for k in counts]
    found = np.transpose(wilson_interval(counts / n, n, confidence))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_each_share_may_have_its_own_number():
    low, high = wilson_interval(np.array([0.25, 0.25]), np.array([10.5, 1000.25]))
    assert low[0] < low[1] < 0.25 < high[1] < high[0]
    np.testing.assert_allclose([low[1], high[1]], np.ravel(wilson_interval(0.25, 1000.25)))


def test_bounds_solve_the_equation_of_the_score_test():
    """At a bound, the share lies 1.96 standard deviations of the *bound* away."""
    for bound in wilson_interval(0.3, 12.5):
        assert abs(0.3 - bound) / np.sqrt(bound * (1 - bound) / 12.5) == pytest.approx(1.959964)
