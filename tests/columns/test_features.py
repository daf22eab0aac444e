"""Features of columns: the same whatever way the image is turned, and of white noise known in closed form."""

import numpy as np
import pytest

from particlespy_ml.columns.features import (
    FREQUENCIES,
    NEIGHBOURS,
    RADII,
    column_features,
    feature_count,
    log_power,
    noise,
    ring_means,
)

PIXEL = 0.25


def shown(shape=(90, 100), images=1, seed=0):
    return np.random.default_rng(seed).normal(size=(2 * images, *shape)).astype(np.float32)


def test_rings_of_a_slope_have_the_value_of_the_middle():
    rows, columns = np.indices((80, 90))
    image = 0.3 * rows - 0.2 * columns + 5.0
    places = np.array([(30.0, 40.0), (41.37, 33.81), (50.5, 50.5)])
    found = ring_means(image[None], places, PIXEL)
    assert found.shape == (3, len(RADII))
    expected = 0.3 * places[:, 0] - 0.2 * places[:, 1] + 5.0
    np.testing.assert_allclose(found, np.broadcast_to(expected[:, None], found.shape), atol=0.05)


def test_rings_of_a_peak_are_its_values():
    rows, columns = np.indices((80, 90))
    place = np.array([[40.3, 44.6]])
    radius = np.hypot(rows - place[0, 0], columns - place[0, 1]) * PIXEL
    found = ring_means(np.exp(-((radius / 1.5) ** 2))[None], place, PIXEL)[0]
    np.testing.assert_allclose(found, np.exp(-((RADII / 1.5) ** 2)), atol=0.05)  # rings have a width


@pytest.mark.parametrize("images", [1, 3])
def test_turned_and_mirrored_images_have_the_same_features(images):
    values = shown(images=images)
    rng = np.random.default_rng(1)
    places = rng.uniform(0, (89, 99), (30, 2))
    expected = column_features(values, places, PIXEL)
    assert expected.shape == (30, feature_count(images))
    turned = np.stack([99 - places[:, 1], places[:, 0]], axis=1)
    np.testing.assert_allclose(column_features(np.rot90(values, 1, (1, 2)), turned, PIXEL), expected, atol=2e-4)
    mirrored = np.stack([89 - places[:, 0], places[:, 1]], axis=1)
    np.testing.assert_allclose(column_features(values[:, ::-1], mirrored, PIXEL), expected, atol=2e-4)
    order = rng.permutation(30)
    again = column_features(values, places[order], PIXEL)
    np.testing.assert_allclose(again, expected[order], atol=2e-4)


@pytest.mark.parametrize("number", [0, 1, 2, NEIGHBOURS + 5])
def test_any_number_of_columns(number):
    places = np.random.default_rng(0).uniform(20, 60, (number, 2))
    features = column_features(shown(), places, PIXEL)
    assert features.shape == (number, feature_count(1)) and np.isfinite(features).all()


def test_white_noise_of_one_is_known():
    image = np.random.default_rng(2).normal(size=(256, 256))
    power = log_power(image, PIXEL)
    assert power.shape == (len(FREQUENCIES) - 1,)
    np.testing.assert_allclose(power[4:], 0, atol=0.1)  # bins of many frequencies
    assert noise(image[None]) == pytest.approx(1, abs=0.02)
    assert noise(np.ones((1, 1, 5))) == 1.0
    assert np.isfinite(log_power(np.zeros((3, 7)), PIXEL)).all()
