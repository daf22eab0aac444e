"""Hidden Markov models against enumeration, closed forms and known truth."""

from itertools import product

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import minimize

from particlespy_ml.dynamics import markov
from particlespy_ml.dynamics.rates import fit_rates, rates_from_transition

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
    np.testing.assert_allclose(rates_from_transition(expm(RATES * 4), 4), RATES, atol=1e-9)


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
    fit = fit_rates(emissions, 1.0)
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
    fit = fit_rates(emissions, 2.0)
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
        fit_rates(np.zeros(shape), frame_time)


@pytest.fixture
def uneven(short):
    """The sequences of `short` with steps of three different times."""
    emissions, _, initial = short
    matrices = expm(RATES * np.array([0.4, 3.0, 50.0])[:, None, None])
    return emissions, matrices, initial, np.array([1, 2, 0])


def uneven_paths(sequence, matrices, initial, steps):
    """Every path of a sequence with its joint probability, a transition matrix for each step."""
    for path in product(range(3), repeat=len(sequence)):
        weight = initial[path[0]] * np.exp(sequence[0, path[0]])
        for frame in range(1, len(path)):
            weight *= matrices[steps[frame - 1], path[frame - 1], path[frame]] * np.exp(sequence[frame, path[frame]])
        yield path, weight


def test_steps_that_differ_equal_enumeration(uneven):
    emissions, matrices, initial, steps = uneven
    posterior, counts, value = markov.forward_backward(emissions, matrices, initial, steps)
    paths = markov.most_probable_path(emissions, matrices, initial, steps)
    expected_counts, expected_value = np.zeros((3, 3, 3)), 0.0
    for sequence, found, best in zip(emissions, posterior, paths, strict=True):
        table = list(uneven_paths(sequence, matrices, initial, steps))
        total = sum(weight for _, weight in table)
        expected_value += np.log(total)
        expected = np.zeros((4, 3))
        for path, weight in table:
            expected[np.arange(4), path] += weight / total
            for step, before, after in zip(steps, path[:-1], path[1:], strict=True):
                expected_counts[step, before, after] += weight / total
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert tuple(best) == max(table, key=lambda row: row[1])[0]
    np.testing.assert_allclose(counts, expected_counts, atol=1e-12)
    assert value == pytest.approx(expected_value)
    many = markov.log_likelihood(emissions, np.stack([matrices, matrices[::-1]]), np.stack([initial] * 2), steps)
    assert many[0] == pytest.approx(expected_value)
    assert many[1] == pytest.approx(markov.log_likelihood(emissions, matrices[::-1], initial, steps))


def exact_two_states(states, times):
    """Log-likelihood of two states seen without error, as a function of the rates, by the closed form."""
    steps, before, after = np.diff(times), states[:-1], states[1:]

    def value(up, down):
        total = up + down
        decay = np.exp(-total * steps)
        leave = np.where(before == 0, up, down) / total * (1 - decay)
        return np.log(np.where(before == after, 1 - leave, leave)).sum()

    return value


@pytest.mark.parametrize("kind", ["bursts", "random", "few"])
def test_rates_at_uneven_times_maximise_the_closed_form(kind, jump):
    rng = np.random.default_rng(5)
    times = {
        "bursts": np.concatenate([np.arange(5) + 100.0 * burst for burst in range(60)]),
        "random": rng.exponential(3, 300).cumsum(),
        "few": np.concatenate([np.arange(100.0), 100 + 5 * np.arange(60.0)]),
    }[kind]
    rates = np.array([[-0.05, 0.05], [0.08, -0.08]])
    states = jump(rates, times, rng)
    emissions = np.log(np.where(np.eye(2)[states] > 0, 1, 1e-9))[None]
    fit = fit_rates(emissions, np.diff(times))
    value = exact_two_states(states, times)
    best = minimize(lambda x: -value(*np.exp(x)), np.log([0.05, 0.08]), method="Nelder-Mead", options={"xatol": 1e-6})
    np.testing.assert_allclose([fit.rates[0, 1], fit.rates[1, 0]], np.exp(best.x), rtol=0.02)
    assert fit.low[0, 1] < rates[0, 1] < fit.high[0, 1]
    assert fit.low[1, 0] < rates[1, 0] < fit.high[1, 0]
    # errors by the curvature of the closed form
    half = np.log(fit.high / fit.low)[[0, 1], [1, 0]] / (2 * 1.959964)

    def curvature(i, j):
        one, other = np.eye(2)[i] * 0.05, np.eye(2)[j] * 0.05
        return -sum(a * b * value(*np.exp(best.x + a * one + b * other)) for a in (1, -1) for b in (1, -1)) / (
            4 * 0.05**2
        )

    information = np.array([[curvature(i, j) for j in range(2)] for i in range(2)])
    np.testing.assert_allclose(half, np.sqrt(np.diag(np.linalg.inv(information))), rtol=0.05)
    # frames are in these states, so that the changes are known, and the time is that between frames
    assert fit.counts[0, 1] == pytest.approx(np.sum((states[:-1] == 0) & (states[1:] == 1)), abs=0.01)
    assert fit.occupation.sum() == pytest.approx(np.ptp(times))
    np.testing.assert_allclose(fit.frames, np.bincount(states), atol=0.01)
    assert np.isnan(fit.frame_time)
    with pytest.raises(ValueError, match="steps between frames differ"):
        _ = fit.transition


