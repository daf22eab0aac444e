"""An atlas from recipe to labels: trained without a cache, loaded, measured."""

import json

import numpy as np
import pytest

from particlespy_ml.models.load import load_model
from particlespy_ml.simulation.closed_shells import ClosedShellRecipe
from particlespy_ml.simulation.detector import DetectorRecipe
from particlespy_ml.simulation.structures import ISOMERS
from particlespy_ml.training.atlas import drawn_items
from particlespy_ml.training.evaluate import features_of
from particlespy_ml.training.tasks import evaluate, simulate, train

RECIPE = """
[model]
name = "small-atlas"
signal_type = "HAADF"
task = "isomer-atlas"
[model.architecture]
name = "template_atlas"
hidden = 8
[simulation]
n_atoms = [55]
removed = [0.0, 0.02]
disorder = [0.0, 0.05]
glasses = 1
step = 15.0
[detector]
dose = [3e3, 1e4]
pixel_size = [0.4, 0.4]
neighbours = 0.0
border = 0.0
single_annuli = 0.0
far_off_centre = [0.0, 0.0]
[training]
seed = 1
particles = 16
realisations = 8
steps = 200
batch = 64
learning_rate = 1e-2
weight_decay = 0.05
validation_particles = 8
test_particles = 8
[card]
diameter_range_nm = [0.5, 2.0]
pixel_size_range_angstrom = [0.05, 0.6]
window_range = [48, 48]
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(recipe, tmp_path_factory):
    return train(recipe, None, tmp_path_factory.mktemp("atlas") / "small-atlas", show_progressbar=False)


def test_it_knows_particles_that_it_never_saw(folder):
    model = load_model(folder)
    assert model.classes == tuple(ISOMERS)
    assert not model.rejects
    items = drawn_items(ClosedShellRecipe(**model.card["training"]["simulation"]), 12, "test")
    detector = DetectorRecipe.from_dict(model.card["training"]["detector"])

    class Predict:  # what features_of calls
        def __call__(self, windows):
            import torch

            return torch.as_tensor(model.predict(windows[:, 0].numpy()))

    found = features_of(Predict(), items, detector, 4, seed=9)
    labels = np.array([item.label for item in items])
    assert np.mean(found.argmax(-1) == labels[:, None]) > 0.7  # chance is 0.25
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    assert model.embed(np.zeros((2, 48, 48), np.float32)).shape == (2, 8)


def test_the_card_has_numbers_and_evaluate_prints_them_again(folder, tmp_path):
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    results = evaluate(folder, None, tmp_path)
    assert results["nominal"] == card["evaluation"]
    assert results["nominal"]["10000"]["accuracy"] > 0.7
    assert {path.name for path in tmp_path.iterdir()} >= {"evaluation.json", "accuracy.png", "confusion.png"}


def test_the_same_recipe_makes_the_same_weights(recipe, folder, tmp_path):
    again = train(recipe, None, tmp_path / "again", show_progressbar=False)
    hashes = [json.loads((path / "card.json").read_text(encoding="utf-8"))["sha256"] for path in (folder, again)]
    assert hashes[0] == hashes[1]


def test_what_needs_no_cache_and_what_does(recipe, tmp_path):
    with pytest.raises(ValueError, match="'isomer-atlas' needs no simulations"):
        simulate(recipe, tmp_path, 4)
    with pytest.raises(ValueError, match="no stages that need no simulations"):
        train(recipe, None, tmp_path / "model", pretrain_only=True)
    with pytest.raises(ValueError, match="'isomer' needs simulations: give the folder"):
        train("isomer-haadf", None, tmp_path / "model")
