"""Methods of clustering on features with known clusters, and their number and stability."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from sklearn.metrics import adjusted_rand_score

from particlespy_ml.populations.cluster import cluster_stability, fit_clusters
from particlespy_ml.populations.methods import METHODS, TAKES_NUMBER, MixtureFit, _tree, collects_outliers
from particlespy_ml.populations.number import choose_mixture, gap_statistic, knee


def blobs(counts=(120, 80, 60), distance=10.0, seed=0, columns=3):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(counts)), counts)
    features = rng.normal(size=(len(truth), columns))
    features[:, 0] += distance * truth
    order = rng.permutation(len(truth))
    return features[order], truth[order]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_clusters_and_their_number(method):
    features, truth = blobs()
    found = fit_clusters(features, method)
    clustered = found.labels >= 0
    assert found.n_clusters == 3 and clustered.mean() > 0.8
    # clusters ascend along the first feature
    assert adjusted_rand_score(truth[clustered], found.labels[clustered]) == 1
    np.testing.assert_array_equal(found.labels[clustered], truth[clustered])
    again = fit_clusters(features, method)
    np.testing.assert_array_equal(again.labels, found.labels)


@pytest.mark.parametrize("method", ["gaussian_mixture", "kmeans", "agglomerative", "hdbscan", "affinity_propagation"])
def test_one_population_is_not_split(method):
    features, _ = blobs((200,), seed=3)
    features[:, 1] *= 3
    assert fit_clusters(features, method).n_clusters == 1


def test_a_skewed_population_is_one_though_its_density_takes_two_components():
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.gamma(2.0, size=800), rng.normal(size=800)])
    from sklearn.mixture import GaussianMixture

    fits = {n: GaussianMixture(n, n_init=3, random_state=0).fit(features) for n in (1, 2)}
    assert fits[2].bic(features) < fits[1].bic(features)
    found = fit_clusters(features)
    assert found.n_clusters == 1 and found.fit.parameters["components"] > 1
    assert found.probability[found.labels == 0] == pytest.approx(1)


def test_the_choice_stops_when_the_score_gets_worse():
    class Flat:
        def __init__(self, number):
            self.number = number

        def bic(self, features):
            return 20 * abs(self.number - 2)

    def fit(values, number):
        return Flat(number)

    best, curve = choose_mixture(fit, np.zeros((4, 1)), 1, 8)
    assert best.number == 2 and curve["numbers"] == [1, 2, 3, 4] and curve["name"] == "BIC"
    best, curve = choose_mixture(fit, np.zeros((4, 1)), 3, 8)
    assert best.number == 3 and curve["numbers"] == [3, 4, 5]


def test_what_reaches_across_the_others_collects_outliers():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 0.1, (60, 2)), rng.normal(5, 0.1, (60, 2)), rng.normal(2.5, 2, (7, 2))])
    own = np.repeat([0, 1, 2], [60, 60, 7])
    assert list(collects_outliers(features, own)) == [False, False, True]
    features[120:] = rng.normal(9, 0.1, (7, 2))  # a small population of its own
    assert not collects_outliers(features, own).any()
    assert not collects_outliers(features[:7], own[:7]).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_populations_that_one_feature_alone_separates_are_found(seed):
    rng = np.random.default_rng(seed)
    sizes = np.repeat([-1.1, 0.0, 0.7], 50) + rng.normal(0, 0.05, 150)
    features = np.column_stack([sizes, rng.normal(0, 0.9, 150), rng.normal(0, 0.45, 150)])
    found = fit_clusters(features, "gaussian_mixture", seed=seed).labels
    assert adjusted_rand_score(np.repeat([0, 1, 2], 50), found) > 0.95


def test_gap_statistic_by_hand():
    """The reference is the same for all numbers, so the gap is the fall of the data's own dispersion."""
    features = np.random.default_rng(0).normal(size=(50, 2))

    def dispersion(values):
        return np.array([8.0, 1.0, 1.0, 1.0]) if values is features else np.full(4, 2.0)

    best, curve = gap_statistic(dispersion, features, 4, 0)
    assert best == 2
    np.testing.assert_allclose(curve["scores"], np.log([0.25, 2, 2, 2]))


def test_knee_of_a_corner():
    assert knee(np.concatenate([np.linspace(0, 1, 90), np.linspace(1, 20, 10)])) == pytest.approx(1)


def test_the_tree_is_scipys():
    features, _ = blobs((15, 10), columns=2)
    own, theirs = _tree(features, "ward"), linkage(features, "ward")
    np.testing.assert_allclose(own[:, 2:], theirs[:, 2:])


@pytest.mark.parametrize("method", METHODS)
def test_further_rows_are_assigned_as_the_fitted_ones(method):
    features, truth = blobs((400, 300))
    found = fit_clusters(features[:500], method)
    labels, probability = found.predict(features[500:])
    clustered = labels >= 0
    assert clustered.mean() > 0.7
    np.testing.assert_array_equal(labels[clustered], truth[500:][clustered])
    assert (probability is not None) == (method == "gaussian_mixture")
    empty, _ = found.predict(np.zeros((0, 3)))
    assert empty.shape == (0,) and empty.dtype == np.int32


