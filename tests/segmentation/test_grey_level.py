import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu

from particlespy_ml.segmentation.grey_level import BLUR, grey_level_outlines
from tests.segmentation.test_half_contrast import discs, thickness

SHAPE = (160, 200)
PAIR = (((50, 50), 30), ((105, 140), 30))
SIX = discs((200, 300), *(((60 + 90 * (i // 3), 50 + 80 * (i % 3)), 25) for i in range(6)))


def six_particles(sixth=-1.0, seed=0):
    """Six dark particles, the last of another contrast."""
    noise = np.random.default_rng(seed).normal(0, 0.1, SIX.shape)
    return np.select([SIX == 6, SIX > 0], [sixth, -1.0], 0.0) + noise


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("start", [0.9, 1.2])
def test_like_particles_get_the_outlines_of_a_threshold(sign, start):
    image = 5 + sign * (discs(SHAPE, *PAIR) > 0) + np.random.default_rng(0).normal(0, 0.3, SHAPE)
    moved = grey_level_outlines(image, discs(SHAPE, *((middle, start * r) for middle, r in PAIR)), (0.1, 0.1))
    smooth = sign * ndi.gaussian_filter(image, BLUR * 30 * start)
    by_threshold = smooth > threshold_otsu(smooth)
    assert np.count_nonzero((moved > 0) != by_threshold) < 0.02 * np.count_nonzero(by_threshold)
    assert np.count_nonzero((moved > 0) != (discs(SHAPE, *PAIR) > 0)) < 0.04 * np.count_nonzero(moved)


def test_uneven_illumination_and_a_scale_bar_do_not_move_them():
    shape = (300, 500)
    places = [((y, x), 20) for y in (50, 150, 250) for x in (60, 180, 310, 440)]
    image = -2.0 * (discs(shape, *places) > 0) + np.random.default_rng(0).normal(0, 0.3, shape)
    labels = discs(shape, *((middle, 1.1 * r) for middle, r in places))
    plain = grey_level_outlines(image, labels, (0.1, 0.1))
    uneven = image + np.linspace(0, 4, shape[1])
    uneven[-12:, :60] = -50
    moved = grey_level_outlines(uneven, labels, (0.1, 0.1))
    assert np.count_nonzero(moved != plain) < 0.05 * np.count_nonzero(plain)


def test_thicker_particles_reach_farther_out():
    # spheres of two thicknesses: one grey level is a smaller part of the thicker one's contrast
    image = thickness(SHAPE, *PAIR[0], 0.5) + 2 * thickness(SHAPE, *PAIR[1], 0.5)
    areas = np.bincount(grey_level_outlines(image, discs(SHAPE, *PAIR), (0.1, 0.1)).ravel())
    assert areas[2] > 1.1 * areas[1] > 0


def test_pixels_that_are_not_square():
    image = thickness((120, 60), (60, 30), 40, 0.0, aspect=2.0)
    labels = (thickness(image.shape, (60, 30), 44, 0.0, aspect=2.0) > 0).astype(np.int32)
    moved = grey_level_outlines(image, labels, (0.1, 0.2))
    assert np.count_nonzero((moved > 0) != (image > 0)) < 0.03 * np.count_nonzero(image)


@pytest.mark.parametrize("contrast", [0.3, -1.0])
def test_one_that_does_not_reach_the_level_gets_half_of_its_own_contrast(contrast):
    image = discs(SHAPE, PAIR[0]) + contrast * discs(SHAPE, PAIR[1])
    image = image + np.random.default_rng(0).normal(0, 0.1, SHAPE)
    moved = grey_level_outlines(image, discs(SHAPE, PAIR[0], ((105, 140), 35)), (0.1, 0.1))
    assert np.bincount(moved.ravel())[2] == pytest.approx(np.pi * 30**2, rel=0.1)


def test_one_that_is_not_seen_is_dropped():
    image = discs(SHAPE, PAIR[0]) + np.random.default_rng(0).normal(0, 0.3, SHAPE)
    assert set(np.unique(grey_level_outlines(image, discs(SHAPE, *PAIR), (0.1, 0.1)))) == {0, 1}


@pytest.mark.parametrize("value", [5, 50, -50])
def test_a_scale_bar_close_to_a_particle_moves_none(value):
    image = six_particles()
    image[186:192, 20:120] = value
    image[181:186, 40:80] = value  # six pixels below the fourth particle
    areas = np.bincount(grey_level_outlines(image, SIX, (0.1, 0.1)).ravel())[1:]
    np.testing.assert_allclose(areas, np.pi * 25**2, rtol=0.05)


def test_a_dark_spot_beside_a_bright_particle_is_not_taken_for_it():
    image = six_particles(sixth=1.0)
    rows, columns = np.indices(SIX.shape)
    image[(np.hypot(rows - 150, columns - 242) < 6) & (SIX == 0)] = -1.5
    moved = grey_level_outlines(image, SIX, (0.1, 0.1))
    assert np.count_nonzero((moved == 6) != (SIX == 6)) < 0.05 * np.count_nonzero(SIX == 6)


def test_holes_are_filled_and_pieces_left_out():
    image = six_particles()
    image[53:58, 48:53] = 0.0  # within the first particle
    image[85:92, 48:52] = -1.0  # below it, within its reach, but apart from it
    labels = np.where(ndi.binary_dilation(SIX == 1, iterations=4), 1, SIX)
    moved = grey_level_outlines(image, labels, (0.1, 0.1))
    assert (moved[53:58, 48:53] == 1).all()
    assert ndi.label(moved == 1)[1] == 1
    assert np.count_nonzero((moved == 1) != (SIX == 1)) < 0.04 * np.count_nonzero(SIX == 1)


@pytest.mark.parametrize("contrast", [0.42, 0.46, 0.5, 0.54])
def test_one_whose_contrast_is_that_of_the_level_is_not_lost(contrast):
    image = six_particles(sixth=-contrast)
    assert np.count_nonzero(grey_level_outlines(image, SIX, (0.1, 0.1)) == 6) > 0.6 * np.pi * 25**2


def test_small_ones_are_not_blurred_away():
    labels = discs((700, 500), ((170, 200), 150), ((500, 100), 30))
    image = -1.0 * (labels > 0) + np.random.default_rng(0).normal(0, 0.1, labels.shape)
    areas = np.bincount(grey_level_outlines(image, labels, (0.1, 0.1)).ravel())
    assert areas[2] == pytest.approx(np.pi * 30**2, rel=0.03)


def test_steep_rods_stay_as_wide_as_they_are():
    labels = np.zeros((120, 400), np.int32)
    labels[50:70, 40:360] = 1
    image = -1.0 * labels + np.random.default_rng(0).normal(0, 0.1, labels.shape)
    assert np.count_nonzero(grey_level_outlines(image, labels, (0.1, 0.1))) == pytest.approx(labels.sum(), rel=0.05)


def test_padding():
    areas = np.bincount(grey_level_outlines(np.pad(six_particles() + 5, 100), np.pad(SIX, 100), (0.1, 0.1)).ravel())[1:]
    np.testing.assert_allclose(areas, np.pi * 25**2, rtol=0.05)


@pytest.mark.parametrize("step", [0.3, 1.0, 2.0])
def test_a_step_of_the_support(step):
    places = [((y, x), 20) for y in (80, 220) for x in (100, 185, 300)]
    labels = discs((300, 400), *places)
    image = -1.0 * (labels > 0) + np.random.default_rng(0).normal(0, 0.1, labels.shape) + step * (np.arange(400) > 208)
    areas = np.bincount(grey_level_outlines(image, labels, (0.1, 0.1)).ravel())[1:]
    np.testing.assert_allclose(areas, np.pi * 20**2, rtol=0.1)


def test_neighbours_stay_apart_and_keep_their_numbers():
    particles = ((50, 70), 30), ((50, 131), 30)
    image = (discs(SHAPE, *particles) > 0).astype(float)
    labels = 3 * discs(SHAPE, *((middle, 1.05 * r) for middle, r in particles))
    moved = grey_level_outlines(image, labels, (0.1, 0.1))
    assert set(np.unique(moved)) == {0, 3, 6}
    assert np.isin(labels[moved == 3], (0, 3)).all() and np.isin(labels[moved == 6], (0, 6)).all()


def test_frames_without_particles_or_background():
    none = np.zeros((20, 20), np.int32)
    assert not grey_level_outlines(np.eye(20), none, (0.1, 0.1)).any()
    np.testing.assert_array_equal(grey_level_outlines(np.eye(20), none + 1, (0.1, 0.1)), none + 1)


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(0.1, 50), offset=st.floats(-100, 100), turns=st.integers(0, 3))
def test_gain_offset_and_turns_change_nothing(gain, offset, turns):
    image = (discs(SHAPE, *PAIR) > 0) + np.random.default_rng(1).normal(0, 0.2, SHAPE)
    labels = discs(SHAPE, *((middle, 1.1 * r) for middle, r in PAIR))
    expected = np.rot90(grey_level_outlines(image, labels, (0.1, 0.1)), turns)
    found = grey_level_outlines(np.rot90(gain * image + offset, turns), np.rot90(labels, turns), (0.1, 0.1))
    assert np.count_nonzero(found != expected) <= 0.005 * np.count_nonzero(expected)
