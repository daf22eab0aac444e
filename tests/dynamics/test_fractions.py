"""Fractions, their intervals and free energies against closed forms and known truth."""

import numpy as np
import pytest

from particlespy_ml.dynamics import barriers, fractions


def two_state_movie(rng, leave=(0.02, 0.04), frames=4000):
    """A correlated movie of two states with fractions 2/3 and 1/3."""
    state, movie = 0, np.empty(frames, int)
    for frame, draw in enumerate(rng.random(frames)):
        movie[frame] = state
        state = 1 - state if draw < leave[state] else state
    return movie


def test_autocorrelation_time_of_a_two_state_chain():
    rng = np.random.default_rng(0)
    movies = np.stack([two_state_movie(rng) for _ in range(10)]).astype(float)
    correlation = 1 - 0.02 - 0.04
    assert fractions.autocorrelation_time(movies) == pytest.approx((1 + correlation) / (1 - correlation), rel=0.2)


def test_independent_frames_have_time_one():
    series = np.random.default_rng(1).random((3, 5000))
    assert fractions.autocorrelation_time(series) == pytest.approx(1, abs=0.15)


def test_constant_series_have_time_one():
    assert fractions.autocorrelation_time(np.ones((2, 30))) == 1


def test_intervals_cover_where_the_number_of_frames_would_not():
    rng = np.random.default_rng(2)
    covered = naive = 0
    for _ in range(100):
        found = fractions.class_fractions(two_state_movie(rng, frames=3000)[None], 2)
        covered += found.low[0] <= 2 / 3 <= found.high[0]
        naive += abs(found.values[0] - 2 / 3) < 1.96 * np.sqrt(2 / 9 / 3000)
    assert covered >= 87
    assert naive < 60


def test_undefined_frames_are_left_out():
    found = fractions.class_fractions(np.array([[0, 0, 1, -1, -1, 1]]), 3)
    np.testing.assert_allclose(found.values, [0.5, 0.5, 0])
    assert found.high[2] > 0


def test_particles_that_never_change_count_once_each():
    found = fractions.class_fractions(np.zeros((5, 1000), int), 2)
    assert found.effective_samples == 5
    assert found.low[0] < 0.6
    found = fractions.class_fractions(np.repeat([[0], [1], [0], [0]], 1000, 1), 2)
    assert found.effective_samples < 20


def test_no_classified_frame_is_an_error():
    with pytest.raises(ValueError, match="No frame"):
        fractions.class_fractions(np.full((1, 4), -1), 2)


def test_correction_undoes_a_known_confusion():
    truth = np.array([0.6, 0.3, 0.1])
    confusion = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
    observed = fractions.Fractions(truth @ confusion, np.eye(3) * 1e-4, 1000, 0.95)
    corrected = fractions.correct_fractions(observed, confusion)
    np.testing.assert_allclose(corrected.values, truth, atol=1e-6)
    assert (np.diag(corrected.covariance) > np.diag(observed.covariance)).all()


def test_free_energy_of_a_boltzmann_distribution():
    energy = np.array([0.0, 0.04, 0.1])
    temperature = 600.0
    weights = np.exp(-energy / (fractions.BOLTZMANN_EV * temperature))
    found = fractions.Fractions(weights / weights.sum(), np.eye(3) * 1e-6, 1e4, 0.95)
    difference, low, high = fractions.free_energy_differences(found, temperature)
    np.testing.assert_allclose(difference, energy[None, :] - energy[:, None], atol=1e-12)
    off = ~np.eye(3, dtype=bool)
    assert (low < difference)[off].all()
    assert (difference < high)[off].all()


def test_arrhenius_line_is_recovered():
    temperatures = np.array([500.0, 550, 600, 650, 700])
    rng = np.random.default_rng(3)
    errors = np.full(5, 0.1)
    exact = np.log(1e9) - 1.2 / (fractions.BOLTZMANN_EV * temperatures)
    fit = barriers.fit_arrhenius(exact, errors, temperatures)
    assert fit.energy == pytest.approx(1.2)
    assert fit.log_prefactor == pytest.approx(np.log(1e9))
    value, low, high = fit.line(temperatures)
    np.testing.assert_allclose(value, exact)
    assert (low < value).all() and (value < high).all()
    assert (high - low)[2] < (high - low)[0]
    far = fit.line(np.array([1e9]))  # the prefactor
    np.testing.assert_allclose(np.ravel(far), [fit.log_prefactor, *fit.log_prefactor_interval], rtol=1e-5)
    covered = 0
    for _ in range(200):
        noisy = barriers.fit_arrhenius(exact + rng.normal(scale=errors), errors, temperatures)
        covered += noisy.energy_interval[0] <= 1.2 <= noisy.energy_interval[1]
    assert covered >= 180


