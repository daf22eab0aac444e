"""What the thickness of its neighbours says about a column.

Neighbouring columns of a crystal seldom differ by more than an atom or two. How seldom is learnt from the particle
itself: the distribution of differences between neighbours is fitted together with the counts.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

TOUCHING = 1.3  # distances between neighbours: columns nearer than this are a pair
FEWEST_PAIRS = 30
PARTS = 5  # of the columns, held out in turn
WEIGHTS = 5  # tried


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


def count_with_neighbours(log_likelihood, prior, pairs, rounds: int = 4, sweeps: int = 15, seed: int = 0) -> np.ndarray:
    """Return posterior probabilities of counts given all columns, by belief propagation on the graph of neighbours.

    The potential of a pair is how much more often a difference is met between neighbours than between any two columns.
    The graph has loops, in which evidence comes around and is counted again: potentials have a weight between the
    fraction of the pairs that a tree would hold, and one. It is that with which neighbours predict best the
    cross-sections of columns that are held out: high in a regular particle, low in one with a rough surface.

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
    seed
        Of the choice of the columns that are held out together.

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
        prior = np.maximum(np.log(np.asarray(prior, float)), -60.0)
    likelihood = np.maximum(log_likelihood - log_likelihood.max(1, keepdims=True), -60.0)
    n, m = likelihood.shape
    pairs = np.asarray(pairs, int).reshape(-1, 2)
    if len(pairs) < FEWEST_PAIRS or m < 2:
        return _normalised(likelihood + prior)
    graph = _Graph(n, pairs, sweeps)
    tree = min(1.0, (n - 1) / len(pairs))
    belief, ratio = graph.learn(likelihood + prior, tree, rounds)
    weight = _best_weight(graph, likelihood, prior, ratio, tree, seed)
    return belief if weight == tree else graph.learn(likelihood + prior, weight, rounds)[0]


def _best_weight(graph: _Graph, likelihood, prior, ratio, tree: float, seed: int) -> float:
    """Smallest weight of the potentials that predicts columns that are held out as well as the best, to its error."""
    part = np.random.default_rng(seed).permutation(len(likelihood)) % PARTS
    weights = tree + (1 - tree) * np.linspace(0, 1, WEIGHTS)
    scores = np.zeros((WEIGHTS, len(likelihood)))
    for number, weight in enumerate(weights):
        for own in range(PARTS):
            held = part == own
            unary = np.where(held[:, None], 0.0, likelihood) + prior
            total, _ = graph.propagate(unary, weight * ratio)
            predicted = _normalised(total[held])
            scores[number, held] = np.log(np.sum(predicted * np.exp(likelihood[held]), axis=1))
    lost = scores[np.argmax(scores.sum(1))] - scores
    error = lost.std(1) * np.sqrt(len(likelihood))
    return float(weights[np.flatnonzero(lost.sum(1) <= error)[0]])


class _Graph:
    """Neighbours, along which messages are passed in both directions."""

    def __init__(self, n: int, pairs: np.ndarray, sweeps: int):
        self.n, self.pairs, self.sweeps = n, pairs, sweeps
        self.source = np.concatenate([pairs[:, 0], pairs[:, 1]])
        self.target = np.concatenate([pairs[:, 1], pairs[:, 0]])
        self.back = np.concatenate([np.arange(len(pairs)) + len(pairs), np.arange(len(pairs))])

    def learn(self, unary: np.ndarray, weight: float, rounds: int) -> tuple[np.ndarray, np.ndarray]:
        """Beliefs (n, m), and logarithms of how much more often differences are met between neighbours (m, m)."""
        belief = _normalised(unary)
        m = unary.shape[1]
        difference = np.arange(m)[:, None] - np.arange(m)[None, :]
        joint = belief[self.pairs[:, 0]][:, :, None] * belief[self.pairs[:, 1]][:, None, :]
        messages = None
        for _ in range(rounds):
            met = _histogram(joint.sum(0), difference)
            chance = _histogram(np.outer(belief.mean(0), belief.mean(0)), difference)
            met = (met + 1.0 * chance) / (met.sum() + 1.0)
            ratio = np.where(chance > 1e-9, met / np.maximum(chance, 1e-9), 1.0)
            ratio = np.log(np.maximum(ratio, 1e-4))[np.abs(difference)]
            total, messages = self.propagate(unary, weight * ratio, messages)
            belief = _normalised(total)
            half = len(self.pairs)
            first = total[self.pairs[:, 0]] - messages[half:]
            second = total[self.pairs[:, 1]] - messages[:half]
            logs = first[:, :, None] + second[:, None, :] + weight * ratio
            joint = np.exp(logs - logs.max((1, 2), keepdims=True))
            joint /= joint.sum((1, 2), keepdims=True)
        return belief, ratio

    def propagate(self, unary: np.ndarray, potential: np.ndarray, messages=None) -> tuple[np.ndarray, np.ndarray]:
        """Sums of what columns say themselves and what reaches them (n, m), and the messages."""
        messages = np.zeros((len(self.source), unary.shape[1])) if messages is None else messages
        across = np.exp(potential)
        for _ in range(self.sweeps):
            leaving = self._sums(unary, messages)[self.source] - messages[self.back]
            leaving -= leaving.max(1, keepdims=True)
            new = np.log(np.exp(leaving) @ across + 1e-300)
            new -= new.max(1, keepdims=True)
            change = np.abs(new - messages).max()
            messages = 0.5 * messages + 0.5 * new
            if change < 1e-3:
                break
        return self._sums(unary, messages), messages

    def _sums(self, unary, messages) -> np.ndarray:
        total = unary.copy()
        np.add.at(total, self.target, messages)
        return total


def _normalised(logs: np.ndarray) -> np.ndarray:
    share = np.exp(logs - logs.max(1, keepdims=True))
    return share / share.sum(1, keepdims=True)


def _histogram(joint: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Probability of each absolute difference."""
    return np.bincount(np.abs(difference).ravel(), joint.ravel())
