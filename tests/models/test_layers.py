import numpy as np
import pytest
import torch

from particlespy_ml.models.layers import PolarSpectrum


@pytest.mark.parametrize("degrees", [-60.0, 0.0, 25.0, 80.0])
def test_fringes_are_one_spot_of_the_polar_spectrum(degrees):
    radii, angles, frequency = 53, 90, 0.16  # cycles per pixel, a radius of the grid
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    angle = np.radians(degrees)
    fringes = torch.cos(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)))
    spectrum = PolarSpectrum(radii, angles, 0.05, 0.31)
    found = spectrum(5 + 3 * fringes[None, None])[0, 0]
    radius, direction = divmod(int(found.argmax()), angles)
    assert radius == pytest.approx((frequency - 0.05) / 0.26 * (radii - 1), abs=1)
    assert direction == pytest.approx((degrees + 90) / 180 * angles - 0.5, abs=1)


def test_polar_spectrum_does_not_depend_on_contrast_nor_on_empty_space():
    spectrum = PolarSpectrum(40, 72, 0.05, 0.31)
    torch.manual_seed(0)
    middle = torch.randn(1, 1, 48, 48) * torch.hann_window(48) * torch.hann_window(48)[:, None]
    wide = torch.nn.functional.pad(middle, (64, 64, 64, 64))
    narrow = torch.nn.functional.pad(middle, (40, 40, 40, 40))
    torch.testing.assert_close(spectrum(wide), spectrum(7 * narrow + 3), atol=0.05, rtol=0.05)