@pytest.mark.parametrize("temperatures", [[500.0, 500.0], [500.0, -1.0]])
def test_bad_temperatures(temperatures):
    with pytest.raises(ValueError, match="temperature"):
        barriers.fit_arrhenius([1.0, 2.0], [0.1, 0.1], temperatures)


def test_correction_knows_that_classes_are_refused_unequally():
    truth = np.array([0.6, 0.3, 0.1])
    confusion = np.array([[0.9, 0.02, 0.03], [0.05, 0.5, 0.0], [0.0, 0.1, 0.7]])
    seen = truth @ confusion
    observed = fractions.Fractions(seen / seen.sum(), np.eye(3) * 1e-5, 1000, 0.95)
    np.testing.assert_allclose(fractions.correct_fractions(observed, confusion).values, truth, atol=1e-6)
    with pytest.raises(ValueError, match="probabilities"):
        fractions.correct_fractions(observed, 50 * confusion)


def test_corrected_bounds_of_a_class_that_is_absent_are_narrow():
    confusion = np.array([[0.97, 0.03], [0.02, 0.98]])
    states = (np.random.default_rng(0).random((1, 4000)) < 0.03).astype(int)  # only false ones
    corrected = fractions.correct_fractions(fractions.class_fractions(states, 2), confusion)
    assert corrected.low[1] == 0 and 0.001 < corrected.high[1] < 0.02


def sampled(jump, times, seed, rates=((-0.05, 0.05), (0.1, -0.1))):
    """States of two particles at given times, in states 0 and 1 for 2/3 and 1/3 of the time."""
    rng = np.random.default_rng(seed)
    return np.stack([jump(rates, times, rng) for _ in range(2)])


def test_missing_frames_are_further_apart():
    rng = np.random.default_rng(0)
    movies = np.stack([two_state_movie(rng) for _ in range(10)]).astype(float)
    correlation = 1 - 0.02 - 0.04
    movies[rng.random(movies.shape) < 0.7] = np.nan
    # so many of the frames that are left: 0.3 of the correlated ones are
    expected = 1 + 0.3 * 2 * correlation / (1 - correlation)
    assert fractions.autocorrelation_time(movies) == pytest.approx(expected, rel=0.2)
    assert fractions.autocorrelation_time(np.full((2, 9), np.nan)) == 1


def test_sequences_that_begin_late_and_end_early_have_the_same_time():
    rng = np.random.default_rng(3)
    movies = np.stack([two_state_movie(rng, frames=1000) for _ in range(20)]).astype(float)
    padded = np.full((20, 3000), np.nan)
    for row, movie in zip(padded, movies, strict=True):
        start = rng.integers(2000)
        row[start : start + 1000] = movie
    assert fractions.autocorrelation_time(padded) == pytest.approx(fractions.autocorrelation_time(movies))


def test_weights_are_those_of_the_smallest_variance():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.exponential(size=60))
    rate = 0.3
    correlation = np.exp(-rate * np.abs(times[:, None] - times))
    best = np.linalg.solve(correlation, np.ones(60))  # generalised least squares of a mean
    found = fractions.mean_weights(times[None], rate)[0]
    np.testing.assert_allclose(found[1:-1], best[1:-1])
    assert fractions.mean_weights(np.array([[3.0, np.nan]]), rate)[0, 0] == 1  # a frame by itself


def test_effective_samples_are_those_of_all_pairs():
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.exponential(size=(2, 40)), axis=1)
    times[1, 30:] = np.nan
    weights = np.where(np.isfinite(times) & (rng.random(times.shape) < 0.8), rng.random(times.shape), 0)
    for share, rate in ((1.0, 0.2), (0.6, 2.0), (0.0, np.inf)):
        total = 0.0
        for own, when in zip(weights, times, strict=True):
            seen = np.isfinite(when)
            between = np.abs(when[seen, None] - when[seen])
            with np.errstate(invalid="ignore"):
                correlation = np.where(between > 0, share * np.exp(-rate * between), 1)
            total += own[seen] @ correlation @ own[seen]
        found = fractions.effective_samples(weights, times, share, rate)
        assert found == pytest.approx(weights.sum() ** 2 / total)


