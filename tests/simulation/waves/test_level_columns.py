"""Moving atoms beside the mean of many that lie still, and columns at levels beside abTEM."""

import numpy as np
import pytest

from particlespy_ml.simulation.recording.optics import wavelength
from particlespy_ml.simulation.waves.exit_wave import fourier_resample, simulate_exit_wave
from particlespy_ml.simulation.waves.level_columns import LevelColumns, level_parity
from particlespy_ml.simulation.waves.moving_atom import interaction, phase_of_moving_atom

EDGE, PIXELS, SPACING = 16.0, 160, 2.884


def test_interaction_of_300_kev():
    """Kirkland's table: 6.526e-4 rad/(V Å) at 300 keV, 7.288e-4 at 200."""
    assert interaction(300e3) == pytest.approx(6.526e-4, rel=1e-3)
    assert interaction(200e3) == pytest.approx(7.288e-4, rel=1e-3)


def test_a_moving_atom_is_the_mean_of_still_ones():
    """The mean of the transmissions of displaced atoms, drawn, beside that of the complex phase."""
    axis = np.fft.fftfreq(PIXELS, EDGE / PIXELS)
    k = np.hypot(axis[:, None], axis)
    area = (EDGE / PIXELS) ** 2
    still = phase_of_moving_atom("Au", k, 300e3, 1e-3) / area
    moving = phase_of_moving_atom("Au", k, 300e3, 0.0081) / area
    rng, mean = np.random.default_rng(0), 0
    for dx, dy in rng.normal(scale=np.sqrt(0.0081 - 1e-3), size=(150, 2)):
        turn = np.exp(-2j * np.pi * (axis * (8 + dx) + axis[:, None] * (8 + dy)))
        mean = mean + np.exp(1j * np.fft.ifft2(still * turn)) / 150
    expected = np.exp(1j * np.fft.ifft2(moving * np.exp(-2j * np.pi * 8 * (axis + axis[:, None]))))
    low = np.exp(-((k / 1.5) ** 4))
    away = np.abs(np.fft.ifft2(np.fft.fft2(mean - expected) * low)).max()
    assert away < 0.05 * np.abs(np.fft.ifft2(np.fft.fft2(expected - 1) * low)).max()
    assert np.abs(expected).min() < 0.99, "some of the wave is lost to where it is scattered by motion"
    assert np.abs(expected).max() < 1.02


def test_columns_beside_abtem():
    """Straight and tilted columns of atoms that hardly move; far from the axis of high frequencies pixels tell."""
    places = np.array([(6.0, 7.0), (8.04, 8.44), (10.1, 7.0)])
    parity, heights = np.array([0, 1, 0]), np.array([3, 2, 1])
    lower = np.array([-1.5, -1.0, -0.5])
    ends = np.column_stack([lower, lower + heights])
    tilt = (0.02, -0.01)
    motion = 0.0064
    rng, mean = np.random.default_rng(1), 0
    levels = [lower[c] + 0.5 + k for c in range(3) for k in range(heights[c])]
    column = np.repeat(np.arange(3), heights)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128, EDGE / 128)] * 2))
    draws = 16
    for _ in range(draws):
        z = np.array(levels) * SPACING
        xy = places[column] + np.outer(z, tilt) + rng.normal(scale=np.sqrt(motion), size=(len(z), 2))
        atoms = np.column_stack([xy, z])
        wave = simulate_exit_wave(["Au"] * len(z), atoms, EDGE, sampling=0.08, slice_thickness=1.4)
        mean = mean + np.fft.fft2(fourier_resample(wave, 128)) / draws
    columns = LevelColumns("Au", SPACING, 300e3, (PIXELS, PIXELS), (EDGE, EDGE))
    own = columns.spectrum(places, parity, ends, tilt=tilt, mean_square=motion)
    own = np.fft.fft2(fourier_resample(np.fft.ifft2(own), 128))
    band = frequency < 1.0
    own, mean = own * band, mean * band
    own[0, 0] -= 128**2
    # abTEM's plane lies somewhere behind the last slice
    left = []
    for away in np.arange(-12, 12, 0.25):
        moved = mean * np.exp(1j * np.pi * wavelength(300e3) * away * frequency**2)
        moved[0, 0] -= 128**2
        left.append(np.linalg.norm(moved - own) / np.linalg.norm(own))
    assert min(left) < 0.12


