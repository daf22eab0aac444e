"""Whether a background is a support that shows."""

from dataclasses import replace

import numpy as np
import pytest

from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.textured import has_textured_background
from particlespy_ml.simulation.micrographs.draw import draw_micrograph
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe

NOMINAL = MicrographRecipe(
    coarser=(0.0, 1.0),
    diameter=(10.0, 25.0),
    large=(0.0, 30.0, 60.0),
    coverage=(0.03, 0.15),
    contrast=(3.0, 6.0),
    noise=(0.02, 0.2),
    empty=0.0,
    inverted=0.0,
    annotated=0.0,
    clipped=0.0,
    scan_noise=0.0,
)


def is_textured(image):
    return has_textured_background(image, segment_automatic(image, (0.1, 0.1), polarity="bright"))


FLAT = (("none", 1.0),)


def judged(supports, count=24, **changes):
    """Share of the micrographs that count as textured, of those whose support is everywhere."""
    recipe = replace(NOMINAL, supports=supports, **changes)
    seen = (draw_micrograph(recipe, (192, 192), np.random.default_rng(seed)) for seed in range(count))
    whole = [one.image for one in seen if supports != FLAT or one.support.min() > 0]
    return np.mean([is_textured(image) for image in whole])


def test_most_supports_are_textured_and_most_flat_films_are_not():
    assert judged((("fractal", 0.5), ("spheres", 0.5)), mixed=1.0, contrast=(0.9, 1.4)) > 0.5
    assert judged(FLAT, mixed=0.0, gradient=0.0) < 0.25


def test_frames_without_anything():
    rng = np.random.default_rng(0)
    for image in (np.zeros((64, 64)), np.full((4, 4), 3), rng.poisson(50, (128, 128)), rng.normal(size=(64, 64))):
        assert not is_textured(image)


@pytest.mark.parametrize("change", [lambda a: a[::-1], lambda a: 3 * a + 50, lambda a: a.astype(np.float32)])
def test_what_should_not_matter(change):
    image = draw_micrograph(replace(NOMINAL, supports=(("fractal", 1.0),)), (256, 256), np.random.default_rng(5)).image
    image = np.rint(1e3 * (image - image.min()))
    assert is_textured(change(image)) == is_textured(image)
