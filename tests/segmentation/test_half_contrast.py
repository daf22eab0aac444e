import numpy as np
import pytest
from skimage.draw import disk

from particlespy_ml.segmentation.half_contrast import half_contrast_outlines


def thickness(shape, middle, radius, power, aspect=1.0):
    """Lens-shaped particle of thickness (1 - x²)^power; 0 is a block, 1/2 a sphere."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    square = ((rows - middle[0]) ** 2 + (aspect * (columns - middle[1])) ** 2) / radius**2
    return np.where(square < 1, np.clip(1 - square, 0, 1) ** power, 0.0)


def discs(shape, *particles):
    labels = np.zeros(shape, np.int32)
    for number, (middle, radius) in enumerate(particles, start=1):
        labels[disk(middle, radius, shape=shape)] = number
    return labels


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("power", "share"), [(0.0, 1.0), (0.5, np.sqrt(0.75)), (1.0, np.sqrt(0.5))])
@pytest.mark.parametrize("start", [0.92, 1.1])
def test_radius_of_half_contrast(sign, power, share, start):
    # the plateau is the median of the inner half, which lies below the top of a lens
    image = 7 + sign * thickness((120, 120), (60, 60), 40, power)
    moved = half_contrast_outlines(image, discs(image.shape, ((60, 60), 40 * start)), (0.1, 0.1))
    assert np.sqrt((moved == 1).sum() / np.pi) / 40 == pytest.approx(share, abs=0.05)


def test_pixels_that_are_not_square():
    image = thickness((120, 60), (60, 30), 40, 0.0, aspect=2.0)
    labels = (thickness(image.shape, (60, 30), 44, 0.0, aspect=2.0) > 0).astype(np.int32)
    moved = half_contrast_outlines(image, labels, (0.1, 0.2))
    assert np.count_nonzero((moved > 0) != (image > 0)) < 0.03 * np.count_nonzero(image)


@pytest.mark.parametrize("grown", [0, 3])
def test_rods_stay_as_wide_as_they_are(grown):
    rod = np.zeros((120, 400), np.int32)
    rod[50:70, 40:360] = 1
    labels = np.zeros_like(rod)
    labels[50 - grown : 70 + grown, 40 - grown : 360 + grown] = 1
    image = -1.0 * rod + np.random.default_rng(0).normal(0, 0.1, rod.shape)
    moved = half_contrast_outlines(image, labels, (0.1, 0.1))
    assert np.count_nonzero(moved != rod) < 0.05 * rod.sum()


def test_a_faint_particle_keeps_its_outline():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (120, 120)) * 40  # well above the particle, after the blur too
    labels = discs(noise.shape, ((60, 60), 25))
    moved = half_contrast_outlines(noise + thickness(noise.shape, (60, 60), 30, 0.5), labels, (0.1, 0.1))
    np.testing.assert_array_equal(moved, labels)


def test_a_particle_that_fills_the_frame_keeps_its_outline():
    labels = np.ones((20, 20), np.int32)
    np.testing.assert_array_equal(half_contrast_outlines(np.eye(20), labels, (0.1, 0.1)), labels)


def test_neighbours_stay_apart_and_keep_their_numbers():
    shape = (100, 160)
    image = thickness(shape, (50, 45), 32, 0.0) + 0.6 * thickness(shape, (50, 115), 32, 0.0)
    labels = discs(shape, ((50, 45), 35), ((50, 115), 35))[:, ::-1] * 3
    moved = half_contrast_outlines(image, labels, (0.1, 0.1))
    assert set(np.unique(moved)) == {0, 3, 6}
    assert np.count_nonzero((moved > 0) != (image > 0)) < 0.06 * np.count_nonzero(image)
    assert (moved[:, :79] != 3).all()
    assert (moved[:, 82:] != 6).all()


def test_no_particles():
    assert not half_contrast_outlines(np.eye(8), np.zeros((8, 8), np.int32), (0.1, 0.1)).any()
