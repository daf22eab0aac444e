"""A tiny run of the whole training room: eight atoms a particle, two steps."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch

from particlespy_ml.models.incoherent import incoherent_haadf
from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe
from particlespy_ml.simulation.datasets.store import entry_indices
from particlespy_ml.training import loop, tasks
from particlespy_ml.training.card import read_model, sha256
from particlespy_ml.training.isomer import evaluate as evaluation
from particlespy_ml.training.isomer import structures_cache
from particlespy_ml.training.isomer import train as isomers
from particlespy_ml.training.isomer.batches import prism_items, split_indices, window_for
from particlespy_ml.training.recipe import bundled_recipes, load_recipe

RECIPE = """
[model]
name = "tiny"
signal_type = "HAADF"
task = "isomer"
[model.architecture]
name = "pooled_resnet"
widths = [4, 8]
blocks = [1, 1]
[simulation]
n_atoms = [55, 60]
held_out_every = 2
[training]
seed = 5
batch = 4
held_out_models = 0
models = { icosahedron = 2, decahedron = 2, cuboctahedron = 2, amorphous = 1, other = 2 }
stages = [
  { steps = 1, learning_rate = 1e-3, prism_fraction = 0.0, detector = { dose = [1e3, 1e4] } },
  { steps = 1, learning_rate = 1e-3, prism_fraction = 0.5 },
  { steps = 2, learning_rate = 1e-3, prism_fraction = 0.5, frozen_norm = true },
]
[card]
license = "GPL-3.0-or-later"
diameter_range_nm = [1.0, 4.0]
pixel_size_range_angstrom = [0.05, 0.65]
window_range = [48, 128]
limitations = ["A test."]
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Twenty entries: two rounds of the classes for training, one for validation, one for test."""
    folder = tmp_path_factory.mktemp("cache")
    rng = np.random.default_rng(0)
    for index in range(20):
        positions = rng.uniform(-5, 5, (8, 3)) + 9
        image = incoherent_haadf(positions - 9, n_pixels=60)[0].numpy()
        np.savez(
            folder / f"{index:06d}.npz",
            images=np.stack([image] * 3) / 3,
            positions=positions.astype(np.float32),
            label=index % 5,
            parameters=json.dumps({"index": index}),
        )
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def model(cache, recipe, tmp_path_factory):
    return tasks.train(recipe, cache, tmp_path_factory.mktemp("models") / "tiny", workers=0, show_progressbar=False)


@pytest.fixture(scope="module", autouse=True)
def few_models():
    """Models are drawn in blocks, of which a test needs little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structures_cache, "_BLOCK", 4)
        yield


