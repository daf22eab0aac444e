"""Clustering by density, by scikit-learn: clusters of any form, and noise; the number is found, not given."""

from __future__ import annotations

import numpy as np

from particlespy_ml.populations.assign import ByNeighbour, Fit, core_distances
from particlespy_ml.populations.number import knee


def fit_dbscan(features, number, largest, smallest, seed, eps=None, min_samples=None) -> Fit:
    """Clusters of rows that reach each other within *eps*, by default the knee of the sorted distances."""
    from sklearn.cluster import DBSCAN

    neighbours = min_samples or max(2 * features.shape[1], smallest // 2)
    distances = core_distances(features, neighbours)
    curve = {"name": "distance", "numbers": [], "scores": np.sort(distances)[:: max(1, len(distances) // 500)].tolist()}
    eps = knee(distances) if eps is None else float(eps)
    labels = DBSCAN(eps=max(eps, 1e-12), min_samples=neighbours).fit(features).labels_
    assign = ByNeighbour(features, labels, np.full(len(features), eps))
    return Fit(labels, assign, curve, {"eps": eps, "min_samples": neighbours})


def fit_hdbscan(features, number, largest, smallest, seed, min_samples=None) -> Fit:
    """The clusters that last longest as the reach shrinks; a single one where nothing lasts longer than all."""
    from sklearn.cluster import HDBSCAN

    neighbours = min_samples or max(2 * features.shape[1], smallest // 2)
    neighbours = min(neighbours, len(features))
    model = HDBSCAN(min_cluster_size=smallest, min_samples=neighbours, allow_single_cluster=True, copy=True)
    labels = model.fit(features).labels_
    reach = core_distances(features, neighbours)
    diagram = _reachability(features, neighbours)
    return Fit(labels, ByNeighbour(features, labels, reach), {}, {"min_samples": neighbours}, diagram)


def fit_optics(features, number, largest, smallest, seed, min_samples=None, xi=None) -> Fit:
    """Valleys of the reachability below its knee or, with *xi*, between slopes as steep as that."""
    from sklearn.cluster import OPTICS, cluster_optics_dbscan

    neighbours = min(min_samples or max(2 * features.shape[1], smallest // 2), len(features))
    extraction = {"cluster_method": "dbscan", "eps": 0} if xi is None else {"xi": xi, "min_cluster_size": smallest}
    with np.errstate(divide="ignore", invalid="ignore"):
        model = OPTICS(min_samples=neighbours, **extraction).fit(features)
    reach = model.reachability_
    parameters = {"min_samples": neighbours}
    labels = model.labels_
    if xi is None:
        finite = reach[np.isfinite(reach)]
        eps = parameters["eps"] = knee(finite) if len(finite) else 1.0
        labels = cluster_optics_dbscan(
            reachability=reach, core_distances=model.core_distances_, ordering=model.ordering_, eps=eps
        )
    else:
        parameters["xi"] = xi
    diagram = {"reachability": reach[model.ordering_], "order": model.ordering_}
    core = np.where(np.isfinite(model.core_distances_), model.core_distances_, 0)
    return Fit(labels, ByNeighbour(features, labels, core), {}, parameters, diagram)


def _reachability(features: np.ndarray, neighbours: int) -> dict:
    """OPTICS' reachability of a sample of the rows, which shows what HDBSCAN's clusters stand on."""
    from sklearn.cluster import OPTICS

    rows = np.linspace(0, len(features) - 1, min(len(features), 1500)).astype(int)
    few = int(np.clip(neighbours * len(rows) // len(features), 5, len(rows)))
    model = OPTICS(min_samples=few, cluster_method="dbscan", eps=0).fit(features[rows])
    return {"reachability": model.reachability_[model.ordering_], "order": rows[model.ordering_]}
