"""An atlas from recipe to labels: trained without a cache, loaded, measured."""

import json

import numpy as np
import pytest
from hyperspy.signals import Signal2D

from particlespy_ml.models.incoherent import incoherent_haadf
from particlespy_ml.models.load import load_model
from particlespy_ml.simulation.atoms.closed_shells import ClosedShellRecipe
from particlespy_ml.simulation.atoms.structures import ISOMERS, closed_shell
from particlespy_ml.simulation.recording.detector import DetectorRecipe
from particlespy_ml.training.isomer.evaluate import features_of
from particlespy_ml.training.isomer_atlas.train import drawn_items
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
others = 0.25
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
particles = 20
realisations = 8
steps = 200
batch = 64
learning_rate = 1e-2
weight_decay = 0.05
validation_particles = 8
test_particles = 8
[card]
pixel_size_range_angstrom = [0.05, 0.6]
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
    assert model.rejects
    items = drawn_items(ClosedShellRecipe.from_dict(model.card["training"]["simulation"]), 20, "test")
    detector = DetectorRecipe.from_dict(model.card["training"]["detector"])

    class Predict:  # what features_of calls
        def __call__(self, windows):
            import torch

            return torch.as_tensor(model.predict(windows[:, 0].numpy()))

    found = features_of(Predict(), items, detector, 4, seed=9)
    labels = np.array([item.label for item in items])
    isomers = labels < len(ISOMERS)
    right = found.argmax(-1) == labels[:, None]
    assert right[isomers].mean() > 0.7  # chance is 0.25
    assert found[isomers].sum(-1).mean() > found[~isomers].sum(-1).mean()
    assert model.embed(np.zeros((2, 48, 48), np.float32)).shape == (2, 8)


def test_it_classifies_the_particles_of_an_image(folder):
    particle = closed_shell("icosahedron", 55).positions
    tile = incoherent_haadf([particle] * 4, n_pixels=64, pixel_size=0.4, sigma=0.5).numpy()
    frame = np.random.default_rng(0).poisson(2000 * np.block([[tile[0], tile[1]], [tile[2], tile[3]]]) + 20)
    signal = Signal2D(frame.astype(np.float32))
    signal.axes_manager.signal_axes.set(scale=0.04, units="nm")
    signal.set_signal_type("HAADF")
    table = signal.classify_particles(model=folder, min_probability=0)
    assert len(table["class"]) == 4
    assert set(table["class"]) <= set(ISOMERS)  # of its range of sizes, and given a class
    frame = table.to_dataframe()
    shares = frame[[f"probability_{name}" for name in ISOMERS]].to_numpy()
    np.testing.assert_allclose(shares.max(1), frame["probability"], rtol=1e-6)


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


def test_settings_that_an_atlas_does_not_have(tmp_path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(RECIPE.replace("hidden = 8", "hiden = 8"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"whose settings are hidden, low_pass.*\['hiden'\]"):
        train(wrong, None, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_what_needs_no_cache_and_what_does(recipe, tmp_path):
    with pytest.raises(ValueError, match="'isomer-atlas' needs no simulations"):
        simulate(recipe, tmp_path, 4)
    with pytest.raises(ValueError, match="no stages that need no simulations"):
        train(recipe, None, tmp_path / "model", pretrain_only=True)
    with pytest.raises(ValueError, match="'isomer' needs simulations: give the folder"):
        train("isomer-haadf", None, tmp_path / "model")
