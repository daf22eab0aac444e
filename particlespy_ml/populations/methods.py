"""The ways to cluster, all by scikit-learn: each fits features and returns labels and what assigns further rows."""

from __future__ import annotations

import warnings

import numpy as np

from particlespy_ml.populations.assign import ByCentre, ByMixture, Fit, isolated_rows
from particlespy_ml.populations.density import fit_dbscan, fit_hdbscan, fit_optics
from particlespy_ml.populations.merging import merge_components
from particlespy_ml.populations.number import GAP_ROWS, SELECTION_ROWS, choose_mixture, gap_statistic

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
MOST_ALONE = 8  # features that are cut alone for a start
TOO_WIDE = 3.0  # times the others' width
ROUNDS = 3  # of taking out outliers
STARTS = 8  # of a mixture
SHORT, LONG = 15, 2  # iterations of all starts, and how many of them go on
TAKES_NUMBER = ("affinity_propagation", "agglomerative", "gaussian_mixture", "kmeans")
OPTIONS = {
    "affinity_propagation": ("damping",),
    "agglomerative": ("linkage",),
    "dbscan": ("eps", "min_samples"),
    "gaussian_mixture": ("components", "covariance_type"),
    "hdbscan": ("min_samples",),
    "kmeans": (),
    "optics": ("min_samples", "xi"),
}


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


