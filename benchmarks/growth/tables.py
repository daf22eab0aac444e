"""Verbs of tables: particles and frames."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.growth.images import gold
from benchmarks.growth.measure import Growth

CLASSES = ("cuboctahedron", "decahedron", "icosahedron")


@cache
def measured():
    """A measured table, whose rows are drawn from."""
    return gold(100).measure_particles(show_progressbar=False)


def table(frames: int, particles: int, seed: int = 0):
    """A classified table of a movie in which some particles on a lattice stay about where they are."""
    from particlespy_ml.tables.classes import class_columns
    from particlespy_ml.tables.rows import add_columns
    from particlespy_ml.tables.table import make_table, object_array

    rng = np.random.default_rng(seed)
    known = measured()
    names = [name for name, _ in class_columns(CLASSES)]
    rows = add_columns(known.data[0][rng.integers(known.n_particles, size=particles)], class_columns(CLASSES))
    side = int(np.ceil(np.sqrt(particles)))
    rows["x"], rows["y"] = 5.0 * (np.arange(particles) % side), 5.0 * (np.arange(particles) // side)
    rows["x"] += rng.uniform(-1, 1, particles)
    rows["y"] += rng.uniform(-1, 1, particles)
    for name in ("area", "equivalent_circular_diameter", "intensity", "circularity", "eccentricity", "solidity"):
        rows[name] *= rng.normal(1, 0.05, particles)  # drawn more than once, particles shall not be the same
    states, made = rng.integers(len(CLASSES), size=particles), []
    for _ in range(frames):
        changed = rng.random(particles) < 0.05
        states = np.where(changed, rng.integers(len(CLASSES), size=particles), states)
        frame = rows.copy()
        frame["label"] = np.arange(1, particles + 1)
        for name in ("x", "y"):
            frame[name] += rng.normal(0, 0.1, particles)
        seen = np.where(rng.random(particles) < 0.9, states, rng.integers(len(CLASSES), size=particles))
        frame["class_index"], frame["probability"] = seen, 0.9
        for number, name in enumerate(CLASSES):
            frame[f"probability_{name}"] = np.where(seen == number, 0.9, 0.05)
        made.append(frame)
    axes = [{"name": "time", "size": frames, "scale": 0.1, "units": "s", "navigate": True}]
    units = {**known.units, **dict.fromkeys(names, "")}
    record = {"classes": list(CLASSES), "image": known.metadata.particlespy_ml.image.as_dictionary()}
    return make_table(object_array(made, (frames,)), axes, units, record)


def track(frames: int, particles: int):
    """Tracks."""
    one = table(frames, particles)
    return lambda: one.track_particles()


def cluster(particles: int):
    """Three clusters by a mixture of Gaussians."""
    one = table(1, particles)
    return lambda: one.cluster_particles(n_clusters=3, resamples=0)


def shape(particles: int):
    """Shapes of outlines."""
    one = table(1, particles)
    return lambda: one.measure_shape(show_progressbar=False)


def fractions(frames: int):
    """Fractions of classes over a movie."""
    one = table(frames, 20).track_particles()
    return lambda: one.class_fractions(per="series")


def transitions(frames: int):
    """Transitions between classes over a movie."""
    one = table(frames, 5).track_particles()
    return lambda: one.transitions()


GROWTHS = [
    Growth("track_particles", "particles", lambda n: track(10, n), (100, 200, 400, 800), (50, 100, 200, 400)),
    Growth("track_particles", "frames", lambda n: track(n, 50), (50, 100, 200, 400), (25, 50, 100)),
    Growth("cluster_particles", "particles", cluster, (1000, 2000, 4000, 8000), (500, 1000, 2000)),
    Growth("measure_shape", "particles", shape, (1000, 2000, 4000, 8000), (250, 500, 1000, 2000)),
    Growth("class_fractions", "frames", fractions, (250, 500, 1000, 2000), (100, 200, 400)),
    Growth("transitions", "frames", transitions, (250, 500, 1000, 2000), (100, 200, 400)),
]
