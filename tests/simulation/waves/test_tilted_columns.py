"""Waves of single columns, beside those of another function, and tilted ones."""

from dataclasses import replace

import numpy as np
import pytest

from particlespy_ml.simulation.waves.single_columns import column_exit_waves
from particlespy_ml.simulation.waves.tilted_columns import STEP, sampled, tilted_columns


@pytest.fixture(scope="module")
def library():
    return tilted_columns("Au", 2.884, 4, tilts=(0.0, 2.0), thermal_rms=0.0, slice_thickness=1.5)


def test_straight_columns_are_those_of_the_other_function(library):
    told = column_exit_waves("Au", 2.884, [1, 4], thickness=3 * 2.884, thermal_rms=0.0)
    for height in (1, 4):
        other = told.arrays[told.numbers(height)][::2, ::2]  # a step of 0.05 Å
        own = library.waves[0, height - 1]
        middle = [len(one) // 2 for one in (own, other)]
        near = [
            one[half - 30 : half + 31, half - 30 : half + 31] for one, half in zip((own, other), middle, strict=True)
        ]
        # fields of 18 and 20 Å, and another sampling of the potential
        assert np.abs(near[0] - near[1]).max() < 0.06 * np.abs(near[1]).max()


def test_tilted_columns_lean_along_x(library):
    wave, half = library.waves[1, 3], library.waves.shape[-1] // 2
    np.testing.assert_allclose(wave, np.roll(wave[::-1], 1, 0), atol=1e-5)
    near = np.abs(wave[half - 20 : half + 21, half - 20 : half + 21])
    axis = np.arange(-20, 21)
    wide = [np.sqrt((near.sum(one) @ axis**2) / near.sum()) for one in (0, 1)]
    straight = np.abs(library.waves[0, 3][half - 20 : half + 21, half - 20 : half + 21])
    assert wide[0] > wide[1]
    assert near.max() < straight.max()


def test_tilts_between_those_simulated_and_their_direction(library):
    waves, turn = library.at(np.array([0.0, 1.0]))
    np.testing.assert_allclose(waves, library.waves.mean(0), atol=1e-5)
    assert turn == pytest.approx(np.pi / 2)


def test_profiles_are_read_between_pixels_and_turned():
    axis = (np.arange(41) - 20) * STEP
    profile = np.exp(-(axis[:, None] ** 2) / 0.1 - axis**2 / 0.9)[None]  # long along x
    dy, dx = np.array([[0.0, 0.6]]), np.array([[0.0, 0.6]])
    straight = sampled(profile, np.array([0]), dy, dx, STEP, 0.0)[0]
    turned = sampled(profile, np.array([0]), dy, dx, STEP, np.pi / 2)[0]
    np.testing.assert_allclose(straight, [[1, np.exp(-0.4)], [np.exp(-3.6), np.exp(-4.0)]], atol=0.02)
    np.testing.assert_allclose(turned, straight.T, atol=1e-6)


def test_columns_of_several_elements(library):
    both = library.beside(replace(library, kinds=("Pt",)))
    assert both.kinds == ("Au", "Pt") and both.highest == library.highest
    np.testing.assert_array_equal(both.waves[:, 4:], library.waves)
    with pytest.raises(ValueError, match="spacing"):
        library.beside(replace(library, spacing=3.0))


def test_bad_input():
    with pytest.raises(ValueError, match="ascending tilts from 0 on"):
        tilted_columns("Au", 2.9, 3, tilts=(0.5, 1.0))