def _gaussian_mixture(features, number, largest, smallest, seed, covariance_type="full", components=None) -> Fit:
    """Isolated rows are left out of the fit, and those of clusters that are too small or collect outliers."""
    kept, curve = features[~isolated_rows(features)], {}
    least = smallest if number is None else min(smallest, len(features) // 100)
    for _ in range(ROUNDS):
        fit, sample = MixtureFit(kept, covariance_type, seed), _sample(kept, SELECTION_ROWS, seed)
        if components is None:
            mixture, curve = choose_mixture(fit, sample, number or 1, _most_components(kept, number, largest))
            count = mixture.n_components
        else:
            mixture, count = None, components
        if mixture is None or len(sample) < len(kept):
            mixture = fit(kept, count)
        clusters, valley = merge_components(sample, mixture.predict_proba(sample), number, largest)
        assign = ByMixture(mixture, -np.inf, clusters)
        own = np.unique(assign(kept)[0], return_inverse=True)[1]
        small = (np.bincount(own) < least)[own]
        if number is None:
            small |= collects_outliers(kept, own)[own]
        if not small.any() or small.all():
            break
        kept = kept[~small]
    assign = ByMixture(mixture, float(mixture.score_samples(kept).min()), clusters)
    parameters = {
        "covariance_type": covariance_type,
        "components": int(count),
        "cluster_of_component": clusters.tolist(),
        "separation": valley,
        "starts": STARTS,
        "reg_covar": 1e-3,
        "taken_out": len(features) - len(kept),
    }
    return Fit(assign(features)[0], assign, curve if number is None else {}, parameters)


def _most_components(features: np.ndarray, number: int | None, largest: int) -> int:
    """A population may take two, as long as each has twice as many rows as numbers that describe it."""
    columns = features.shape[1]
    return max(number or 1, largest, min(2 * largest, len(features) // (columns * (columns + 3))))


def collects_outliers(features: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return which components have few rows and reach across others.

    Few are less than twice the numbers that describe a component, its mean and covariance. A small population of its
    own is compact; what is left over from others is some times as wide as they are in one feature at least.

    Parameters
    ----------
    features
        Shape (rows, columns).
    own
        Component of each row, shape (rows,).

    Returns
    -------
    numpy.ndarray
        Booleans, shape (components,).
    """
    counts = np.bincount(own)
    few = counts < features.shape[1] * (features.shape[1] + 3)
    if few.all() or not few.any():
        return np.zeros(len(counts), bool)
    widths = np.array([features[own == n].std(0) if counts[n] else features[0] * 0 for n in range(len(counts))])
    return few & (widths > TOO_WIDE * np.median(widths[~few], axis=0)).any(1)


class MixtureFit:
    """Fit mixtures from several starts, and take the likeliest.

    All starts take a few steps, and the likeliest of them go on to the end.
    The likelihood has local maxima, and k-means alone starts wrongly where clusters are long or differ in spread, so
    there are starts by k-means, from random rows, and by the cuts of Ward trees: of the features as they are, of their
    whitened form, and of each feature alone, since what splits populations is often one of them.

    Parameters
    ----------
    features
        Rows that the trees are grown of, a sample of them where there are many.
    covariance_type
        As for `sklearn.mixture.GaussianMixture`.
    seed
        Of the starts.

    References
    ----------
    C. Fraley and A. E. Raftery, J. Am. Stat. Assoc. 97, 611 (2002), for starts by agglomerative clustering.
    C. Biernacki, G. Celeux and G. Govaert, Comput. Stat. Data Anal. 41, 561 (2003), for short runs before long ones.
    """

    def __init__(self, features: np.ndarray, covariance_type: str, seed: int):
        self.covariance_type, self.seed = covariance_type, seed
        self.rows = _sample(features, GAP_ROWS, seed)
        self.trees = []
        if len(self.rows) > 2:
            values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(self.rows.T)))
            whitened = self.rows @ vectors / np.sqrt(np.maximum(values, 1e-6 * values.max() + 1e-12))
            alone = [self.rows[:, [column]] for column in range(min(self.rows.shape[1], MOST_ALONE))]
            self.trees = [_tree(values, "ward") for values in (self.rows, whitened, *alone)]

    def __call__(self, features: np.ndarray, components: int):
        """Return the likeliest mixture of some number of components."""
        if components == 1:
            return self._mixture(1, n_init=1).fit(features)
        from sklearn.exceptions import ConvergenceWarning

        starts = [{"n_init": 2}, {"init_params": "random_from_data", "n_init": STARTS - 4}]
        for tree in self.trees if len(self.rows) >= components else ():
            labels = _cut(tree, components)
            starts.append({"means_init": np.array([self.rows[labels == n].mean(0) for n in range(components)])})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of short runs
            fits = [self._mixture(components, max_iter=SHORT, **start).fit(features) for start in starts]
        fits = sorted(fits, key=lambda mixture: -mixture.lower_bound_)[:LONG]
        fits = [self._mixture(components, **_parameters(short)).fit(features) for short in fits]
        return max(fits, key=lambda mixture: mixture.lower_bound_)

    def _mixture(self, components: int, max_iter: int = 300, **start):
        from sklearn.mixture import GaussianMixture

        # the regularisation is small beside the unit spread of the features, and keeps components from collapsing
        return GaussianMixture(
            components,
            covariance_type=self.covariance_type,
            reg_covar=1e-3,
            random_state=self.seed,
            max_iter=max_iter,
            **start,
        )


def _parameters(mixture) -> dict:
    """Where a mixture starts that goes on from another one."""
    return {
        "weights_init": mixture.weights_,
        "means_init": mixture.means_,
        "precisions_init": mixture.precisions_,
    }


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
    """Clusters before the last merges of a tree, in the order of their first rows.

    They are those of `scipy.cluster.hierarchy.cut_tree`, whose time grows with the square of the rows.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = len(tree) + 1
    merged = rows - number
    children = tree[:merged, :2].astype(int).ravel()
    parents = np.repeat(rows + np.arange(merged), 2)
    links = coo_array((np.ones(len(children), bool), (children, parents)), shape=(2 * rows - 1,) * 2)
    _, first, labels = np.unique(connected_components(links)[1][:rows], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[labels]


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


def _sample(features: np.ndarray, rows: int, seed: int) -> np.ndarray:
    if len(features) <= rows:
        return features
    return features[np.sort(np.random.default_rng(seed).choice(len(features), rows, replace=False))]


_RUN = {
    "affinity_propagation": _affinity_propagation,
    "agglomerative": _agglomerative,
    "dbscan": fit_dbscan,
    "gaussian_mixture": _gaussian_mixture,
    "hdbscan": fit_hdbscan,
    "kmeans": _kmeans,
    "optics": fit_optics,
}
