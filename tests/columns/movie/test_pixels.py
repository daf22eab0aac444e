"""Pixels that were not recorded, spikes, and how bright frames are."""

import numpy as np
import pytest

from particlespy_ml.columns.fit.gaussians import gaussian_columns
from particlespy_ml.columns.movie.pixels import brightness, recorded

rows, columns = np.mgrid[:4, :4]
PLACES = np.column_stack([18 + 8.0 * rows.ravel(), 16 + 8.0 * columns.ravel()])


@pytest.fixture
def frame():
    return np.random.default_rng(0).poisson(gaussian_columns((60, 60), PLACES, 60.0, 1.6) + 2).astype(float)


@pytest.mark.parametrize("at", [(0, 0), (1, 30), (59, 12), (30, 30), (18, 16)])
def test_spikes_are_mended_wherever_they_are(frame, at):
    spiked = frame.copy()
    spiked[at] += 800
    seen = recorded(spiked)
    assert np.isfinite(seen).all() and seen[at] < 25
    away = np.ones(frame.shape, bool)
    away[max(at[0] - 1, 0) : at[0] + 2, max(at[1] - 1, 0) : at[1] + 2] = False
    np.testing.assert_array_equal(seen[away], frame[away])


@pytest.mark.parametrize(("width", "size"), [(1.2, 60), (2.0, 400)])
def test_columns_are_no_spikes(width, size):
    """Not even those of a few atoms in a large dark frame, with or without noise."""
    one = gaussian_columns((size, size), PLACES + 0.3, 300.0, width)
    for image in (one, np.random.default_rng(0).poisson(one + 0.05).astype(float)):
        assert recorded(image) is image


def test_sparse_counts_are_no_spikes():
    counts = np.random.default_rng(1).poisson(0.01, (90, 90))
    np.testing.assert_array_equal(recorded(counts), counts)


def test_what_was_not_recorded_is_nan(frame):
    frame[:, :7], frame[40, 20], frame[50:56, 50:56] = 0, np.nan, np.inf
    seen = recorded(frame)
    assert np.isnan(seen[:, :7]).all() and np.isnan(seen[52, 52]) and np.isfinite(seen[40, 20])
    assert np.isnan(seen[:, :7]).sum() + 16 <= np.isnan(seen).sum() <= 7 * 60 + 36  # corners have known pixels around


def test_brightness_follows_the_mean_where_that_follows_the_beam():
    rng = np.random.default_rng(0)
    beam = 1 + 0.2 * np.sin(np.arange(40) / 5)
    contrast = 3 * beam * (1 + 0.01 * rng.normal(size=40))
    np.testing.assert_array_equal(brightness(contrast, 20 * beam), 20 * beam)
    for means in (20 * beam - 20, 0 * beam, np.where(np.arange(40) == 3, 0, 20 * beam - 19)):
        assert np.ptp(brightness(contrast, means)) == 0
    slow = brightness(contrast, 20 * beam - 20, follow=9)
    assert np.abs(slow / contrast - 1).max() < 0.1 and np.ptp(slow) > 0.5
    contrast[5] = np.nan
    assert np.isfinite(brightness(contrast, 20 * beam)).all()
    assert (brightness(np.full(4, np.nan), np.ones(4)) == 1).all()
