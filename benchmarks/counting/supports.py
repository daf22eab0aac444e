"""Columns on supports that are brighter than they are, and twinned ones: recall and precision beside atomap's.

atomap finds columns as peaks at least a separation apart; the separation, a subtraction of the background and a
threshold are chosen with the truth, for each image anew.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from benchmarks.counting.particles import share
from particlespy_ml.columns.fit.gaussians import gaussian_columns
from particlespy_ml.columns.search.in_image import find_columns_in

PIXEL, SPACING, WIDTH = 0.2, 13.0, 2.6  # Å, pixels, pixels
SHAPE = (200, 200)
NEAR = 0.35  # of the spacing
SEPARATIONS, THRESHOLDS = (5, 6, 7, 8, 9, 10), (0.02, 0.05, 0.1, 0.2, 0.3)


def columns(twinned: bool, rng) -> tuple[np.ndarray, np.ndarray]:
    """Places and heights of the columns of a round particle, thinner towards its rim; a twin's half is mirrored."""
    i, j = (k.ravel() for k in np.mgrid[-9:10, -9:10])
    turn = rng.uniform(0, np.pi / 2)
    a, b = SPACING * np.array([1.0, 0.0]), SPACING * np.array([0.35, 0.94])
    places = i[:, None] * a + j[:, None] * b
    if twinned:  # the mirror is the row of columns along the first vector
        mirrored = i[:, None] * a + j[:, None] * b * (-1, 1)
        places = np.where((j < 0)[:, None], mirrored, places)
    radius = rng.uniform(4.2, 6.2) * SPACING
    distance = np.hypot(*places.T)
    inside = distance < radius
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    places = places[inside] @ turned.T + (np.array(SHAPE) - 1) / 2 + rng.uniform(-6, 6, 2)
    heights = np.sqrt(np.maximum(1 - (distance[inside] / radius) ** 2, 0.05))
    return places, heights


def draw(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Image in electrons, and the places of its columns."""
    rng = np.random.default_rng([seed, len(kind)])
    places, heights = columns(kind == "twin on a slope", rng)
    rows, across = np.indices(SHAPE)
    fine, coarse = (gaussian_filter(rng.normal(size=SHAPE), width) for width in (12, 25))
    support = {
        "dome": 12 * np.exp(-((rows - 90) ** 2 + (across - 120) ** 2) / (2 * 55**2)),
        "coarse grain": 9 + 1.5 * coarse / coarse.std(),
        "grain as fine as the lattice": 9 + 1.5 * fine / fine.std(),
        "edge of a support": 8 / (1 + np.exp(-(across - 100 - 0.3 * (rows - 100)) / 9)),
        "twin on a slope": 3 + 0.04 * across + 0.02 * rows,
    }[kind]
    height = 2 * np.pi * WIDTH**2
    image = gaussian_columns(SHAPE, places, 1.5 * height * heights, WIDTH) + support + 1
    return rng.poisson(rng.uniform(20, 200) * image).astype(float), places


KINDS = ("dome", "coarse grain", "grain as fine as the lattice", "edge of a support", "twin on a slope")


def score(found: np.ndarray, places: np.ndarray) -> tuple[int, int, int]:
    """Number found of the columns, of all found, and of the columns, each matched once."""
    if not len(found):
        return 0, 0, len(places)
    pairs = cKDTree(places).query(found)
    right = len(set(pairs[1][pairs[0] < NEAR * SPACING]))
    return right, len(found), len(places)


def f_score(counts: tuple[int, int, int]) -> float:
    """Harmonic mean of recall and precision."""
    right, found, true = counts
    return 2 * right / max(found + true, 1)


def best_of_atomap(image: np.ndarray, places: np.ndarray) -> tuple[int, int, int]:
    """Counts of the setting that has the best F1."""
    from atomap.atom_finding_refining import get_atom_positions
    from hyperspy.signals import Signal2D

    results = []
    for separation, subtract, threshold in product(SEPARATIONS, (False, True), THRESHOLDS):
        found = get_atom_positions(
            Signal2D(image), separation, threshold_rel=threshold, subtract_background=subtract, pca=False
        )
        results.append(score(np.asarray(found).reshape(-1, 2)[:, ::-1], places))
    return max(results, key=f_score)


def supports_part(trials: int) -> None:
    """Print recall and precision on each kind of support."""
    print(
        f"\nColumns on supports, {trials} images of each kind: recall, precision; atomap's best of 60 settings, chosen"
    )
    print("chosen with the truth of each image")
    for kind in KINDS:
        ours, theirs = np.zeros(3, int), np.zeros(3, int)
        for seed in range(trials):
            image, places = draw(kind, seed)
            found = find_columns_in(image, PIXEL / 10)
            ours += score(np.empty((0, 2)) if found.fit is None else found.fit.positions, places)
            theirs += best_of_atomap(image, places)
        cells = [f"{share(right, true)}, {share(right, max(found, 1))}" for right, found, true in (ours, theirs)]
        print(f"  {kind:28s} {cells[0]}; atomap {cells[1]}", flush=True)
