"""A tiny run of the training of networks that find columns, on waves that are made up."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from particlespy_ml.columns.features import feature_count
from particlespy_ml.models import load_model
from particlespy_ml.models.layers import Reader
from particlespy_ml.models.networks import build_network
from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.datasets.store import write_recipe
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe
from particlespy_ml.training import tasks
from particlespy_ml.training.card import read_model
from particlespy_ml.training.columns import evaluate as evaluation
from particlespy_ml.training.columns import read as reading
from particlespy_ml.training.columns.batches import TILE, ColumnMaker
from particlespy_ml.training.columns.initial import write_initial_weights
from particlespy_ml.training.columns.read import calibrate_reader, fit_reader
from particlespy_ml.training.losses import ColumnLoss
from particlespy_ml.training.recipe import load_recipe

RECIPE = """
[model]
name = "tiny-columns"
signal_type = "HRTEM"
task = "map_columns"
columns = [{ kind = "metal", heights = 3 }]
[model.architecture]
name = "unet"
widths = [4, 4, 8, 8]
fold = 2
[simulation]
edge = 42.0
pixels = 96
held_out_every = 2
film_count = 2
[training]
seed = 5
batch = 2
stages = [
  { steps = 1, learning_rate = 1e-3, detector = { dose = [1e3, 1e4], film = [0.0, 1.0, 1.0] } },
  { steps = 2, learning_rate = 1e-3, frozen_norm = true },
]
[card]
license = "GPL-3.0-or-later"
diameter_range_nm = [1.0, 4.0]
pixel_size_range_angstrom = [0.08, 0.36]
limitations = ["A test."]
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory, recipe):
    """Eight fields of phase peaks, and two films of noise."""
    folder = tmp_path_factory.mktemp("cache")
    settings = ColumnWaveRecipe.from_dict(load_recipe(recipe)["simulation"])
    write_recipe(folder, settings)
    rng = np.random.default_rng(0)
    pixels = settings.pixels
    axis = np.arange(pixels) * settings.edge / pixels
    for index in range(8):
        places = rng.uniform(12, 30, (12, 2))
        heights = rng.integers(1, 4, 12)
        phase = np.zeros((pixels, pixels))
        for (x, y), height in zip(places, heights, strict=True):
            phase += 0.3 * height * np.exp(-((axis[:, None] - y) ** 2 + (axis - x) ** 2) / (2 * 0.4**2))
        parameters = {"edge": settings.edge, "energy": 300e3, "film": "", "recipe": asdict(settings)}
        np.savez(
            folder / f"{index:06d}.npz",
            wave=np.stack([np.cos(phase), np.sin(phase)]).astype(np.float16),
            places=places.astype(np.float32),
            heights=heights.astype(np.int16),
            kinds=np.zeros(12, np.int8),
            parameters=json.dumps(parameters),
        )
    (folder / "films").mkdir()
    for index in range(2):
        waves = np.stack([np.ones((pixels, pixels)), 0.1 * rng.normal(size=(pixels, pixels))]).astype(np.float16)
        told = {"film": "C", "thickness": 10.0, "energies": [200e3, 300e3], "edge": settings.edge}
        np.savez(folder / "films" / f"{index:06d}.npz", waves=np.stack([waves] * 2), parameters=json.dumps(told))
    return folder


