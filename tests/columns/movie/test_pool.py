"""Means of a movie and of its parts; columns that only a part shows."""

import numpy as np

from particlespy_ml.columns.fit.gaussians import gaussian_columns
from particlespy_ml.columns.movie.motion import Motion
from particlespy_ml.columns.movie.pool import pool
from particlespy_ml.columns.movie.sites import ImageColumns, pooled_sites
from particlespy_ml.columns.search.in_image import find_columns_in

rows, columns = np.mgrid[:5, :5]
PLACES = np.column_stack([22 + 9.8 * rows.ravel(), 24 + 9.8 * columns.ravel()])


def still(count):
    """A movie that does not move."""
    none = np.zeros(count)
    return Motion(np.zeros((count, 2)), none, none, none, none + 1, ("",) * count, np.array([43.5, 45.5]))


def find(image, known, frames):
    found = find_columns_in(image, 0.02)
    return ImageColumns(found.fit.positions, found.fit.position_errors[:, 0], found.significance)


def test_parts_show_what_the_mean_hides():
    rng = np.random.default_rng(3)
    full = [PLACES if number < 40 else PLACES[:-1] for number in range(120)]
    frames = [rng.poisson(gaussian_columns((88, 92), places, 8.0, 2.1) + 1) for places in full]
    pooled = pool(frames, still(120))
    assert pooled.parts.shape == (3, 88, 92) and pooled.frames == 120 and pooled.known.all()
    np.testing.assert_allclose(pooled.parts.mean(0), pooled.mean)
    np.testing.assert_allclose(pooled.mean, np.mean(frames, 0), atol=1e-4)
    sites = pooled_sites(pooled, still(120), find)
    away = np.linalg.norm(sites.columns.places[:, None] - PLACES, axis=-1).min(0)
    assert away.max() < 1.0 and len(sites) == 25 and sites.pooled.sum() >= 24
    assert len(np.unique(sites.indices, axis=0)) == 25


def test_what_frames_miss_is_not_known():
    motion = still(4)
    moved = Motion(motion.shifts + [[0, 0], [0, 0], [30, 0], [30, 0]], *[getattr(motion, n) for n in (
        "angles", "shift_errors", "angle_errors", "likeness", "reasons", "middle")])  # fmt: skip
    pooled = pool([np.ones((88, 92))] * 4, moved)
    assert pooled.known[:57].all() and np.allclose(pooled.mean, 1)
