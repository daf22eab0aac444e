"""Features to clusters: fitting a method, choosing the number, and how stable the clusters are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.populations.assign import Fit
from particlespy_ml.populations.methods import METHODS, MOST_ROWS, OPTIONS, TAKES_NUMBER, fit_method

STABILITY_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters of rows of features.

    Parameters
    ----------
    method
        How they were found.
    labels
        Cluster of each row, int32, ascending along the first feature; -1 for noise.
    probability
        Of the row's cluster, float32, or None where the method has none.
    fit
        What the method found, on the rows of *fitted*.
    order
        Own number of each of the method's clusters; -1 for those that are too small.
    fitted
        Rows that the method was fitted on.
    """

    method: str
    labels: np.ndarray
    probability: np.ndarray | None
    fit: Fit
    order: np.ndarray
    fitted: np.ndarray

    @property
    def n_clusters(self) -> int:
        """Number of clusters, without noise."""
        return int(self.order.max(initial=-1)) + 1

    @property
    def curve(self) -> dict:
        """Score of each number of clusters; empty where the number was given or the method has none."""
        return self.fit.curve

    def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the cluster of further rows of features, and their probability where the method has one."""
        if len(features) == 0:
            empty = np.zeros(0, np.float32) if self.probability is not None else None
            return np.zeros(0, np.int32), empty
        with one_thread():
            labels, probability = self.fit.assign(np.asarray(features, dtype=float))
        labels = _renumber(labels, self.order)
        return labels, None if probability is None else probability.astype(np.float32)


def fit_clusters(
    features: np.ndarray,
    method: str = "gaussian_mixture",
    n_clusters: int | None = None,
    *,
    max_clusters: int = 8,
    min_cluster_size: int | None = None,
    seed: int = 0,
    **options: object,
) -> Clustering:
    """Cluster rows of features.

    Parameters
    ----------
    features
        Scaled to about unit spread, shape (rows, columns), finite.
    method
        "gaussian_mixture" (full covariances), "kmeans", "agglomerative" (Ward), "affinity_propagation", "dbscan",
        "hdbscan" or "optics". Affinity propagation is fitted on 500 rows at most, OPTICS and agglomerative
        clustering on 3,000, HDBSCAN on 12,000 and DBSCAN on 20,000, drawn by the seed; the others are assigned to the
        nearest exemplar or centre, or as the nearest fitted row within its core distance.
    n_clusters
        Number of clusters. By default chosen from 1 to *max_clusters*: for the mixture as many as the dip test finds
        apart, for k-means and agglomerative clustering by the gap statistic. Affinity propagation takes the number
        that k-means would, and the preference that gives it. The density methods find their number themselves.
        The mixture has as many components as the Bayesian information criterion chooses, and the least separated of
        them are merged: a skewed or curved population takes several.
    max_clusters
        Largest number that is tried.
    min_cluster_size
        Clusters of fewer rows are noise where the number was not given; by default 1 % of the rows, 5 at least.
    seed
        Of all that is random.
    **options
        ``covariance_type`` and number of ``components`` of the mixture, ``linkage`` of agglomerative clustering,
        ``damping`` of affinity propagation, ``eps`` and ``min_samples`` of DBSCAN (by default the knee of the sorted
        distances to the min_samples-th neighbour), ``min_samples`` of HDBSCAN and OPTICS, ``xi`` of OPTICS; see
        scikit-learn.

    Returns
    -------
    Clustering

    Raises
    ------
    ValueError
        If there are too few rows, or the method or a number is unknown.
    TypeError
        If the method has no such option.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> features = np.concatenate([rng.normal(size=(100, 2)), rng.normal(size=(50, 2)) + 8])
    >>> found = fit_clusters(features)
    >>> found.n_clusters, np.bincount(found.labels)
    (2, array([100,  50]))
    """
    features = np.asarray(features, dtype=float)
    _check(features, method, n_clusters, max_clusters, options)
    rows = len(features)
    limit = MOST_ROWS[method]
    fitted = np.arange(rows)
    if limit is not None and rows > limit:
        fitted = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    smallest = max(5, len(fitted) // 100) if min_cluster_size is None else int(min_cluster_size)
    smallest = max(2, min(smallest, len(fitted)))
    largest = min(max_clusters, max(1, len(fitted) // max(2 * features.shape[1], 4)))
    with one_thread():
        fit = fit_method(features[fitted], method, n_clusters, largest, smallest, seed, **options)
    keep_above = 1 if n_clusters is not None else smallest
    order = _order(features[fitted], fit.labels, keep_above)
    labels, probability = np.asarray(fit.labels), None
    if len(fitted) < rows or method == "gaussian_mixture":
        labels, probability = fit.assign(features)
        labels = np.asarray(labels)
        labels[fitted] = fit.labels
    if probability is not None:
        probability = probability.astype(np.float32)
    return Clustering(method, _renumber(labels, order), probability, fit, order, fitted)


def one_thread():
    """Keep scikit-learn to one thread: on small tables many threads wait for each other, on a busy machine minutes."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def _check(features, method, n_clusters, max_clusters, options) -> None:
    if method not in METHODS:
        raise ValueError(f"method={method!r}; expected one of {', '.join(METHODS)}.")
    unknown = sorted(set(options) - set(OPTIONS[method]))
    if unknown:
        allowed = ", ".join(OPTIONS[method]) or "no options"
        raise TypeError(f"{method!r} has no option {', '.join(unknown)}; it takes {allowed}.")
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError(f"Expected finite features of the shape (rows, columns), not {features.shape}.")
    if max_clusters < 1:
        raise ValueError(f"max_clusters={max_clusters}; expected 1 or more.")
    if n_clusters is not None:
        if method not in TAKES_NUMBER:
            raise ValueError(
                f"{method!r} finds the number of clusters itself; leave n_clusters out, or take one of "
                f"{', '.join(TAKES_NUMBER)}."
            )
        if isinstance(n_clusters, bool) or int(n_clusters) != n_clusters or n_clusters < 1:
            raise ValueError(f"n_clusters={n_clusters!r}; expected a whole number, 1 or more.")
    components = options.get("components")
    if components is not None and (
        isinstance(components, bool) or int(components) != components or components < (n_clusters or 1)
    ):
        raise ValueError(f"components={components!r}; expected a whole number, {n_clusters or 1} or more.")
    needed = max(n_clusters or 1, components or 1, 2)
    distinct = len(np.unique(features, axis=0))
    if len(features) < needed or distinct < needed:
        what = f"{len(features)} particles" if len(features) < needed else f"only {distinct} different particles"
        raise ValueError(f"There are {what} to cluster; expected {needed} or more that differ.")