def test_a_column_that_leans_is_one_of_atoms_beside_each_other():
    columns = LevelColumns("Au", SPACING, 300e3, (64, 64), (10.0, 10.0))
    lean, place, apart = np.array([(0.3, -0.2)]), np.array([(5.0, 4.6)]), np.array([(-0.5, 0.5), (0.5, 1.5)])
    leaning = columns.spectrum(place, np.array([0]), np.array([(-0.5, 1.5)]), leans=lean)
    beside = columns.spectrum(np.vstack([place - lean / 2, place + lean / 2]), np.array([0, 0]), apart)
    np.testing.assert_allclose(leaning, beside, atol=1e-2)
    straight = columns.spectrum(place, np.array([0]), np.array([(-0.5, 1.5)]))
    assert np.abs(leaning - straight).max() > 1


def test_atoms_of_twice_the_strength_are_two():
    columns = LevelColumns("Au", SPACING, 300e3, (64, 64), (10.0, 10.0))
    place, ends = np.array([(5.0, 4.6)]), np.array([(-0.5, 0.5)])
    strong = columns.spectrum(place, np.array([0]), ends, strength=2.0, further=np.array([1e-3]))
    two = columns.spectrum(np.repeat(place, 2, 0), np.array([0, 0]), np.repeat(ends, 2, 0), further=np.full(2, 1e-3))
    np.testing.assert_allclose(strong, two, atol=1e-2)


def test_waves_change_smoothly_with_the_ends_of_columns():
    columns = LevelColumns("Au", SPACING, 300e3, (64, 64), (10.0, 10.0))
    place, parity = np.array([(5.0, 5.0)]), np.array([0])

    def wave(lower, upper, **settings):
        return columns.spectrum(place, parity, np.array([(lower, upper)]), **settings)

    two, three = wave(-0.5, 1.5), wave(-0.5, 2.5)
    between = wave(-0.5, 2.0)
    assert np.linalg.norm(between - (two + three) / 2) < 0.15 * np.linalg.norm(three - two)
    none = wave(0.2, 0.2)
    assert np.abs(none[0, 0]) == pytest.approx(64**2, rel=1e-5) and np.abs(none[1:]).max() < 1e-2
    more = wave(-0.5, 1.5, further=np.array([1e-3]))
    np.testing.assert_allclose(more, wave(-0.5, 1.5, mean_square=0.0074), atol=0.02 * np.abs(more[1:]).max())


def test_parity_where_places_are_uncertain():
    lattice = np.array([(2.04 * x, 2.884 * (y + 0.5 * (x % 2))) for x in range(12) for y in range(9)])
    expected = np.repeat(np.arange(12) % 2, 9)
    for seed in range(5):
        moved = lattice + 0.06 * np.random.default_rng(seed).normal(size=lattice.shape)
        wrong = np.mean(level_parity(moved, 2.498) != expected)
        assert min(wrong, 1 - wrong) < 0.03


def test_parity_of_a_lattice_and_of_an_atom_alone():
    lattice = np.array([(2.04 * x, 2.884 * (y + 0.5 * (x % 2))) for x in range(5) for y in range(4)])
    parity = level_parity(lattice, 2.498).reshape(5, 4)
    assert (parity == parity[:, :1]).all() and (np.diff(parity[:, 0]) != 0).all()
    assert level_parity(np.array([(0.0, 0.0), (30.0, 0.0)]), 2.498).tolist() == [0, 0]
    assert len(level_parity(np.empty((0, 2)), 2.5)) == 0
