"""Hidden Markov models of classes that are seen through an imperfect classifier.

A particle jumps between K states with constant rates; in each frame the classifier gives a likelihood of every state.
Sequences are (S, T, K) arrays of log-likelihoods: S particles, T frames. A frame that is missing has zeros. Frames need
not be evenly spaced: every step between two of them may have a transition matrix of its own.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

MOST_ELEMENTS = 4_000_000  # of the transition matrices that are in memory at once


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


def log_likelihood(
    emissions: np.ndarray, transitions: np.ndarray, initial: np.ndarray, steps: np.ndarray | None = None
) -> np.ndarray:
    """Return the log-likelihood of all sequences under one or many models, by the scaled forward recursion.

    Parameters
    ----------
    emissions
        Log-likelihoods, shape (S, T, K).
    transitions
        Transition matrices between frames, shape (..., K, K), or (..., U, K, K) with *steps*; rows sum to one.
    initial
        Probabilities of the first state, shape (..., K).
    steps
        Which of the U matrices each step between frames has, shape (T - 1,); by default all have the same.

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
        forward = (forward @ _of_step(transitions, steps, frame - 1)) * likelihood[:, frame]
        scale = forward.sum(-1, keepdims=True)
        forward /= scale
        total += np.log(scale[..., 0])
    return total.sum(-1) + highest.sum()


def _of_step(transitions: np.ndarray, steps: np.ndarray | None, step: int) -> np.ndarray:
    return transitions if steps is None else transitions[..., steps[step], :, :]


def forward_backward(
    emissions: np.ndarray, transition: np.ndarray, initial: np.ndarray, steps: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return posterior state probabilities, expected numbers of transitions and the log-likelihood.

    Parameters
    ----------
    emissions
        Log-likelihoods, shape (S, T, K).
    transition
        Shape (K, K), or (U, K, K) with *steps*.
    initial
        Shape (K,).
    steps
        Which of the U matrices each step between frames has, shape (T - 1,); by default all have the same.

    Returns
    -------
    posterior
        Shape (S, T, K).
    counts
        Expected number of steps from state i to j, staying included, between the first and the last frame in which each
        particle is seen; shape (K, K), or (U, K, K) with *steps*.
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
            current = (forward[:, frame - 1] @ _of_step(transition, steps, frame - 1)) * likelihood[:, frame]
        scale[:, frame] = current.sum(-1)
        forward[:, frame] = current / scale[:, frame, None]
    backward = np.ones((n, states))
    posterior = forward.copy()
    counts = np.zeros(np.shape(transition))
    followed = _followed(emissions)
    for frame in range(frames - 2, -1, -1):
        matrix = _of_step(transition, steps, frame)
        arriving = likelihood[:, frame + 1] * backward / scale[:, frame + 1, None]
        leaving = forward[:, frame] * followed[:, frame, None]
        counts[... if steps is None else steps[frame]] += np.einsum("si,sj->ij", leaving, arriving) * matrix
        backward = arriving @ matrix.T
        posterior[:, frame] = forward[:, frame] * backward
    return posterior, counts, float(np.log(scale).sum() + highest.sum())


def _seen(emissions: np.ndarray) -> np.ndarray:
    """Whether each particle is seen in each frame, shape (S, T)."""
    return np.any(emissions != 0, axis=-1)


def _followed(emissions: np.ndarray) -> np.ndarray:
    """Whether each step lies between the first and the last frame in which a particle is seen, shape (S, T - 1)."""
    seen = _seen(emissions)
    begun, to_come = np.logical_or.accumulate(seen, 1), np.logical_or.accumulate(seen[:, ::-1], 1)[:, ::-1]
    return begun[:, :-1] & to_come[:, 1:]


def most_probable_path(
    emissions: np.ndarray, transition: np.ndarray, initial: np.ndarray, steps: np.ndarray | None = None
) -> np.ndarray:
    """Return the most probable sequence of states of each particle, shape (S, T), by the Viterbi algorithm.

    Arguments are those of `forward_backward`.
    """
    with np.errstate(divide="ignore"):
        log_transition, score = np.log(transition), np.log(initial) + emissions[:, 0]
    n, frames, _ = emissions.shape
    origin = np.zeros(emissions.shape, dtype=int)
    for frame in range(1, frames):
        candidates = score[:, :, None] + _of_step(log_transition, steps, frame - 1)
        origin[:, frame] = candidates.argmax(1)
        score = candidates.max(1) + emissions[:, frame]
    path = np.empty((n, frames), dtype=int)
    path[:, -1] = score.argmax(-1)
    for frame in range(frames - 1, 0, -1):
        path[:, frame - 1] = origin[np.arange(n), frame, path[:, frame]]
    return path


def stationary_distribution(rates: np.ndarray) -> np.ndarray:
    """Return the distribution that a rate matrix leaves unchanged, shape (K,)."""
    k = len(rates)
    solution, *_ = np.linalg.lstsq(np.vstack([rates.T, np.ones(k)]), np.append(np.zeros(k), 1), rcond=None)
    return np.clip(solution, 0, None) / np.clip(solution, 0, None).sum()


def simulate_states(rates: np.ndarray, frames: int, frame_time: float, rng: np.random.Generator) -> np.ndarray:
    """Return states at the frames of a jump process that starts in its stationary distribution, shape (frames,)."""
    transition = expm(np.asarray(rates) * frame_time).cumsum(1)
    state = int(rng.choice(len(rates), p=stationary_distribution(np.asarray(rates))))
    states = np.empty(frames, dtype=int)
    for frame, draw in enumerate(rng.random(frames)):
        states[frame] = state
        state = int(min(np.searchsorted(transition[state], draw), len(rates) - 1))
    return states