def _order(features: np.ndarray, labels: np.ndarray, smallest: int) -> np.ndarray:
    """Own number of each of a method's clusters, ascending along the first feature; -1 for those that are too small."""
    labels = np.asarray(labels)
    count = int(labels.max(initial=-1)) + 1
    medians, order = {}, np.full(count, -1)
    for number in range(count):
        inside = features[labels == number, 0]
        if len(inside) >= smallest:
            medians[number] = np.median(inside)
    order[sorted(medians, key=medians.get)] = np.arange(len(medians))
    return order


def _renumber(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    return np.append(order, -1)[labels].astype(np.int32)


def cluster_stability(
    features: np.ndarray, clustering: Clustering, resamples: int = 10, seed: int = 0, **options: object
) -> dict:
    """Return how well clusters come back when half of the rows are clustered by the same method and numbers.

    Parameters
    ----------
    features
        Those that were clustered; 2,000 rows of them at most are used, drawn by the seed.
    clustering
        Their clusters.
    resamples
        Number of halves that are drawn.
    seed
        Of the draws.
    **options
        As for `fit_clusters`.

    Returns
    -------
    dict
        ``jaccard``: for each cluster the mean over the draws of its overlap with the most alike cluster of the half,
        intersection over union. Clusters above 0.75 are stable, those below 0.6 should not be trusted (Hennig).
        ``rand``: the mean adjusted Rand index of the rows that are no noise, and ``rand_low``
        and ``rand_high``, the 2.5 and 97.5 % quantiles.

    References
    ----------
    C. Hennig, Computational Statistics & Data Analysis 52, 258 (2007).
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    rows = np.arange(len(features))
    if len(rows) > STABILITY_ROWS:
        rows = np.sort(rng.choice(rows, STABILITY_ROWS, replace=False))
    features, labels = np.asarray(features)[rows], clustering.labels[rows]
    number = clustering.n_clusters if clustering.method in TAKES_NUMBER and clustering.n_clusters else None
    if "components" in clustering.fit.parameters:
        options = {**options, "components": max(clustering.fit.parameters["components"], number or 1)}
    overlaps, scores = [], []
    for draw in range(resamples):
        half = np.sort(rng.choice(len(rows), max(2, len(rows) // 2), replace=False))
        try:
            again = fit_clusters(features[half], clustering.method, number, seed=seed + draw, **options).labels
        except ValueError:
            continue  # a half of few rows can be too small, or all alike
        true = labels[half]
        both = (true >= 0) & (again >= 0)
        scores.append(adjusted_rand_score(true[both], again[both]))
        overlaps.append([_best_jaccard(true == n, again) for n in range(clustering.n_clusters)])
    if not scores:
        return {"jaccard": [], "rand": np.nan, "rand_low": np.nan, "rand_high": np.nan, "resamples": 0}
    low, high = np.quantile(scores, (0.025, 0.975))
    with np.errstate(invalid="ignore"):
        jaccard = [
            float(np.nanmean(column)) if np.isfinite(column).any() else np.nan for column in np.array(overlaps).T
        ]
    return {
        "jaccard": jaccard,
        "rand": float(np.mean(scores)),
        "rand_low": float(low),
        "rand_high": float(high),
        "resamples": len(scores),
    }


def _best_jaccard(mask: np.ndarray, labels: np.ndarray) -> float:
    """Largest intersection over union of a cluster with any of other ones; NaN where the cluster was not drawn."""
    if not mask.any():
        return np.nan
    return max(
        (np.sum(mask & (labels == n)) / np.sum(mask | (labels == n)) for n in np.unique(labels[labels >= 0])),
        default=0.0,
    )
