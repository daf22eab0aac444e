"""Populations in simulated micrographs: found by default, beside what users do without, and the bound."""

from __future__ import annotations

import time

import numpy as np
from scipy.stats import t as student
from sklearn.metrics import adjusted_rand_score

from benchmarks.populations.samples import KINDS, POPULATIONS, Kind, measured_sample, three_populations

FIRST_SEED = 100  # those below were looked at while the default was made
RAW = ("area", "equivalent_circular_diameter", "major_axis_length", "minor_axis_length", "circularity", "eccentricity")


def interval(values) -> str:
    """Mean, its 95 % interval by Student's t, and the smallest value, over seeds."""
    values = np.asarray(values, float)
    half = (
        student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    )
    return f"{values.mean():.3f} ({values.mean() - half:.3f} to {values.mean() + half:.3f}; least {values.min():.3f})"


def score(truth: np.ndarray, found: np.ndarray) -> float:
    """Adjusted Rand index of rows that are single true particles; those in no cluster are a group of their own."""
    return adjusted_rand_score(truth[truth >= 0], np.asarray(found)[truth >= 0])


def bound(train: tuple, test: tuple, columns) -> float:
    """Adjusted Rand index of a classifier that was taught the true kinds, of other particles.

    Quadratic discriminant analysis of the same scaled columns: close to the best that any method can reach on them,
    as far as they are normal within a kind.
    """
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

    from particlespy_ml.populations.scaling import fit_scaling

    rows, others = (np.concatenate(list(table.data)) for table, _ in (train, test))
    scaling = fit_scaling(rows, tuple(columns))
    single = train[1] >= 0
    taught = QuadraticDiscriminantAnalysis().fit(scaling(rows)[0][single], train[1][single])
    return score(test[1], taught.predict(scaling(others)[0]))


def kmeans_on_raw_columns(table, seed: int) -> np.ndarray:
    """What users do: scikit-learn's k-means, told the number, on the columns as they are."""
    from sklearn.cluster import KMeans

    frame = table.to_dataframe()
    return KMeans(3, random_state=seed).fit_predict(frame[list(RAW)])


def as_particles(table):
    """The particles of a table as a list of ParticleSpy's, with their properties."""
    from types import SimpleNamespace

    from particlespy.ptcl_class import particle_list

    frame = table.to_dataframe().drop(columns=["frame", "label", "touches_border"])
    plist = particle_list()
    plist.list = [
        SimpleNamespace(properties={name: {"value": value} for name, value in row.items()})
        for row in frame.to_dict("records")
    ]
    return plist


def particlespys(plist, properties, **options) -> np.ndarray | str:
    """ParticleSpy's cluster_particles; what its error says where it fails."""
    np.random.seed(0)  # noqa: NPY002 - ParticleSpy takes no seed
    try:
        plist.cluster_particles(properties=properties, **options)
    except ValueError as error:
        return str(error).split("\n")[0]
    return np.array([particle.cluster_number for particle in plist.list])


