"""Outlines hold the pixels they were traced around, however these hang together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.draw import line
from skimage.measure import label

from particlespy_ml.particles.outline import (
    MOST_PIECES,
    OUTLINE_POINTS,
    fill_outline,
    outer_contours,
    polygon_area,
    trace_outline,
)

DIAGONAL = np.zeros((40, 40), bool)
DIAGONAL[5:15, 5:15] = DIAGONAL[15:25, 15:25] = True
POROUS = np.zeros((60, 60), bool)
POROUS[10:50, 10:50] = True
POROUS[13:47, 14:46:2] = POROUS[13, 14:46] = False
PIECES = np.zeros((50, 60), bool)
PIECES[5:12, 5:12] = PIECES[30:40, 20:24] = PIECES[40, 55] = True
RING = np.zeros((50, 50), bool)
RING[5:45, 5:45] = True
RING[15:35, 15:35] = False
RING[22:28, 22:28] = True  # a core in the hole


def wrong_pixels(mask):
    outline, _ = trace_outline(mask)
    assert outline.shape == (OUTLINE_POINTS, 2)
    return np.count_nonzero(fill_outline(outline, mask.shape) != ndi.binary_fill_holes(mask))


@pytest.mark.parametrize("mask", [DIAGONAL, POROUS, PIECES, RING], ids=["corner", "porous", "pieces", "core in a ring"])
def test_outlines_hold_whole_particles(mask):
    outline, wrong = trace_outline(mask)
    rows, columns = np.nonzero(mask)
    np.testing.assert_array_equal(outline.min(0), [rows.min() - 0.5, columns.min() - 0.5])
    np.testing.assert_array_equal(outline.max(0), [rows.max() + 0.5, columns.max() + 0.5])
    assert wrong == 0 and wrong_pixels(mask) == 0


@pytest.mark.parametrize("pixels", [[(0, 0)], [(0, 0), (0, 1)], [(0, 0), (1, 1)], [(0, 1), (1, 0)], [(0, 0), (2, 0)]])
def test_one_and_two_pixels(pixels):
    mask = np.zeros((5, 5), bool)
    mask[tuple(np.transpose(pixels))] = True
    assert wrong_pixels(mask) == 0


@given(st.integers(0, 10_000), st.floats(0.1, 0.9))
def test_particles_of_few_vertices_are_held_exactly(seed, share):
    mask = np.random.default_rng(seed).random((6, 6)) < share
    if mask.any() and len(outer_contours(mask)) == 1:
        assert wrong_pixels(mask) == 0


@pytest.mark.parametrize("end", [(390, 33), (200, 390), (30, 300), (390, 390)])
@pytest.mark.parametrize(("wide", "share"), [(False, 0.1), (True, 0.05)])
def test_long_thin_particles(end, wide, share):
    mask = np.zeros((400, 400), bool)
    mask[line(3, 3, *end)] = True
    if wide:
        mask = ndi.binary_dilation(mask)
    assert wrong_pixels(mask) < share * mask.sum()


@pytest.mark.parametrize("radius", [3, 8, 20, 60])
def test_disks(radius):
    y, x = np.mgrid[:130, :130] - 64.5
    mask = np.hypot(y, x) < radius
    outline, _ = trace_outline(mask)
    assert wrong_pixels(mask) <= 0.003 * mask.sum()
    # a contour half-way between pixels cuts the corners off
    assert polygon_area(outline) == pytest.approx(mask.sum(), rel=0.3 / radius)


@pytest.mark.parametrize("smooth", [1.5, 2, 3, 5, 8])
def test_ragged_particles_and_what_is_said_of_them(smooth):
    noise = ndi.gaussian_filter(np.random.default_rng(3).normal(size=(200, 200)), smooth)
    found = label(noise > np.quantile(noise, 0.8))
    mask = found == np.bincount(found.ravel())[1:].argmax() + 1
    _, wrong = trace_outline(mask)
    assert wrong_pixels(mask) <= min(0.1 * mask.sum(), wrong + 2)


def test_many_pieces_are_spanned_by_their_hull_and_told():
    mask = np.zeros((60, 60), bool)
    mask[5:60:10, 5:60:10] = True
    assert len(outer_contours(mask)) > MOST_PIECES
    outline, wrong = trace_outline(mask)
    assert fill_outline(outline, mask.shape)[mask].all()
    assert wrong > 1000


@given(st.integers(0, 10_000))
def test_no_centre_of_a_pixel_is_decided_by_rounding(seed):
    rng = np.random.default_rng(seed)
    mask = ndi.gaussian_filter(rng.normal(size=(60, 60)), 2) > 0.05
    outline, _ = trace_outline(label(mask) == 1)
    filled = fill_outline(outline, mask.shape)
    # what is left of an outline 1 mm from the origin, in nm and at 0.01 nm a pixel
    there_and_back = (1e6 + 0.01 * outline - 1e6) / 0.01
    np.testing.assert_array_equal(fill_outline(there_and_back, mask.shape), filled)
