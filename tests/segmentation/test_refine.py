"""Particles that are refined together come out as they do one at a time."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.segmentation import refine
from particlespy_ml.segmentation.grid import blur
from particlespy_ml.segmentation.necks import are_whole, split_at_necks

PIXEL = np.array([0.2, 0.2])


def crowd(seed, shape=(256, 200)):
    """Heights of many spheres, some of which overlap, and the regions above half of the height of each."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    height, labels = np.zeros(shape), np.zeros(shape, np.int32)
    for number in range(1, 41):
        radius, row, column = rng.uniform(4, 18), *(rng.uniform(0, n) for n in shape)
        sphere = np.sqrt(np.clip(radius**2 - (y - row) ** 2 - (x - column) ** 2, 0, None))
        labels[(sphere > 0.5 * radius) & (labels == 0)] = number
        height = np.maximum(height, sphere)
    height = ndi.gaussian_filter(height, 1) + rng.normal(0, 0.3, shape)
    return labels, height.astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_particles_are_refined_together_as_they_are_one_at_a_time(seed, monkeypatch):
    labels, height = crowd(seed)
    together = refine.refine_outlines(labels, height, PIXEL, 0.2, 0.15)
    assert together.max() > 10
    monkeypatch.setattr(refine, "_groups", lambda boxes, shape: [[number] for number in boxes])
    np.testing.assert_array_equal(together, refine.refine_outlines(labels, height, PIXEL, 0.2, 0.15))


@pytest.mark.parametrize("seed", range(4))
def test_no_particle_is_left_whole_that_has_a_neck(seed):
    rng = np.random.default_rng(seed)
    shape = 110, 100
    masks = np.zeros((60, shape[0] + 2, shape[1] + 2), bool)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for mask in masks:
        for _ in range(rng.integers(1, 4)):
            radius = rng.uniform(3, 35)
            mask[1:-1, 1:-1] |= np.hypot(y - rng.uniform(30, 80), x - rng.uniform(30, 70)) < radius
        parts, _ = ndi.label(mask)
        mask &= parts == np.bincount(parts[parts > 0]).argmax()
    whole = are_whole(masks, np.array([shape] * len(masks)), PIXEL, 0.15)
    pieces = np.array([split_at_necks(mask[1:-1, 1:-1], PIXEL, 0.15).max() for mask in masks])
    assert (pieces[whole] == 1).all() and whole.sum() > 10
    assert (pieces > 1).any()


@pytest.mark.parametrize("sigma", [(2.4, 2.4), (0.7, 3.1), (0, 1.5), (0, 0)])
def test_a_blur_is_that_of_scipy(sigma):
    image = np.random.default_rng(0).normal(size=(128, 65)).astype(np.float32)
    found = blur(image, np.array(sigma))
    np.testing.assert_array_equal(found, ndi.gaussian_filter(image, sigma, truncate=3))
