"""Populations that overlap, of many makes: how often the default call finds their number, beside peers and a bound."""

from __future__ import annotations

import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks.populations.makes import HELD_OUT, PIXEL, TUNING, cached_pool, draw_sample

COUNT = 200  # particles of each kind in a sample
MOST = 8  # clusters that peers try
PEERS = ("k-means, silhouette", "mixture, BIC", "HDBSCAN")


def table_of(rows: np.ndarray):
    """Measured rows as the table of one image."""
    from particlespy_ml.core.calibration import PixelGrid
    from particlespy_ml.particles.measure import column_units
    from particlespy_ml.tables.table import make_table, object_array

    grid = PixelGrid((1000, 1000), (PIXEL,) * 2, (0.0, 0.0), "nm")
    axes = [{"name": "image", "size": 1, "navigate": True}]
    return make_table(object_array([rows], (1,)), axes, column_units("nm"), {"image": grid.as_dict()})


def peers(features: np.ndarray, seed: int) -> list[np.ndarray]:
    """Labels by scikit-learn's k-means (number by silhouette), Gaussian mixture (by BIC) and HDBSCAN."""
    from sklearn.cluster import HDBSCAN, KMeans
    from sklearn.metrics import silhouette_score
    from sklearn.mixture import GaussianMixture

    cuts = [KMeans(n, n_init=3, random_state=seed).fit_predict(features) for n in range(2, MOST + 1)]
    by_silhouette = max(cuts, key=lambda labels: silhouette_score(features, labels))
    mixtures = [GaussianMixture(n, random_state=seed).fit(features) for n in range(1, MOST + 1)]
    by_bic = min(mixtures, key=lambda mixture: mixture.bic(features)).predict(features)
    density = HDBSCAN(min_cluster_size=max(5, len(features) // 50), copy=True).fit_predict(features)
    return [by_silhouette, by_bic, density]


def bound(train: tuple, features: np.ndarray, truth: np.ndarray) -> float:
    """Adjusted Rand index of the better of two classifiers that were taught the kinds of other particles."""
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
    from sklearn.neighbors import KNeighborsClassifier

    if truth.max() == 0:
        return 1.0
    taught = (QuadraticDiscriminantAnalysis(), KNeighborsClassifier(15))
    single = truth >= 0
    found = [classifier.fit(*train).predict(features[single]) for classifier in taught]
    return max(adjusted_rand_score(truth[single], labels) for labels in found)


def measure(name: str, seeds: int, count: int, cache) -> dict:
    """Numbers found and adjusted Rand indices of each method, on samples of one make."""
    from particlespy_ml.populations.scaling import fit_scaling
    from particlespy_ml.tables.derive import DEFAULT_COLUMNS

    warnings.filterwarnings("ignore", module="hyperspy|sklearn")
    rows, truth = cached_pool(name, cache)
    shares = {**TUNING, **HELD_OUT}[name].shares
    found: dict[str, list] = {key: [] for key in ("default call", *PEERS)}
    best, seconds = [], []
    for seed in range(seeds):
        drawn = draw_sample(rows, truth, shares, count, seed)
        table, own = table_of(rows[drawn]), truth[drawn]
        began = time.process_time()
        clusters = table.cluster_particles(resamples=0)
        seconds.append(time.process_time() - began)
        scaling = fit_scaling(rows[drawn], DEFAULT_COLUMNS)
        labels = [clusters["cluster"], *peers(scaling(rows[drawn])[0], seed)]
        for key, label in zip(found, labels, strict=True):
            known = (own >= 0) & ((label >= 0) | (own.max() > 0))  # a single kind is not split by noise
            found[key].append((len(np.unique(label[label >= 0])), adjusted_rand_score(own[known], label[known])))
        others = np.setdiff1d(np.flatnonzero(truth >= 0), drawn)
        if len(others):
            best.append(bound((scaling(rows[others])[0], truth[others]), scaling(rows[drawn])[0], own))
    return {"kinds": int(truth.max()) + 1, "bound": np.mean(best), "seconds": np.mean(seconds), **found}


def run(options) -> None:
    """Print the share of samples with the right number, and the adjusted Rand index, of each make."""
    print(f"\nPopulations that overlap, {COUNT} of each kind, {options.seeds} samples of each make, drawn from a pool")
    print("  right number of populations / adjusted Rand index")
    print(f"  {'make':38s} kinds  " + "  ".join(f"{key:>19s}" for key in ("default call", *PEERS)) + "  bound     CPU")
    work = partial(measure, seeds=options.seeds, count=COUNT, cache=options.cache)
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), get_context("spawn")) as pool:
        for title, makes in (("settled on", TUNING), ("not looked at before", HELD_OUT)):
            print(f"  {title}")
            total = []
            for name, result in zip(makes, pool.map(work, makes), strict=True):
                cells = [np.array(result[key]).T for key in ("default call", *PEERS)]
                right = [np.mean(numbers == result["kinds"]) for numbers, _ in cells]
                total.append(right)
                texts = [f"{share:.2f} / {scores.mean():.3f}" for share, (_, scores) in zip(right, cells, strict=True)]
                line = "  ".join(f"{text:>19s}" for text in texts)
                print(
                    f"  {name:38s} {result['kinds']:5d}  {line}  {result['bound']:.3f}  {result['seconds']:4.1f} s",
                    flush=True,
                )
            print(f"  {'all of these':38s}        " + "  ".join(f"{share:19.2f}" for share in np.mean(total, axis=0)))
