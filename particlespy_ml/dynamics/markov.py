"""Hidden Markov models of classes that are seen through an imperfect classifier.

A particle jumps between K states with constant rates; in each frame the classifier gives a likelihood of every state.
Sequences are (S, T, K) arrays of log-likelihoods: S particles, T frames. A frame that is missing has zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm, logm
from scipy.optimize import minimize
from scipy.stats import chi2, norm


def pad_sequences(sequences: list[np.ndarray]) -> np.ndarray:
    """Return sequences of differing length, each (T, K), as one (S, T, K) array; the ends count as missing frames."""
    longest = max(len(sequence) for sequence in sequences)
    out = np.zeros((len(sequences), longest, sequences[0].shape[1]))
    for row, sequence in zip(out, sequences, strict=True):
        row[: len(sequence)] = sequence
    return out


def log_emissions(probabilities: np.ndarray, prior: np.ndarray | None = None, floor: float = 1e-4) -> np.ndarray:
    """Return log-likelihoods of the states from a classifier's probabilities.

    By Bayes' rule the likelihood of a frame under a state is the classifier's probability of the state over the
    frequency that the class had in training.

    Parameters
    ----------
    probabilities
        Shape (..., K). Rows with NaN are missing frames.
    prior
        Frequencies of the classes in training, shape (K,); equal by default.
    floor
        Smallest probability, so that one overconfident frame cannot rule out a state.

    References
    ----------
    H. Bourlard and N. Morgan, Connectionist Speech Recognition (1994).
    """
    probabilities = np.asarray(probabilities, dtype=float)
    missing = ~np.isfinite(probabilities).all(-1)
    result = np.log(np.clip(np.where(missing[..., None], 1, probabilities), floor, None))
    if prior is not None:
        result = result - np.log(prior)
    result[missing] = 0
    return result


def log_likelihood(emissions: np.ndarray, transitions: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of all sequences under one or many models, by the scaled forward recursion.

    Parameters
    ----------
    emissions
        Log-likelihoods, shape (S, T, K).
    transitions
        Transition matrices between frames, shape (..., K, K); rows sum to one.
    initial
        Probabilities of the first state, shape (..., K).

    References
    ----------
    L. R. Rabiner, Proc. IEEE 77, 257 (1989).
    """
    highest = emissions.max(-1)
    likelihood = np.exp(emissions - highest[..., None])
    forward = initial[..., None, :] * likelihood[:, 0]
    total = np.log(forward.sum(-1))
    forward = forward / forward.sum(-1, keepdims=True)
    for frame in range(1, emissions.shape[1]):
        forward = (forward @ transitions) * likelihood[:, frame]
        scale = forward.sum(-1, keepdims=True)
        forward /= scale
        total += np.log(scale[..., 0])
    return total.sum(-1) + highest.sum()


