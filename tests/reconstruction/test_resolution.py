import numpy as np
import pytest

from particlespy_ml.reconstruction.fourier import ball_mask, low_pass
from particlespy_ml.reconstruction.resolution import (
    corrected_for_mask,
    fourier_shell_correlation,
    resolution_radius,
    signal_weight,
)


def test_correlation_of_signal_and_noise_is_their_closed_form():
    rng = np.random.default_rng(0)
    signal, first, second = rng.normal(size=(3, 48, 48, 48))
    expected = 1 / (1 + 0.5**2)
    found = fourier_shell_correlation(signal + 0.5 * first, signal + 0.5 * second)
    assert found[8:] == pytest.approx(expected, abs=0.05)


def test_independent_noise_does_not_correlate():
    rng = np.random.default_rng(1)
    assert np.abs(fourier_shell_correlation(*rng.normal(size=(2, 40, 40, 40)))[5:]).max() < 0.1


def test_radius_is_where_the_correlation_falls_first():
    assert resolution_radius(np.array([1, 0.9, 0.5, 0.1, 0.4]), 0.3) == pytest.approx(2.5)
    assert resolution_radius(np.ones(9)) == 8
    assert resolution_radius(np.array([1, 0, 0.0])) == pytest.approx(1 - 0.143, abs=0.2)


def test_a_tight_mask_alone_gives_no_resolution():
    rng = np.random.default_rng(2)
    signal = low_pass(rng.normal(size=(40, 40, 40)), 5) * 20
    halves = signal + rng.normal(size=(2, 40, 40, 40))
    mask = ball_mask(40, 4, 3)
    masked = fourier_shell_correlation(*(halves * mask))
    corrected = corrected_for_mask(*halves, mask)
    assert resolution_radius(masked) > 6.5
    assert resolution_radius(corrected) <= resolution_radius(masked)
    assert corrected[9:].mean() < masked[9:].mean() + 1e-9


def test_weights_are_those_of_rosenthal_and_henderson():
    assert signal_weight(np.array([1.0, 0.143, 0.0, -0.2])) == pytest.approx([1, 0.5, 0, 0], abs=1e-3)
