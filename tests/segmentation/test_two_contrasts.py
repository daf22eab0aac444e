"""What a network that finds particles on any support is shown."""

import numpy as np
import pytest

from particlespy_ml.segmentation.two_contrasts import two_contrasts

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
