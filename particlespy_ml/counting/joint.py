"""What the columns of a frame share: explanations of all their cross-sections at once, each with its probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.counting.counts import SHARED_DRAWS

FOREIGN = 0.1  # probability that what fits no number of atoms is no column of the particle
NEGLIGIBLE = 1e-3  # probability of an explanation that is left out


@dataclass(frozen=True)
class Explanation:
    """One way to understand the cross-sections of a frame: an offset, a number of components, a factor of a library.

    Parameters
    ----------
    log_weight
        Logarithm of its probability, up to a constant of the frame.
    counts
        Numbers of atoms, shape (m,); no atoms means no column.
    posterior
        Probability of each of them for each column, shape (n, m).
    spread
        Change of the expected number of atoms for each of q standard normal deviates that all columns share, (n, q).
    """

    log_weight: float
    counts: np.ndarray
    posterior: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class JointCounts:
    """Numbers of atoms of the columns of a frame.

    Parameters
    ----------
    posterior
        Probability of 0, 1, 2, ... atoms of each column, over all explanations, shape (n, m).
    draws
        Expected number of atoms under values of what columns share, equally probable ones, shape (n, `SHARED_DRAWS`).
    error
        Standard deviation of the number of atoms of each column, shape (n,): of the draws, and of what is its own.
    """

    posterior: np.ndarray
    draws: np.ndarray
    error: np.ndarray


def explanation_weights(log_weights) -> np.ndarray:
    """Return the probabilities of explanations, those that are negligible left out."""
    logs = np.asarray(log_weights, float)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    weights[weights < NEGLIGIBLE] = 0
    return weights / weights.sum()


def join_explanations(explanations: list[Explanation], strange=None, seed: int = 0) -> JointCounts:
    """Return numbers of atoms over all explanations.

    Parameters
    ----------
    explanations
        One or more, of the same columns.
    strange
        Columns that fit no number of atoms, shape (n,): in a part of the draws they are none of the particle's.
    seed
        Of the draws.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.joint import Explanation, join_explanations
    >>> sure = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> one = Explanation(np.log(0.75), np.array([1, 2]), sure, np.zeros((2, 0)))
    >>> other = Explanation(np.log(0.25), np.array([2, 3]), sure, np.zeros((2, 0)))
    >>> join_explanations([one, other]).posterior
    array([[0.  , 0.  , 0.75, 0.25],
           [0.  , 0.75, 0.25, 0.  ]])
    """
    weights = explanation_weights([one.log_weight for one in explanations])
    kept = [(one, weight) for one, weight in zip(explanations, weights, strict=True) if weight > 0]
    n = len(kept[0][0].posterior)
    posterior = np.zeros((n, max(int(one.counts.max()) for one, _ in kept) + 1))
    expected, own = np.zeros((len(kept), n)), np.zeros(n)
    for number, (one, weight) in enumerate(kept):
        np.add.at(posterior.T, one.counts, weight * one.posterior.T)
        expected[number] = one.posterior @ one.counts
        own += weight * np.maximum(one.posterior @ one.counts**2 - expected[number] ** 2, 0)
    order = np.argsort(expected.sum(1), kind="stable")
    middle = (np.arange(SHARED_DRAWS) + 0.5) / SHARED_DRAWS
    edges = np.cumsum([kept[k][1] for k in order])
    chosen = order[np.minimum(np.searchsorted(edges, middle), len(kept) - 1)]
    rng = np.random.default_rng(seed)
    deviates = rng.normal(size=(SHARED_DRAWS, max(one.spread.shape[1] for one, _ in kept)))
    draws = np.empty((n, SHARED_DRAWS))
    for number in np.unique(chosen):
        these = np.flatnonzero(chosen == number)
        spread = kept[number][0].spread
        draws[:, these] = expected[number][:, None] + spread @ deviates[these, : spread.shape[1]].T
    if strange is not None and np.any(strange):
        absent = rng.permuted(np.tile(middle < FOREIGN, (int(np.sum(strange)), 1)), axis=1)
        draws[strange] = np.where(absent, 0.0, draws[strange])
        posterior[strange] *= 1 - FOREIGN
        posterior[strange, 0] += FOREIGN
    draws = np.maximum(draws, 0)
    return JointCounts(posterior, draws, np.sqrt(own + draws.var(1)))


def no_column(values, density, scale: float, doubtful=None, rounds: int = 20) -> np.ndarray:
    """Return the probability that each cross-section is of no column, shape (n,).

    What is found where there is no column is small: its cross-sections are spread evenly up to that of the thinnest
    columns. Their fraction is learnt from the frame.

    Parameters
    ----------
    values
        Cross-sections, shape (n,).
    density
        Of the values, if they are of columns, shape (n,).
    scale
        Cross-section of the thinnest columns.
    doubtful
        Columns of which that is likelier beforehand, shape (n,), such as those on no site of the lattice.
    rounds
        Of expectation-maximisation.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import norm
    >>> from particlespy_ml.counting.joint import no_column
    >>> values = np.array([0.2, 0.9, 1.0, 1.1])
    >>> no_column(values, norm.pdf(values, 1, 0.1), 1.0) > 0.5
    array([ True, False, False, False])
    """
    values, density = np.asarray(values, float), np.asarray(density, float)
    odds = np.where(np.zeros(len(values), bool) if doubtful is None else doubtful, DOUBTFUL, 1.0)
    outside = (values < scale) / scale
    fraction = 0.01
    for _ in range(rounds):
        false = fraction * odds * outside
        chance = false / np.maximum(false + (1 - fraction) * density, 1e-300)
        chance = np.where(outside > 0, chance, 0.0)
        fraction = (chance.sum() + 0.5) / (len(values) + 1)
        fraction = min(fraction, MOST_FALSE)
    return chance


DOUBTFUL = 20.0  # how much likelier what lies on no site of the lattice is no column
MOST_FALSE = 0.2