@pytest.mark.parametrize("wrong", [0.0, 0.1])
def test_decay_of_a_two_state_process(wrong, jump):
    times = np.cumsum(np.random.default_rng(2).choice([0.5, 1.0, 30.0], 4000))
    states = sampled(jump, times, 3)
    states = np.where(np.random.default_rng(4).random(states.shape) < wrong, 1 - states, states)
    share, rate = fractions.correlation_decay(states.astype(float), np.stack([times] * 2))
    signal = (1 - 2 * wrong) ** 2 * 2 / 9
    assert share == pytest.approx(signal / (signal + wrong * (1 - wrong)), abs=0.08)
    assert rate == pytest.approx(0.15, rel=0.25)
    assert fractions.correlation_decay(np.array([[1.0], [0.0]]), np.zeros((2, 1))) == (0, np.inf)


def test_bursts_do_not_outweigh():
    # half of the time in either state, nearly all frames in the first
    times = np.concatenate([np.linspace(0, 50, 1000, endpoint=False), 50 + np.arange(51.0)])
    states = np.repeat([[0, 1]], [1000, 51], axis=1)
    found = fractions.class_fractions(states, 2, times=times)
    np.testing.assert_allclose(found.values, 0.5, atol=0.01)
    assert found.effective_samples < 20
    assert found.low[0] < 0.3 and found.high[0] > 0.7
    scaled = fractions.class_fractions(states, 2, times=1e-3 * times + 7)
    np.testing.assert_allclose(scaled.values, found.values, rtol=1e-6)
    backwards = fractions.class_fractions(states[:, ::-1], 2, times=-times[::-1])
    np.testing.assert_allclose(backwards.values, found.values, rtol=1e-6)
    assert backwards.effective_samples == pytest.approx(found.effective_samples, rel=1e-3)


@pytest.mark.parametrize("kind", ["bursts", "random"])
def test_intervals_cover_at_uneven_times(kind, jump):
    covered, naive, error = 0, 0, []
    for seed in range(40):
        times = {
            "bursts": np.concatenate([np.arange(20) / 5 + 30.0 * burst for burst in range(20)]),
            "random": np.cumsum(np.random.default_rng(seed).exponential(1.0, 400)),
        }[kind]
        states = sampled(jump, times, seed)
        found = fractions.class_fractions(states, 2, times=times)
        covered += found.low[0] <= 2 / 3 <= found.high[0]
        error.append(found.values[0] - 2 / 3)
        naive += abs(np.mean(states == 0) - 2 / 3) < 1.96 * np.sqrt(2 / 9 / states.size)
    assert covered >= 34
    assert naive < 27
    # neither too wide: the variance is what the effective samples say
    expected = np.sqrt(2 / 9 / found.effective_samples)
    assert np.std(error) == pytest.approx(expected, rel=0.35)


def test_nearly_equal_steps_give_the_result_of_equal_ones(jump):
    times = np.arange(1500.0)
    states = sampled(jump, times, 5)
    even = fractions.class_fractions(states, 2)
    same = fractions.class_fractions(states, 2, times=3e5 + 0.1 * times)
    np.testing.assert_array_equal(same.values, even.values)
    assert same.effective_samples == even.effective_samples
    nearly = fractions.class_fractions(states, 2, times=np.append(times[:-1], 1498.5))
    np.testing.assert_allclose(nearly.values, even.values, atol=2e-3)
    assert nearly.effective_samples == pytest.approx(even.effective_samples, rel=0.25)


def test_times_that_do_not_ascend():
    with pytest.raises(ValueError, match="ascend"):
        fractions.class_fractions([[0, 1, 0]], 2, times=np.array([0.0, 2.0, 2.0]))


def test_particles_that_never_change_count_once_each_at_uneven_times():
    times = np.cumsum(np.random.default_rng(0).exponential(size=1000))
    found = fractions.class_fractions(np.zeros((5, 1000), int), 2, times=times)
    assert found.effective_samples == 5
    assert found.values.tolist() == [1, 0]
    found = fractions.class_fractions(np.repeat([[0], [1], [0], [0]], 1000, 1), 2, times=times)
    assert 1 <= found.effective_samples < 20
    np.testing.assert_allclose(found.values, [0.75, 0.25])
