"""known_pixels on images with borders that are known, and on images without any that look alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage as ndi

from particlespy_ml.core.padding import known_pixels

SHAPE = (96, 120)


def recorded(shape=SHAPE, seed=0, level=1500):
    """Counts with two bright discs."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    discs = (np.hypot(y - 30, x - 40) < 14) | (np.hypot(y - 70, x - 85) < 18)
    return np.random.default_rng(seed).poisson(level * (1 + 0.7 * discs))


@given(
    widths=st.tuples(*[st.integers(0, 16)] * 4),
    fill=st.sampled_from([0, -1, 255, 65535, "mean"]),
    dtype=st.sampled_from(["u2", "i4", ">i4", "f4", "f8", ">f8"]),
    seed=st.integers(0, 100),
)
def test_a_border_of_any_width_and_value(widths, fill, dtype, seed):
    top, bottom, left, right = widths
    true = np.zeros(SHAPE, bool)
    true[top : SHAPE[0] - bottom, left : SHAPE[1] - right] = True
    frame = recorded(seed=seed)
    frame = np.where(true, frame, int(frame.mean()) if fill == "mean" else fill).astype(dtype)
    known = known_pixels(frame)
    if true.all():
        assert known is None
    else:
        np.testing.assert_array_equal(known, true)


def test_borders_of_several_values():
    frame = np.pad(np.pad(recorded(), ((0, 0), (5, 0)), constant_values=-1), ((3, 2), (0, 0)))
    np.testing.assert_array_equal(known_pixels(frame), np.pad(np.ones(SHAPE, bool), ((3, 2), (5, 0))))


@pytest.mark.parametrize("angle", [0.5, 2, 10, 30, 45, 70, 89, -15])
@pytest.mark.parametrize("reshape", [False, True])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_wedges_of_a_rotation(angle, reshape, order):
    frame = recorded((200, 240)).astype(float)
    turned = ndi.rotate(frame, angle, reshape=reshape, order=order, cval=0)
    inside = ndi.rotate(np.ones(frame.shape), angle, reshape=reshape, order=1, cval=0) > 0.999
    known = known_pixels(turned)
    assert not (known & ~ndi.binary_dilation(inside)).any()
    # no more than three pixels along the outline and the frame
    assert not (~known & ndi.binary_erosion(inside, iterations=3)).any()


def test_a_sheared_image():
    frame = ndi.affine_transform(recorded((200, 240)).astype(float), [[1, 0], [0.1, 1]], order=1)
    outside = ndi.affine_transform(np.ones((200, 240)), [[1, 0], [0.1, 1]], order=0) == 0
    known = known_pixels(frame)
    assert outside.sum() > 1000 and not known[outside].any()
    assert known.sum() > 0.97 * (~outside).sum()


def test_a_line_mixed_by_a_shift_of_part_of_a_pixel():
    frame = ndi.shift(recorded().astype(float), (3.4, 0), order=1, mode="grid-constant")
    true = np.ones(SHAPE, bool)
    true[:4] = False
    np.testing.assert_array_equal(known_pixels(frame), true)


Y, X = np.mgrid[-100:100, -100:100]


@pytest.mark.parametrize("radius", [5, 30, 60, 90, 100, 105, 110])
@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("blur", [0, 1.5])
def test_a_disc_on_a_constant_background_has_no_border(radius, noise, blur):
    frame = ndi.gaussian_filter((np.hypot(Y, X) < radius) * 100.0, blur)
    frame = np.random.default_rng(0).poisson(frame) if noise else frame
    assert known_pixels(frame) is None
    assert known_pixels(255 - frame) is None


@pytest.mark.parametrize("half", [10, 30, 50, 54])
@pytest.mark.parametrize("angle", [0, 20, 45])
def test_a_cube_on_clipped_vacuum_has_no_border(half, angle):
    cube = ndi.rotate(1.0 * (np.maximum(abs(Y), abs(X)) < half), angle, reshape=False, order=0)
    assert known_pixels(np.random.default_rng(0).poisson(100 * cube)) is None


@pytest.mark.parametrize("half", [70, 90])
def test_a_large_cube_with_blurred_edges_has_no_border(half):
    cube = ndi.gaussian_filter(100.0 * (np.maximum(abs(Y), abs(X)) < half), 1.5)
    assert known_pixels(cube) is None
    assert known_pixels(np.random.default_rng(0).poisson(cube)) is None


@given(
    mean=st.sampled_from([0.01, 0.05, 0.3, 1, 5]),
    shape=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    seed=st.integers(0, 500),
)
def test_counts_have_no_border(mean, shape, seed):
    assert known_pixels(np.random.default_rng(seed).poisson(mean, shape)) is None


@pytest.mark.parametrize("mean", [0.4, 1, 3])
def test_a_border_of_zeros_around_few_counts(mean):
    frame = np.pad(np.random.default_rng(0).poisson(mean, (150, 150)), ((8, 0), (0, 12)))
    np.testing.assert_array_equal(known_pixels(frame), np.pad(np.ones((150, 150), bool), ((8, 0), (0, 12))))


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((50, 60)),
        np.full((50, 60), 7),
        np.tile(np.arange(60.0), (50, 1)),
        np.tile(np.arange(60.0), (50, 1)).T,
        np.pad(np.ones((50, 60)), 5),
        np.pad(np.ones((50, 60), bool), 5),
        np.hypot(Y, X) < 60,
        np.full((50, 60), np.nan),
        np.zeros((0, 5)),
        np.zeros((1, 100)),
        np.arange(4).reshape(2, 2),
    ],
    ids=[
        "zeros",
        "sevens",
        "slope",
        "slope down",
        "square",
        "mask of a square",
        "mask",
        "nan",
        "empty",
        "line",
        "tiny",
    ],
)
def test_images_without_a_border(frame):
    assert known_pixels(frame) is None


def test_a_flat_corner_is_no_wedge():
    frame = recorded((200, 240))
    rows, columns = np.indices(frame.shape)
    frame[rows + columns < 14] = 39
    assert known_pixels(frame) is None
