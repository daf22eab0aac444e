"""Paths of sites between states, drawn from all that agree with a movie: occupancies, events and rates with errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.dynamics.steps import transition_matrices

CHAINS, BURN_IN, KEPT = 24, 15, 25
MOVES, STRIDE = 6, 0.5  # of the logarithm of each rate in a round, and their standard deviation
PSEUDO = 1.0  # frames that tie the mean of a state to what was fitted
LONGEST, SHORTEST = 30.0, 0.1  # a state lasts so many movies at most, and so many of the shorter steps at least


@dataclass(frozen=True)
class Paths:
    """Draws of paths and rates, D for each site.

    Parameters
    ----------
    probability
        Of each state in each frame, shape (S, T, K).
    occupancy
        Mean level over the time of the movie, from 0 for the lowest to 1 for the highest state, shape (S, D).
    changes
        Number of changes from one frame to the next that is used, shape (S, D).
    rates
        Rate matrices, shape (S, D, K, K).
    steps
        Probability that a site goes from the state i to j between a frame and the next, for changes alone, shape
        (S, T - 1, K, K), float32.
    """

    probability: np.ndarray
    occupancy: np.ndarray
    changes: np.ndarray
    rates: np.ndarray
    steps: np.ndarray


def two_state_transitions(rates: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return transition matrices of jumps between two states, shape (N, U, 2, 2), for rate matrices (N, 2, 2).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.site_paths import two_state_transitions
    >>> from particlespy_ml.dynamics.steps import transition_matrices
    >>> rates, times = np.array([[[-0.3, 0.3], [0.1, -0.1]]]), np.array([0.5, 4.0])
    >>> np.allclose(two_state_transitions(rates, times), transition_matrices(rates, times))
    True
    """
    on, off = rates[:, 0, 1], rates[:, 1, 0]
    total = on + off
    left = -np.expm1(-total[:, None] * times) / total[:, None]
    up, down = on[:, None] * left, off[:, None] * left
    return np.stack([np.stack([1 - up, up], -1), np.stack([down, 1 - down], -1)], -2)


def draw_paths(
    features: np.ndarray,
    means: np.ndarray,
    variance: np.ndarray,
    times: np.ndarray,
    seed: int = 0,
    levels: np.ndarray | None = None,
) -> Paths:
    """Draw paths, mean features and rates of sites from their joint distribution, given what was seen.

    In each round of a Gibbs sampler a path is drawn by forward filtering and backward sampling, the mean features of
    the states given the path, and the rates given the path by steps of Metropolis, with the density of Jeffreys for
    waiting times, rate to the power of -1/2. Rates are those of a process in continuous time, so that frames may be
    unevenly spaced.

    Parameters
    ----------
    features
        White but for a factor of each site, shape (S, T, q); NaN where nothing is seen.
    means, variance
        As in `particlespy_ml.dynamics.site_states.States`, where chains begin.
    times
        Of the frames in ascending order, shape (T,).
    seed
        Of the draws.
    levels
        Of the states, from 0 to 1; by default in even steps.

    References
    ----------
    S. Chib, J. Econometrics 75, 79 (1996); S. L. Scott, J. Am. Stat. Assoc. 97, 337 (2002).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.site_paths import draw_paths
    >>> truth = np.repeat([0, 1, 0, 1], [20, 5, 30, 25])
    >>> seen = 5.0 * truth[None, :, None] + np.random.default_rng(0).normal(size=(1, 80, 1))
    >>> found = draw_paths(seen, np.array([[[0.0], [5.0]]]), np.ones(1), np.arange(80.0))
    >>> abs(float(found.occupancy.mean()) - 0.375) < 0.01, float(np.median(found.changes))
    (True, 3.0)
    """
    rng = np.random.default_rng(seed)
    count, frames, q = features.shape
    k = means.shape[1]
    sampler = _Sampler(features, means, variance, times, rng)
    probability = np.zeros((count, frames, k))
    steps = np.zeros((count, frames - 1, k, k), np.float32)
    occupancy, changes, rates = [], [], []
    for number in range(BURN_IN + KEPT):
        paths = sampler.round()
        if number < BURN_IN:
            continue
        by_site = paths.reshape(CHAINS, count, frames)
        level = (np.arange(k) / max(k - 1, 1) if levels is None else levels)[by_site]
        occupancy.append(level @ sampler.weights)
        changes.append((np.diff(by_site, axis=2) != 0).sum(2))
        rates.append(sampler.rates.reshape(CHAINS, count, k, k))
        for state in range(k):
            probability[..., state] += (by_site == state).mean(0)
            for other in range(k):
                if other != state:
                    jumps = (by_site[..., :-1] == state) & (by_site[..., 1:] == other)
                    steps[..., state, other] += jumps.mean(0)
    return Paths(
        probability / KEPT,
        np.concatenate(occupancy).T,
        np.concatenate(changes).T,
        np.moveaxis(np.concatenate(rates), 0, 1),
        steps / KEPT,
    )


