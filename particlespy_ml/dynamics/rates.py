"""Rates of a hidden Markov chain from its emissions, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm, logm
from scipy.optimize import minimize
from scipy.stats import chi2, norm

from particlespy_ml.dynamics.markov import (
    MOST_ELEMENTS,
    _seen,
    forward_backward,
    log_likelihood,
    stationary_distribution,
)
from particlespy_ml.dynamics.steps import expected_sojourn, group_steps, transition_matrices

ROUNDS = 5  # of rates given the first state and the first state given rates; they hardly depend on each other


@dataclass(frozen=True)
class RateFit:
    """Rates of a jump process between states.

    Parameters
    ----------
    rates
        Rate from state i (row) to j (column), one over the unit of the frame time; the diagonal is minus the row's sum.
        NaN where no particle was seen.
    low, high
        Bounds of the confidence interval of every rate off the diagonal; NaN on it.
    confidence
        Confidence of the intervals.
    counts
        Expected number of changes from i to j that frames show; jumps that are undone before the next frame are not
        among them. Of all jumps, rates times occupation are expected.
    occupation
        Expected time spent in each state. Where steps are equal, it is that of the frames in which a particle was seen,
        a step for each; where they differ, that between the first and the last of them, with what the process does
        between two frames.
    initial
        Probabilities of the first state.
    frame_time
        Time between frames; NaN where steps differ.
    log_likelihood
        Of the fit.
    frames
        Expected number of frames in each state, of those in which a particle was seen, shape (K,).
    """

    rates: np.ndarray
    low: np.ndarray
    high: np.ndarray
    confidence: float
    counts: np.ndarray
    occupation: np.ndarray
    initial: np.ndarray
    frame_time: float
    log_likelihood: float
    frames: np.ndarray | None = None

    @property
    def transition(self) -> np.ndarray:
        """Probabilities of transitions between frames that are evenly spaced, shape (K, K).

        Raises
        ------
        ValueError
            If steps differ: then every step has its own, see `particlespy_ml.dynamics.steps`.
        """
        if not self.frame_time > 0:
            raise ValueError(
                "The steps between frames differ, so there is no one transition matrix; expected evenly spaced frames. "
                "Take dynamics.steps.transition_matrices(fit.rates, times) for the times of the steps."
            )
        return expm(self.rates * self.frame_time)

    @property
    def stationary(self) -> np.ndarray:
        """Fractions of time in the long run."""
        return stationary_distribution(self.rates)


def fit_rates(
    emissions: np.ndarray, frame_time: float | np.ndarray, confidence: float = 0.95, max_iterations: int = 200
) -> RateFit:
    """Fit the rates of transitions by maximum likelihood.

    The likelihood has the transition matrix expm(rates t) of each step t between frames, so that more than one jump
    between frames, and frames that are unevenly spaced, are accounted for. Where all steps are equal, the
    expectation-maximisation algorithm finds the transition matrix between frames, whose logarithm starts the fit of the
    rates; otherwise the best process whose rates are all equal starts it. Intervals come from the curvature of
    the likelihood in the logarithms of the rates. A transition that is hardly seen has an upper bound alone: the rate
    at which so few in the time spent would be as rare as one minus the confidence. Where steps differ, that time is
    what the likelihood says that the frames are worth: pauses in which the process forgets its state count for nothing.

    Parameters
    ----------
    emissions
        Log-likelihoods, shape (S, T, K), as from `log_emissions` and `pad_sequences`.
    frame_time
        Time between frames: a number, or one for each step, shape (T - 1,).
    confidence
        Confidence of the intervals.
    max_iterations
        Upper limit of iterations of expectation-maximisation.

    Raises
    ------
    ValueError
        If there is no pair of successive frames, or a frame time is not above zero.

    References
    ----------
    L. R. Rabiner, Proc. IEEE 77, 257 (1989). P. Metzner et al., Phys. Rev. E 76, 066702 (2007).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.rates import fit_rates
    >>> seen = np.log([[[0.9, 0.1]] * 6 + [[0.1, 0.9]] * 6 + [[0.9, 0.1]] * 6])
    >>> fast, slow = (fit_rates(seen, np.repeat(step, [10, 7])).rates[0, 1] for step in ([1.0, 2.0], [2.0, 4.0]))
    >>> round(float(fast / slow), 3)
    2.0
    """
    emissions = np.asarray(emissions, dtype=float)
    if emissions.ndim != 3 or emissions.shape[1] < 2:
        raise ValueError(f"Expected log-likelihoods of two or more frames, shape (S, T, K), not {emissions.shape}.")
    times, steps = group_steps(frame_time, emissions.shape[1] - 1)
    k = emissions.shape[-1]
    if not _seen(emissions).any():
        unknown, none = np.full((k, k), np.nan), np.zeros(k)
        step = float(times[0]) if steps is None else np.nan
        return RateFit(
            unknown, unknown, unknown, confidence, np.zeros((k, k)), none, np.full(k, 1 / k), step, 0.0, none
        )
    if steps is None:
        transition, initial = _expectation_maximisation(emissions, max_iterations)
        rates = _polish(emissions, rates_from_transition(transition, times[0]), initial, times, steps)
    else:
        rates, initial = _fit_uneven(emissions, times, steps)
    posterior, changes, value = forward_backward(emissions, _matrices(rates, times, steps), initial, steps)
    frames = (posterior * _seen(emissions)[..., None]).sum((0, 1))
    occupation = frames * times[0] if steps is None else expected_sojourn(rates, times, changes)
    counts = (changes if steps is None else changes.sum(0)) * (1 - np.eye(k))
    low, high = _intervals(emissions, rates, initial, times, steps, counts, occupation, confidence)
    step = float(times[0]) if steps is None else np.nan
    return RateFit(rates, low, high, confidence, counts, occupation, initial, step, value, frames)


def rates_from_transition(transition: np.ndarray, frame_time: float) -> np.ndarray:
    """Return the rate matrix whose exponential is nearest to a transition matrix.

    The matrix logarithm is taken; negative rates, which noise or coarse frames cause, are set to zero.
    """
    k = len(transition)
    if np.linalg.cond(transition) > 1e8:  # a state that is left at once, or never seen: there is no logarithm
        generator = (transition - np.eye(k)) / frame_time
    else:
        generator = np.real(logm(transition)) / frame_time
    generator = np.where(np.eye(k, dtype=bool), 0, np.clip(generator, 0, None))
    return generator - np.diag(generator.sum(1))


def _expectation_maximisation(emissions: np.ndarray, max_iterations: int) -> tuple[np.ndarray, np.ndarray]:
    states = emissions.shape[-1]
    transition = np.full((states, states), 0.1 / max(states - 1, 1))
    np.fill_diagonal(transition, 0.9)
    initial = np.full(states, 1 / states)
    before = -np.inf
    for _ in range(max_iterations):
        posterior, counts, value = forward_backward(emissions, transition, initial)
        counts = counts + 1e-6
        transition = counts / counts.sum(1, keepdims=True)
        # the first state alone says little about where particles start, so the mean of the movie stands for it
        initial = posterior.mean((0, 1))
        initial /= initial.sum()
        if value - before < 1e-5 * abs(value) * 1e-2:
            break
        before = value
    return transition, initial


def _off_diagonal(k: int) -> tuple[np.ndarray, np.ndarray]:
    return np.nonzero(~np.eye(k, dtype=bool))


def _build(log_rates: np.ndarray, k: int) -> np.ndarray:
    """Rate matrices of log-rates, shape (..., K (K - 1)) to (..., K, K)."""
    rates = np.zeros((*log_rates.shape[:-1], k, k))
    rows, columns = _off_diagonal(k)
    rates[..., rows, columns] = np.exp(log_rates)
    rates[..., np.arange(k), np.arange(k)] = -rates.sum(-1)
    return rates


def _matrices(rates, times, steps) -> np.ndarray:
    """One transition matrix for each set of rates, shape (..., K, K), or those of all steps, (..., U, K, K)."""
    return expm(rates * times[0]) if steps is None else transition_matrices(rates, times)


def _values(emissions, log_rates, initial, times, steps) -> np.ndarray:
    """Log-likelihoods of many sets of log-rates at once."""
    k = emissions.shape[-1]
    at_once = max(MOST_ELEMENTS // (len(times) * k * k), 1)
    found = []
    for start in range(0, len(log_rates), at_once):
        part = log_rates[start : start + at_once]
        transitions = _matrices(_build(part, k), times, steps)
        # a batch of models beside the batch of sequences
        found.append(log_likelihood(emissions, transitions, np.broadcast_to(initial, (len(part), k)), steps))
    return np.concatenate(found)


def _fit_uneven(emissions, times, steps) -> tuple[np.ndarray, np.ndarray]:
    """Rates and probabilities of the first state for steps that differ."""
    k = emissions.shape[-1]
    initial = np.full(k, 1 / k)
    scales = np.geomspace(0.1 / times[steps].sum(), 1 / times.min(), 32)
    trials = np.log(np.repeat(scales[:, None] / max(k - 1, 1), k * (k - 1), axis=1))
    rates = _build(trials[np.argmax(_values(emissions, trials, initial, times, steps))], k)
    seen = _seen(emissions)
    for _ in range(ROUNDS):
        rates = _polish(emissions, rates, initial, times, steps)
        posterior, _, _ = forward_backward(emissions, _matrices(rates, times, steps), initial, steps)
        before, initial = initial, posterior[seen].mean(0)
        if np.abs(initial - before).max() < 1e-3:
            break
    return rates, initial


def _polish(emissions, start, initial, times, steps, step: float = 1e-3) -> np.ndarray:
    """Maximise the likelihood in the log-rates from a starting matrix."""
    k = len(start)
    if k < 2:
        return start
    mean = times[0] if steps is None else times[steps].mean()
    floor = 1e-4 / (mean * emissions.shape[0] * emissions.shape[1])
    theta = np.log(np.clip(start[_off_diagonal(k)], floor, None))
    bounds = [(np.log(floor) - 1e-9, np.log(20 / times.min()))] * len(theta)

    def negative(values):
        moves = np.vstack([np.zeros(len(values)), step * np.eye(len(values)), -step * np.eye(len(values))])
        found = _values(emissions, values + moves, initial, times, steps)
        half = len(values)
        return -found[0], -(found[1 : half + 1] - found[half + 1 :]) / (2 * step)

    fit = minimize(negative, np.clip(theta, *np.transpose(bounds)), jac=True, method="L-BFGS-B", bounds=bounds)
    return _build(fit.x, k)


def _intervals(emissions, rates, initial, times, steps, counts, occupation, confidence):
    """Bounds of each rate from the curvature of the likelihood, or an upper bound where hardly a transition is seen."""
    k = len(rates)
    rows, columns = _off_diagonal(k)
    low, high = np.full((k, k), np.nan), np.full((k, k), np.nan)
    # a jump within a frame may as well have gone by another state: then the rate is nothing, however many are counted
    count, time = counts[rows, columns], np.maximum(occupation[rows], times[0])
    seen = (count > 0.5) & (rates[rows, columns] * time > 0.1)
    theta = np.log(np.clip(rates[rows, columns], 1e-300, None))
    if steps is not None:
        time[~seen] = _exposures(emissions, theta, np.flatnonzero(~seen), initial, times, steps, confidence)
    low[rows, columns] = 0
    with np.errstate(divide="ignore"):
        high[rows, columns] = chi2.ppf(confidence, 2 * (np.where(count > 0.5, count, 0) + 1)) / 2 / time
    if not seen.any():
        return low, high
    error = _standard_errors(emissions, theta, np.flatnonzero(seen), initial, times, steps)
    spread = norm.ppf(0.5 + confidence / 2) * error
    low[rows[seen], columns[seen]] = np.exp(theta[seen] - spread)
    high[rows[seen], columns[seen]] = np.exp(np.minimum(theta[seen] + spread, 700))
    return low, high


def _exposures(emissions, theta, unseen, initial, times, steps, confidence) -> np.ndarray:
    """Time without a jump that the frames are worth for each transition that is hardly seen.

    A rate q lowers the log-likelihood of a time t without a jump by q t, so t is how much it lowers that of the frames.
    A jump within a pause may have been undone: where the way back is not known either, it is as fast as explains the
    frames best, but such that states last for ten of the shorter steps. Zero where no rate lowers the likelihood
    enough, as where frames are too far apart to see a jump.
    """
    if not len(unseen):
        return np.zeros(0)
    rows, columns = _off_diagonal(emissions.shape[-1])
    drop = -np.log1p(-confidence)
    span = times[steps].sum()
    grid = np.geomspace(0.01 * drop / (span * len(emissions)), 20 / times.min(), 32)
    ways_back = np.log(np.geomspace(0.1 / span, 0.1 / np.quantile(times[steps], 0.1), 8))
    worth = np.zeros(len(unseen))
    for n, pair in enumerate(unseen):
        back = int(np.flatnonzero((rows == columns[pair]) & (columns == rows[pair]))[0])
        backs = [theta[back], *(ways_back if back in unseen else ())]
        trials = np.tile(theta, (len(backs), len(grid), 1))
        trials[..., pair], trials[..., back] = np.log(grid), np.array(backs)[:, None]
        found = _values(emissions, trials.reshape(-1, len(theta)), initial, times, steps)
        found = found.reshape(len(backs), -1).max(0)
        lowered = found.max() - found
        after = np.flatnonzero((lowered >= drop) & (np.arange(len(grid)) > lowered.argmin()))
        if len(after):
            (x0, x1), (y0, y1) = grid[after[0] - 1 : after[0] + 1], lowered[after[0] - 1 : after[0] + 1]
            worth[n] = drop / (x0 + (drop - y0) / (y1 - y0) * (x1 - x0))
    return worth


def _standard_errors(emissions, theta, active, initial, times, steps, step: float = 0.05) -> np.ndarray:
    """Standard errors of the active log-rates from the Hessian by central differences."""
    n = len(active)
    unit = np.zeros((n, len(theta)))
    unit[np.arange(n), active] = step
    moves = [np.zeros(len(theta)), *unit, *-unit]
    pairs = [(i, j) for i in range(n) for j in range(i)]
    for i, j in pairs:
        moves += [unit[i] + unit[j], -unit[i] - unit[j]]
    found = _values(emissions, theta + np.array(moves), initial, times, steps)
    middle, up, down = found[0], found[1 : n + 1], found[n + 1 : 2 * n + 1]
    hessian = np.diag((up - 2 * middle + down) / step**2)
    for (i, j), value in zip(pairs, found[2 * n + 1 :].reshape(-1, 2).sum(1), strict=True):
        mixed = (value - up[i] - down[i] - up[j] - down[j] + 2 * middle) / (2 * step**2)
        hessian[i, j] = hessian[j, i] = mixed
    information = -hessian + 1e-3 * np.eye(n)
    variance = np.diag(np.linalg.pinv(information, hermitian=True))
    return np.sqrt(np.clip(variance, 1e-12, None))
