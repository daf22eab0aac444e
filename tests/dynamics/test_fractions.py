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
