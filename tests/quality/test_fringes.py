import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.quality.fringes import fringe_power, warn_without_fringes

SPACING, PIXELS = 0.2355, (0.05, 0.05)
NOISE = np.random.default_rng(0).normal(100, 10, (256, 256))


@pytest.mark.parametrize("pixel_size", [PIXELS, (0.04, 0.08)])
def test_white_noise_has_the_same_power_everywhere(pixel_size):
    assert fringe_power(NOISE, pixel_size, SPACING) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("sigma", [0.5, 1.0])
def test_a_blur_takes_its_transfer_squared(sigma):
    frequency = PIXELS[0] / SPACING * np.array([1, 0.5])  # in 1/pixels
    transfer = np.exp(-2 * (np.pi * sigma * frequency) ** 2)
    expected = (transfer[0] / transfer[1]) ** 2 * fringe_power(NOISE, PIXELS, SPACING)
    found = fringe_power(ndi.gaussian_filter(NOISE, sigma, mode="wrap"), PIXELS, SPACING)
    assert found == pytest.approx(expected, rel=0.2)


def test_fringes_raise_it():
    fringes = NOISE + 5 * np.cos(2 * np.pi * PIXELS[0] / SPACING * np.arange(256))
    assert fringe_power(fringes, PIXELS, SPACING) > 3 * fringe_power(NOISE, PIXELS, SPACING)


def test_pixels_that_are_too_large():
    assert fringe_power(NOISE, (0.05, 0.12), SPACING) == 0


def test_a_lattice_of_twice_the_spacing_does_not_count():
    wide = NOISE + 30 * np.cos(np.pi * PIXELS[0] / SPACING * np.arange(256))
    assert fringe_power(wide, PIXELS, SPACING) == pytest.approx(fringe_power(NOISE, PIXELS, SPACING), rel=0.2)


@pytest.mark.parametrize("gain", [1e-25, 1e20])
def test_gain_changes_nothing(gain):
    assert fringe_power(gain * NOISE, PIXELS, SPACING) == pytest.approx(fringe_power(NOISE, PIXELS, SPACING))


def test_rows_and_columns_have_their_own_pixel_size():
    squeezed = ndi.gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), (2, 1))
    found = fringe_power(squeezed, (0.05, 0.1), SPACING)  # the same blur in nm
    assert found != pytest.approx(fringe_power(squeezed, (0.1, 0.05), SPACING), rel=0.5)
    frequency = 0.1 / SPACING * np.array([1, 0.5])
    transfer = np.exp(-2 * (np.pi * frequency) ** 2)
    assert found == pytest.approx((transfer[0] / transfer[1]) ** 2, rel=0.3)


@pytest.mark.parametrize(
    "image",
    [NOISE, ndi.gaussian_filter(NOISE, 1), np.full((64, 64), 0.1), np.eye(1), np.full((64, 64), np.nan)],
    ids=["noise", "blurred", "constant", "pixel", "nan"],
)
def test_images_that_say_nothing_do_not_warn(image, recwarn):
    warn_without_fringes(image, PIXELS, SPACING)
    assert not recwarn


def test_a_blurred_image_warns():
    with pytest.warns(UserWarning, match=r"spacing of 0\.235 nm.*'undefined'"):
        warn_without_fringes(ndi.gaussian_filter(NOISE, 3), PIXELS, SPACING)
