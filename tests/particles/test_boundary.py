"""Lengths of smooth outlines and Feret diameters: closed forms, an independent way, and what may not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage as ndi
from scipy.special import ellipe

from particlespy_ml.particles.boundary import feret_diameters, perimeters
from particlespy_ml.particles.contours import contours_of


def cut(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def ellipse(a, b, angle, shift=(0, 0), pixel=(1.0, 1.0)):
    reach = int(np.ceil(max(a, b) / min(pixel))) + 3
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    y, x = (y - shift[0]) * pixel[0], (x - shift[1]) * pixel[1]
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    return cut((u / a) ** 2 + (v / b) ** 2 < 1)


def measured(mask, scale=(1.0, 1.0)):
    contours = contours_of([mask])
    largest, smallest = feret_diameters(contours, np.array([len(mask)]), scale)
    return perimeters(contours, scale)[0], largest[0], smallest[0]


@pytest.mark.parametrize(("a", "b"), [(4, 4), (10, 10), (40, 40), (6, 2.4), (15, 6), (60, 24)])
@pytest.mark.parametrize("pixel", [(1.0, 1.0), (0.5, 1.0)])
def test_ellipses(a, b, pixel):
    rng = np.random.default_rng(0)
    masks = [ellipse(a, b, rng.uniform(0, np.pi), rng.uniform(-0.5, 0.5, 2), pixel) for _ in range(30)]
    length, largest, smallest = np.transpose([measured(mask, pixel) for mask in masks])
    assert length.mean() == pytest.approx(4 * a * ellipe(1 - (b / a) ** 2), rel=0.02)
    assert largest.mean() == pytest.approx(2 * a, abs=1.0) and smallest.mean() == pytest.approx(2 * b, abs=0.8)
    areas = np.array([mask.sum() for mask in masks]) * np.prod(pixel)
    circularity = 4 * np.pi * areas / length**2
    assert (circularity <= 1).all()
    assert circularity.mean() == pytest.approx(4 * np.pi**2 * a * b / (4 * a * ellipe(1 - (b / a) ** 2)) ** 2, rel=0.04)


def test_large_squares_and_turned_ones():
    y, x = np.mgrid[-150:151, -150:151]
    for angle in (0, 0.3, np.pi / 4):
        u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        length, largest, smallest = measured(cut(np.maximum(np.abs(u), np.abs(v)) < 100))
        assert length == pytest.approx(800, rel=0.01)
        assert largest == pytest.approx(200 * np.sqrt(2), rel=0.01) and smallest == pytest.approx(200, rel=0.01)


MASKS = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))).filter(np.any)


@given(MASKS)
def test_no_shape_is_rounder_than_a_circle(mask):
    mask = cut(mask)
    length, largest, smallest = measured(mask)
    assert 4 * np.pi * mask.sum() / length**2 <= 1 + 1e-12
    assert 0 <= smallest <= largest + 1e-12


@given(MASKS, st.sampled_from([(1.0, 1.0), (0.2, 0.3)]))
def test_feret_diameters_against_all_directions(mask, scale):
    mask = cut(mask)
    _, largest, smallest = measured(mask, scale)
    points = np.concatenate(contours_of([mask])[0]) * scale
    angles = np.linspace(0, np.pi, 2000, endpoint=False)
    across = points @ np.stack([np.cos(angles), np.sin(angles)])
    widths = np.ptp(across, axis=0)
    assert largest == pytest.approx(widths.max(), rel=1e-5)
    assert smallest <= widths.min() + 1e-9 and smallest == pytest.approx(widths.min(), abs=2e-3 * widths.max())


@given(MASKS)
def test_turns_and_mirrors_change_nothing(mask):
    mask = cut(mask)
    wanted = measured(mask)
    for other in (mask.T, mask[::-1], mask[:, ::-1], np.rot90(mask)):
        np.testing.assert_allclose(measured(np.ascontiguousarray(other)), wanted, rtol=1e-9)


def test_pieces_and_holes():
    disk = ellipse(10, 10, 0)
    ring = disk.copy()
    ring[6:13, 6:13] = False
    assert perimeters(contours_of([ring]), (1, 1))[0] == pytest.approx(perimeters(contours_of([disk]), (1, 1))[0])
    two = np.concatenate([disk, np.zeros((len(disk), 5), bool), disk], axis=1)
    assert perimeters(contours_of([two]), (1, 1))[0] == pytest.approx(2 * perimeters(contours_of([disk]), (1, 1))[0])
    assert measured(two)[1] == pytest.approx(two.shape[1], abs=1)


def test_many_at_once_as_one_by_one():
    rng = np.random.default_rng(0)
    masks = [cut(ndi.gaussian_filter(rng.random((30, 40)), 2) > 0.52) for _ in range(20)]
    contours, heights = contours_of(masks), np.array([len(mask) for mask in masks])
    together = np.array([perimeters(contours, (0.1, 0.2)), *feret_diameters(contours, heights, (0.1, 0.2))])
    np.testing.assert_allclose(together, np.transpose([measured(mask, (0.1, 0.2)) for mask in masks]), rtol=1e-9)
    assert len(perimeters([], (1, 1))) == 0 and len(feret_diameters([], np.zeros(0, int), (1, 1))[0]) == 0
