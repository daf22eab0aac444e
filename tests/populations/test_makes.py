"""The makes of the benchmark of overlapping populations: bodies beside closed forms, and clusters from micrographs."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from benchmarks.populations import makes
from benchmarks.populations.overlap import table_of


@pytest.mark.parametrize(("form", "volume"), [("ellipsoid", np.pi / 6), ("box", 1.0)])
@pytest.mark.parametrize("orientation", ["flat", "tilted", "free"])
def test_bodies_keep_their_volume_at_every_angle(form, volume, orientation):
    rng = np.random.default_rng(0)
    body = makes.Body(form, 5.0, 0.1, (0.6, 0.4), orientation=orientation)
    axes = makes.draw_axes(body, rng)
    turn = makes.draw_turn(body, axes, rng)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    depth = makes.thickness(form, axes, turn, np.array([0.3, -0.2]), 90)
    assert depth.sum() * makes.PIXEL**2 == pytest.approx(volume * np.prod(axes), rel=0.02)
    if orientation == "flat":
        assert depth.max() == pytest.approx(axes.min(), rel=0.02)
        y, x = (np.indices(depth.shape) - 44.5) * makes.PIXEL
        middle = (depth * x).sum() / depth.sum(), (depth * y).sum() / depth.sum()
        np.testing.assert_allclose(middle, (0.3, -0.2), atol=0.02)


def test_samples_have_the_shares_that_are_asked_for():
    truth = np.repeat([-1, 0, 1, 2], [60, 300, 300, 300])
    drawn = makes.draw_sample(np.arange(len(truth)), truth, (10, 3, 1), 70, 0)
    assert len(np.unique(drawn)) == len(drawn)
    np.testing.assert_array_equal(np.bincount(truth[drawn] + 1), [14, 150, 45, 15])
    equal = makes.draw_sample(np.arange(len(truth)), truth, (), 50, 0)
    np.testing.assert_array_equal(np.bincount(truth[equal] + 1)[1:], [50, 50, 50])


def test_particles_that_touch_or_are_cut_have_no_kind():
    make = makes.Make((makes.Body(size=3.0), makes.Body(size=5.0)), touching=0.3, cut=True)
    rows, truth = makes.measured_pool(make, 0, count=25, cells=5)
    assert (truth[rows["touches_border"]] == -1).all() and rows["touches_border"].any()
    assert 5 < (truth >= 0).sum() < 32
    sizes = [rows["equivalent_circular_diameter"][truth == kind].mean() for kind in (0, 1)]
    assert sizes[0] < 4 < sizes[1]


@pytest.mark.slow
def test_ellipsoids_seen_from_all_sides_are_three_populations():
    """One mixture takes the elongated ones for two, seen along and across."""
    rows, truth = makes.measured_pool(makes.TUNING["ellipsoids, free"], 1, count=250)
    found = table_of(rows).cluster_particles(resamples=2)
    assert found.metadata.particlespy_ml.clustering.n_clusters == 3
    assert adjusted_rand_score(truth[truth >= 0], found["cluster"][truth >= 0]) > 0.9
