"""Power spectra: noise has its variance, and spots of a lattice are no rings."""

from __future__ import annotations

import numpy as np
import pytest

from particlespy_ml.quality.spectrum import power_spectrum


def test_white_noise_has_its_variance():
    noise = np.random.default_rng(0).normal(5, 3, (160, 220))
    spectrum = power_spectrum(noise, (0.1, 0.05))
    assert spectrum.noise() == pytest.approx(9, rel=0.05)
    frequency, power, count = spectrum.rings()
    assert np.median(power[20:]) == pytest.approx(9, rel=0.1)
    assert frequency[-1] <= spectrum.nyquist == 5 and (count > 0).all()


def test_the_scale_of_each_axis():
    rows, columns = np.mgrid[:128, :128]
    wave = np.sin(2 * np.pi * columns / 8)
    spectrum = power_spectrum(wave, (0.5, 0.1))
    top = np.unravel_index(np.argmax(spectrum.power), spectrum.power.shape)
    assert spectrum.frequency[top] == pytest.approx(1 / 0.8)


def test_spots_are_no_rings():
    rows, columns = np.mgrid[:256, :256]
    noise = np.random.default_rng(0).normal(size=(256, 256))
    lattice = 2 * np.sin(2 * np.pi * columns / 8)
    plain, with_lattice = (power_spectrum(one, (0.1, 0.1)) for one in (noise, noise + lattice))
    ring = np.argmin(np.abs(plain.rings()[0] - 1 / 0.8))
    assert with_lattice.rings()[1][ring] < 2 * plain.rings()[1][ring]
    assert with_lattice.rings(robust=False)[1][ring] > 20 * plain.rings(robust=False)[1][ring]


def test_large_images_are_taken_in_tiles():
    noise = np.random.default_rng(0).normal(size=(1030, 40)).astype(np.float32)
    noise[3, 3] = np.nan
    assert power_spectrum(noise, (0.1, 0.1)).power.shape == (1024, 21)


@pytest.mark.parametrize(
    ("shape", "size"), [((15, 20), (1, 1)), ((20, 20), (0, 1)), ((20, 20), (1,)), ((2, 20, 20), (1, 1))]
)
def test_what_is_no_image(shape, size):
    with pytest.raises(ValueError, match="16 x 16|pixel_size"):
        power_spectrum(np.zeros(shape), size)


def test_spectra_of_other_sizes_and_pixels_have_frequencies_of_their_own():
    image = np.random.default_rng(0).normal(size=(64, 96))
    for pixel in ((0.1, 0.1), (0.1, 0.2), (0.05, 0.05), (0.1, 0.1)):
        spectrum = power_spectrum(image, pixel)
        wanted = np.hypot(np.fft.fftfreq(64, pixel[0])[:, None], np.fft.rfftfreq(96, pixel[1]))
        assert np.allclose(spectrum.frequency, wanted, atol=1e-12)
        assert np.array_equal(spectrum.ring, np.round(wanted / max(1 / (64 * pixel[0]), 1 / (96 * pixel[1]))))
