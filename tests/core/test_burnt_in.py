"""Scale bars and boxes drawn into images are found; particles, saturated ones too, and noise are none."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage as ndi

from particlespy_ml.core.burnt_in import burnt_in
from particlespy_ml.core.padding import known_pixels


def micrograph(seed=0, shape=(256, 300), blur=0.0):
    """Noise with blurred particles, 8 bit."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for _ in range(12):
        row, column, radius = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(6, 20)
        image += 80 * np.clip((radius + 1 - np.hypot(rows - row, columns - column)) / 2, 0, 1)
    image += ndi.gaussian_filter(rng.normal(60, 14, shape), blur)
    return image.clip(0, 250).astype(np.uint8)


def draw(image, box, colour, text=None, where=None, background=None):
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    if background is not None:
        pen.rectangle(background, fill=0)
    pen.rectangle(box, fill=colour)
    if text:
        pen.text(where, text, fill=colour, font_size=16)
    return np.array(picture)


def jpeg(image, quality=90):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=quality)
    return np.array(Image.open(content))


@pytest.mark.parametrize("colour", [255, 0])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_a_bar_and_its_text(colour, compressed, blur):
    clean = micrograph(1, blur=blur).clip(20, 230)
    image = draw(clean, (20, 230, 90, 235), colour, "20 nm", (30, 208))
    image = jpeg(image) if compressed else image
    found = burnt_in(image)
    assert found[230:236, 20:91].all()
    changed = np.abs(image.astype(int) - clean) > 60
    assert (changed & ~found).sum() <= 0.1 * changed.sum()
    assert found.sum() < 0.05 * found.size and not found[:200].any()


def test_a_vertical_bar():
    image = draw(micrograph(2).clip(20, 230), (250, 100, 254, 160), 255)
    found = burnt_in(image)
    assert found[100:161, 250:255].all() and found.sum() == (61 + 4) * (5 + 4)


def test_a_box_at_the_corner_with_a_bar_and_text():
    clean = micrograph(3).clip(10, 240)
    image = draw(clean, (215, 240, 285, 246), 255, "10 nm", (225, 215), background=(200, 205, 299, 255))
    found = burnt_in(image)
    assert found[205:, 200:].all() and not found[:200].any() and not found[:, :195].any()


@pytest.mark.parametrize("value", [0.9, 1.1, -0.2])
@pytest.mark.parametrize("turned", [False, True])
def test_a_bar_of_a_value_that_noise_goes_beyond(value, turned):
    image = np.random.default_rng(5).normal(0.4, 0.25, (256, 300)).astype(np.float32)
    assert burnt_in(image) is None
    image[230:236, 20:91] = value
    found = burnt_in(image.T if turned else image)
    found = found.T if turned else found
    assert found[230:236, 20:91].all() and found[:200].sum() == 0
    assert found[220:246, 10:101].sum() == found.sum() < 0.02 * found.size


def test_what_is_larger_than_a_bar_is_not_its_text():
    image = np.random.default_rng(5).normal(0.4, 0.25, (256, 300)).astype(np.float32)
    rows, columns = np.ogrid[:256, :300]
    disk = np.hypot(rows - 200, columns - 60) < 20
    image[disk] = image[230:236, 20:91] = 1.1
    found = burnt_in(image)
    assert found[230:236, 20:91].all() and not found[disk].any()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64, np.int32])
def test_every_dtype(dtype):
    image = draw(micrograph(4).clip(20, 230), (20, 230, 90, 235), 255).astype(dtype) * dtype(3)
    assert burnt_in(image)[230:236, 20:91].all()


@pytest.mark.parametrize("seed", range(12))
def test_micrographs_without_any(seed):
    rng = np.random.default_rng(seed)
    image = micrograph(seed, blur=seed % 3)
    assert burnt_in(image) is None
    assert burnt_in(jpeg(image, 60)) is None
    stretched = (3.0 * (image.astype(float) - 60)).clip(0, 255).astype(np.uint8)  # saturated at both ends
    assert burnt_in(stretched) is None
    assert burnt_in(rng.poisson(0.05, (200, 200))) is None
    assert burnt_in(rng.normal(size=(200, 200))) is None


def test_a_bar_on_a_background_that_is_clipped():
    """The black level hides the noise of more than half of the image."""
    image = np.random.default_rng(7).normal(-6, 25, (256, 256)).clip(0, 230).astype(np.uint8)
    assert np.mean(image == 0) > 0.5
    found = burnt_in(draw(image, (20, 230, 120, 238), 255))
    assert found is not None and found[230:238, 20:120].all() and not found[:200].any()
    assert burnt_in(image) is None


def test_a_saturated_rod_is_a_particle():
    rows, columns = np.mgrid[:200, :200]
    inside = np.clip(12 - np.maximum(np.abs(rows - 100) - 40, 0) - np.abs(columns - 90), 0, 6) / 6
    image = 300 * ndi.gaussian_filter(inside, 1.5) + np.random.default_rng(0).normal(40, 10, inside.shape)
    assert burnt_in(image.clip(0, 255).astype(np.uint8)) is None


def test_images_without_noise_and_tiny_ones():
    flat = np.zeros((100, 100))
    flat[40:44, 20:80] = 1
    assert burnt_in(flat) is None
    assert burnt_in(np.ones((64, 64))) is None
    assert burnt_in(np.zeros((4, 4))) is None
    assert burnt_in(np.full((64, 64), np.nan)) is None


def test_bars_beside_a_border():
    image = draw(micrograph(5).clip(20, 230), (20, 230, 90, 235), 255)
    known = known_pixels(np.pad(image, ((0, 0), (14, 0))))
    assert not known[:, :14].any() and not known[230:236, 34:105].any()
    assert known[:220, 14:].all()
    mask = np.ones(image.shape, bool)
    mask[:50] = False
    both = known_pixels(image, mask)
    assert not both[:50].any() and not both[232, 50] and both[100:200].all()