class _Sampler:
    """Chains of a Gibbs sampler: CHAINS for each site, beside each other."""

    def __init__(self, features, means, variance, times, rng):
        self.rng, self.times = rng, np.asarray(times, float)
        count, _, self.q = features.shape
        self.k = means.shape[1]
        self.features = np.tile(np.asarray(features, float), (CHAINS, 1, 1))
        self.seen = np.isfinite(self.features).all(-1)
        self.features = np.where(self.seen[..., None], self.features, 0)
        self.first, self.variance = np.tile(means, (CHAINS, 1, 1)), np.tile(variance, CHAINS)
        self.means = self.first.copy()
        gaps = np.diff(self.times)
        usual = np.median(gaps)
        self.gaps, self.step = np.unique(np.round(gaps / usual, 9), return_inverse=True)
        self.gaps = self.gaps * usual
        duration = max(self.times[-1] - self.times[0], self.gaps[0])
        self.bounds = np.log(1 / (LONGEST * duration)), np.log(1 / (SHORTEST * np.quantile(gaps, 0.1)))
        weights = np.gradient(self.times)
        self.weights = weights / weights.sum()
        rates = np.exp(rng.uniform(np.log(5 / duration), np.log(0.3 / np.median(gaps)), (len(self.features), 1)))
        self.log_rates = np.tile(np.log(rates), (1, self.k * (self.k - 1)))
        self.log_rates = np.clip(self.log_rates, *self.bounds)

    @property
    def rates(self) -> np.ndarray:
        """Rate matrices, shape (N, K, K)."""
        return _matrices(self.log_rates, self.k)

    def round(self) -> np.ndarray:
        """Draw paths, shape (N, T), then means and rates given them."""
        paths = self._draw_paths()
        self._draw_means(paths)
        self._draw_rates(paths)
        return paths

    def _transitions(self, log_rates) -> np.ndarray:
        rates = _matrices(log_rates, self.k)
        return two_state_transitions(rates, self.gaps) if self.k == 2 else transition_matrices(rates, self.gaps)

    def _draw_paths(self) -> np.ndarray:
        distance = ((self.features[:, :, None] - self.means[:, None]) ** 2).sum(-1)
        emissions = np.where(self.seen[..., None], -0.5 * distance / self.variance[:, None, None], 0)
        likelihood = np.exp(emissions - emissions.max(-1, keepdims=True))
        transitions = self._transitions(self.log_rates)
        count, frames, k = likelihood.shape
        forward = np.empty((frames, count, k))
        current = likelihood[:, 0] / k
        forward[0] = current / current.sum(-1, keepdims=True)
        for t in range(1, frames):
            current = (forward[t - 1][:, None] @ transitions[:, self.step[t - 1]])[:, 0] * likelihood[:, t]
            forward[t] = current / np.maximum(current.sum(-1, keepdims=True), 1e-300)
        paths = np.empty((frames, count), int)
        draws = self.rng.random((frames, count, 1))
        rows = np.arange(count)
        paths[-1] = _pick(forward[-1], draws[-1])
        for t in range(frames - 2, -1, -1):
            back = forward[t] * transitions[rows, self.step[t], :, paths[t + 1]]
            paths[t] = _pick(back, draws[t])
        return paths.T

    def _draw_means(self, paths) -> None:
        for state in range(self.k):
            inside = (paths == state) & self.seen
            total = inside.sum(1)[:, None]
            middle = np.einsum("nt,ntq->nq", inside.astype(float), self.features) + PSEUDO * self.first[:, state]
            spread = np.sqrt(self.variance[:, None] / (total + PSEUDO))
            self.means[:, state] = middle / (total + PSEUDO) + spread * self.rng.normal(size=middle.shape)

    def _draw_rates(self, paths) -> None:
        n, k = len(paths), self.k
        code = (self.step * k * k)[None] + paths[:, :-1] * k + paths[:, 1:]
        code = code + (np.arange(n) * len(self.gaps) * k * k)[:, None]
        counts = np.bincount(code.ravel(), minlength=n * len(self.gaps) * k * k).reshape(n, len(self.gaps), k, k)

        def density(log_rates):
            inside = ((log_rates >= self.bounds[0]) & (log_rates <= self.bounds[1])).all(1)
            probabilities = self._transitions(np.clip(log_rates, *self.bounds))
            value = (counts * np.log(np.maximum(probabilities, 1e-300))).sum((1, 2, 3)) + 0.5 * log_rates.sum(1)
            return np.where(inside, value, -np.inf)

        now = density(self.log_rates)
        for _ in range(MOVES):
            moved = self.log_rates + STRIDE * self.rng.normal(size=self.log_rates.shape)
            then = density(moved)
            taken = np.log(self.rng.random(n)) < then - now
            self.log_rates[taken], now = moved[taken], np.where(taken, then, now)


def _pick(weights: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """States drawn in proportion to weights (N, K)."""
    edges = weights.cumsum(-1)
    return np.minimum((draws * edges[:, -1:] > edges).sum(-1), weights.shape[-1] - 1)


def _matrices(log_rates: np.ndarray, k: int) -> np.ndarray:
    rates = np.zeros((len(log_rates), k, k))
    rows, columns = np.nonzero(~np.eye(k, dtype=bool))
    rates[:, rows, columns] = np.exp(log_rates)
    rates[:, np.arange(k), np.arange(k)] = -rates.sum(-1)
    return rates
