"""Verbs of stacks of particles."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.growth.measure import Growth

BOX = 48


@cache
def images(count: int) -> tuple:
    """Views of a cuboctahedron in random orientations, and the atoms."""
    from benchmarks.populations.particles import aligned_cluster, exposed, views

    one = aligned_cluster("cuboctahedron", 147)
    rotations = Rotation.random(count, random_state=1).as_matrix()
    return exposed(views(one, rotations, BOX), 1e4, np.random.default_rng(2)), one


def stack(count: int):
    """Views as a stack."""
    from benchmarks.populations.particles import as_stack

    return as_stack(images(count)[0])


def align(particles: int):
    """Alignment to one reference."""
    one = stack(particles)
    return lambda: one.align(show_progressbar=False)


def averages(particles: int):
    """Averages of four classes."""
    one, classes = stack(particles), np.arange(particles) % 4
    return lambda: one.class_averages(classes, show_progressbar=False)


def reconstruct(particles: int):
    """Poses in a known model."""
    one, known = stack(particles), images(particles)[1]
    return lambda: one.reconstruct(known, point_group="Oh", max_iterations=0, show_progressbar=False)


GROWTHS = [
    Growth("align", "particles", align, (50, 100, 200, 400), (25, 50, 100)),
    Growth("class_averages", "particles", averages, (50, 100, 200, 400), (25, 50, 100)),
    Growth("reconstruct", "particles", reconstruct, (25, 50, 100, 200), (12, 25, 50)),
]
