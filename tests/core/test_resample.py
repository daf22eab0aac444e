"""Resampling keeps areas, places and means."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from particlespy_ml.core.resample import enlarge_map, interpolate, nearest_map, resample_frame, smoothing_for


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(st.integers(2, 60), st.integers(2, 60)),
    step=st.tuples(st.floats(0.2, 6.0), st.floats(0.2, 6.0)),
    level=st.floats(-100, 100),
)
def test_a_constant_stays_and_the_area_too(shape, step, level):
    result = resample_frame(np.full(shape, level), step)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, level, rtol=1e-5, atol=1e-4)
    for new, old, size in zip(result.shape, shape, step, strict=True):
        assert new == max(1, round(old / size))


@pytest.mark.parametrize("step", [0.5, 2.0, 3.7])
def test_a_spot_stays_where_it_is(step):
    rows, columns = np.mgrid[:80, :90]
    image = np.exp(-((rows - 31.3) ** 2 + (columns - 60.8) ** 2) / 50)
    small = resample_frame(image, (step, step))
    y, x = np.mgrid[: small.shape[0], : small.shape[1]]
    centre = np.array([(small * y).sum(), (small * x).sum()]) / small.sum()
    np.testing.assert_allclose((centre + 0.5) * step - 0.5, [31.3, 60.8], atol=0.1 * step + 0.02)


def test_the_same_pixels_are_the_same_image():
    image = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
    np.testing.assert_allclose(resample_frame(image, (1, 1)), image, atol=1e-6)
    np.testing.assert_allclose(enlarge_map(image, image.shape), image, atol=1e-6)
    np.testing.assert_array_equal(nearest_map(image, image.shape), image)


def test_there_and_back():
    labels = np.zeros((40, 50), int)
    labels[10:20, 15:35] = 3
    large = nearest_map(labels, (120, 150))
    assert (large == 3).sum() == 9 * 200 and large[45, 75] == 3
    np.testing.assert_array_equal(nearest_map(large, (40, 50)), labels)
    assert enlarge_map((labels > 0).astype(float), (120, 150))[large == 3].min() > 0.4


@pytest.mark.parametrize("step", [(8.0, 8.0), (2.6, 5.3), (0.7, 0.7)])
@pytest.mark.parametrize("shape", [(508, 511), (97, 100)])
def test_maps_lie_where_the_image_was(shape, step):
    """Also where no whole number of new pixels fits: what a network maps is not stretched over the frame."""
    axes = [np.arange(n, dtype=float) for n in shape]
    for axis in (0, 1):
        ramp = np.broadcast_to(axes[axis][:, None] if axis == 0 else axes[axis], shape)
        back = enlarge_map(resample_frame(ramp, step), shape, step)
        edge = int(2 * max(step)) + 2
        inner = np.s_[edge:-edge, edge:-edge]
        np.testing.assert_allclose(back[inner], ramp[inner], atol=0.02)
        nearest = nearest_map(resample_frame(ramp, step), shape, step)
        assert np.abs(nearest[inner] - ramp[inner]).max() < 0.5 * max(step) + 0.6


def test_smoothing_makes_up_for_the_difference_of_the_pixels():
    np.testing.assert_allclose(smoothing_for(np.array([0.5, 1.0, 2.0])), [0, 0, 0.5])
    noise = np.random.default_rng(0).normal(size=(400, 400))
    assert resample_frame(noise, (4, 4)).std() < 0.35


def test_interpolation_is_linear():
    plane = np.add.outer(2.0 * np.arange(5), 3.0 * np.arange(6))
    found = interpolate(plane, (0.5, 1.25), (1.0, 0.5), (3, 4))
    np.testing.assert_allclose(found, np.add.outer(2 * (0.5 + np.arange(3)), 3 * (1.25 + 0.5 * np.arange(4))))
