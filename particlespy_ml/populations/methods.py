"""The ways to cluster, all by scikit-learn: each fits features and returns labels and what assigns further rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from particlespy_ml.populations.number import GAP_ROWS, SELECTION_ROWS, choose_mixture, gap_statistic, knee

# Rows that a method is fitted on at most, by a seeded sample; others are then assigned. Without a limit affinity
# propagation and agglomerative clustering take memory, and OPTICS time, in proportion to the square of the rows.
MOST_ROWS = {
    "affinity_propagation": 500,
    "agglomerative": 3000,
    "dbscan": 20000,
    "gaussian_mixture": None,
    "hdbscan": 12000,
    "kmeans": None,
    "optics": 3000,
}
METHODS = tuple(MOST_ROWS)
ROUNDS = 3  # of taking out outliers
TAKES_NUMBER = ("affinity_propagation", "agglomerative", "gaussian_mixture", "kmeans")
OPTIONS = {
    "affinity_propagation": ("damping",),
    "agglomerative": ("linkage",),
    "dbscan": ("eps", "min_samples"),
    "gaussian_mixture": ("covariance_type",),
    "hdbscan": ("min_samples",),
    "kmeans": (),
    "optics": ("min_samples", "xi"),
}


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
    """Assign rows to the most probable component; rows where the density is below the floor are noise."""

    mixture: object
    floor: float

    def __call__(self, features: np.ndarray):
        probability = self.mixture.predict_proba(features)
        noise = self.mixture.score_samples(features) < self.floor - 1e-9
        return np.where(noise, -1, probability.argmax(1)), np.where(noise, 0.0, probability.max(1))


@dataclass(frozen=True, eq=False)
class ByCentre:
    """Assign rows to the nearest centre or exemplar, shape (clusters, columns)."""

    centres: np.ndarray

    def __call__(self, features: np.ndarray):
        squares = (features**2).sum(1)[:, None] - 2 * features @ self.centres.T + (self.centres**2).sum(1)
        return squares.argmin(1), None


@dataclass(frozen=True, eq=False)
class ByNeighbour:
    """Assign rows as the nearest row that was fitted, within that row's reach; others are noise."""

    features: np.ndarray
    labels: np.ndarray
    reach: np.ndarray

    def __call__(self, features: np.ndarray):
        from scipy.spatial import cKDTree

        distance, nearest = cKDTree(self.features).query(features)
        return np.where(distance <= self.reach[nearest], self.labels[nearest], -1), None


def fit_method(features, method: str, number: int | None, largest: int, smallest: int, seed: int, **options) -> Fit:
    """Run a method.

    Parameters
    ----------
    features
        Shape (rows, columns), finite.
    method
        One of `METHODS`.
    number
        Number of clusters; None to choose it.
    largest
        Largest number of clusters that is tried.
    smallest
        Rows that a cluster has at least, for the density methods.
    seed
        Of all that is random.
    **options
        Of the method.
    """
    return _RUN[method](features, number, largest, smallest, seed, **options)


