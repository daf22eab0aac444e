"""Time of every method on many particles."""

from __future__ import annotations

import time

import numpy as np
from sklearn.metrics import adjusted_rand_score

COLUMNS = 6


def features(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping populations in six columns, two of them skewed."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=count)
    values = rng.normal(size=(count, COLUMNS))
    values[:, :3] += 4.0 * np.eye(3)[truth]
    values[:, 4:] = rng.gamma(4.0, size=(count, 2)) / 2
    return values, truth


def run(options) -> None:
    """Print CPU and wall time of each method, with the number chosen and with stability."""
    from particlespy_ml.populations.cluster import cluster_stability, fit_clusters
    from particlespy_ml.populations.methods import METHODS, MOST_ROWS

    count = options.rows
    values, truth = features(count)
    print(f"\n{count} particles by {COLUMNS} columns, the number chosen by the method: seconds (target 30 each)")
    print("  method                 CPU     wall  stability (CPU)  clusters  adjusted Rand  fitted on")
    for method in METHODS:
        began = time.process_time(), time.perf_counter()
        found = fit_clusters(values, method)
        cpu, wall = time.process_time() - began[0], time.perf_counter() - began[1]
        began = time.process_time()
        cluster_stability(values, found, 10)
        again = time.process_time() - began
        rand = adjusted_rand_score(truth, found.labels)
        limit = MOST_ROWS[method]
        fitted = "all rows" if limit is None or limit >= count else f"{limit} rows"
        print(
            f"  {method:20s} {cpu:5.1f} s  {wall:5.1f} s  {again:13.1f} s  {found.n_clusters:8d}  {rand:13.3f}",
            f" {fitted}",
            flush=True,
        )