def test_expected_jumps_over_time_spent_are_the_rates(jump):
    rng = np.random.default_rng(8)
    times = rng.exponential(20, 400).cumsum()  # as long as states last
    path = jump(RATES, np.arange(0, times[-1], 0.5), rng)
    at = path[np.minimum(np.rint(times / 0.5).astype(int), len(path) - 1)]
    fit = fit_rates(observed(at, rng)[None], np.diff(times))
    np.testing.assert_allclose(fit.occupation / np.ptp(times), np.bincount(path) / len(path), atol=0.1)


def test_equal_steps_are_one_step():
    rng = np.random.default_rng(6)
    emissions = observed(markov.simulate_states(RATES, 200, 2.0, rng), rng)[None]
    one, each = fit_rates(emissions, 2.0), fit_rates(emissions, np.full(199, 2.0) * (1 + 1e-8))
    np.testing.assert_allclose(one.rates, each.rates, rtol=1e-6)
    nearly = fit_rates(emissions, np.full(199, 2.0) + np.array([1e-4, *np.zeros(198)]))
    assert nearly.log_likelihood == pytest.approx(one.log_likelihood, abs=0.05)
    seen = one.low > 0
    assert seen.any()
    np.testing.assert_allclose(nearly.low[seen], one.low[seen], rtol=0.1)
    np.testing.assert_allclose(nearly.high[seen], one.high[seen], rtol=0.1)


def test_intervals_at_uneven_times_cover(jump):
    covered = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        times = np.concatenate([np.arange(8) + 100.0 * burst for burst in range(40)])
        rates = np.array([[-0.06, 0.06], [0.04, -0.04]])
        states = jump(rates, times, rng)
        seen = np.where(rng.random(len(states)) < 0.9, states, 1 - states)
        emissions = np.log(np.where(np.eye(2)[seen] > 0, 0.9, 0.1))[None]
        fit = fit_rates(emissions, np.diff(times))
        covered += [fit.low[i, j] <= rates[i, j] <= fit.high[i, j] for i, j in ((0, 1), (1, 0))]
    assert np.mean(covered) >= 0.8


def test_bounds_of_unseen_transitions_leave_out_pauses_that_hide_them():
    emissions = np.log(np.tile([0.9999, 0.0001], (1, 300, 1)))
    steps = np.ones(299)
    steps[100] = 1e5
    fit = fit_rates(emissions, steps)
    # within the pause the particle may have left and come back, for all that the frames say
    assert fit.high[0, 1] == pytest.approx(-np.log(0.05) / 299, rel=0.25)
    steps[100] = 300.0
    assert fit_rates(emissions, steps).high[0, 1] < fit.high[0, 1] * 1.01


def test_changes_outside_of_a_track_are_not_counted():
    rng = np.random.default_rng(7)
    states = markov.simulate_states(RATES, 60, 2.0, rng)
    alone = observed(states, rng)[None]
    late = np.concatenate([np.zeros((1, 500, 3)), alone, np.zeros((1, 500, 3))], axis=1)
    expected, found = fit_rates(alone, 2.0), fit_rates(late, 2.0)
    np.testing.assert_allclose(found.counts, expected.counts, rtol=0.3, atol=0.5)
    assert found.counts.sum() < 60
    assert found.occupation.sum() == pytest.approx(120)


@pytest.mark.parametrize("frame_time", [1.0, np.array([1.0, 2.0, 5.0])])
@pytest.mark.parametrize("particles", [0, 2])
def test_rates_of_what_is_not_seen_are_unknown(particles, frame_time):
    fit = fit_rates(np.zeros((particles, 4, 3)), frame_time)
    assert np.isnan(fit.rates).all() and np.isnan(fit.high).all()
    assert not fit.counts.any() and not fit.occupation.any()


@pytest.mark.parametrize("frame_time", [1.0, np.array([1.0, 2.0, 5.0])])
def test_one_class_has_no_rates(frame_time):
    fit = fit_rates(np.full((2, 4, 1), -0.1), frame_time)
    np.testing.assert_array_equal(fit.rates, [[0.0]])
    assert fit.frames[0] == pytest.approx(8)
