"""Shape features beside closed forms, and what they must not change with."""

import numpy as np
import pytest
from skimage.measure import moments_central, moments_hu, moments_normalized

from particlespy_ml.populations.features import (
    FOLDS,
    fourier_coefficients,
    fourier_descriptors,
    hu_moments,
    outline_centre,
    radial_profile,
    window_of,
    zernike_moduli,
    zernike_orders,
    zernike_radial,
)


def polygon(sides, points=60, start=0.0, turn=0.0):
    """A regular polygon sampled at equal steps of its length."""
    corners = np.exp(2j * np.pi * np.arange(sides + 1) / sides)
    place = (np.arange(points) / points + start) % 1 * sides
    whole = place.astype(int)
    z = corners[whole] + (place - whole) * (corners[whole + 1] - corners[whole])
    z = z * np.exp(1j * turn)
    return np.stack([z.real, z.imag], -1)


@pytest.mark.parametrize("sides", [3, 4, 5, 6])
def test_regular_polygons_have_their_closed_form(sides):
    found = fourier_descriptors(polygon(sides)[None])[0]
    expected = np.zeros(len(FOLDS))
    for multiple in range(sides, max(FOLDS) + 1, sides):
        expected[FOLDS.index(multiple)] = np.hypot((multiple - 1.0) ** -2, (multiple + 1.0) ** -2)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_harmonic_ellipses_are_those_of_kuhl_and_giardina():
    rng = np.random.default_rng(0)
    points = polygon(40)[None] * [2.0, 1.0] + 0.02 * rng.normal(size=(1, 60, 2))
    closed = np.concatenate([points[0], points[0, :1]])
    step, length = np.diff(closed, axis=0), np.hypot(*np.diff(closed, axis=0).T)
    t = np.concatenate([[0], np.cumsum(length)])
    found = np.abs(fourier_coefficients(points, 3)[0])
    for n in (1, 2, 3):
        phase = 2 * np.pi * n * t / t[-1]
        factor = t[-1] / (2 * n**2 * np.pi**2)
        a, c = factor * (step / length[:, None] * np.diff(np.cos(phase))[:, None]).sum(0)
        b, d = factor * (step / length[:, None] * np.diff(np.sin(phase))[:, None]).sum(0)
        half_axes = np.linalg.svd([[a, b], [c, d]], compute_uv=False)
        plus, minus = found[3 + n - 1], found[3 - n]
        np.testing.assert_allclose([plus + minus, abs(plus - minus)], half_axes, rtol=1e-9)


def test_start_turn_mirror_size_and_place_change_nothing():
    shape = polygon(3) * [1.6, 1.0]
    other = polygon(3, start=0.25) * [1.6, 1.0]
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    reference = fourier_descriptors(shape[None])
    for changed in (other, shape @ turn.T, shape * [-1, 1], shape[::-1], 5 * shape + 3):
        np.testing.assert_allclose(fourier_descriptors(changed[None]), reference, atol=2e-3)


def test_outlines_without_length_are_missing():
    assert np.isnan(fourier_descriptors(np.zeros((1, 64, 2)))).all()
    assert fourier_descriptors(np.zeros((0, 64, 2))).shape == (0, len(FOLDS))


def test_hu_moments_of_an_ellipse():
    y, x = np.indices((200, 200)) - 99.5
    mask = (x / 80) ** 2 + (y / 40) ** 2 <= 1
    found = hu_moments(mask)
    first = (2 + 0.5) / (4 * np.pi)  # (a / b + b / a) / (4 pi)
    second = (2 - 0.5) / (4 * np.pi)
    np.testing.assert_allclose(found[:2], [first, second], rtol=3e-3)
    np.testing.assert_allclose(found[2:], 0, atol=1e-3)
    raw = moments_hu(moments_normalized(moments_central(mask.astype(float))))
    np.testing.assert_allclose(found[:2], [raw[0], raw[1] ** 0.5])
    assert np.isnan(hu_moments(np.zeros((5, 5)))).all()


def test_zernike_moduli_of_a_polynomial_are_its_own():
    edge = 400
    y, x = (np.indices((edge, edge)) - (edge - 1) / 2) / (edge / 2)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    image = (radius <= 1) * (1 + 0.3 * zernike_radial(4, 2, radius) * np.cos(2 * angle))
    found = dict(zip(zernike_orders(), zernike_moduli(image), strict=True))
    for pair, value in found.items():
        assert value == pytest.approx(0.15 if pair == (4, 2) else 0, abs=5e-3), pair


def test_zernike_radial_polynomials():
    r = np.linspace(0, 1, 7)
    np.testing.assert_allclose(zernike_radial(2, 0, r), 2 * r**2 - 1)
    np.testing.assert_allclose(zernike_radial(4, 0, r), 6 * r**4 - 6 * r**2 + 1)
    np.testing.assert_allclose(zernike_radial(5, 3, r), 5 * r**5 - 4 * r**3)


@pytest.mark.parametrize("function", [hu_moments, zernike_moduli])
def test_moments_do_not_change_with_rotation_and_mirror(function):
    outline = polygon(3) * [1.5, 1.0]
    angles = np.linspace(0, 2 * np.pi, 12)
    turns = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]
    values = [function(window_of(7 * outline @ turn.T + 2, 96)[0]) for turn in turns]
    values.append(function(window_of(outline * [-1, 1], 96)[0]))
    spread = np.std(values, axis=0)
    assert (spread < 0.02).all(), spread
    other = function(window_of(polygon(4), 96)[0])
    assert np.abs(other - np.mean(values, 0)).max() > 0.05


def test_radial_profile_of_a_sphere():
    edge, rings = 200, 8
    y, x = (np.indices((edge, edge)) - (edge - 1) / 2) / (edge / 2)
    thickness = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    found = radial_profile(thickness, thickness > 0, rings)
    r = np.linspace(0, 1, rings + 1)
    rest = (1 - r**2) ** 1.5
    expected = (rest[:-1] - rest[1:]) / (r[1:] ** 2 - r[:-1] ** 2)
    np.testing.assert_allclose(found, expected, rtol=0.01)


def test_centre_of_a_polygon_is_that_of_its_area():
    corner = np.array([[0, 0], [3.0, 0], [0, 3.0]])
    np.testing.assert_allclose(outline_centre(corner), [1, 1])
    np.testing.assert_allclose(outline_centre(corner[::-1] + 5), [6, 6])
    np.testing.assert_allclose(outline_centre(np.zeros((4, 2))), [0, 0])
