"""A hidden Markov model of the number of atoms of each column of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.dynamics.markov import forward_backward, log_likelihood
from particlespy_ml.dynamics.steps import group_steps, transition_matrices

if TYPE_CHECKING:
    pass


RATES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2)


def count_transition(n_counts: int, rate: float) -> np.ndarray:
    """Return the probabilities that a column of 1, 2, ... atoms has so many in the next frame.

    Parameters
    ----------
    n_counts
        Number of states.
    rate
        Probability that the number of atoms changes between frames; a gain and a loss of one are as likely as a change
        to any other number in a ratio of nine to one.
    """
    return (1 - rate) * np.eye(n_counts) + rate * _changes(n_counts)


def count_transitions(n_counts: int, rate: float, times: np.ndarray) -> np.ndarray:
    """Return the probabilities of `count_transition` for steps of other times, shape (U, n_counts, n_counts).

    Parameters
    ----------
    n_counts
        Number of states.
    rate
        Probability that the number of atoms changes within a step of time 1.
    times
        Times of the steps, shape (U,). Within a time t there is no change with the probability (1 - rate)^t.
    """
    per_time = -np.log1p(-min(rate, 1 - 1e-9))
    return transition_matrices(per_time * (_changes(n_counts) - np.eye(n_counts)), np.asarray(times, dtype=float))


def _changes(n_counts: int) -> np.ndarray:
    """Where a column that changes goes."""
    if n_counts < 2:
        return np.ones((n_counts, n_counts))
    step = np.eye(n_counts, k=1) + np.eye(n_counts, k=-1)
    step /= step.sum(1, keepdims=True)
    anywhere = (1 - np.eye(n_counts)) / (n_counts - 1)
    return 0.9 * step + 0.1 * anywhere


def count_series(
    emissions, prior, rate: float | None = None, times: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Return posterior probabilities of counts over a series, and the rate of changes.

    Parameters
    ----------
    emissions
        Log-likelihood of each number of atoms of each column in each frame, shape (columns, frames, m); zeros where a
        column was not seen.
    prior
        Fraction of the columns of each number of atoms, shape (m,).
    rate
        Probability that the number of atoms of a column changes between two frames; by default the most likely of
        `RATES`.
    times
        Time of each step between frames over the time that *rate* is for, shape (frames - 1,). By default, and where
        all are equal, *rate* is for a step.

    Returns
    -------
    posterior
        Shape (columns, frames, m).
    rate
        The rate used.

    References
    ----------
    L. R. Rabiner, Proc. IEEE 77, 257 (1989). A. De wael et al., Phys. Rev. Lett. 124, 106105 (2020) for counting in
    series.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.count_series import count_series
    >>> seen = np.log([[[0.6, 0.4], [0.4, 0.6], [0.6, 0.4], [0.7, 0.3]]])
    >>> count_series(seen, [0.5, 0.5], rate=0.01)[0].argmax(-1)
    array([[0, 0, 0, 0]])
    """
    emissions = np.asarray(emissions, float)
    if emissions.ndim != 3:
        raise ValueError(f"Expected log-likelihoods of the shape (columns, frames, counts), not {emissions.shape}.")
    prior = np.maximum(np.asarray(prior, float), 1e-6)
    prior = prior / prior.sum()
    m = emissions.shape[-1]
    times, steps = (None, None) if times is None else group_steps(times, emissions.shape[1] - 1)

    def matrices(rate):
        return count_transition(m, rate) if steps is None else count_transitions(m, rate, times)

    if rate is None:
        values = [float(log_likelihood(emissions, matrices(r), prior, steps)) for r in RATES]
        rate = RATES[int(np.argmax(values))]
    if not 0 <= rate <= 1:
        raise ValueError(f"rate={rate}; expected a probability between 0 and 1.")
    posterior, _, _ = forward_backward(emissions, matrices(rate), prior, steps)
    return posterior / posterior.sum(-1, keepdims=True), float(rate)
