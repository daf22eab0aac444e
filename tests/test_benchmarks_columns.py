"""The ideal observer beside a closed form."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.columns_hrtem.ideal_observer import distance_of_best_lens, told_right
from benchmarks.columns_hrtem.moving_atoms import told_right_of_draws
from particlespy_ml.simulation.recording.optics import Optics, image_intensity, wavelength


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("detectability", [0.5, 2.0, 4.0])
def test_two_images_are_told_apart_as_their_distance_says(images, detectability):
    edge, pixels, dose = 20.0, 16, 500.0
    shown = np.ones((2, images, pixels, pixels))
    shown[1, :, 4:8, 4:8] += 0.01
    of_area = dose * (edge / pixels) ** 2 * np.sum((shown[1] - shown[0]) ** 2)
    shown[1] = 1 + (shown[1] - 1) * detectability / np.sqrt(of_area)
    found = told_right(shown, 0, dose, edge, 20_000, np.random.default_rng(0))
    assert found == pytest.approx(norm.cdf(detectability / 2), abs=0.01)


def test_equal_images_are_told_apart_by_chance_alone():
    shown = np.ones((4, 1, 8, 8))
    assert told_right(shown, 0, 1e3, 10.0, 100, np.random.default_rng(0)) == 1.0, "the first of equals"
    assert told_right(shown, 2, 1e3, 10.0, 100, np.random.default_rng(0)) == 0.0


def test_motion_along_the_difference_hides_it():
    """Two means a distance apart, both of which scatter along it: a normal distribution wider by that."""
    rng = np.random.default_rng(0)

    def draws(middle, along, across=0.0):
        moved = np.zeros((4000, 4, 4))
        moved[:, 1, 2] = middle + along * rng.normal(size=4000)
        moved[:, 2, 1] = across * rng.normal(size=4000)
        return moved

    for distance, spread in ((1.5, 0.0), (3.0, 2.0)):
        found = told_right_of_draws([draws(number * distance, spread) for number in (0, 1)], rng)
        assert found == pytest.approx(norm.cdf(distance / 2 / np.hypot(1, spread)), abs=0.02)
    found = told_right_of_draws([draws(number * 3.0, 0.0, 2.0) for number in (0, 1)], rng)
    assert found == pytest.approx(norm.cdf(1.5), abs=0.02), "motion across the difference hides nothing"


def test_what_another_lens_explains_is_no_difference():
    edge, pixels = 12.0, 40
    lens = [Optics(defocus=defocus, spherical_aberration=-1.5e5, focal_spread=30.0) for defocus in (40.0, -90.0)]
    axis = np.arange(pixels) - pixels / 2
    column = np.exp(-(axis[:, None] ** 2 + axis**2) / 6.0)
    low, high = (np.exp(1j * phase * column) for phase in (0.3, 0.5))

    def series(wave, step=0.0):
        return np.stack([image_intensity(wave, edge, replace(one, defocus=one.defocus + step)) for one in lens])

    def by_hand(one, other):
        return np.sqrt(((one - other) ** 2 / one).sum()) * edge / pixels

    unlike = by_hand(series(low), series(high))
    assert distance_of_best_lens(low, low, edge, lens, 60.0) < 0.01 * unlike
    # 8 Å along the beam are another focus
    k2 = np.add.outer(*[np.fft.fftfreq(pixels, edge / pixels) ** 2] * 2)
    moved = np.fft.ifft2(np.fft.fft2(low) * np.exp(-1j * np.pi * wavelength(300e3) * 8.0 * k2))
    assert distance_of_best_lens(low, moved, edge, lens, 60.0) < 0.05 * by_hand(series(low), series(moved))
    assert 0.02 * unlike < distance_of_best_lens(low, high, edge, lens, 60.0) < unlike
