"""What a network that finds particles on any support is shown."""

import numpy as np
import pytest

from particlespy_ml.segmentation.two_contrasts import grey_step, two_contrasts

IMAGE = np.random.default_rng(0).normal(size=(60, 70)) + np.linspace(0, 5, 70)


@pytest.mark.parametrize("gain, offset", [(1e-3, 0), (250, 1e3), (1, -40)])
def test_gain_and_offset_do_not_matter(gain, offset):
    np.testing.assert_allclose(two_contrasts(gain * IMAGE + offset), two_contrasts(IMAGE), atol=2e-3)


def test_dtype_does_not_matter():
    whole = np.rint(100 * IMAGE - (100 * IMAGE).min()).astype(np.uint16)
    np.testing.assert_allclose(two_contrasts(whole), two_contrasts(whole.astype(float)), atol=1e-5)


def test_turning_the_image_turns_both():
    np.testing.assert_allclose(two_contrasts(IMAGE[::-1])[:, ::-1], two_contrasts(IMAGE), atol=1e-4)


def test_what_is_constant_is_zero_and_what_is_flat_stays_flat():
    assert (two_contrasts(np.full((9, 12), 7)) == 0).all()
    step = np.zeros((80, 80))
    step[:, 60:] = 1.0
    step += 1e-4 * np.random.default_rng(0).normal(size=step.shape)
    local, whole = two_contrasts(step)
    assert np.abs(local[:, :5]).max() < 0.5  # noise of a ten thousandth is not blown up
    assert np.isfinite(whole).all() and whole.max() <= 3
    spot = np.zeros((50, 50))
    spot[3, 4] = 1.0  # the quantiles are equal
    assert np.isfinite(two_contrasts(spot)).all()


def test_blocks_of_one_grey_value_do_not_look_like_particles():
    image = np.full((96, 192), 20.0)
    image[:, 156:] = np.random.default_rng(1).integers(90, 250, (96, 36))
    image[24:32, 16:24] = 21
    step = grey_step(image)
    assert step == 1.0
    inside = np.s_[0, 26:30, 18:22]
    assert two_contrasts(image, step)[inside].max() < 0.6
    image[24:32, 16:24] = 45  # of many steps
    assert two_contrasts(image, step)[inside].min() > 2


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.random.default_rng(0).normal(size=(90, 90)), 0.0),
        (np.random.default_rng(0).poisson(5, (90, 90)), 0.0),  # electrons, each of which tells something
        (np.random.default_rng(0).integers(0, 256, (90, 90)) * 0.25 - 7, 0.25),
        (np.random.default_rng(0).integers(0, 60000, (90, 90)), 0.0),
        (np.zeros((90, 90)), 0.0),
        (np.arange(16).reshape(4, 4), 0.0),
    ],
)
def test_steps_between_grey_values(image, expected):
    assert grey_step(image) == expected
    assert grey_step(3 * image) == 3 * expected