@pytest.mark.parametrize("method", ["affinity_propagation", "agglomerative", "optics"])
def test_quadratic_methods_are_fitted_on_a_sample(method, monkeypatch):
    from particlespy_ml.populations import methods

    monkeypatch.setitem(methods.MOST_ROWS, method, 150)
    features, truth = blobs((200, 200))
    found = fit_clusters(features, method, **({"n_clusters": 2} if method in TAKES_NUMBER else {}))
    assert len(found.fitted) == 150 and len(found.labels) == 400
    clustered = found.labels >= 0
    assert clustered.mean() > 0.7
    np.testing.assert_array_equal(found.labels[clustered], truth[clustered])


def test_outliers_are_noise_and_do_not_change_the_number():
    features, truth = blobs()
    features = np.concatenate([features, [[60, 60, 60], [-40, 30, 10]]])
    found = fit_clusters(features)
    assert found.n_clusters == 3
    np.testing.assert_array_equal(found.labels[-2:], -1)
    assert (found.labels[:-2] == truth).mean() > 0.98
    assert found.predict(np.array([[0, 200.0, 0]]))[0][0] == -1


def test_a_given_number_is_kept():
    features, _ = blobs()
    for method in TAKES_NUMBER:
        assert fit_clusters(features, method, 2).n_clusters == 2
        assert fit_clusters(features, method, 2).curve == {}


def test_long_clusters_beside_round_ones():
    """K-means cuts the long ones; the likeliest of several starts does not."""
    rng = np.random.default_rng(2)
    truth = np.repeat(np.arange(3), (200, 150, 150))
    features = rng.normal(size=(500, 3)) * np.array([[1, 1, 1], [8, 0.3, 1], [1, 0.3, 6]])[truth]
    features += np.array([[0, 0, 0], [6, 4, 0], [0, -4, 0]])[truth]
    found = fit_clusters(features)
    assert found.n_clusters == 3 and adjusted_rand_score(truth, found.labels) > 0.97
    from sklearn.mixture import GaussianMixture

    alone = GaussianMixture(3, reg_covar=1e-3, random_state=0, max_iter=300).fit(features)
    assert MixtureFit(features, "full", 0)(features, 3).lower_bound_ >= alone.lower_bound_ - 1e-6


def test_stability_tells_clusters_from_cuts():
    features, _ = blobs((200, 150))
    stable = cluster_stability(features, fit_clusters(features), 5)
    assert min(stable["jaccard"]) > 0.95 and stable["rand"] > 0.95
    cut = cluster_stability(features, fit_clusters(features, "kmeans", 5), 8)
    assert min(cut["jaccard"]) < 0.75 and cut["rand"] < stable["rand"]
    assert cut["rand_low"] <= cut["rand"] <= cut["rand_high"]
    assert stable == cluster_stability(features, fit_clusters(features), 5)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (np.zeros((1, 2)), {}, "1 particles"),
        (np.zeros((9, 2)), {}, "only 1 different"),
        (np.eye(3), {"n_clusters": 4}, "3 particles"),
        (np.eye(3), {"n_clusters": 0}, "n_clusters=0"),
        (np.eye(3), {"method": "dbscan", "n_clusters": 2}, "finds the number of clusters itself"),
        (np.eye(3), {"method": "spectral"}, "expected one of affinity_propagation"),
        (np.eye(3), {"max_clusters": 0}, "max_clusters=0"),
        (np.full((3, 2), np.nan), {}, "finite features"),
    ],
)
def test_bad_input(rows, options, message):
    with pytest.raises(ValueError, match=message):
        fit_clusters(rows, **options)


def test_components_are_merged_to_the_number_that_is_asked_for():
    features, truth = blobs()
    assert fit_clusters(features, components=3, n_clusters=2).n_clusters == 2
    found = fit_clusters(features, components=5)
    assert found.n_clusters == 3 and adjusted_rand_score(truth, found.labels) > 0.95
    assert len(found.fit.parameters["cluster_of_component"]) == 5
    with pytest.raises(ValueError, match="components=2; expected a whole number, 3 or more"):
        fit_clusters(features, components=2, n_clusters=3)
    with pytest.raises(ValueError, match="components=1.5"):
        fit_clusters(features, components=1.5)


def test_unknown_options_are_named():
    with pytest.raises(TypeError, match="'kmeans' has no option eps"):
        fit_clusters(np.eye(3), "kmeans", eps=1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [2, 3, 7, 15])
def test_few_rows_do_not_fail(method, count):
    features = np.random.default_rng(0).normal(size=(count, 2))
    assert len(fit_clusters(features, method).labels) == count


def test_trees_are_cut_as_scipy_cuts_them():
    from scipy.cluster.hierarchy import cut_tree

    from particlespy_ml.populations.methods import _cut, _tree

    for rows in (2, 5, 60):
        tree = _tree(np.random.default_rng(rows).normal(size=(rows, 3)), "ward")
        for number in range(1, min(rows, 8) + 1):
            np.testing.assert_array_equal(_cut(tree, number), cut_tree(tree, number)[:, 0])
