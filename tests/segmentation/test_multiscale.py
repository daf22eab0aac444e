"""Particles seen at several magnifications, by a model that sees whatever is bright."""

import numpy as np
import pytest
from scipy import ndimage as ndi
from scipy.special import logit

from particlespy_ml.models.multiscale_finder import CERTAIN, MultiscaleFinder
from particlespy_ml.segmentation import multiscale
from particlespy_ml.segmentation.grid import as_float
from particlespy_ml.segmentation.multiscale import (
    Candidates,
    likely_polarity,
    merge_views,
    segment_multiscale,
    view_maps,
    view_steps,
)
from particlespy_ml.segmentation.network import maps_from_labels


class Bright(MultiscaleFinder):
    """Every bright piece of 5 to 60 pixels is a particle."""

    def maps(self, frame, *args, **options):
        inside, depth = maps_from_labels(ndi.label(frame[0] > 0.5)[0].astype(np.int32))
        return (0.05 + 0.9 * inside).astype(np.float32), depth, np.ones_like(depth)


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(multiscale, "two_contrasts", lambda image, step: np.stack([image, image]))
    card = {
        "name": "bright",
        "threshold": 0.5,
        "diameter_range_px": [5.0, 60.0],
        "detection": [0.0, 1.0, 0.0, 0.0],
    }
    return Bright({**card, "architecture": {}}, {})


def disks(*circles, shape=(300, 340)):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return sum(((rows - r) ** 2 + (columns - c) ** 2 <= radius**2) * 1.0 for r, c, radius in circles)


@pytest.mark.parametrize("radius", [4, 12, 28, 45, 80])
def test_area_of_a_disk_of_any_size(model, radius):
    image = ndi.gaussian_filter(disks((150, 170, radius)), 0.7)
    labels, probability = segment_multiscale(image, model, polarity="bright")
    assert labels.max() == 1 and probability == pytest.approx([0.95], abs=0.01)
    # a pixel and a half of the view that a large one is found in
    assert (labels > 0).sum() == pytest.approx(np.pi * radius**2, rel=max(0.1, 4 / radius))


def test_sizes_of_two_decades_in_one_frame(model):
    image = disks((60, 60, 4), (70, 160, 12), (190, 170, 90))
    labels, _ = segment_multiscale(image, model, polarity="bright")
    sizes = np.sort(np.bincount(labels.ravel())[1:])
    assert len(sizes) == 3 and np.all(np.abs(sizes / (np.pi * np.array([4, 12, 90]) ** 2) - 1) < 0.2)


def test_maps_hold_for_every_threshold(model, monkeypatch):
    image = as_float(ndi.gaussian_filter(disks((60, 60, 10), (190, 170, 90)), 1.5))
    maps = [view_maps(image, step, model) for step in view_steps(image.shape)]
    wanted = [segment_multiscale(image, model, threshold, polarity="bright") for threshold in (0.3, 0.6)]
    monkeypatch.setattr(Bright, "maps", lambda *_: pytest.fail("the network ran again"))
    for threshold, (labels, probability) in zip((0.3, 0.6), wanted, strict=True):
        again = segment_multiscale(image, model, threshold, polarity="bright", maps=maps)
        np.testing.assert_array_equal(again[0], labels)
        np.testing.assert_array_equal(again[1], probability)


def test_what_is_too_small_is_left_out(model):
    assert segment_multiscale(disks((60, 60, 1)), model, polarity="bright")[0].max() == 0


@pytest.mark.parametrize("image", [np.zeros((50, 60)), np.ones((1, 8)), np.full((3, 3), 2.0)])
def test_frames_with_nothing(model, image):
    labels, probability = segment_multiscale(image, model)
    assert labels.shape == image.shape and labels.max() == 0 and len(probability) == 0


def test_polarity(model):
    image = disks((60, 60, 10), (150, 200, 12), (220, 90, 14))
    assert likely_polarity(image, model, 0.5) == "bright" and likely_polarity(-image, model, 0.5) == "dark"
    np.testing.assert_array_equal(segment_multiscale(-image, model)[0] > 0, image > 0)


def test_what_is_uncertain_is_left_out(model):
    assert segment_multiscale(disks((60, 60, 10)), model, min_detection=0.99, polarity="bright")[0].max() == 0


def test_of_two_views_the_more_certain_one_has_the_place():
    whole, parts = np.zeros((2, 20, 20), np.int32)
    whole[2:12, 2:12] = 1
    parts[2:6, 2:12], parts[8:12, 2:12], parts[15:18, 15:18] = 1, 2, 3
    of_parts, of_whole = np.array([0.8, 0.7, 0.6]), np.array([0.9])
    sure = Candidates(whole, logit(of_whole), of_whole)
    pieces = Candidates(parts, logit(of_parts), of_parts)
    labels, probability = merge_views([pieces, sure], [of_parts, of_whole], 0.5)
    assert probability.tolist() == [0.9, 0.6] and (labels[2:12, 2:12] == 1).all()
    doubtful = Candidates(whole, logit(np.array([0.6])), np.array([0.55]))
    labels, probability = merge_views([pieces, doubtful], [of_parts, np.array([0.6])], 0.5)
    assert len(probability) == 3 and labels[7, 5] == 0


def test_views():
    assert view_steps((30, 2000)) == [1.0] and view_steps((128, 128)) == pytest.approx([2 / 3, 1, 3])
    assert view_steps((2048, 2048)) == [1.0, 3.0, 9.0, 27.0]


def test_what_is_doubtful_counts_less_where_nothing_is_certain(model):
    lone = Bright({**model.card, "detection": [-1.0, 1.0, 0.0, 2.0]}, {})
    doubtful = disks((60, 60, 10))
    labels, probability = segment_multiscale(doubtful, lone, polarity="bright", min_detection=0.0)
    evidence = logit(0.95) - 1
    assert labels.max() == 1 and logit(probability) == pytest.approx([evidence - 2 * (CERTAIN - evidence)], abs=0.05)
    certain = Bright({**model.card, "detection": [-1.0, 1.0, 4.0, 2.0]}, {})  # larger ones are certain here
    _, beside = segment_multiscale(disks((60, 60, 10), (180, 200, 28)), certain, polarity="bright", min_detection=0.0)
    by_itself = evidence + 4 * np.log(30 / 20)  # where it is seen 1.5 times finer
    assert len(beside) == 2 and logit(beside.min()) == pytest.approx(by_itself, abs=0.1)


def test_a_turned_frame_has_the_same_particles_turned():
    from particlespy_ml.models.load import load_model
    from particlespy_ml.simulation.micrographs.draw import draw_micrograph
    from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe

    finder = load_model("particles-stem")
    recipe = MicrographRecipe(empty=0, inverted=0, coarser=(0.0, 1.0), large=(0.0, 30.0, 60.0))
    image = draw_micrograph(recipe, (192, 192), np.random.default_rng(5)).image
    maps = finder.maps(multiscale.two_contrasts(image))
    turned = finder.maps(multiscale.two_contrasts(np.rot90(image)))
    for one, other in zip(maps, turned, strict=True):
        np.testing.assert_allclose(np.rot90(one), other, atol=0.02)
    once = finder.of_one_view
    assert once.card["architecture"]["views"] == 1 and once.sha256 == finder.sha256
    away = max(
        np.abs(np.rot90(a) - b).max()
        for a, b in zip(
            once.maps(multiscale.two_contrasts(image)),
            once.maps(multiscale.two_contrasts(np.rot90(image))),
            strict=True,
        )
    )
    assert away > 0.1  # what the mean takes out
