"""Valleys between populations: the dip beside a linear program, and components merged to clusters."""

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.metrics import adjusted_rand_score

from particlespy_ml.populations.cluster import cluster_stability, fit_clusters
from particlespy_ml.populations.merging import critical_dip, dip, merge_components, normal_loss, separation


def nearest_unimodal(x):
    """Distance of the nearest unimodal distribution function with its mode at one of the values, by linear programs.

    On each side of the mode the function is given by its value at the values, and convex or concave.
    """
    n = len(x)
    above, below = np.arange(1, n + 1) / n, np.arange(n) / n
    distances = []
    for mode in range(n):
        left, right = mode + 1, n - mode
        rows, limits = [], []

        def limit(terms, value, size=left + right + 1, rows=rows, limits=limits):
            row = np.zeros(size)
            for place, factor in terms:
                row[place] += factor
            rows.append(row)
            limits.append(value)

        for i in range(left):
            limit([(i, 1), (-1, -1)], below[i])
            if i < mode:
                limit([(i, -1), (-1, -1)], -above[i])
                limit([(i, 1), (i + 1, -1)], 0)
            if 0 < i < mode:
                before, after = 1 / (x[i] - x[i - 1]), 1 / (x[i + 1] - x[i])
                limit([(i - 1, -before), (i, before + after), (i + 1, -after)], 0)
        for j in range(right):
            i, place = mode + j, left + j
            limit([(place, -1), (-1, -1)], -above[i])
            if j:
                limit([(place, 1), (-1, -1)], below[i])
                limit([(place - 1, 1), (place, -1)], 0)
            if 0 < j < right - 1:
                before, after = 1 / (x[i] - x[i - 1]), 1 / (x[i + 1] - x[i])
                limit([(place - 1, before), (place, -before - after), (place + 1, after)], 0)
        limit([(mode, 1), (left, -1)], 0)
        cost = np.zeros(left + right + 1)
        cost[-1] = 1
        bounds = [(None, None)] * (left + right) + [(0, None)]
        distances.append(linprog(cost, np.array(rows), limits, bounds=bounds).fun)
    return min(distances)


@pytest.mark.parametrize("n", [5, 9, 18])
@pytest.mark.parametrize("apart", [0, 3])
def test_the_dip_is_the_distance_of_the_nearest_unimodal_distribution(n, apart):
    rng = np.random.default_rng([n, apart])
    values = np.sort(rng.normal(size=n) + apart * (rng.random(n) < 0.5))
    assert dip(rng.permutation(values)) == pytest.approx(nearest_unimodal(values), abs=1e-9)


def test_dips_of_closed_form():
    assert dip(np.arange(40)) == pytest.approx(1 / 80)
    narrow = np.linspace(0, 1e-6, 500)
    assert dip(np.concatenate([narrow, 1 + narrow])) == pytest.approx(0.25, abs=2e-3)
    assert dip(np.ones(9)) == 0
    values = np.random.default_rng(0).normal(size=60)
    assert dip(3 - 5 * values) == pytest.approx(dip(values))


@pytest.mark.parametrize("n", [15, 70, 400])
def test_the_critical_dip_is_the_95_percent_quantile_of_uniform_values(n):
    rng = np.random.default_rng(n)
    above = np.mean([dip(rng.random(n)) > critical_dip(n) for _ in range(300)])
    assert above < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    # less even populations are parted more seldom
    assert np.mean([dip(rng.normal(size=n)) > critical_dip(n) for _ in range(60)]) <= 0.05


@pytest.mark.parametrize("sizes", [(150, 150), (1500, 60)])
def test_a_small_population_beside_a_large_one_is_parted(sizes):
    rng = np.random.default_rng(1)
    one, other = (rng.normal(size=(n, 2)) for n in sizes)
    assert separation(one, other + [5.5, 0]) > 1
    # halves of one population are not
    everything = np.concatenate([one, other])
    cut = everything[:, 0] > np.quantile(everything[:, 0], sizes[0] / sum(sizes))
    assert separation(everything[~cut], everything[cut]) < 1


def test_the_loss_of_one_normal_for_two_groups_is_that_of_the_likelihood():
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(2)
    groups = [rng.normal(size=(80, 2)), 3 * rng.normal(size=(50, 2)) + 4]

    def likelihood(rows):
        return multivariate_normal(rows.mean(0), np.cov(rows.T, bias=True)).logpdf(rows).sum()

    expected = sum(likelihood(rows) for rows in groups) - likelihood(np.concatenate(groups))
    assert normal_loss(*groups) == pytest.approx(expected, rel=5e-3)


