"""Verbs of images: pixels and particles at the same density, frames of a series."""

from __future__ import annotations

import numpy as np

from benchmarks.growth.measure import Growth
from benchmarks.images import calibrated, gold_frame

DENSITY = 100 / 1024**2  # particles a pixel


def gold(particles: int):
    """A HAADF image of some particles."""
    return calibrated(gold_frame(particles, round(np.sqrt(particles / DENSITY))))


def hrtem(edge: int):
    """The bundled HRTEM image, mirrored until it is as large."""
    import particlespy_ml as pml

    image = pml.data.gold_hrtem()
    image.data = np.pad(image.data, [(0, max(edge - n, 0)) for n in image.data.shape], mode="symmetric")[:edge, :edge]
    image.axes_manager.signal_axes.set(size=edge)
    return image


def segment(pixels: int):
    """The automatic segmentation."""
    image = gold(round(pixels * DENSITY))
    return lambda: image.segment_particles(method="auto", show_progressbar=False)


def segment_network(pixels: int):
    """The segmentation of the network."""
    image = hrtem(round(np.sqrt(pixels)))
    return lambda: image.segment_particles(method="network", show_progressbar=False)


def measure(particles: int):
    """Measurements of known particles."""
    image = gold(particles)
    labels = image.segment_particles(show_progressbar=False)
    return lambda: image.measure_particles(labels=labels, show_progressbar=False)


def classify(particles: int):
    """Measurements and classes of known particles."""
    image = gold(particles)
    labels = image.segment_particles(show_progressbar=False)
    return lambda: image.classify_particles(labels=labels, show_progressbar=False)


def extract(particles: int):
    """A stack of known particles."""
    image = gold(particles)
    table = image.measure_particles(show_progressbar=False)
    return lambda: image.extract_particles(table, show_progressbar=False)


def zone_axis(particles: int):
    """Zone axes of a stack of particles."""
    image = gold(particles)
    table = image.measure_particles(show_progressbar=False)
    stack = image.extract_particles(table)
    return lambda: stack.find_zone_axis("Au", table=table, show_progressbar=False)


PIXELS = tuple(2**n for n in (18, 19, 20, 21, 22))
GROWTHS = [
    Growth("segment_particles", "pixels", segment, PIXELS, PIXELS[:4]),
    Growth("segment, network", "pixels", segment_network, PIXELS[:4], PIXELS[:3]),
    Growth("measure_particles", "particles", measure, (50, 100, 200, 400), (25, 50, 100, 200)),
    Growth("classify_particles", "particles", classify, (50, 100, 200, 400), (25, 50, 100)),
    Growth("extract_particles", "particles", extract, (50, 100, 200, 400), (25, 50, 100, 200)),
    Growth("find_zone_axis", "particles", zone_axis, (25, 50, 100, 200), (12, 25, 50)),
]
