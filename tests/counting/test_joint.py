"""Explanations of a frame put together: closed forms."""

import numpy as np
import pytest
from scipy.stats import norm

from particlespy_ml.counting.counts import SHARED_DRAWS, total_count
from particlespy_ml.counting.joint import FOREIGN, Explanation, explanation_weights, join_explanations, no_column


def explain(weight, counts, posterior, spread=None):
    posterior = np.asarray(posterior, float)
    spread = np.zeros((len(posterior), 0)) if spread is None else spread
    return Explanation(np.log(weight), np.asarray(counts), posterior, spread)


def test_weights():
    np.testing.assert_allclose(explanation_weights(np.log([3.0, 1.0, 1e-9])), [0.75, 0.25, 0])


def test_an_offset_moves_all_columns_together():
    """Half a chance of one atom more in each of 100 columns: the total is 100 or 200, nothing between."""
    sure = np.ones((100, 1))
    joint = join_explanations([explain(0.5, [1], sure), explain(0.5, [2], sure)])
    assert np.unique(joint.draws.sum(0)).tolist() == [100, 200]
    np.testing.assert_allclose(joint.error, 0.5)
    np.testing.assert_allclose(joint.posterior, np.tile([0, 0.5, 0.5], (100, 1)))
    assert total_count(np.full(100, 1.5), joint.error, 0.95, joint.draws) == pytest.approx((150, 100, 200))


@pytest.mark.parametrize(("weight", "high"), [(0.98, 100), (0.9, 200)])
def test_what_is_improbable_widens_no_interval(weight, high):
    sure = np.ones((100, 1))
    joint = join_explanations([explain(weight, [1], sure), explain(1 - weight, [2], sure)])
    assert total_count(np.full(100, 1.0), joint.error, 0.95, joint.draws)[1:] == pytest.approx((100, high))


def test_independent_columns_have_a_normal_total():
    posterior = np.tile([0.2, 0.8], (50, 1))
    joint = join_explanations([explain(1, [3, 4], posterior)])
    expected = posterior @ [3, 4]
    low, high = total_count(expected, joint.error, 0.95, joint.draws)[1:]
    half = norm.ppf(0.975) * np.sqrt(50 * 0.16)
    assert (low, high) == (pytest.approx(190 - half, abs=0.1), pytest.approx(190 + half, abs=0.1))


def test_shared_deviates_add_up():
    """A parameter that moves each of 40 columns by 0.1 moves the total by 4, not by 0.1 times the root of 40."""
    joint = join_explanations([explain(1, [5], np.ones((40, 1)), np.full((40, 1), 0.1))])
    assert joint.draws.shape == (40, SHARED_DRAWS)
    assert joint.draws.sum(0).std() == pytest.approx(4, rel=0.25)
    np.testing.assert_allclose(joint.error, 0.1, rtol=0.25)


def test_a_total_of_some_of_the_columns():
    sure = np.ones((10, 1))
    joint = join_explanations([explain(0.5, [1], sure), explain(0.5, [2], sure)])
    assert total_count([1.5] * 4, joint.error[:4], 0.95, joint.draws[:4]) == (6, 4, 8)


def test_strange_columns_may_be_none():
    joint = join_explanations([explain(1, [8], np.ones((3, 1)))], np.array([False, True, False]))
    assert joint.posterior[1, 0] == pytest.approx(FOREIGN) and joint.posterior[0, 0] == 0
    assert np.mean(joint.draws[1] == 0) == pytest.approx(FOREIGN, abs=1 / SHARED_DRAWS)
    assert total_count([8, 7.2, 8], joint.error, 0.95, joint.draws)[1:] == pytest.approx((16, 24))


def test_no_column():
    rng = np.random.default_rng(0)
    real, false = 1 + 0.1 * rng.normal(size=200), rng.uniform(0.05, 0.5, 10)
    values = np.concatenate([real, false])
    chance = no_column(values, norm.pdf(values, 1, 0.1), 1.0)
    assert (chance[200:] > 0.9).all() and (chance[:200] < 0.5).all()
    assert no_column(real, norm.pdf(real, 1, 0.1), 1.0).max() < 0.5
    # the same cross-section is doubted more off the lattice
    middle = np.array([0.75, 0.75, *real])
    chance = no_column(middle, norm.pdf(middle, 1, 0.1), 1.0, np.arange(len(middle)) == 0)
    assert chance[0] > chance[1]
    assert no_column([], [], 1.0).shape == (0,)


def test_nothing_is_known_of_a_column():
    assert np.isnan(total_count([1.0, np.nan], [0.1, np.nan], 0.95, np.full((2, SHARED_DRAWS), np.nan))).all()