@pytest.fixture(scope="module", autouse=True)
def few_recordings():
    """A card needs every number, not a precise one: untrained networks have none to measure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isomers, "measure", partial(evaluation.measure, realisations=2))
        yield


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads cost more than they bring in networks as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_training_writes_a_model_that_can_be_read_and_evaluated(model, cache, tmp_path, monkeypatch):
    network, card = read_model(model)
    assert sorted(path.name for path in model.iterdir()) == ["card.json", "model.safetensors"]
    assert [path.name for path in model.parent.iterdir()] == ["tiny"]
    assert card["sha256"] == sha256(model / "model.safetensors")
    assert card["classes"] == ["icosahedron", "decahedron", "cuboctahedron", "amorphous"]
    assert card["windows"] == [48, 64, 80, 96, 112, 128]
    assert card["training"]["seed"] == 5 and card["training"]["prism_simulations"] == 10
    assert card["rejects"] is True
    np.testing.assert_allclose(np.sum(card["confusion_matrix"]["values"], axis=1), 1, atol=1e-3)
    assert network(torch.zeros(1, 1, 64, 64)).shape == (1, 5)
    once = partial(evaluation.evaluate_isomers, realisations=1)
    monkeypatch.setattr(evaluation, "evaluate_isomers", once)
    results = tasks.evaluate(model, cache, tmp_path / "out")
    assert results["nominal"]["1000"]["structures"] == 4
    assert {"evaluation.json", "accuracy.png", "confusion.png", "coverage.png"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_resumed_training_ends_with_the_same_weights(cache, recipe, tmp_path):
    tables = load_recipe(recipe)
    items = prism_items(cache, list(range(5)) + list(range(10, 15)))
    maker = isomers.BatchMaker(
        items, isomers.model_items([(i.positions, i.label) for i in items]), 5, isomers.DetectorRecipe()
    )
    architecture = {**tables["model"]["architecture"], "n_classes": 5}
    options = {"workers": 0, "show_progressbar": False}
    whole = loop.fit(maker, architecture, tables["training"], tmp_path / "a.pt", **options)
    for step in (1, 3):
        loop.fit(maker, architecture, tables["training"], tmp_path / "b.pt", stop_after=step, **options)
    resumed = loop.fit(maker, architecture, tables["training"], tmp_path / "b.pt", **options)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


class Noise:
    """Batches of noise."""

    def draw(self, size, stage, seed):
        generator = torch.Generator().manual_seed(sum(seed))
        return torch.randn(size, 1, 48, 48, generator=generator), torch.randint(0, 3, (size,), generator=generator)


def test_a_stage_may_end_with_a_mean_of_its_first_and_last_weights(tmp_path):
    architecture = {"name": "pooled_resnet", "widths": [4, 8], "blocks": [1, 1], "n_classes": 3}
    options = {"workers": 0, "show_progressbar": False}

    def weights(name, before=0.0, stop_after=None):
        last = {"steps": 3, "learning_rate": 1e-2, "before": before}
        training = {"seed": 1, "batch": 4, "stages": [{"steps": 2, "learning_rate": 1e-2}, last]}
        fitted = loop.fit(Noise(), architecture, training, tmp_path / name, stop_after=stop_after, **options)
        return {key: value.clone() for key, value in fitted.state_dict().items() if value.is_floating_point()}

    first, end = weights("whole.pt", stop_after=2), weights("whole.pt")
    weights("mean.pt", before=0.25, stop_after=4)  # stopped within the stage
    mean = weights("mean.pt", before=0.25)
    assert any(not torch.equal(first[name], end[name]) for name in end)
    for name, value in mean.items():
        torch.testing.assert_close(value, 0.25 * first[name] + 0.75 * end[name])


def test_damaged_weights_are_refused(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "damaged")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="damaged"):
        read_model(folder)


def test_the_parts_of_a_library_share_nothing(cache):
    recipe = IsomerLibraryRecipe(held_out_every=2)
    parts = split_indices(entry_indices(cache), recipe)
    assert parts == {
        "training": [0, 1, 2, 3, 4, 10, 11, 12, 13, 14],
        "validation": [5, 6, 7, 8, 9],
        "test": [15, 16, 17, 18, 19],
    }


def test_an_empty_cache_is_an_error_that_says_what_to_do(recipe, tmp_path):
    with pytest.raises(ValueError, match="simulate"):
        tasks.train(recipe, tmp_path, tmp_path / "model", show_progressbar=False)


def test_bundled_recipe_loads_and_an_unknown_one_lists_it():
    names = ["ceria-hrtem", "columns-hrtem", "crystallinity-hrtem", "graphene-hrtem", "heights-hrtem"]
    names += ["isomer-atlas", "isomer-haadf", "particles-hrtem", "particles-stem"]
    assert bundled_recipes() == names
    assert load_recipe("isomer-haadf")["model"]["architecture"]["name"] == "spectral_resnet"
    with pytest.raises(ValueError, match="isomer-haadf"):
        load_recipe("isomer-tem")


def test_windows_hold_the_particle_with_a_rim():
    assert window_for(10) == 48 and window_for(500) == 192
    for diameter in (12, 20, 33, 40):
        assert diameter + 5 <= 0.4 * window_for(diameter) < diameter + 5 + 6.4 or window_for(diameter) == 48


def test_temperature_and_threshold_recover_what_was_put_in():
    rng = np.random.default_rng(1)
    true = rng.normal(scale=2, size=(4000, 1, 4))
    labels = np.array([[rng.choice(4, p=evaluation.softmax(row[0]))] for row in true])
    assert evaluation.fit_temperature(3 * true, labels) == pytest.approx(3, rel=0.1)
    probabilities = evaluation.softmax(true)
    assert evaluation.expected_calibration_error(probabilities, labels) < 0.03
    threshold = evaluation.threshold_for(probabilities, labels, 0.9)
    kept = probabilities.max(-1) >= threshold
    assert (probabilities.argmax(-1) == labels)[kept].mean() == pytest.approx(0.9, abs=0.01)
    curve = evaluation.coverage_curve(probabilities, labels)
    assert curve["coverage"][-1] == 1 and curve["accuracy"][0] > curve["accuracy"][-1]


def test_interval_is_over_structures_not_images():
    rng = np.random.default_rng(2)
    right = np.repeat(rng.random((50, 1)) < 0.8, 40, axis=1)
    result = evaluation.accuracy_with_interval(right)
    low, high = result["interval"]
    assert low < 0.8 < high and high - low > 0.15  # 40 equal images of each structure tell no more than one
    certain = evaluation.accuracy_with_interval(np.ones((50, 8)))
    assert certain["interval"][0] < 0.95


def test_confusion_matrix_has_the_truth_in_rows():
    matrix = evaluation.confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    assert matrix.tolist() == [[0.5, 0.5], [0, 1]]


def test_undefined_images_count_for_the_row_alone():
    labels, predicted = np.array([[0, 0, 0], [1, 1, 1]]), np.array([[0, -1, -1], [0, 1, -1]])
    matrix = evaluation.confusion_matrix(labels, predicted, 3)
    np.testing.assert_allclose(matrix, [[1 / 3, 0, 0], [1 / 3, 1 / 3, 0], [0, 0, 0]])


def test_pretraining_can_run_before_the_simulations(cache, recipe, model, tmp_path):
    early = tmp_path / "early"
    options = {"workers": 0, "show_progressbar": False}
    checkpoint = tasks.train(recipe, early, tmp_path / "none", pretrain_only=True, **options)
    assert checkpoint.is_file() and not (tmp_path / "none").exists()
    for path in cache.glob("0*.npz"):
        shutil.copy(path, early)
    later = tasks.train(recipe, early, tmp_path / "later", **options)
    assert read_model(later)[1]["sha256"] == read_model(model)[1]["sha256"]


def test_models_that_lie_are_turned_in_their_plane():
    rod = np.zeros((9, 3))
    rod[:, 0] = np.linspace(-20, 20, 9)
    lying, tumbling = isomers.model_items([(rod, 4), (rod, 0)], lying=4)
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    images, _ = evaluation.clean_images([lying] * 20 + [tumbling] * 20, rng, generator)
    mass = torch.linspace(-1, 1, images.shape[-1])
    spread = (images * (mass**2 + mass[:, None] ** 2)).sum((1, 2)) / images.sum((1, 2))
    assert spread[:20].std() < 0.02 * spread[:20].mean()
    assert spread[20:].min() < 0.5 * spread[20:].max()


def test_area_under_the_curve_of_known_scores():
    rng = np.random.default_rng(0)
    known, others = rng.normal(1, 1, (400, 5)), rng.normal(0, 1, (400, 5))
    found = evaluation.auroc_with_interval(known, others)
    assert found["interval"][0] < 0.7602 < found["interval"][1]  # Phi(1 / sqrt 2)