def forward_backward(
    emissions: np.ndarray, transition: np.ndarray, initial: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return posterior state probabilities, expected numbers of transitions and the log-likelihood.

    Parameters
    ----------
    emissions
        Log-likelihoods, shape (S, T, K).
    transition
        Shape (K, K).
    initial
        Shape (K,).

    Returns
    -------
    posterior
        Shape (S, T, K).
    counts
        Expected number of steps from state i to j, staying included, shape (K, K).
    log_likelihood
    """
    n, frames, states = emissions.shape
    highest = emissions.max(-1)
    likelihood = np.exp(emissions - highest[..., None])
    forward = np.empty_like(likelihood)
    scale = np.empty((n, frames))
    current = initial * likelihood[:, 0]
    for frame in range(frames):
        if frame:
            current = (forward[:, frame - 1] @ transition) * likelihood[:, frame]
        scale[:, frame] = current.sum(-1)
        forward[:, frame] = current / scale[:, frame, None]
    backward = np.ones((n, states))
    posterior = forward.copy()
    counts = np.zeros((states, states))
    for frame in range(frames - 2, -1, -1):
        arriving = likelihood[:, frame + 1] * backward / scale[:, frame + 1, None]
        counts += np.einsum("si,sj->ij", forward[:, frame], arriving) * transition
        backward = arriving @ transition.T
        posterior[:, frame] = forward[:, frame] * backward
    return posterior, counts, float(np.log(scale).sum() + highest.sum())


def most_probable_path(emissions: np.ndarray, transition: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """Return the most probable sequence of states of each particle, shape (S, T), by the Viterbi algorithm."""
    with np.errstate(divide="ignore"):
        log_transition, score = np.log(transition), np.log(initial) + emissions[:, 0]
    n, frames, _ = emissions.shape
    origin = np.zeros(emissions.shape, dtype=int)
    for frame in range(1, frames):
        candidates = score[:, :, None] + log_transition
        origin[:, frame] = candidates.argmax(1)
        score = candidates.max(1) + emissions[:, frame]
    path = np.empty((n, frames), dtype=int)
    path[:, -1] = score.argmax(-1)
    for frame in range(frames - 1, 0, -1):
        path[:, frame - 1] = origin[np.arange(n), frame, path[:, frame]]
    return path


@dataclass(frozen=True)
class RateFit:
    """Rates of a jump process between states.

    Parameters
    ----------
    rates
        Rate from state i (row) to j (column), one over the unit of the frame time; the diagonal is minus the row's sum.
    low, high
        Bounds of the confidence interval of every rate off the diagonal; NaN on it.
    confidence
        Confidence of the intervals.
    counts
        Expected number of transitions from i to j.
    occupation
        Expected time spent in each state.
    initial
        Probabilities of the first state.
    frame_time
        Time between frames.
    log_likelihood
        Of the fit.
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

    @property
    def transition(self) -> np.ndarray:
        """Probabilities of transitions between frames."""
        return expm(self.rates * self.frame_time)

    @property
    def stationary(self) -> np.ndarray:
        """Fractions of time in the long run."""
        return stationary_distribution(self.rates)


def stationary_distribution(rates: np.ndarray) -> np.ndarray:
    """Return the distribution that a rate matrix leaves unchanged, shape (K,)."""
    k = len(rates)
    solution, *_ = np.linalg.lstsq(np.vstack([rates.T, np.ones(k)]), np.append(np.zeros(k), 1), rcond=None)
    return np.clip(solution, 0, None) / np.clip(solution, 0, None).sum()


def fit_rates(emissions: np.ndarray, frame_time: float, confidence: float = 0.95, max_iterations: int = 200) -> RateFit:
    """Fit the rates of transitions by maximum likelihood.

    The expectation-maximisation algorithm finds the transition matrix between frames; its logarithm starts a fit of the
    rates themselves, so that more than one jump between frames is accounted for. Intervals come from the curvature of
    the likelihood in the logarithms of the rates. A transition that is hardly seen has an upper bound alone: the rate
    at which so few in the time spent would be as rare as one minus the confidence.

    Parameters
    ----------
    emissions
        Log-likelihoods, shape (S, T, K), as from `log_emissions` and `pad_sequences`.
    frame_time
        Time between frames.
    confidence
        Confidence of the intervals.
    max_iterations
        Upper limit of iterations of expectation-maximisation.

    Raises
    ------
    ValueError
        If there is no pair of successive frames, or the frame time is not above zero.

    References
    ----------
    L. R. Rabiner, Proc. IEEE 77, 257 (1989). P. Metzner et al., Phys. Rev. E 76, 066702 (2007).
    """
    emissions = np.asarray(emissions, dtype=float)
    if emissions.ndim != 3 or emissions.shape[1] < 2:
        raise ValueError(f"Expected log-likelihoods of two or more frames, shape (S, T, K), not {emissions.shape}.")
    if not frame_time > 0:
        raise ValueError(f"frame_time={frame_time}; expected a time above zero.")
    transition, initial = _expectation_maximisation(emissions, max_iterations)
    start = rates_from_transition(transition, frame_time)
    rates = _polish(emissions, start, initial, frame_time)
    posterior, steps, value = forward_backward(emissions, expm(rates * frame_time), initial)
    occupation = _occupation(emissions, posterior, frame_time)
    counts = steps * (1 - np.eye(len(steps)))
    low, high = _intervals(emissions, rates, initial, frame_time, counts, occupation, confidence)
    return RateFit(rates, low, high, confidence, counts, occupation, initial, frame_time, value)


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


def _values(emissions, log_rates, initial, frame_time) -> np.ndarray:
    """Log-likelihoods of many sets of log-rates at once."""
    transitions = expm(_build(log_rates, emissions.shape[-1]) * frame_time)
    # a batch of models beside the batch of sequences
    return log_likelihood(emissions, transitions, np.broadcast_to(initial, (len(log_rates), len(initial))))


def _polish(emissions, start, initial, frame_time, step: float = 1e-3) -> np.ndarray:
    """Maximise the likelihood in the log-rates from a starting matrix."""
    k = len(start)
    floor = 1e-4 / (frame_time * emissions.shape[0] * emissions.shape[1])
    theta = np.log(np.clip(start[_off_diagonal(k)], floor, None))
    bounds = [(np.log(floor) - 1e-9, np.log(20 / frame_time))] * len(theta)

    def negative(values):
        moves = np.vstack([np.zeros(len(values)), step * np.eye(len(values)), -step * np.eye(len(values))])
        found = _values(emissions, values + moves, initial, frame_time)
        half = len(values)
        return -found[0], -(found[1 : half + 1] - found[half + 1 :]) / (2 * step)

    fit = minimize(negative, np.clip(theta, *np.transpose(bounds)), jac=True, method="L-BFGS-B", bounds=bounds)
    return _build(fit.x, k)


def _occupation(emissions, posterior, frame_time) -> np.ndarray:
    """Expected time in each state, over the frames in which a particle was seen."""
    seen = np.any(emissions != 0, axis=-1)
    return (posterior * seen[..., None]).sum((0, 1)) * frame_time


def _intervals(emissions, rates, initial, frame_time, counts, occupation, confidence):
    """Bounds of each rate from the curvature of the likelihood, or an upper bound where hardly a transition is seen."""
    k = len(rates)
    rows, columns = _off_diagonal(k)
    low, high = np.full((k, k), np.nan), np.full((k, k), np.nan)
    # a jump within a frame may as well have gone by another state: then the rate is nothing, however many are counted
    count, time = counts[rows, columns], np.maximum(occupation[rows], frame_time)
    seen = (count > 0.5) & (rates[rows, columns] * time > 0.1)
    low[rows, columns] = 0
    high[rows, columns] = chi2.ppf(confidence, 2 * (np.where(count > 0.5, count, 0) + 1)) / 2 / time
    if not seen.any():
        return low, high
    theta = np.log(np.clip(rates[rows, columns], 1e-300, None))
    error = _standard_errors(emissions, theta, np.flatnonzero(seen), initial, frame_time)
    spread = norm.ppf(0.5 + confidence / 2) * error
    low[rows[seen], columns[seen]] = np.exp(theta[seen] - spread)
    high[rows[seen], columns[seen]] = np.exp(np.minimum(theta[seen] + spread, 700))
    return low, high


def _standard_errors(emissions, theta, active, initial, frame_time, step: float = 0.05) -> np.ndarray:
    """Standard errors of the active log-rates from the Hessian by central differences."""
    n = len(active)
    unit = np.zeros((n, len(theta)))
    unit[np.arange(n), active] = step
    moves = [np.zeros(len(theta)), *unit, *-unit]
    pairs = [(i, j) for i in range(n) for j in range(i)]
    for i, j in pairs:
        moves += [unit[i] + unit[j], -unit[i] - unit[j]]
    found = _values(emissions, theta + np.array(moves), initial, frame_time)
    middle, up, down = found[0], found[1 : n + 1], found[n + 1 : 2 * n + 1]
    hessian = np.diag((up - 2 * middle + down) / step**2)
    for (i, j), value in zip(pairs, found[2 * n + 1 :].reshape(-1, 2).sum(1), strict=True):
        mixed = (value - up[i] - down[i] - up[j] - down[j] + 2 * middle) / (2 * step**2)
        hessian[i, j] = hessian[j, i] = mixed
    information = -hessian + 1e-3 * np.eye(n)
    variance = np.diag(np.linalg.pinv(information, hermitian=True))
    return np.sqrt(np.clip(variance, 1e-12, None))


def simulate_states(rates: np.ndarray, frames: int, frame_time: float, rng: np.random.Generator) -> np.ndarray:
    """Return states at the frames of a jump process that starts in its stationary distribution, shape (frames,)."""
    transition = expm(np.asarray(rates) * frame_time).cumsum(1)
    state = int(rng.choice(len(rates), p=stationary_distribution(np.asarray(rates))))
    states = np.empty(frames, dtype=int)
    for frame, draw in enumerate(rng.random(frames)):
        states[frame] = state
        state = int(min(np.searchsorted(transition[state], draw), len(rates) - 1))
    return states
