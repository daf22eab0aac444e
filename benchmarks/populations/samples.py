"""Micrographs of known populations: HAADF-like frames of particles whose kind, size and shape are drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

PIXEL = 0.08  # nm
CELLS, PITCH = 7, 100  # particles along a frame's edge, and the pixels that each has
KINDS = ("round", "rod", "faceted")


@dataclass(frozen=True)
class Kind:
    """Distribution of a kind of particle: lengths in nm, with their standard deviations."""

    outline: str  # "ellipse", "rod", or the number of sides of a polygon
    size: tuple[float, float]  # diameter, width of a rod, or diameter of the circle of the same area
    length: tuple[float, float] = (0.0, 0.0)  # of a rod
    roughness: float = 0.03  # relative standard deviation of radii, of the ellipse's axes or the facets' distances
    height: float = 1.0  # thickness over the smaller width


# Differing in size and shape as in the sample that was separated by single-particle methods; each single column of
# the three overlaps.
POPULATIONS = {
    "round": Kind("ellipse", (3.0, 0.30)),
    "rod": Kind("rod", (2.4, 0.22), (4.6, 0.55)),
    "faceted": Kind("6", (4.3, 0.42), roughness=0.07, height=0.8),
}


def draw_particle(kind: Kind, rng) -> np.ndarray:
    """Thickness of one particle in nm on the pixels of its cell, shape (PITCH, PITCH)."""
    angle = rng.uniform(0, 2 * np.pi)
    centre = (PITCH - 1) / 2 + rng.uniform(-5, 5, 2)
    y, x = (np.indices((PITCH, PITCH)) - centre[:, None, None]) * PIXEL
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    size = max(rng.normal(*kind.size), 1.2)
    if kind.outline == "ellipse":
        stretch = np.exp(kind.roughness * rng.normal())
        inside = 1 - (2 * u / (size * stretch)) ** 2 - (2 * v * stretch / size) ** 2
        return kind.height * size * np.sqrt(np.maximum(inside, 0))
    if kind.outline == "rod":
        half = max(rng.normal(*kind.length) - size, 0.3 * size) / 2
        distance = np.hypot(u - np.clip(u, -half, half), v)
        return kind.height * np.sqrt(np.maximum(size**2 - (2 * distance) ** 2, 0))
    sides = int(kind.outline)
    apothem = size / 2 * np.sqrt(np.pi / sides / np.tan(np.pi / sides))
    reach = apothem * np.exp(kind.roughness * rng.normal(size=sides))
    turns = 2 * np.pi * np.arange(sides) / sides
    depth = np.min([r - u * np.cos(t) - v * np.sin(t) for r, t in zip(reach, turns, strict=True)], axis=0)
    return np.clip(5 * depth, 0, kind.height * 1.6 * apothem)  # steep facets about a flat top


def draw_frame(kinds: list[Kind], numbers: np.ndarray, rng, dose: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    """A frame of particles of kinds by their numbers, in electrons, and the centres of its cells in pixels."""
    edge = CELLS * PITCH
    thickness = np.zeros((edge, edge))
    centres = []
    for place, number in enumerate(numbers):
        row, column = np.array(divmod(place, CELLS)) * PITCH
        thickness[row : row + PITCH, column : column + PITCH] = draw_particle(kinds[number], rng)
        centres.append((row + PITCH / 2, column + PITCH / 2))
    support = 1 + 0.08 * ndi.gaussian_filter(rng.normal(size=thickness.shape), 40) * 140
    signal = ndi.gaussian_filter(support + thickness, 1.0)
    return rng.poisson(signal * dose).astype(np.uint16), np.array(centres)


def measured_sample(kinds: list[Kind], numbers: np.ndarray, seed: int, dose: float = 40.0, lazy: bool = False):
    """Frames with particles of kinds, as a HAADF series, its table, and the true kind of each row of the table.

    Frames are segmented and measured by `measure_particles` as it comes. Rows that are no single true particle, such as
    pieces, have the kind -1.
    """
    from hyperspy.signals import Signal2D

    rng = np.random.default_rng(seed)
    per_frame = CELLS**2
    drawn = [draw_frame(kinds, numbers[i : i + per_frame], rng, dose) for i in range(0, len(numbers), per_frame)]
    series = Signal2D(np.stack([frame for frame, _ in drawn]))
    series.axes_manager.signal_axes.set(scale=PIXEL, units="nm")
    series.axes_manager.navigation_axes[0].name = "frame"
    series.set_signal_type("HAADF")
    table = (series.as_lazy() if lazy else series).measure_particles(lazy_output=False, show_progressbar=False)
    truth = []
    for i, ((_, centres), rows) in enumerate(zip(drawn, table.data, strict=True)):
        places = np.column_stack([rows["y"], rows["x"]]) / PIXEL
        distance, nearest = cKDTree(centres).query(places)
        single = (np.bincount(nearest, minlength=len(centres)) == 1)[nearest] & (distance < PITCH / 3)
        truth.append(np.where(single, numbers[i * per_frame + nearest], -1))
    return series, table, np.concatenate(truth)


def read_cache(path: Path | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows and truth of a cache, unless there is none or its rows were measured with other columns than today."""
    from particlespy_ml.particles.measure import measure_dtype

    if path is None or not path.exists():
        return None
    with np.load(path) as file:
        return (file["rows"], file["truth"]) if file["rows"].dtype == measure_dtype() else None


def three_populations(seed: int, count: int = 3000, cache: Path | None = None, shares=(0.4, 0.3, 0.3)):
    """The three populations, mixed: table and true kinds; simulated and measured unless the cache has them."""
    from particlespy_ml.core.calibration import PixelGrid
    from particlespy_ml.particles.measure import column_units
    from particlespy_ml.tables.table import make_table, object_array

    path = None if cache is None else cache / f"three-{count}-{seed}.npz"
    known = read_cache(path)
    if known is None:
        rng = np.random.default_rng([seed, 1])
        numbers = rng.choice(len(KINDS), size=count, p=shares)
        _, table, truth = measured_sample([POPULATIONS[name] for name in KINDS], numbers, seed)
        rows = np.concatenate(list(table.data))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, rows=rows, truth=truth)
    else:
        rows, truth = known
    grid = PixelGrid((CELLS * PITCH,) * 2, (PIXEL,) * 2, (0.0, 0.0), "nm")
    axes = [{"name": "image", "size": 1, "navigate": True}]
    return make_table(object_array([rows], (1,)), axes, column_units("nm"), {"image": grid.as_dict()}), truth
