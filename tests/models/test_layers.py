import numpy as np
import pytest
import torch

from particlespy_ml.models.layers import PolarSpectrum, PolarTemplates, _centroid
from particlespy_ml.models.networks import _spectral_branch


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


def test_the_last_convolutions_see_every_angle():
    """A reflection changes the features at all angles, so that the angle to any other can be told."""
    torch.manual_seed(0)
    branch = _spectral_branch((8, 8, 8, 8), (2, 2, 2, 4), 16)
    convolutions = branch[1:-1].double().eval()
    spectrum = torch.randn(1, 1, 40, 72, dtype=torch.float64, requires_grad=True)
    found = convolutions(spectrum)
    found[0, :, :, 0].sum().backward()
    assert (spectrum.grad[0, 0].abs().sum(0) > 0).all()


@pytest.fixture(scope="module")
def drawings():
    """Three images without any symmetry."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(96.0) - 47.5, torch.arange(96.0) - 47.5, indexing="ij")
    images = torch.zeros(3, 96, 96)
    for image in images:
        for row, column, height in torch.rand(40, 3, generator=generator):
            image += (0.5 + height) * torch.exp(-((y - 30 * row + 15) ** 2 + (x - 30 * column + 15) ** 2) / 3)
    return images


@pytest.fixture(scope="module")
def matcher(drawings):
    layer = PolarTemplates((1, 2), 8)
    layer.remember([drawings[:1], drawings[1:]])
    return layer


def turn(images, degrees, shift=(0.0, 0.0)):
    """Images turned about their middle, then moved by (row, column) pixels."""
    from scipy.ndimage import affine_transform

    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([47.5, 47.5])
    offset = middle - matrix @ (middle + np.array(shift))
    return torch.from_numpy(np.stack([affine_transform(image.numpy(), matrix, offset, order=3) for image in images]))


def test_each_drawing_matches_its_own_group(matcher, drawings):
    found = matcher.matches(drawings)
    assert found.argmax(1).tolist() == [0, 1, 1]
    torch.testing.assert_close(found.amax(1), torch.ones(3), atol=2e-3, rtol=0)
    assert found.min(1).values.max() < 0.9


@pytest.mark.parametrize("degrees", [0.0, 33.0, 140.0, 271.0])
def test_matches_depend_neither_on_angle_nor_on_place_contrast_and_empty_space(matcher, drawings, degrees):
    found = matcher.matches(drawings)
    moved = turn(drawings, degrees, (3.3, -2.1))
    torch.testing.assert_close(matcher.matches(moved), found, atol=0.03, rtol=0)
    torch.testing.assert_close(matcher.matches(7 + 3 * moved), matcher.matches(moved), atol=1e-3, rtol=0)
    wide = torch.nn.functional.pad(moved, (16, 16, 16, 16))
    torch.testing.assert_close(matcher.matches(wide), matcher.matches(moved), atol=0.01, rtol=0)


def test_a_match_is_the_largest_normalised_correlation_over_the_angle(matcher, drawings):
    """Beside sums over the pixels, no FFT and no interpolation of spectra, for drawings turned in steps of a degree."""
    centres = _centroid(drawings[:2]).numpy()
    fixed, other = (turn(image[None], 0, tuple(-centre)) for image, centre in zip(drawings, centres, strict=False))
    turned = torch.cat([fixed, *(turn(other, angle) for angle in range(360))]).to(torch.complex64)
    radius, angle = torch.meshgrid(torch.linspace(0.02, 0.30, 28), 2 * np.pi * torch.arange(48) / 96, indexing="ij")
    axis = torch.arange(96.0) - 47.5
    rows, columns = (-2j * np.pi * (radius * f(angle)).flatten()[:, None] * axis for f in (torch.sin, torch.cos))
    waves = torch.einsum("nrc,kr,kc->nk", turned, rows.exp(), columns.exp()) * radius.flatten().sqrt()
    waves = waves / waves.norm(dim=1, keepdim=True)
    expected = float((waves[1:] @ waves[0].conj()).real.max())
    assert matcher.matches(drawings[1:2])[0, 0] == pytest.approx(expected, abs=0.01)


def test_templates_that_do_not_fit_the_groups_are_an_error(matcher, drawings):
    with pytest.raises(ValueError, match=r"groups of \(1, 2\) templates, not \(2, 1\)"):
        matcher.remember([drawings[:2], drawings[2:]])


def test_empty_windows_match_nothing_but_are_finite(matcher):
    assert torch.isfinite(matcher(torch.zeros(2, 1, 64, 64))).all()
