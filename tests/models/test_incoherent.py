import numpy as np
import pytest

from particlespy_ml.models.incoherent import atomic_cross_section, incoherent_haadf


def test_one_atom_is_a_gaussian_of_the_right_width_place_and_volume():
    image = incoherent_haadf(np.array([[1.0, -2.0, 5.0]]), n_pixels=81, pixel_size=0.2, sigma=0.5, cross_section=0.02)
    axis = (np.arange(81) - 40) * 0.2
    image = image[0].numpy()
    volume = image.sum() * 0.2**2
    assert volume == pytest.approx(0.02, rel=1e-4)
    assert image.sum(0) @ axis / image.sum() == pytest.approx(1.0, abs=1e-4)  # x along columns
    assert image.sum(1) @ axis / image.sum() == pytest.approx(-2.0, abs=1e-4)  # y along rows
    assert image.sum(0) @ (axis - 1) ** 2 / image.sum() == pytest.approx(0.25, rel=1e-3)


def test_linear_image_adds_up_and_does_not_depend_on_height():
    rng = np.random.default_rng(0)
    atoms = rng.uniform(-5, 5, (30, 3))
    flat = atoms * [1, 1, 0]
    images = incoherent_haadf([atoms, flat, atoms[:10]], n_pixels=100, cross_section=0.02)
    np.testing.assert_allclose(images[0], images[1])
    np.testing.assert_allclose(images.sum((1, 2)) * 0.3**2, [0.6, 0.6, 0.2], rtol=1e-3)


def test_saturation_dampens_long_columns_as_stated():
    column = np.zeros((4, 3))
    linear, saturated = (
        incoherent_haadf(column, n_pixels=1, sigma=0.4, saturation=saturation).item() for saturation in (0.0, 0.1)
    )
    assert saturated == pytest.approx(linear / 1.4, rel=1e-5)


def test_cross_section_grows_with_the_atomic_number():
    assert atomic_cross_section("Pt") < atomic_cross_section("Au") == pytest.approx(0.0235)
    assert atomic_cross_section("Cu") / atomic_cross_section("Au") == pytest.approx((29 / 79) ** 1.7)
