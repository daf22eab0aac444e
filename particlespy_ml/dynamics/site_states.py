"""States of sites that are learnt from a movie: mean features of each state, and which sites have more than one."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from particlespy_ml.dynamics.markov import forward_backward

STAY = 0.95  # probability that a site keeps its state to the next frame, before rates are known
ROUNDS = 20
WINDOWS = (3, 9, 27)  # frames over which a first guess is smoothed
PSEUDO = 1.0  # frames that tie the mean of a state to where it began
LEAST_SHARE = 2.0  # frames that a state needs


@dataclass(frozen=True)
class States:
    """States of sites.

    Parameters
    ----------
    means
        Mean features of each state in ascending order of what they show of a column, shape (S, K, q).
    variance
        Of each site's features in each direction, shape (S,).
    posterior
        Probability of each state in each frame, shape (S, T, K).
    evidence
        By how much the log-likelihood of the states is above that of a single one, less the price of what they have
        more to be fitted, shape (S,): above zero there are so many states.
    used
        Which of the states each site has, shape (S, K).
    """

    means: np.ndarray
    variance: np.ndarray
    posterior: np.ndarray
    evidence: np.ndarray
    used: np.ndarray

    def chosen(self, which) -> States:
        """Some of the sites."""
        return States(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    def replaced(self, which: np.ndarray, others: States) -> States:
        """All sites, those that are chosen, shape (S,), with the states of others."""
        parts = {}
        for one in fields(self):
            parts[one.name] = getattr(self, one.name).copy()
            parts[one.name][which] = getattr(others, one.name)
        return States(**parts)


def whitening(features: np.ndarray) -> np.ndarray:
    """Return the matrix that makes the noise of features white, shape (q, q), from differences of successive frames.

    Parameters
    ----------
    features
        Shape (S, T, q), NaN where nothing is seen. Differences of most sites have to be of noise alone, not of changes.
    """
    steps = np.diff(features.astype(float), axis=1) / np.sqrt(2)
    q = features.shape[-1]
    covariances = []
    for own in steps:
        own = own[np.isfinite(own).all(-1)]
        if len(own) > 2 * q:
            covariances.append(own.T @ own / len(own))
    if not covariances:
        return np.eye(q)
    covariances = np.array(covariances)
    size = np.trace(covariances, axis1=1, axis2=2)
    typical = covariances[np.argsort(size)[: max(1, (len(size) + 1) // 2)]]  # the half that changes least
    mean = typical.mean(0) + (1e-9 * size.max() or 1.0) * np.eye(q)  # features that never change stay as they are
    return np.linalg.inv(np.linalg.cholesky(mean)).T


def fit_states(features: np.ndarray, towards: np.ndarray, states: int = 2, several: float = 1.0) -> States:
    """Fit mean features of the states of each site by expectation-maximisation.

    Sites are hidden Markov chains that keep their state with a probability of .95; the states of one are normal
    distributions of one width. What is begun with is a division of the smoothed features along the direction of a
    column, at several widths of smoothing, of which the likeliest is taken.

    Parameters
    ----------
    features
        White but for a factor of each site, shape (S, T, q); NaN where nothing is seen.
    towards
        Direction in which a column shows, shape (q,).
    states
        Number of states K.
    several
        Number of sites that are tried: the price of chance grows with its logarithm.

    References
    ----------
    L. R. Rabiner, Proc. IEEE 77, 257 (1989); G. Schwarz, Ann. Stat. 6, 461 (1978): the price of parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.dynamics.site_states import fit_states
    >>> rng = np.random.default_rng(0)
    >>> truth = np.repeat([0, 1, 0, 1], 25)
    >>> seen = np.stack([rng.normal(size=(100, 2)), rng.normal(size=(100, 2)) + 2.5 * truth[:, None]])
    >>> found = fit_states(seen, np.array([1.0, 0.0]))
    >>> found.evidence > 0, bool(np.abs(found.posterior[1, :, 1] - truth).mean() < 0.02)
    (array([False,  True]), True)
    """
    features = np.asarray(features, float)
    seen = np.isfinite(features).all(-1)
    filled = np.where(seen[..., None], features, 0)
    number = np.maximum(seen.sum(1), 1)
    single = filled.sum(1) / number[:, None]
    rest = np.where(seen[..., None], features - single[:, None], 0)
    q = features.shape[-1]
    variance = np.maximum((rest**2).sum((1, 2)) / (number * q), 1e-12)
    before = -0.5 * number * q * (np.log(variance) + 1)
    best = None
    for window in WINDOWS:
        started = _begin(filled, seen, towards, states, window)
        found = _maximise(filled, seen, started)
        if best is None:
            best = list(found)
            continue
        better = found[3] > best[3]
        for one, other in zip(best, found, strict=True):
            one[better] = other[better]
    means, variance, posterior, likelihood = best
    order = np.argsort(means @ towards, axis=1)
    means = np.take_along_axis(means, order[..., None], 1)
    posterior = np.take_along_axis(posterior, order[:, None], 2)
    more = (states - 1) * q + states * (states - 1)
    price = 0.5 * more * np.log(number) + np.log(max(several, 1))
    rare = (posterior * seen[..., None]).sum(1).min(1) < LEAST_SHARE
    evidence = np.where(rare, -np.inf, likelihood - before - price)
    return States(means, variance, posterior, evidence, np.ones(means.shape[:2], bool))


def _begin(filled, seen, towards, states: int, window: int) -> np.ndarray:
    """First posterior: smoothed features along a direction, cut at even steps between their 5 and 95 %."""
    along = filled @ (towards / np.linalg.norm(towards))
    kernel = np.ones(min(window, along.shape[1]))
    smooth = np.array([np.convolve(a, kernel, "same") for a in along])
    count = np.array([np.convolve(a, kernel, "same") for a in seen.astype(float)])
    smooth = smooth / np.maximum(count, 1)
    # frames in which a site is not seen, nor near them, must not pass for a state of their own
    known = np.where(count > 0, smooth, np.nan)
    known[~(count > 0).any(1)] = 0
    low, high = np.nanquantile(known, (0.03, 0.97), axis=1)
    level = (smooth - low[:, None]) / np.maximum(high - low, 1e-12)[:, None] * states
    which = np.clip(np.floor(level), 0, states - 1).astype(int)
    return np.eye(states)[which]


def _maximise(filled, seen, posterior):
    """Means, variances, posteriors and log-likelihoods after some rounds."""
    count, frames, q = filled.shape
    k = posterior.shape[-1]
    transition = np.full((k, k), (1 - STAY) / max(k - 1, 1))
    np.fill_diagonal(transition, STAY)
    initial = np.full(k, 1 / k)
    means = None
    number = np.maximum(seen.sum(1), 1)
    for _ in range(ROUNDS):
        weight = posterior * seen[..., None]
        total = weight.sum(1)
        sums = np.einsum("stk,stq->skq", weight, filled)
        means_new = sums / np.maximum(total, 1e-9)[..., None] if means is None else None
        if means is not None:
            means_new = (sums + PSEUDO * means) / (total + PSEUDO)[..., None]
        moved = np.inf if means is None else np.abs(means_new - means).max()
        means = means_new
        distance = ((filled[:, :, None] - means[:, None]) ** 2).sum(-1)
        variance = np.maximum((weight * distance).sum((1, 2)) / (number * q), 1e-12)
        emissions = -0.5 * distance / variance[:, None, None]
        emissions = np.where(seen[..., None], emissions, 0)
        posterior, _, _ = forward_backward(emissions, transition, initial)
        if moved < 5e-3:
            break
    likelihood = _each_likelihood(emissions, transition, initial) - 0.5 * number * q * np.log(variance)
    return means, variance, posterior, likelihood


def _each_likelihood(emissions, transition, initial) -> np.ndarray:
    """Log-likelihood of each sequence, shape (S,)."""
    highest = emissions.max(-1)
    likelihood = np.exp(emissions - highest[..., None])
    forward = initial * likelihood[:, 0]
    total = np.log(forward.sum(-1))
    forward = forward / forward.sum(-1, keepdims=True)
    for frame in range(1, emissions.shape[1]):
        forward = (forward @ transition) * likelihood[:, frame]
        scale = forward.sum(-1, keepdims=True)
        forward = forward / scale
        total += np.log(scale[:, 0])
    return total + highest.sum(1)