@pytest.fixture(scope="module", autouse=True)
def few_doses():
    """Every dose takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "DOSES", (1e3,))
        yield


@pytest.fixture(scope="module")
def model(cache, recipe, tmp_path_factory):
    return tasks.train(recipe, cache, tmp_path_factory.mktemp("models") / "tiny", workers=0, show_progressbar=False)


def maker_of(cache, **changes):
    detector = ColumnImagingRecipe(scale_error=0.0, shear=0.0, empty=0.0, **changes)
    return ColumnMaker(str(cache), (0, 2, 4), (0,), detector, (3,))


def test_training_writes_a_model_that_finds_columns(model, cache, tmp_path):
    network, card = read_model(model)
    assert card["architecture"]["outputs"] == 1 + 3 + 3 and card["architecture"]["in_channels"] == 1
    assert card["training"]["fields"] == 4 and card["error_scale"] > 0
    assert set(card["false_columns_per_image"]) == {"vacuum", "film"}
    assert network(torch.zeros(1, 1, 64, 64)).shape == (1, 7, 64, 64)
    loaded = load_model(model)
    assert loaded.kinds == (("metal", 3),)
    results = tasks.evaluate(model, cache, tmp_path / "out")
    assert results["1000"]["images"] == 2 and results["1000"]["columns"] > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"evaluation.json", "columns.png"}
    text = tasks.report(model, results)
    assert "Columns, every fault: 2 held-out fields" in text and "F1" in text


def test_a_cache_without_enough_fields_says_how_to_make_them(recipe, cache, tmp_path):
    path = tmp_path / "more.toml"
    path.write_text(recipe.read_text().replace("batch = 2", "batch = 2\nsimulations = 50"))
    with pytest.raises(ValueError, match="has 8 simulations, expected 50: make them with"):
        tasks.train(path, cache, tmp_path / "model", workers=0)
    path.write_text(recipe.read_text().replace('kind = "metal"', 'kind = "Ce"'))
    with pytest.raises(ValueError, match="columns of \\('Ce',\\), the simulations \\('metal',\\)"):
        tasks.train(path, cache, tmp_path / "model", workers=0)


def test_maps_lie_on_the_columns_of_the_images(cache):
    maker = maker_of(
        cache, dose=(1e6, 1e6), defocus=((1.0, -70.0, -60.0),), deflection=(0.0, 0.1), film=(0.0, 1.0, 1.0)
    )
    images, maps = maker.draw(6, {}, (3, 1))
    assert images.shape == (6, 1, TILE, TILE) and maps.shape == (6, 4, TILE, TILE)
    bright = images[:, 0][maps[:, 0] > 0.8].mean()
    assert bright > images[:, 0][maps[:, 0] < 0.01].mean() + 1.0
    assert set(np.unique(maps[:, 1])) <= {0, 1, 2, 3}
    np.testing.assert_array_equal(images, maker.draw(6, {}, (3, 1))[0])
    assert not np.array_equal(images, maker.draw(6, {}, (3, 2))[0])


def test_the_loss_prefers_the_truth():
    maps = torch.zeros(1, 4, 16, 16)
    maps[0, 0, 8, 8], maps[0, 1, 8, 8] = 1.0, 2.0
    loss = ColumnLoss(3)
    logits = torch.zeros(1, 7, 16, 16)
    logits[:, 0] = 6.0
    logits[0, 0, 8, 8], logits[0, 2, 8, 8] = 0.0, 6.0
    right = loss(logits, maps)
    wrong_height, wrong_place = logits.clone(), logits.clone()
    wrong_height[0, 2, 8, 8], wrong_height[0, 1, 8, 8] = 0.0, 6.0
    wrong_place[0, 4:6, 8, 8] = 0.7
    assert loss(wrong_height, maps) > right and loss(wrong_place, maps) > right
    assert loss.right(logits, maps) == 1.0 and loss.right(wrong_height, maps) == 0.0


def test_outputs_that_count_more_weigh_more_once_there_is_a_column():
    rng = torch.Generator().manual_seed(0)
    maps = torch.zeros(1, 4, 16, 16)
    maps[0, 0, 8, 8], maps[0, 1, 8, 8] = 1.0, 2.0
    logits = torch.randn(1, 7, 16, 16, generator=rng)
    one, two, three = (ColumnLoss(3, output_weight=weight)(logits, maps) for weight in (1.0, 2.0, 3.0))
    share = torch.log_softmax(logits[0, 1:4, 8, 8], 0)[1]
    assert (two - one).item() == pytest.approx((three - two).item(), rel=1e-3)
    assert (two - one).item() == pytest.approx(-share.item() / 256, rel=1e-3)


def test_contrast_is_shown_of_most_images(cache):
    maker = replace(maker_of(cache, gamma=(0.0, 1.0)), channels=("local", "contrast"))
    images, _ = maker.draw(40, {}, (3, 1))
    assert images.shape == (40, 2, TILE, TILE)
    shown = images[:, 1].abs().amax((1, 2)) > 0
    assert 0.6 < shown.float().mean() < 1
    images, _ = replace(maker, recipe=replace(maker.recipe, gamma=(1.0, 1.0))).draw(3, {}, (3, 1))
    assert not images[:, 1].any()


@pytest.mark.parametrize("images", [1, 3])
def test_a_network_starts_as_another_one_that_finds_columns(model, tmp_path, images):
    known = load_model(model)
    architecture = {**known.card["architecture"], "in_channels": 2 * images, "outputs": 1 + 5 + 3}
    path = write_initial_weights(model, architecture, tmp_path / "initial.safetensors")
    network = build_network(architecture)
    network.load_state_dict(load_file(path))
    image = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    before, _ = read_model(model)
    with torch.no_grad():
        old, new = before.eval()(image), network.eval()(image.repeat(1, 2 * images, 1, 1))
    torch.testing.assert_close(new[:, 0], old[:, 0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(new[:, -3:], old[:, -3:], rtol=1e-4, atol=1e-4)
    middle = old[:, 1:4].mean(1, keepdim=True) + np.log(3 / 5)
    torch.testing.assert_close(new[:, 1:-3], middle.expand(-1, 5, -1, -1), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="a network of the same widths"):
        write_initial_weights(model, {**architecture, "widths": [4, 4, 8, 16]}, path)


def test_training_from_another_model(model, recipe, cache, tmp_path):
    path = tmp_path / "next.toml"
    text = recipe.read_text().replace('name = "tiny-columns"', 'name = "next"\nchannels = ["local", "contrast"]')
    path.write_text(text.replace("seed = 5", f'seed = 5\noutput_weight = 2.0\ninitial = "{model}"'))
    made = load_model(tasks.train(path, cache, tmp_path / "next", workers=0, show_progressbar=False))
    assert made.in_channels == 2 and made.images == 1 and made.channels == ("local", "contrast")


def test_a_reader_counts_what_features_tell(recipe, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PART", 6)
    path = tmp_path / "read.toml"
    text = recipe.read_text().replace(
        "[model.architecture]", '[model.reader]\nkind = "metal"\nwidth = 16\nlayers = 1\n[model.architecture]'
    )
    path.write_text(text.replace("[card]", "[training.reader]\nimages = 12\nsteps = 20\nbatch = 32\n[card]"))
    folder = tasks.train(path, cache, tmp_path / "read", workers=0, show_progressbar=False)
    made = load_model(folder)
    assert made.kinds == (("metal", 3),) and made.read_kind == 0 and len(made.outputs) == 3
    assert made.card["architecture"]["outputs"] == 1 + 1 + 3
    assert made.card["architecture"]["reader"] == {"width": 16, "layers": 1, "features": feature_count(1), "outputs": 3}
    told = made.read(np.zeros((5, feature_count(1)), np.float32))
    np.testing.assert_allclose(told.sum(1), 1, atol=1e-5)
    assert len(tasks.evaluate(folder, cache, tmp_path / "out")["1000"]["recall_by_output"]) == 3
    parts = sorted((cache / "checkpoints").glob("tiny-columns-features-*/*.npz"))
    assert len(parts) == 3  # two of training, one of validation
    times = [part.stat().st_mtime_ns for part in parts]
    tasks.train(path, cache, tmp_path / "again", workers=0, show_progressbar=False)
    assert [part.stat().st_mtime_ns for part in parts] == times
    again = load_model(tmp_path / "again")
    assert made.sha256 == again.sha256


def test_readers_are_calibrated():
    rng = np.random.default_rng(0)

    def drawn(count):
        features = rng.normal(size=(count, 4)).astype(np.float32)
        logits = np.stack([2 * features[:, 0], -features[:, 1], features[:, 2]], 1) * 2
        chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        numbers = (chances.cumsum(1) > rng.random((count, 1))).argmax(1)
        return (features * [1, 10, 100, 0] + 5).astype(np.float32), numbers, np.full(count // 10, 10), chances

    reader = Reader(4, 3, 32, 1, 2, 0.0)
    fit_reader(reader, *drawn(4000)[:3], {"steps": 600, "batch": 256}, 1, show=False)
    features, numbers, counts, chances = drawn(3000)
    reader.temperature.fill_(0.2)  # far too sure
    calibrate_reader(reader, features, numbers, counts)
    with torch.no_grad():
        told = torch.softmax(reader(torch.from_numpy(features).reshape(-1, 10, 4)), 2).numpy().reshape(-1, 3)
    assert np.abs(told - chances).mean() < 0.05


def test_readers_see_what_the_columns_of_an_image_have_in_common():
    rng = np.random.default_rng(1)

    def drawn(images):
        numbers = np.concatenate([np.append(rng.integers(4, size=11), [0, 3]) for _ in range(images)])
        shown = numbers + np.repeat(rng.uniform(-3, 3, images), 13) + rng.normal(scale=0.1, size=13 * images)
        return shown[:, None].astype(np.float32), numbers, np.full(images, 13)

    reader = Reader(1, 4, 32, 2, 2, 0.0)
    fit_reader(reader, *drawn(400), {"steps": 700, "batch": 400}, 1, show=False)
    features, numbers, _ = drawn(60)
    with torch.no_grad():
        together = reader(torch.from_numpy(features).reshape(60, 13, 1)).reshape(-1, 4).argmax(1).numpy()
        alone = reader(torch.from_numpy(features).reshape(-1, 1, 1)).reshape(-1, 4).argmax(1).numpy()
    assert (together == numbers).mean() > 0.9 > 0.6 > (alone == numbers).mean()


def test_readers_do_not_see_what_is_none_of_the_columns_nor_their_order():
    torch.manual_seed(0)
    reader = Reader(5, 3, 16, 2, 2).eval()
    features = torch.randn(7, 5)
    with torch.no_grad():
        expected = reader(features)
        padded = torch.cat([features, 100 * torch.randn(4, 5)])
        known = torch.arange(11) < 7
        torch.testing.assert_close(reader(padded[None], known[None])[0, :7], expected, atol=1e-5, rtol=1e-4)
        order = torch.randperm(7)
        torch.testing.assert_close(reader(features[order]), expected[order], atol=1e-5, rtol=1e-4)


def test_scores_count_what_was_found_and_missed():
    def outcome(found, wrong, missed, exact):
        posterior = np.zeros((found, 3))
        posterior[:, 0], posterior[exact:, :2] = 1, (0.4, 0.6)
        heights = np.ones(found, int)
        return evaluation.Outcome(
            found, wrong, heights, np.full(missed, 2), posterior, np.full((found, 2), 0.1), np.full(found, 0.05)
        )

    scores = evaluation.score_columns([outcome(8, 1, 2, 8), outcome(2, 1, 0, 0)])
    assert scores["recall"]["value"] == pytest.approx(10 / 12, abs=1e-4)
    assert scores["precision"]["value"] == pytest.approx(10 / 12, abs=1e-4)
    assert scores["exact"]["value"] == 0.8 and scores["within_one"]["value"] == 1.0
    assert scores["misplacement"] == 0.1 and scores["error_ratio"] == 2.0
    assert scores["calibration_error"] == pytest.approx(0.2 * 0.6, abs=1e-4)
    only = evaluation.score_columns([outcome(8, 1, 2, 6)], counted=np.array([False, True, True]))
    assert only["exact"]["value"] == 0.0 and only["recall"]["value"] == 0.8
    assert evaluation.recall_by_output([outcome(8, 0, 2, 8)], 3) == [1.0, 0.0, None]
    nothing = evaluation.score_columns([outcome(0, 0, 0, 0)])
    assert nothing["recall"]["value"] == 0 and nothing["misplacement"] is None
