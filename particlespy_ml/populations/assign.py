"""What a method of clustering found, and how it assigns further rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Fit:
    """What a method found.

    Parameters
    ----------
    labels
        Cluster of each row, -1 for noise.
    assign
        Called with features; returns labels, and probabilities or None.
    curve
        The score of each number of clusters: name, numbers, scores and errors. For DBSCAN the sorted distances.
    parameters
        What the method was run with.
    diagram
        "linkage", or "reachability" with "order", as arrays.
    """

    labels: np.ndarray
    assign: object
    curve: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    diagram: dict = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ByMixture:
    """Assign rows to the most probable cluster; rows where the density is below the floor are noise.

    The probability of a cluster is the sum over its components, which *clusters* numbers, shape (components,).
    """

    mixture: object
    floor: float
    clusters: np.ndarray

    def __call__(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the labels of rows of features, and their probabilities or None."""
        probability = self.mixture.predict_proba(features)
        probability = probability @ np.eye(self.clusters.max() + 1)[self.clusters]
        noise = self.mixture.score_samples(features) < self.floor - 1e-9
        return np.where(noise, -1, probability.argmax(1)), np.where(noise, 0.0, probability.max(1))


@dataclass(frozen=True, eq=False)
class ByCentre:
    """Assign rows to the nearest centre or exemplar, shape (clusters, columns)."""

    centres: np.ndarray

    def __call__(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the labels of rows of features, and their probabilities or None."""
        squares = (features**2).sum(1)[:, None] - 2 * features @ self.centres.T + (self.centres**2).sum(1)
        return squares.argmin(1), None


@dataclass(frozen=True, eq=False)
class ByNeighbour:
    """Assign rows as the nearest row that was fitted, within that row's reach; others are noise."""

    features: np.ndarray
    labels: np.ndarray
    reach: np.ndarray

    def __call__(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the labels of rows of features, and their probabilities or None."""
        from scipy.spatial import cKDTree

        distance, nearest = cKDTree(self.features).query(features)
        return np.where(distance <= self.reach[nearest], self.labels[nearest], -1), None


def isolated_rows(features: np.ndarray) -> np.ndarray:
    """Return which rows lie far from all others, such as two particles measured as one.

    The logarithm of the distance to the 5th neighbour is more than 5 robust standard deviations above its median; one
    such row can widen a component until it swallows parts of others.
    """
    if len(features) < 20:
        return np.zeros(len(features), bool)
    distance = np.log(np.maximum(core_distances(features, 6), 1e-12))
    middle = np.median(distance)
    spread = 1.4826 * np.median(np.abs(distance - middle))
    return distance > middle + 5 * max(spread, 0.1)


def core_distances(features: np.ndarray, neighbours: int) -> np.ndarray:
    """Return the distance of each row to a neighbour by its number, itself the first."""
    from scipy.spatial import cKDTree

    k = min(neighbours, len(features))
    return cKDTree(features).query(features, k=[k])[0][:, 0]
