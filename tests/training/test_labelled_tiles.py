"""Tiles of labelled images are those of the whole image, at any magnification."""

import numpy as np
import pytest
import torch
from skimage.feature import match_template

from particlespy_ml.segmentation.two_contrasts import two_contrasts
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training.multiscale import labelled_tiles
from particlespy_ml.training.multiscale.label_files import LabelledImage
from particlespy_ml.training.multiscale.labelled_tiles import LabelledMaker


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(labelled_tiles, "TILE", 64)


def labelled(shape, diameter=20):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    places = [(r, c) for r in range(25, shape[0], 60) for c in range(25, shape[1], 70)]
    for number, (row, column) in enumerate(places, start=1):
        labels[(rows - row) ** 2 + (columns - column) ** 2 < (diameter / 2) ** 2] = number
    image = (labels > 0) * 3.0 + 0.01 * columns + np.random.default_rng(1).normal(size=shape)
    return LabelledImage("one", image.astype(np.float32), labels)


@pytest.mark.parametrize("shape", [(90, 110), (40, 300), (700, 90), (600, 650)])
def test_tiles_of_any_image(shape):
    maker = LabelledMaker((labelled(shape),), MicrographRecipe())
    frames, maps = maker.draw(4, {}, (0, 1))
    assert frames.shape == (4, 2, 64, 64) and maps.shape == (4, 4, 64, 64) and torch.isfinite(frames).all()
    again, _ = LabelledMaker((labelled(shape),), MicrographRecipe()).draw(4, {}, (0, 1))
    assert torch.equal(frames, again)


@pytest.mark.parametrize("seed", range(4))
def test_a_tile_has_the_contrast_and_the_labels_of_the_whole_image(monkeypatch, seed):
    one = labelled((420, 460))
    diameter = 2 * np.sqrt(np.median(np.bincount(one.labels.ravel())[1:]) / np.pi)
    monkeypatch.setattr(labelled_tiles, "SHOWN", (diameter, diameter))  # pixels stay as they are
    monkeypatch.setattr(labelled_tiles, "_recorded_otherwise", lambda image, *others: image)
    shown, maps = LabelledMaker((one,), MicrographRecipe())._tile(np.random.default_rng(seed))
    whole, best = two_contrasts(one.image), (0.0, None)
    for turns in range(4):
        for mirrored in (False, True):
            tile, inside = (np.rot90(part[..., ::-1] if mirrored else part, turns, (-2, -1)) for part in (shown, maps))
            match = match_template(whole[1], tile[1])
            if match.max() > best[0]:
                row, column = np.unravel_index(match.argmax(), match.shape)
                best = match.max(), (tile, inside, np.s_[..., row : row + 64, column : column + 64])
    tile, inside, part = best[1]
    np.testing.assert_allclose(tile, whole[part], atol=0.02)
    assert np.mean((inside[0] > 0.5) == (one.labels[part] > 0)) > 0.98


def test_images_recorded_otherwise_differ_and_keep_their_brightness():
    from particlespy_ml.segmentation.two_contrasts import brightness_of

    one = labelled((200, 220))
    whole = brightness_of(one.image)
    seen = [labelled_tiles._recorded_otherwise(one.image, whole, np.random.default_rng(seed)) for seed in range(40)]
    changed = [not np.array_equal(image, one.image) for image in seen]
    assert 0.5 < np.mean(changed) < 1
    for image in seen:
        assert image.dtype == np.float32 and np.isfinite(image).all()
        assert np.corrcoef(image.ravel(), one.image.ravel())[0, 1] > 0.6
        assert abs(np.median(image) - np.median(one.image)) < whole.spread