def _gaussian_mixture(features, number, largest, smallest, seed, covariance_type="full") -> Fit:
    """Isolated rows are left out of the fit, and the rows of components that are too small for a cluster."""
    from sklearn.mixture import GaussianMixture

    def fit(values, components):
        # the regularisation is small beside the unit spread of the features, and keeps components from collapsing
        mixture = GaussianMixture(
            components, covariance_type=covariance_type, n_init=3, reg_covar=1e-3, random_state=seed, max_iter=300
        )
        return mixture.fit(values)

    least = smallest if number is None else min(smallest, len(features) // 100)
    kept, curve, components = features[~isolated_rows(features)], {}, number
    for _ in range(ROUNDS):
        if number is None:
            components, curve = choose_mixture(fit, _sample(kept, SELECTION_ROWS, seed), largest)
        mixture = fit(kept, components)
        own = mixture.predict(kept)
        small = np.bincount(own, minlength=components)[own] < least
        if not small.any() or small.all():
            break
        kept = kept[~small]
    assign = ByMixture(mixture, float(mixture.score_samples(kept).min()))
    taken_out = len(features) - len(kept)
    parameters = {"covariance_type": covariance_type, "n_init": 3, "reg_covar": 1e-3, "taken_out": taken_out}
    return Fit(assign(features)[0], assign, curve, parameters)


def _kmeans(features, number, largest, smallest, seed) -> Fit:
    from sklearn.cluster import KMeans

    curve = {}
    if number is None:
        number, curve = _kmeans_number(features, largest, seed)
    found = KMeans(number, n_init=10, random_state=seed).fit(features)
    return Fit(found.labels_, ByCentre(found.cluster_centers_), curve, {"n_init": 10})


def _kmeans_number(features, largest, seed) -> tuple[int, dict]:
    from sklearn.cluster import KMeans

    def dispersion(values):
        numbers = range(1, min(largest + 1, len(values)) + 1)
        return np.array([KMeans(n, n_init=3, random_state=seed).fit(values).inertia_ for n in numbers])

    return gap_statistic(dispersion, _sample(features, GAP_ROWS, seed), largest, seed)


def _agglomerative(features, number, largest, smallest, seed, linkage="ward") -> Fit:
    curve = {}
    if number is None:

        def dispersion(values):
            tree = _tree(values, linkage)
            numbers = range(1, min(largest + 1, len(values)) + 1)
            return np.array([_within(values, _cut(tree, n)) for n in numbers])

        number, curve = gap_statistic(dispersion, _sample(features, GAP_ROWS, seed), largest, seed)
    tree = _tree(features, linkage)
    labels = _cut(tree, number)
    centres = np.array([features[labels == n].mean(0) for n in range(labels.max() + 1)])
    return Fit(labels, ByCentre(centres), curve, {"linkage": linkage}, {"linkage": tree})


def _tree(features: np.ndarray, linkage: str) -> np.ndarray:
    """The merges of agglomerative clustering as scipy's linkage matrix, shape (rows - 1, 4)."""
    from sklearn.cluster import AgglomerativeClustering

    model = AgglomerativeClustering(None, linkage=linkage, distance_threshold=0, compute_full_tree=True).fit(features)
    order = np.argsort(model.distances_, kind="stable")  # merges of a cut are the first ones only if they are sorted
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    rows = len(features)
    children = model.children_[order]
    children = np.where(children < rows, children, rows + place[np.maximum(children - rows, 0)])
    sizes = np.ones(2 * rows - 1)
    for i, (a, b) in enumerate(children):
        sizes[rows + i] = sizes[a] + sizes[b]
    return np.column_stack([children, model.distances_[order], sizes[rows:]]).astype(float)


def _cut(tree: np.ndarray, number: int) -> np.ndarray:
    from scipy.cluster.hierarchy import cut_tree

    return cut_tree(tree, n_clusters=number)[:, 0]


def _within(features: np.ndarray, labels: np.ndarray) -> float:
    """Sum of squared distances of the rows from the centres of their clusters."""
    counts = np.bincount(labels)
    centres = np.array([np.bincount(labels, column) for column in features.T]).T / counts[:, None]
    return float(((features - centres[labels]) ** 2).sum())


def _affinity_propagation(features, number, largest, smallest, seed, damping=0.9) -> Fit:
    """The preference is searched for that gives the wanted number of exemplars, or the nearest that there is.

    Where no number is asked for it is that of k-means: a preference of its own, such as the usual median of the
    similarities, gives a few dozen exemplars for any single normal population.
    """
    curve = {}
    if number is None:
        number, curve = _kmeans_number(features, largest, seed)
    similarity = -((features[:, None] - features[None]) ** 2).sum(-1)
    span = -similarity.min() * len(features)
    low, high = -9.0, 1.0  # decimal logarithms of the preference over its span
    best = None
    for _ in range(12):
        middle = (low + high) / 2
        labels, exemplars = _propagate(similarity, -span * 10**middle, damping, seed)
        if best is None or abs(len(exemplars) - number) < abs(len(best[1]) - number):
            best = labels, exemplars, -span * 10**middle
        if len(exemplars) == number:
            break
        low, high = (middle, high) if len(exemplars) > number else (low, middle)
    labels, exemplars, preference = best
    return Fit(labels, ByCentre(features[exemplars]), curve, {"damping": damping, "preference": float(preference)})


def _propagate(similarity, preference, damping, seed):
    import warnings

    from sklearn.cluster import AffinityPropagation
    from sklearn.exceptions import ConvergenceWarning

    model = AffinityPropagation(damping=damping, preference=preference, affinity="precomputed", random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the search takes another preference then
        warnings.filterwarnings("ignore", "All samples have mutually equal")
        model.fit(similarity.copy())
    exemplars = np.asarray(model.cluster_centers_indices_, dtype=int)
    if len(exemplars) == 0 or (model.labels_ < 0).any():
        return np.zeros(len(similarity), int), np.array([int(similarity.sum(1).argmax())])
    return model.labels_, exemplars


def _dbscan(features, number, largest, smallest, seed, eps=None, min_samples=None) -> Fit:
    from sklearn.cluster import DBSCAN

    neighbours = min_samples or max(2 * features.shape[1], smallest // 2)
    distances = _core_distances(features, neighbours)
    curve = {"name": "distance", "numbers": [], "scores": np.sort(distances)[:: max(1, len(distances) // 500)].tolist()}
    eps = knee(distances) if eps is None else float(eps)
    labels = DBSCAN(eps=max(eps, 1e-12), min_samples=neighbours).fit(features).labels_
    assign = ByNeighbour(features, labels, np.full(len(features), eps))
    return Fit(labels, assign, curve, {"eps": eps, "min_samples": neighbours})


def _hdbscan(features, number, largest, smallest, seed, min_samples=None) -> Fit:
    from sklearn.cluster import HDBSCAN

    neighbours = min_samples or max(2 * features.shape[1], smallest // 2)
    neighbours = min(neighbours, len(features))
    model = HDBSCAN(min_cluster_size=smallest, min_samples=neighbours, allow_single_cluster=True, copy=True)
    labels = model.fit(features).labels_
    reach = _core_distances(features, neighbours)
    diagram = _reachability(features, neighbours)
    return Fit(labels, ByNeighbour(features, labels, reach), {}, {"min_samples": neighbours}, diagram)


def _optics(features, number, largest, smallest, seed, min_samples=None, xi=None) -> Fit:
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


def isolated_rows(features: np.ndarray) -> np.ndarray:
    """Return which rows lie far from all others, such as two particles measured as one.

    The logarithm of the distance to the 5th neighbour is more than 5 robust standard deviations above its median; one
    such row can widen a component until it swallows parts of others.
    """
    if len(features) < 20:
        return np.zeros(len(features), bool)
    distance = np.log(np.maximum(_core_distances(features, 6), 1e-12))
    middle = np.median(distance)
    spread = 1.4826 * np.median(np.abs(distance - middle))
    return distance > middle + 5 * max(spread, 0.1)


def _reachability(features: np.ndarray, neighbours: int) -> dict:
    """OPTICS' reachability of a sample of the rows, which shows what HDBSCAN's clusters stand on."""
    from sklearn.cluster import OPTICS

    rows = np.linspace(0, len(features) - 1, min(len(features), 1500)).astype(int)
    few = int(np.clip(neighbours * len(rows) // len(features), 5, len(rows)))
    model = OPTICS(min_samples=few, cluster_method="dbscan", eps=0).fit(features[rows])
    return {"reachability": model.reachability_[model.ordering_], "order": rows[model.ordering_]}


def _core_distances(features: np.ndarray, neighbours: int) -> np.ndarray:
    from scipy.spatial import cKDTree

    k = min(neighbours, len(features))
    return cKDTree(features).query(features, k=[k])[0][:, 0]


def _sample(features: np.ndarray, rows: int, seed: int) -> np.ndarray:
    if len(features) <= rows:
        return features
    return features[np.sort(np.random.default_rng(seed).choice(len(features), rows, replace=False))]


_RUN = {
    "affinity_propagation": _affinity_propagation,
    "agglomerative": _agglomerative,
    "dbscan": _dbscan,
    "gaussian_mixture": _gaussian_mixture,
    "hdbscan": _hdbscan,
    "kmeans": _kmeans,
    "optics": _optics,
}