def test_components_of_one_population_become_one_cluster():
    rng = np.random.default_rng(3)
    features = np.concatenate([rng.normal(size=(200, 2)), rng.normal(size=(100, 2)) + 8])
    own = np.where(np.arange(300) < 200, (features[:, 0] > 0).astype(int), 2)
    probability = np.eye(4)[own] * 0.9 + 0.025  # the last component has no row of its own
    probability[own == 2, 3] += 0.05
    clusters, least = merge_components(features, probability)
    assert clusters[0] == clusters[1] != clusters[2] == clusters[3] and least > 1
    clusters, least = merge_components(features, probability, number=1)
    assert not clusters.any() and least == np.inf
    assert merge_components(features, probability, number=3)[1] < 1
    assert len(np.unique(merge_components(features, probability, most=1)[0])) == 1


def turned_spheroids(rng, count, size, aspect, free=True):
    """Logarithms of the diameter and the aspect ratio of outlines of spheroids (1, a, a), and their compactness.

    Seen at an angle t from the long axis, the half axes are a and sqrt(sin(t)^2 + a^2 cos(t)^2). Circularity falls
    with the aspect ratio as for ellipses, and everything has some noise.
    """
    cosine = rng.uniform(0, 1, count) if free else np.zeros(count)
    short = aspect * np.exp(0.05 * rng.normal(size=count))
    long = np.sqrt(1 - cosine**2 + short**2 * cosine**2)
    diameter = np.log(size) + 0.1 * rng.normal(size=count) + 0.5 * np.log(long * short ** (1 / 3))
    # two errors across each other change the ellipse, so that it is never quite round
    stretch = np.hypot(np.log(long / short) + 0.04 * rng.normal(size=count), 0.04 * rng.normal(size=count))
    circularity = 0.9 / np.cosh(stretch / 1.3) + 0.01 * rng.normal(size=count)
    return np.column_stack([diameter, stretch, circularity])


def scaled(features):
    middle = np.median(features, axis=0)
    return (features - middle) / (1.4826 * np.median(np.abs(features - middle), axis=0))


@pytest.mark.parametrize(("counts", "seed"), [((300, 300, 300), 0), ((400, 120, 40), 1)])
def test_spheroids_at_all_angles_are_three_populations(counts, seed):
    """Elongated ones seen from all sides have a skewed and curved distribution, a fourth population for one mixture."""
    rng = np.random.default_rng(seed)
    kinds = [(3.2, 0.98, True), (4.6, 0.4, True), (6.5, 0.8, True)]
    features = scaled(np.concatenate([turned_spheroids(rng, n, *kind) for n, kind in zip(counts, kinds, strict=True)]))
    truth = np.repeat(range(3), counts)
    found = fit_clusters(features, seed=seed)
    assert found.n_clusters == 3
    assert adjusted_rand_score(truth, found.labels) > 0.88


@pytest.mark.parametrize("law", ["student", "gamma", "uniform", "curved", "spheroids"])
def test_one_population_of_any_law_is_one(law):
    rng = np.random.default_rng([0, len(law)])
    features = rng.normal(size=(300, 3))
    if law == "student":
        features = rng.standard_t(3, size=(300, 3))
    elif law == "gamma":
        features[:, :2] = rng.gamma(1.5, size=(300, 2))
    elif law == "uniform":
        features[:, 0] = rng.uniform(-2, 2, 300)
    elif law == "curved":
        features[:, 1] = 0.8 * features[:, 0] ** 2 + 0.3 * features[:, 1]
    else:
        features = scaled(turned_spheroids(rng, 300, 4.0, 0.45))
    assert fit_clusters(features).n_clusters == 1


def test_probabilities_of_merged_clusters_are_how_often_they_are_right():
    """Each population is two normal distributions, so the mixture can be right."""
    rng = np.random.default_rng(7)
    part = rng.integers(4, size=1500)
    means = np.array([[0, 0], [1.2, 1.6], [4.2, 1.6], [5.4, 0]])
    features = means[part] + rng.normal(size=(1500, 2)) * np.array([0.6, 0.9, 0.9, 0.6])[part][:, None]
    found = fit_clusters(features, components=4, n_clusters=2)
    right = found.labels == part // 2
    assert adjusted_rand_score(part // 2, found.labels) > 0.85
    assert found.probability.mean() == pytest.approx(right.mean(), abs=0.01)
    doubtful = found.probability < 0.95
    assert doubtful.sum() > 100
    assert found.probability[doubtful].mean() == pytest.approx(right[doubtful].mean(), abs=0.08)


def test_stability_is_that_of_the_merged_clusters():
    rng = np.random.default_rng(6)
    features = np.concatenate([rng.gamma(2.0, size=(300, 2)), rng.normal(size=(200, 2)) - 5])
    found = fit_clusters(features)
    assert found.n_clusters == 2 and found.fit.parameters["components"] > 2
    stable = cluster_stability(features, found, 5)
    assert len(stable["jaccard"]) == 2 and min(stable["jaccard"]) > 0.95
