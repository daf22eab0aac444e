"""Steps that differ: transition matrices and time spent, against closed forms and other ways to compute them."""

import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.linalg import expm

from particlespy_ml.dynamics import steps

RATES = np.array([[-0.05, 0.03, 0.02], [0.04, -0.05, 0.01], [0.02, 0.03, -0.05]])
CHAIN = np.array([[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0], [0.0, 0.0, 0.0]])  # has but two eigenvectors


@pytest.mark.parametrize("count", [1, 3, 40])
def test_transition_matrices_are_exponentials(count):
    times = np.geomspace(1e-4, 1e4, count)
    rates = np.stack([RATES, CHAIN, 100 * RATES])
    found = steps.transition_matrices(rates, times)
    assert found.shape == (3, count, 3, 3)
    expected = [[expm(rate * time) for time in times] for rate in rates]
    np.testing.assert_allclose(found, expected, atol=1e-10)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-9)
    assert (found >= 0).all()
    np.testing.assert_array_equal(steps.transition_matrices(RATES, times), found[0])


def test_steps_that_differ_by_rounding_are_one():
    times, number = steps.group_steps(np.diff(1e4 + 0.1 * np.arange(1000)), 999)
    assert number is None
    np.testing.assert_allclose(times, [0.1])
    bursts = np.diff(np.concatenate([100.0 * burst + 0.1 * np.arange(5) for burst in range(20)]))
    times, number = steps.group_steps(bursts, len(bursts))
    np.testing.assert_allclose(times[number], bursts, rtol=2e-6)
    assert len(times) <= 4  # of 0.1 and 99.6, and what rounding makes of them
    times, number = steps.group_steps(2.0, 7)
    assert times.tolist() == [2.0] and number is None


@pytest.mark.parametrize(
    ("frame_time", "message"),
    [
        ([1.0, 0.0, 2.0], "from frame 1 to 2"),
        ([1.0, 2.0, np.nan], "from frame 2 to 3"),
        ([-1.0, 1.0, 1.0], "from frame 0 to 1"),
        ([1.0, 1.0], "each of 3"),
        (0.0, "above zero"),
        (np.inf, "above zero"),
    ],
)
def test_steps_that_are_none(frame_time, message):
    with pytest.raises(ValueError, match=message):
        steps.group_steps(frame_time, 3)


def test_sojourn_of_two_states_has_a_closed_form():
    rate, time = 0.1, 30.0
    rates = np.array([[-rate, rate], [rate, -rate]])
    decay = np.exp(-2 * rate * time)
    inside = (1 - decay) / (2 * rate)
    stays = (time * (1 + decay) + 2 * inside) / (2 * (1 + decay))
    found = steps.expected_sojourn(rates, [time], [[[1.0, 0.0], [0.0, 0.0]]])
    np.testing.assert_allclose(found, [stays, time - stays])
    found = steps.expected_sojourn(rates, [time], [[[0.0, 1.0], [0.0, 0.0]]])
    np.testing.assert_allclose(found, [time / 2, time / 2])


@pytest.mark.parametrize("rates", [RATES, CHAIN])
def test_sojourn_is_the_integral_over_a_step(rates):
    times, rng = np.array([0.3, 7.0, 60.0]), np.random.default_rng(0)
    counts = rng.uniform(0, 5, (3, 3, 3)) * (expm(rates) > 1e-12)
    expected = np.zeros(3)
    for time, count in zip(times, counts, strict=True):
        whole = expm(rates * time)

        def inside(s, time=time, count=count, whole=whole):
            first, second = expm(rates * s), expm(rates * (time - s))
            with np.errstate(invalid="ignore"):
                weight = np.nan_to_num(count / whole) * (whole > 0)
            return np.einsum("ab,ai,ib->i", weight, first, second)

        expected += quad_vec(inside, 0, time, epsrel=1e-8)[0]
    found = steps.expected_sojourn(rates, times, counts)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.sum() == pytest.approx((counts.sum((1, 2)) * times).sum())
