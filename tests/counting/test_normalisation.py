"""Detector images of any shape, beside atomap's function on a square one."""

import dask.array as da
import numpy as np
import pytest

from particlespy_ml.counting.normalisation import detector_normalisation, detector_response


def detector(shape=(64, 64), centre=None, inner=8.0, outer=24.0, dark=10.0, bright=50.0):
    rows, columns = np.indices(shape)
    middle = centre or ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    radius = np.hypot(rows - middle[0], columns - middle[1])
    return np.where((radius > inner) & (radius < outer), bright, dark), radius


@pytest.mark.parametrize(("shape", "centre"), [((64, 64), None), ((60, 96), None), ((90, 70), (40, 30))])
def test_levels(shape, centre):
    image, _ = detector(shape, centre)
    found = detector_response(image)
    assert (found.dark, found.bright) == (10.0, 50.0)
    assert found.active.sum() == np.sum(image == 50)


def test_like_atomap_on_a_square():
    import atomap.api as am
    from hyperspy.signals import Signal2D

    rng = np.random.default_rng(0)
    image, _ = detector((128, 128), inner=16, outer=50)
    image = image + rng.normal(scale=0.5, size=image.shape)
    signal = Signal2D(rng.uniform(10, 20, (16, 16)))
    expected = am.quant.detector_normalisation(signal, Signal2D(image), inner_angle=60)
    ours = detector_normalisation(signal, image, inner_angle=60)
    np.testing.assert_allclose(ours.data, expected.data, rtol=1e-3, atol=1e-4)


def test_uneven_detectors_are_weighted_by_the_flux():
    image, radius = detector()
    sloped = np.where(image == 50, 50 + 2.0 * (radius - 8), 10)
    flat, weighted = detector_response(sloped), detector_response(sloped, flux_exponent=3.0)
    active = image == 50
    expected = np.sum(sloped[active] * radius[active] ** -3) / np.sum(radius[active] ** -3)
    assert weighted.bright == pytest.approx(expected, rel=0.01) and weighted.bright < flat.bright


def test_angles_outside_of_the_beam_are_left_out():
    image, radius = detector()
    sloped = np.where(image == 50, 50 + 2.0 * (radius - 8), 10)
    limited = detector_response(sloped, inner_angle=40, outer_angle=80)
    assert limited.active.sum() < (image == 50).sum()
    assert limited.bright == pytest.approx(sloped[(radius > 8) & (radius < 16)].mean(), rel=0.04)


@pytest.mark.parametrize("lazy", [False, True])
def test_signals_keep_their_class(make_image, lazy):
    s = make_image(np.full((3, 20, 30), 30.0), lazy=lazy)
    found = detector_normalisation(s, detector()[0])
    assert type(found) is type(s) and isinstance(found.data, da.Array) is lazy
    np.testing.assert_allclose(np.asarray(found.data), 0.5)
    assert found.metadata.particlespy_ml.normalisation.bright == 50
    assert float(np.asarray(s.data).max()) == 30


@pytest.mark.parametrize(
    ("image", "options", "match"),
    [
        (np.ones((8, 8)), {}, "one level"),
        (np.ones(8), {}, "two-dimensional"),
        (detector()[0], {"outer_angle": 80}, "inner_angle"),
        (detector()[0], {"inner_angle": 80, "outer_angle": 40}, "inner_angle"),
    ],
)
def test_errors(image, options, match):
    with pytest.raises(ValueError, match=match):
        detector_response(image, **options)
