"""Columns at the border of an image, and of what was recorded of it."""

import numpy as np
import pytest

from particlespy_ml.columns.flags import Flag
from particlespy_ml.columns.rows import cut_columns

WIDTH, HEIGHT, PIXEL = 1.6, 100.0, 0.02
VOLUME = 2 * np.pi * HEIGHT * WIDTH**2 * PIXEL**2


def particle(row, column, size=96, reach=34):
    """An image of Gaussian columns about a centre, and the places of all that give light to it."""
    y, x = np.mgrid[:size, :size].astype(float)
    grid = range(-8, 9)
    places = np.array([(row + 8 * i, column + 8 * j) for i in grid for j in grid if np.hypot(8 * i, 8 * j) < reach])
    image = 10 + sum(HEIGHT * np.exp(-((y - p) ** 2 + (x - q) ** 2) / (2 * WIDTH**2)) for p, q in places)
    return image + np.random.default_rng(0).normal(0, 1, image.shape), places


def check(table, places, size):
    inside = places[np.all((places > -0.5) & (places < size - 0.5), axis=1)]
    cut = np.any((inside < 1.5 * WIDTH - 0.5) | (inside > size - 0.5 - 1.5 * WIDTH), axis=1)
    at_border = table["flags"] & Flag.AT_BORDER != 0
    ratio, error = table["volume"][~at_border] / VOLUME, table["volume_error"][~at_border] / VOLUME
    assert table.n_columns == len(inside)
    assert at_border.sum() == cut.sum()
    assert np.all(np.abs(ratio - 1) < np.maximum(0.02, 3.5 * error))


@pytest.mark.parametrize("row", [1.0, 0.0, -0.4, -1.0, -3.0, -5.0])
@pytest.mark.parametrize("side", range(4))
def test_columns_whose_centre_is_in_the_image_are_found(row, side, make_image):
    if side and row not in (0.0, -1.0):
        pytest.skip("each side once inside and once outside")
    image, places = particle(row, 48.0)
    for _ in range(side):
        image = np.rot90(image)
        places = np.column_stack([95 - places[:, 1], places[:, 0]])
    check(make_image(image.copy(), scale=PIXEL).find_columns(), places, 96)


def test_half_of_a_small_particle(make_image):
    image, places = particle(-4.0, 32.0, size=64, reach=18)
    check(make_image(image, scale=PIXEL).find_columns(), places, 64)


@pytest.mark.parametrize("fill", [0.0, 500.0])
@pytest.mark.parametrize("sides", [(7, 0, 0, 0), (0, 9, 12, 0), (10, 10, 10, 10)])
def test_a_constant_border_is_the_border_of_the_image(fill, sides, make_image):
    image, _ = particle(4.0, 48.0)
    top, bottom, left, right = sides
    padded = np.pad(image, ((top, bottom), (left, right)), constant_values=fill)
    whole, part = (make_image(data, scale=PIXEL).find_columns() for data in (image, padded))
    np.testing.assert_allclose(part["x"] - PIXEL * left, whole["x"], atol=1e-9)
    np.testing.assert_allclose(part["y"] - PIXEL * top, whole["y"], atol=1e-9)
    np.testing.assert_allclose(part["volume"], whole["volume"], rtol=1e-9)
    np.testing.assert_array_equal(part["flags"], whole["flags"])


def test_wedges_that_a_rotation_leaves(make_image):
    from scipy.ndimage import rotate

    image, places = particle(48.0, 48.0)
    turned = rotate(image, 12, reshape=False, order=1, cval=0.0)
    table = make_image(turned, scale=PIXEL).find_columns()
    assert table.n_columns == len(places)
    good = table["flags"] & Flag.AT_BORDER == 0
    assert np.median(table["volume"][good]) == pytest.approx(VOLUME, rel=0.03)


def test_cut_columns():
    places = np.array([[10.0, 10.0], [1.0, 10.0], [10.0, 18.6]])
    assert cut_columns(places, np.full(3, 1.6), (20, 20)).tolist() == [False, True, True]
    known = np.ones((20, 20), bool)
    known[:, :9] = False
    assert cut_columns(places, np.full(3, 1.6), (20, 20), known).tolist() == [True, True, True]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2", np.int32, np.float32, ">f8"])
def test_the_same_in_every_dtype(dtype, make_image):
    image, _ = particle(48.0, 48.0, reach=26)
    values = np.rint(image)
    one, other = (make_image(data, scale=PIXEL).find_columns() for data in (values, values.astype(dtype)))
    for name in ("x", "y", "volume", "volume_error"):
        np.testing.assert_allclose(other[name], one[name], rtol=1e-6)
