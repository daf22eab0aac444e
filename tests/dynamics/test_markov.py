"""Hidden Markov models against enumeration, closed forms and known truth."""

from itertools import product

import numpy as np
import pytest
from scipy.linalg import expm

from particlespy_ml.dynamics import markov

RATES = np.array([[-0.05, 0.03, 0.02], [0.04, -0.05, 0.01], [0.02, 0.03, -0.05]])
CONFUSION = np.array([[0.90, 0.06, 0.04], [0.05, 0.90, 0.05], [0.03, 0.07, 0.90]])


def observed(states, rng):
    """Log-likelihoods of the labels that a classifier of the known confusion gives."""
    labels = np.array([rng.choice(3, p=CONFUSION[state]) for state in states])
    return np.log(CONFUSION[:, labels].T)


@pytest.fixture
def short():
    """Two sequences of four frames, one frame missing, and a model."""
    rng = np.random.default_rng(0)
    emissions = np.log(rng.dirichlet(np.ones(3), size=(2, 4)))
    emissions[1, 2] = 0
    return emissions, expm(RATES * 3), np.array([0.5, 0.3, 0.2])


def paths_and_weights(sequence, transition, initial):
    """Every path of a sequence with its joint probability."""
    for path in product(range(3), repeat=len(sequence)):
        weight = initial[path[0]] * np.exp(sequence[0, path[0]])
        for frame in range(1, len(path)):
            weight *= transition[path[frame - 1], path[frame]] * np.exp(sequence[frame, path[frame]])
        yield path, weight


def test_forward_backward_equals_enumeration(short):
    emissions, transition, initial = short
    posterior, counts, value = markov.forward_backward(emissions, transition, initial)
    expected_counts, expected_value = np.zeros((3, 3)), 0.0
    for sequence, found in zip(emissions, posterior, strict=True):
        table = list(paths_and_weights(sequence, transition, initial))
        total = sum(weight for _, weight in table)
        expected_value += np.log(total)
        expected = np.zeros((4, 3))
        for path, weight in table:
            expected[np.arange(4), path] += weight / total
            for before, after in zip(path[:-1], path[1:], strict=True):
                expected_counts[before, after] += weight / total
        np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(counts, expected_counts, atol=1e-12)
    assert value == pytest.approx(expected_value)
    assert markov.log_likelihood(emissions, transition, initial) == pytest.approx(expected_value)


def test_many_models_at_once(short):
    emissions, transition, initial = short
    other = expm(RATES * 0.5)
    both = markov.log_likelihood(emissions, np.stack([transition, other]), np.stack([initial, initial[::-1]]))
    assert both[0] == pytest.approx(markov.log_likelihood(emissions, transition, initial))
    assert both[1] == pytest.approx(markov.log_likelihood(emissions, other, initial[::-1]))


def test_most_probable_path_equals_enumeration(short):
    emissions, transition, initial = short
    found = markov.most_probable_path(emissions, transition, initial)
    for sequence, path in zip(emissions, found, strict=True):
        best = max(paths_and_weights(sequence, transition, initial), key=lambda row: row[1])[0]
        assert tuple(path) == best


def test_rates_come_back_from_their_transition_matrix():
    np.testing.assert_allclose(markov.rates_from_transition(expm(RATES * 4), 4), RATES, atol=1e-9)


def test_stationary_distribution_is_left_unchanged():
    stationary = markov.stationary_distribution(RATES)
    np.testing.assert_allclose(stationary @ RATES, 0, atol=1e-12)
    assert stationary.sum() == pytest.approx(1)


def test_log_emissions_take_missing_frames_and_priors():
    probabilities = np.array([[0.5, 0.3, 0.2], [np.nan, np.nan, np.nan], [1.0, 0.0, 0.0]])
    found = markov.log_emissions(probabilities, prior=np.array([0.5, 0.25, 0.25]))
    np.testing.assert_allclose(found[0], np.log([1.0, 1.2, 0.8]))
    np.testing.assert_array_equal(found[1], 0)
    assert np.isfinite(found).all()


def test_fit_is_right_where_labels_are_not():
    rng = np.random.default_rng(4)
    states = [markov.simulate_states(RATES, 1500, 1.0, rng) for _ in range(2)]
    emissions = np.stack([observed(sequence, rng) for sequence in states])
    fit = markov.fit_rates(emissions, 1.0)
    leaving, truth = -np.diag(fit.rates), -np.diag(RATES)
    np.testing.assert_allclose(leaving, truth, rtol=0.35)
    assert leaving.sum() == pytest.approx(truth.sum(), rel=0.2)
    labels = emissions.argmax(-1)
    naive = np.mean(labels[:, 1:] != labels[:, :-1])
    assert naive > 3 * truth.mean()
    off = ~np.eye(3, dtype=bool)
    assert np.mean((fit.low <= RATES)[off] & (RATES <= fit.high)[off]) >= 5 / 6
    smooth = markov.most_probable_path(emissions, fit.transition, fit.initial)
    assert np.mean(smooth == np.stack(states)) > 0.96 > np.mean(labels == np.stack(states))


def test_unseen_transitions_have_an_upper_bound():
    emissions = np.log(np.tile([0.999, 0.0005, 0.0005], (1, 300, 1)))
    fit = markov.fit_rates(emissions, 2.0)
    assert fit.low[0, 1] == 0
    assert fit.high[0, 1] == pytest.approx(-np.log(0.05) / 600, rel=0.05)


def test_sequences_of_differing_length_count_missing_frames_for_nothing(short):
    emissions, transition, initial = short
    padded = markov.pad_sequences([emissions[0], emissions[0, :2]])
    expected = markov.log_likelihood(emissions[:1], transition, initial) + markov.log_likelihood(
        emissions[:1, :2], transition, initial
    )
    assert markov.log_likelihood(padded, transition, initial) == pytest.approx(expected)


@pytest.mark.parametrize(("shape", "frame_time"), [((1, 1, 3), 1.0), ((10, 3), 1.0), ((1, 10, 3), 0.0)])
def test_bad_input(shape, frame_time):
    with pytest.raises(ValueError, match="expected|Expected"):
        markov.fit_rates(np.zeros(shape), frame_time)
