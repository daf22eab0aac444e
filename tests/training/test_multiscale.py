"""A tiny run of the training of networks that find particles on any support."""

import numpy as np
import pytest
import torch

from particlespy_ml.models import load_model
from particlespy_ml.models.multiscale_finder import MultiscaleFinder
from particlespy_ml.simulation.micrographs.draw import Micrograph
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training import tasks
from particlespy_ml.training.losses import MapLoss, WeightedMapLoss
from particlespy_ml.training.multiscale import evaluate as evaluation
from particlespy_ml.training.multiscale.batches import LARGEST, SMALLEST, TOO_LARGE, MicrographMaker, weighted_maps

RECIPE = """
[model]
name = "tiny-stem"
signal_type = "HAADF"
task = "multiscale_segmentation"
[model.architecture]
name = "unet"
in_channels = 2
widths = [4, 4, 8, 8]
fold = 2
[detector]
diameter = [6.0, 20.0]
[training]
seed = 5
batch = 2
tile = 64
stages = [
  { steps = 2, learning_rate = 1e-3, detector = { contrast = [5.0, 9.0] } },
  { steps = 1, learning_rate = 1e-3, frozen_norm = true },
]
[card]
license = "GPL-3.0-or-later"
limitations = ["A test."]
"""


@pytest.fixture(scope="module", autouse=True)
def small():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "SHAPE", (96, 96))
        patch.setattr(evaluation, "FRAMES", {"validation": 2, "test": 2})
        patch.setattr(evaluation, "EMPTY_FRAMES", 2)
        yield
    torch.set_num_threads(threads)


def test_training_writes_a_model_that_loads_and_finds(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    folder = tasks.train(path, tmp_path / "cache", tmp_path / "model", workers=0, show_progressbar=False)
    model = load_model(folder)
    assert isinstance(model, MultiscaleFinder) and model.purpose and model.in_pixel_range((1e3, 1e3))
    assert model.diameters[0] == SMALLEST and 0 < model.threshold < 1
    results = tasks.evaluate(folder, None, tmp_path / "report")
    assert results == model.card["evaluation"]
    assert "nominal, supports" in tasks.report(folder, results) and (tmp_path / "report" / "scores.png").is_file()

    import hyperspy.api as hs

    image = hs.signals.Signal2D(np.random.default_rng(0).normal(size=(70, 80)).astype(np.float32))
    image.set_signal_type("HAADF")
    for axis in image.axes_manager.signal_axes:
        axis.scale, axis.units = 0.1, "nm"
    table = image.measure_particles(method="network", model=folder, min_detection=0.0)
    assert "detection_probability" in table.data[0].dtype.names


def test_batches_are_the_same_for_a_seed():
    maker = MicrographMaker(MicrographRecipe(), 64)
    first, again = maker.draw(3, {}, (1, 7)), maker.draw(3, {}, (1, 7))
    assert first[0].shape == (3, 2, 64, 64) and first[1].shape == (3, 4, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], maker.draw(3, {}, (1, 8))[0])


def test_what_counts():
    labels = np.zeros((200, 320), np.int32)
    labels[5:8, 5:8] = 1  # too small
    labels[20:50, 20:50] = 2
    labels[60:160, 10:110] = 3  # neither
    labels[20:180, 130:290] = 4  # too large for this view
    diameters = np.array([3.4, 33.0, 112.0, 180.0])
    assert diameters[0] < SMALLEST < diameters[1] < LARGEST < diameters[2] < TOO_LARGE < diameters[3]
    seen = Micrograph(np.zeros(labels.shape, np.float32), labels, diameters, np.ones(labels.shape))
    inside, depth, contact, weight = weighted_maps(seen)
    assert (inside == (labels == 2)).all() and depth.max() == 1 and not contact.any()
    assert (weight[(labels == 1) | (labels == 3)] == 0).all() and (weight[labels == 4] == 1).all()
    hidden = Micrograph(seen.image, labels, diameters, seen.support, inverted=True)
    inside, *_, weight = weighted_maps(hidden)
    assert not inside.any() and (weight == 1).all()


def test_where_two_that_are_wanted_meet_is_a_contact():
    labels = np.zeros((80, 80), np.int32)
    labels[20:50, 20:40], labels[20:50, 40:60] = 1, 2
    seen = Micrograph(labels.astype(np.float32), labels, np.array([27.0, 27.0]), np.ones(labels.shape))
    contact = weighted_maps(seen)[2]
    assert contact[20:50, 38:42].all() and contact.sum() == 30 * 4


def test_loss_of_equal_weights_is_the_plain_one_and_that_of_contacts():
    rng = torch.Generator().manual_seed(0)
    logits, maps = torch.randn(2, 3, 16, 16, generator=rng), torch.rand(2, 3, 16, 16, generator=rng).round()
    ones = torch.ones(2, 1, 16, 16)
    weighted = WeightedMapLoss()(logits, torch.cat([maps, ones], 1))
    part = (maps[:, 0] + torch.sigmoid(logits[:, 0])).clamp(max=1)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 2], maps[:, 2], reduction="none")
    of_contacts = float((entropy * part).sum() / (part.sum() + 1))
    assert weighted.item() == pytest.approx(MapLoss()(logits[:, :2], maps[:, :2]).item() + of_contacts, rel=5e-3)
    none = torch.cat([maps, ones], 1)
    none[:, 3, :8] = 0
    changed = none.clone()
    changed[:, :3, :8] = 1 - changed[:, :3, :8]
    assert WeightedMapLoss()(logits, none).item() == pytest.approx(WeightedMapLoss()(logits, changed).item())


def test_coefficients_tell_what_is_chance_where_nothing_is_certain():
    rng = np.random.default_rng(0)
    frames = np.repeat(np.arange(600), 10)
    nothing = np.repeat(rng.random(600) < 0.4, 10)
    diameter = rng.uniform(6, 60, 6000)
    # in frames without particles there are doubtful things alone
    odds = np.where(nothing, rng.uniform(-1, 1.5, 6000), rng.uniform(-1, 6, 6000))
    right = (rng.random(6000) < 1 / (1 + np.exp(-odds))) & ~nothing
    rows = np.stack([1 / (1 + np.exp(-odds)), diameter, frames], 1)
    told = evaluation.fit_detection(rows, right)
    finder = MultiscaleFinder({"detection": told}, {})
    evidence = finder.evidence(rows[:, 0], diameter)
    most = np.array([evidence[frames == frame].max() for frame in range(600)])
    probability = np.array([finder.detection_probability(e, most[k]) for e, k in zip(evidence, frames, strict=True)])
    assert told[3] > 0.5 and probability[nothing].mean() < 0.1
    full = probability[~nothing]
    for low, high in ((0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        own = (full >= low) & (full < high)
        assert right[~nothing][own].mean() == pytest.approx(full[own].mean(), abs=0.08)
    assert evaluation.fit_detection(rows, right, lone=1.25)[3] == 1.25