def populations(options) -> None:
    """The three populations of the source, by the default call."""
    seeds, count = options.seeds, options.particles
    names = ("default call", "bound: taught the kinds", "k-means, told 3, raw columns")
    print(f"Three populations, {count} particles measured in simulated micrographs; adjusted Rand index, {seeds} seeds")
    results: dict[str, list] = {name: [] for name in names}
    peers: dict[str, list] = {}
    numbers, jaccards, noise, seconds, overlap = [], [], [], [], []
    train = three_populations(10_000, count, options.cache)
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        table, truth = three_populations(seed, count, options.cache)
        began = time.process_time()
        found = table.cluster_particles(seed=seed)
        seconds.append(time.process_time() - began)
        record = found.metadata.particlespy_ml.clustering
        numbers.append(int(record.n_clusters))
        jaccards.append(list(record.stability.jaccard))
        noise.append(np.mean(found["cluster"] < 0))
        results[names[0]].append(score(truth, found["cluster"]))
        results[names[1]].append(bound(train, (table, truth), list(record.columns)))
        results[names[2]].append(score(truth, kmeans_on_raw_columns(table, seed)))
        overlap.append([bound(train, (table, truth), [column]) for column in record.columns])
        plist = as_particles(table)
        for label, arguments in {
            "ParticleSpy, k-means (2 by default), its three columns": {"algorithm": "Kmeans"},
            "ParticleSpy, k-means, told 3": {"algorithm": "Kmeans", "n_clusters": 3},
            "ParticleSpy, DBSCAN": {"algorithm": "DBSCAN"},
            "ParticleSpy, OPTICS": {"algorithm": "OPTICS"},
        }.items():
            labels = particlespys(plist, ["area", "circularity", "eccentricity"], **arguments)
            peers.setdefault(label, []).append(score(truth, labels) if not isinstance(labels, str) else np.nan)
    for name, values in {**results, **peers}.items():
        print(f"  {name:56s} {interval(values)}")
    print(f"  numbers of populations found: {numbers}; share in no cluster {np.mean(noise):.4f}")
    print(f"  stability of the clusters (Jaccard of halves), least over seeds: {np.min(sum(jaccards, [])):.3f}")
    singles = ", ".join(f"{c} {v:.3f}" for c, v in zip(record.columns, np.mean(overlap, axis=0), strict=True))
    print(f"  bound by one column alone (taught): {singles}")
    print(f"  CPU of the default call {np.mean(seconds):.1f} s, with its stability", flush=True)
    with_gap = three_populations(0, min(count, 300), options.cache)[0]
    rows = [rows.copy() for rows in with_gap.data]
    rows[0]["circularity"][0] = np.nan  # as for a particle of one pixel, whose perimeter is 0
    from particlespy_ml.tables.dataframe import with_column

    with_gap = with_column(with_gap, "circularity", [part["circularity"] for part in rows], "f8", "")
    labels = particlespys(as_particles(with_gap), None)
    print(f"  ParticleSpy with default columns and one NaN: {labels if isinstance(labels, str) else 'runs'}")
    print(f"  the default call with one NaN: {with_gap.cluster_particles(resamples=0)['cluster'].max() + 1} clusters")


def single_population(options) -> None:
    """One population must not be split."""
    seeds, count = max(2, options.seeds // 2), min(options.particles, 1000)
    print(f"\nOne population alone, {count} particles, {seeds} seeds: numbers of populations found by the default call")
    for name in KINDS:
        found = []
        for seed in range(seeds):
            numbers = np.zeros(count, int)
            _, table, _ = measured_sample([POPULATIONS[name]], numbers, 500 + seed)
            found.append(int(table.cluster_particles(resamples=0).metadata.particlespy_ml.clustering.n_clusters))
        print(f"  {name:8s} {found}", flush=True)


def morphology(options) -> None:
    """A part of another morphology inside one population, by shape features."""
    seeds, count = options.seeds, min(options.particles, 1000)
    print(f"\nSquares among the hexagons of the same area, {count} particles in all, {seeds} seeds")
    kinds = [*(POPULATIONS[name] for name in KINDS)]
    hexagon = kinds[2]
    kinds.append(Kind("4", hexagon.size, roughness=hexagon.roughness, height=hexagon.height))
    scores, numbers, default, taught = [], [], [], []
    columns = ("fourier_3", "fourier_4", "fourier_6")

    def draw(seed):
        rng = np.random.default_rng([seed, 2])
        drawn = rng.choice(4, size=count, p=(0.35, 0.25, 0.2, 0.2))
        _, table, truth = measured_sample(kinds, drawn, 700 + seed)
        return table.measure_shape("fourier"), truth

    train = draw(10_000)
    faceted = train[1] >= 2
    train = train[0].select(faceted), train[1][faceted]
    for seed in range(seeds):
        table, truth = draw(seed)
        # by size and elongation alone the two are one population
        coarse = table.cluster_particles(
            ("equivalent_circular_diameter", "aspect_ratio", "intensity_mean"), resamples=0
        )
        default.append(score(np.minimum(truth, 2), coarse["cluster"]))
        clusters = [n for n in np.unique(coarse["cluster"]) if n >= 0]
        inside = max(clusters, key=lambda n: np.sum((coarse["cluster"] == n) & (truth >= 2)))
        fine = coarse.cluster_particles(columns, within=int(inside), resamples=0)
        record = fine.metadata.particlespy_ml.subclustering[f"cluster_{inside}"]
        numbers.append(int(record.n_clusters))
        chosen = (coarse["cluster"] == inside) & (truth >= 2)
        scores.append(adjusted_rand_score(truth[chosen], fine["subcluster"][chosen]))
        taught.append(bound(train, (fine.select(chosen), truth[chosen]), columns))
    print(f"  three populations by size, elongation and mean intensity: {interval(default)}")
    print(f"  hexagons and squares by {', '.join(columns)}: {interval(scores)}; parts {numbers}")
    print(f"  bound, taught: {interval(taught)}", flush=True)
