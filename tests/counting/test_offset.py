"""The number of atoms of the thinnest component: a calibrated posterior, and what it makes of simulated curves."""

import numpy as np
import pytest

from benchmarks.counting.totals import CURVES
from particlespy_ml.counting import offset
from particlespy_ml.counting.offset import first_count_posterior


@pytest.mark.parametrize("ratio", [0.0, 0.4, 1.0, 1.5, 2.7, 6.0, 15.0])
def test_it_is_a_distribution(ratio):
    found = first_count_posterior(ratio)
    assert found.sum() == pytest.approx(1) and (found >= 0).all()
    assert found[-1] < 0.01  # nothing is cut off


def test_it_is_calibrated_under_its_own_law():
    """Numbers of atoms drawn from the prior, ratios by the law: with a probability of p a fraction p is right."""
    rng = np.random.default_rng(0)
    ratio = 1.4
    numbers = np.arange(1, 8)
    spread = np.hypot(offset.SPREAD, offset.RELATIVE_SPREAD * ratio)
    expected = offset.EXPECTED - offset.BEND * (ratio - 1) ** 2
    truth = rng.choice(numbers, 400_000, p=(1 / numbers) / np.sum(1 / numbers))
    seen = truth - expected + spread * rng.normal(size=len(truth))
    near = np.abs(seen - ratio) < 0.01
    found = first_count_posterior(ratio)[1:4]
    np.testing.assert_allclose([np.mean(truth[near] == n) for n in (1, 2, 3)], found / found.sum(), atol=0.03)


@pytest.mark.parametrize("name", CURVES)
def test_the_truth_is_never_ruled_out(name):
    """Thinnest columns of 1 to 3 atoms on curves of other elements, axes and detectors."""
    curve = np.array(CURVES[name])
    for n in range(1, 4):
        ratio = curve[n - 1] / np.diff(curve)[n - 1 : n + 1].mean()
        assert first_count_posterior(ratio)[n] > 0.05


def test_single_atoms_are_sure_where_the_curve_is_straight():
    assert first_count_posterior(1.0)[1] > offset.UNDECIDED


def test_two_atoms_that_hold_less_than_one_and_a_half_increments_are_not_one_for_sure():
    """The mean over the increment rounds to 1; single atoms are missing among the thinnest."""
    found = first_count_posterior(1.4)
    assert found[2] > 0.2 and found[1] < offset.UNDECIDED


def test_what_is_much_smaller_than_an_increment_may_be_no_column():
    assert first_count_posterior(0.1)[0] > 0.5 and first_count_posterior(1.0)[0] < 0.01


def test_an_error_of_the_ratio_adds_doubt():
    assert first_count_posterior(1.0, 1.0).max() < first_count_posterior(1.0).max()
    with pytest.raises(ValueError, match="finite"):
        first_count_posterior(np.nan)
