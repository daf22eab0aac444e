"""Transfer functions beside abTEM's, and images of known waves."""

import numpy as np
import pytest

from particlespy_ml.simulation.recording.optics import Optics, image_intensity, transfer_function, wavelength


@pytest.mark.parametrize(("energy", "expected"), [(80e3, 0.041757), (200e3, 0.025079), (300e3, 0.019687)])
def test_wavelength(energy, expected):
    assert wavelength(energy) == pytest.approx(expected, rel=1e-4)  # J. C. H. Spence, High-Resolution EM, table 2.1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"defocus": 200.0}, {"defocus": 200}),
        ({"astigmatism": 50.0, "astigmatism_angle": 0.4}, {"astigmatism": 50, "astigmatism_angle": 0.4}),
        ({"spherical_aberration": 1e6}, {"Cs": 1e6}),
        ({"fifth_order": 3e7}, {"C50": 3e7}),
        ({"coma": 900.0, "coma_angle": 0.7}, {"C21": 900, "phi21": 0.7}),
        ({"threefold": 800.0, "threefold_angle": 0.3}, {"C23": 800, "phi23": 0.3}),
        ({"focal_spread": 50.0}, {"focal_spread": 50}),
        (
            {"defocus": 200.0, "spherical_aberration": 1e6, "beam_semiangle": 0.2},
            {"defocus": 200, "Cs": 1e6, "angular_spread": 0.2},
        ),
    ],
)
def test_transfer_function_is_that_of_abtem(ours, theirs):
    abtem = pytest.importorskip("abtem")
    pixels, edge = 90, 40.0
    k = np.fft.fftfreq(pixels, edge / pixels)
    ky, kx = np.meshgrid(k, k, indexing="ij")
    expected = abtem.CTF(energy=300e3, **theirs)._evaluate_from_angular_grid(
        np.hypot(kx, ky) * wavelength(300e3), np.arctan2(ky, kx)
    )
    found = transfer_function(Optics(300e3, **{"focal_spread": 0.0, **ours}), pixels, edge)
    np.testing.assert_allclose(found, expected, atol=5e-4)


def test_aperture_cuts():
    k = np.fft.fftfreq(64, 40.0 / 64)
    k2 = k[:, None] ** 2 + k**2
    transfer = transfer_function(Optics(focal_spread=0.0, aperture=0.31), 64, 40.0)
    np.testing.assert_allclose(np.abs(transfer), k2 <= 0.31**2, atol=1e-6)


def test_two_beams_interfere():
    """The image of 1 + a exp(2πi gx) is 1 + a² t² + 2 a t cos(2πgx - χ), with the transfer t and its phase χ."""
    pixels, edge, order, a = 60, 30.0, 9, 0.2
    x = np.arange(pixels) * edge / pixels
    wave = np.ones((pixels, 1)) * (1 + a * np.exp(2j * np.pi * order * x / edge))
    optics = Optics(defocus=80.0, focal_spread=60.0)
    image = image_intensity(wave.astype(np.complex64), edge, optics)
    g = order / edge
    chi = -np.pi * wavelength(300e3) * 80.0 * g**2
    t = np.exp(-((0.5 * np.pi * wavelength(300e3) * 60.0 * g**2) ** 2))
    fine = np.arange(2 * pixels) * edge / (2 * pixels)
    expected = 1 + (a * t) ** 2 + 2 * a * t * np.cos(2 * np.pi * g * fine - chi)
    assert image.shape == (2 * pixels, 2 * pixels)
    np.testing.assert_allclose(image, np.broadcast_to(expected, image.shape), atol=2e-5)


def test_empty_beam_is_one():
    np.testing.assert_allclose(
        image_intensity(np.ones((31, 31), np.complex64), 20.0, Optics(defocus=500.0)), 1, atol=1e-5
    )


def test_deflection_blurs_by_a_gaussian():
    pixels, edge, order = 60, 30.0, 9
    x = np.arange(pixels) * edge / pixels
    wave = (np.ones((pixels, 1)) * (1 + 0.1 * np.exp(2j * np.pi * order * x / edge))).astype(np.complex64)
    still = image_intensity(wave, edge, Optics(defocus=80.0))
    moved = image_intensity(wave, edge, Optics(defocus=80.0, deflection=0.4))
    fringes = [np.abs(np.fft.fft(image[0])[order]) for image in (still, moved)]
    assert fringes[1] / fringes[0] == pytest.approx(np.exp(-2 * (np.pi * 0.4 * order / edge) ** 2), rel=1e-4)
    assert moved.mean() == pytest.approx(still.mean(), rel=1e-5)
