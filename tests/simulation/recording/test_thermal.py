from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("abtem")

from particlespy_ml.columns import refine_columns
from particlespy_ml.simulation.recording.optics import Optics
from particlespy_ml.simulation.recording.thermal import field_pixels, haadf_image, hrtem_images

LENS = Optics(defocus=-80.0, spherical_aberration=-1e5, focal_spread=30.0)
COLUMN = np.array([[0, 0, -1.4], [0, 0, 1.4]])
COARSE = {"sampling": 0.25, "margin": 5.0}


def middle_of(image, pixel):
    """x and y in Å of the one column, from the middle of the image."""
    middle = (np.array(image.shape) - 1) / 2
    found = refine_columns(image, [middle], width=0.5 / pixel).positions[0] - middle
    return found[::-1] * pixel


@pytest.mark.parametrize("pixel", [0.2, 0.25])
def test_the_origin_is_in_the_middle_of_hrtem_images(pixel):
    for shift in ([0, 0, 0], [0.31, -0.17, 5]):
        image = hrtem_images(["Au"] * 2, [COLUMN + shift], [LENS], pixel, **COARSE)[0]
        np.testing.assert_allclose(middle_of(image, pixel), shift[:2], atol=0.005)
        assert image.mean() == pytest.approx(1, abs=0.02)


def test_the_origin_is_in_the_middle_of_haadf_images():
    for shift in ([0, 0, 0], [0.31, -0.17, 5]):
        image = haadf_image(
            ["Au"] * 2, np.array([COLUMN + shift]), None, 0.4, sampling=0.2, margin=2.0, annulus=(0.6, 0.98)
        )
        np.testing.assert_allclose(middle_of(image, 0.4), shift[:2], atol=0.02)


def test_images_are_means_over_snapshots_and_lenses_are_told_apart():
    lenses = [LENS, replace(LENS, defocus=60.0)]
    snapshots = np.array([COLUMN, COLUMN + [0.2, 0.1, 0]])
    both = hrtem_images(["Au"] * 2, snapshots, lenses, 0.25, **COARSE)
    assert both.shape == (2, *2 * [field_pixels(snapshots, 0.25, 5.0)])
    assert np.abs(both[0] - both[1]).max() > 0.1
    margin = 5.0 + 0.2  # in a field of the same size each alone has as many pixels
    first = hrtem_images(["Au"] * 2, snapshots[:1], lenses, 0.25, sampling=0.25, margin=margin)
    other = hrtem_images(["Au"] * 2, snapshots[1:], lenses, 0.25, **COARSE)
    np.testing.assert_allclose(both, (first + other) / 2, atol=1e-4)
