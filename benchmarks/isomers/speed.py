"""Particles a second of the network alone, and of all of `classify_particles`."""

from __future__ import annotations

from timeit import repeat

import numpy as np

from benchmarks.images import gold_image
from particlespy_ml.models.model import Model

WINDOWS, EDGE, THREADS = 256, 96, 2


def main(model: Model) -> None:
    """Print both rates, each of the shortest of some runs."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    windows = np.random.default_rng(0).normal(size=(WINDOWS, EDGE, EDGE)).astype(np.float32)
    model.predict(windows[:64])
    alone = min(repeat(lambda: model.predict(windows), number=1, repeat=5))
    image = gold_image()
    count = image.classify_particles(model=model).n_particles
    whole = min(repeat(lambda: image.classify_particles(model=model), number=1, repeat=3))
    torch.set_num_threads(threads)
    print(f"Speed with {THREADS} threads")
    print(f"  predict, {WINDOWS} windows of {EDGE} x {EDGE} pixels:  {WINDOWS / alone:7.0f} particles a second")
    print(f"  classify_particles, one frame with {count} particles: {count / whole:7.0f} particles a second\n")
