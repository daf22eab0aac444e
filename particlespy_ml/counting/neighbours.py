"""What the thickness of its neighbours says about a column.

Neighbouring columns of a crystal seldom differ by more than an atom or two. How seldom is learnt from the particle
itself: the distribution of differences between neighbours is fitted together with the counts.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

TOUCHING = 1.3  # distances between neighbours: columns nearer than this are a pair
FEWEST_PAIRS = 30


def neighbour_pairs(positions) -> np.ndarray:
    """Return the pairs of neighbouring columns, shape (p, 2).

    Parameters
    ----------
    positions
        Shape (n, 2).
    """
    positions = np.asarray(positions, float)
    if len(positions) < 2:
        return np.empty((0, 2), int)
    tree = cKDTree(positions)
    near = np.median(tree.query(positions, 2)[0][:, 1])
    return tree.query_pairs(TOUCHING * near, output_type="ndarray")


def count_with_neighbours(log_likelihood, prior, pairs, rounds: int = 4, sweeps: int = 15) -> np.ndarray:
    """Return posterior probabilities of counts given all columns, by belief propagation on the graph of neighbours.

    The potential of a pair is how much more often a difference is met between neighbours than between any two columns.
    Since the graph has loops, potentials are weighted by the fraction of the pairs that a tree would hold, so that
    evidence is not counted as often as it comes around.

    Parameters
    ----------
    log_likelihood
        Of each number of atoms for each column, shape (n, m).
    prior
        Fraction of the columns of each number of atoms, shape (m,).
    pairs
        Neighbours, shape (p, 2).
    rounds
        Of learning the distribution of differences.
    sweeps
        Of passing messages, in each round.

    References
    ----------
    J. Besag, J. R. Stat. Soc. B 48, 259 (1986). M. J. Wainwright et al., IEEE Trans. Inf. Theory 51, 2313 (2005).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.neighbours import count_with_neighbours
    >>> pairs = np.column_stack([np.arange(99), np.arange(1, 100)])
    >>> known = np.full((100, 5), -9.0)
    >>> known[np.arange(100), np.arange(100) // 20] = 0.0
    >>> known[50] = 0.0  # of which nothing is known, between columns of the third kind
    >>> int(count_with_neighbours(known, np.full(5, 1 / 5), pairs)[50].argmax())
    2
    """
    log_likelihood = np.asarray(log_likelihood, float)
    with np.errstate(divide="ignore"):
        unary = log_likelihood + np.log(np.asarray(prior, float))
    unary = np.maximum(unary - unary.max(1, keepdims=True), -60.0)
    n, m = unary.shape
    belief = _normalised(unary)
    pairs = np.asarray(pairs, int).reshape(-1, 2)
    if len(pairs) < FEWEST_PAIRS or m < 2:
        return belief
    weight = min(1.0, (n - 1) / len(pairs))
    source = np.concatenate([pairs[:, 0], pairs[:, 1]])
    target = np.concatenate([pairs[:, 1], pairs[:, 0]])
    back = np.concatenate([np.arange(len(pairs)) + len(pairs), np.arange(len(pairs))])
    difference = np.arange(m)[:, None] - np.arange(m)[None, :]
    joint = belief[pairs[:, 0]][:, :, None] * belief[pairs[:, 1]][:, None, :]
    messages = np.zeros((len(source), m))
    for _ in range(rounds):
        met = _histogram(joint.sum(0), difference)
        chance = _histogram(np.outer(belief.mean(0), belief.mean(0)), difference)
        met = (met + 1.0 * chance) / (met.sum() + 1.0)
        ratio = np.where(chance > 1e-9, met / np.maximum(chance, 1e-9), 1.0)
        potential = weight * np.log(np.maximum(ratio, 1e-4))[np.abs(difference)]
        for _ in range(sweeps):
            total = unary.copy()
            np.add.at(total, target, messages)
            leaving = total[source] - messages[back]
            leaving -= leaving.max(1, keepdims=True)
            new = np.log(np.exp(leaving) @ np.exp(potential) + 1e-300)
            new -= new.max(1, keepdims=True)
            change = np.abs(new - messages).max()
            messages = 0.5 * messages + 0.5 * new
            if change < 1e-3:
                break
        total = unary.copy()
        np.add.at(total, target, messages)
        belief = _normalised(total)
        half = len(pairs)
        first = total[pairs[:, 0]] - messages[half:]
        second = total[pairs[:, 1]] - messages[:half]
        logs = first[:, :, None] + second[:, None, :] + potential
        logs -= logs.max((1, 2), keepdims=True)
        joint = np.exp(logs)
        joint /= joint.sum((1, 2), keepdims=True)
    return belief


def _normalised(logs: np.ndarray) -> np.ndarray:
    share = np.exp(logs - logs.max(1, keepdims=True))
    return share / share.sum(1, keepdims=True)


def _histogram(joint: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Probability of each absolute difference."""
    return np.bincount(np.abs(difference).ravel(), joint.ravel())
