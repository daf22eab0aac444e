"""Batches from fields, and a tiny run of the two trainings on them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from particlespy_ml.models.load import load_model
from particlespy_ml.models.model import Classifier, ParticleFinder
from particlespy_ml.simulation.datasets.exit_waves import (
    ExitWaveRecipe,
    Field,
    draw_particles,
    load_field,
    simulate_exit_waves,
    simulate_field,
)
from particlespy_ml.simulation.datasets.store import entry_indices
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training import tasks
from particlespy_ml.training.crystallinity import evaluate as crystallinity
from particlespy_ml.training.fields import (
    PatternMaker,
    TileMaker,
    WindowMaker,
    _cut_by_aperture,
    coarser_view,
    list_particles,
    record_window,
    split_fields,
)
from particlespy_ml.training.isomer.batches import window_for
from particlespy_ml.training.losses import ClassLoss, MapLoss
from particlespy_ml.training.segmentation import evaluate as segmentation

SIMULATION = """
[simulation]
edge = 40.0
pixels = 90
diameters = [10.0, 14.0]
particles = [3, 5]
thickness = [10.0, 12.0]
sampling = 0.4
held_out_sampling = 0.4
slice_thickness = 4.0
held_out_every = 2
seed = 3
"""
RECIPES = {
    "crystallinity": """
[model]
name = "tiny-crystallinity"
signal_type = "HRTEM"
task = "crystallinity"
[model.architecture]
name = "pooled_resnet"
widths = [4, 8]
blocks = [1, 1]
[training]
seed = 5
batch = 6
simulations = 8
stages = [
  { steps = 1, learning_rate = 1e-3, simulations = 8, detector = { dose = [1e3, 1e4] } },
  { steps = 1, learning_rate = 1e-3, frozen_norm = true },
]
[card]
license = "GPL-3.0-or-later"
diameter_range_nm = [1.0, 6.0]
pixel_size_range_angstrom = [0.1, 1.0]
window_range = [48, 64]
limitations = ["A test."]
""",
    "segmentation": """
[model]
name = "tiny-finder"
signal_type = "HRTEM"
task = "segmentation"
[model.architecture]
name = "unet"
widths = [4, 8, 8]
[training]
seed = 5
batch = 2
simulations = 8
stages = [{ steps = 2, learning_rate = 1e-3 }]
[card]
license = "GPL-3.0-or-later"
diameter_range_nm = [1.0, 6.0]
pixel_size_range_angstrom = [0.1, 1.0]
limitations = ["A test."]
""",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads cost more than they bring in networks as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    for name, text in RECIPES.items():
        (folder / f"{name}.toml").write_text(text + SIMULATION)
    return {name: folder / f"{name}.toml" for name in RECIPES}


@pytest.fixture(scope="module")
def cache(recipes, tmp_path_factory):
    """Eight fields: four for training, two for validation, two for the test."""
    pytest.importorskip("abtem")
    folder = tmp_path_factory.mktemp("waves")
    tasks.simulate(recipes["crystallinity"], folder, 8, workers=1)
    return folder


@pytest.fixture(scope="module")
def recipe():
    import tomllib

    return ExitWaveRecipe.from_dict(tomllib.loads(SIMULATION)["simulation"])


def test_library_resumes_with_the_same_fields(cache, recipe, tmp_path):
    assert entry_indices(cache) == list(range(8))
    stamps = {path: path.stat().st_mtime_ns for path in cache.glob("*.npz")}
    simulate_exit_waves(cache, 8, recipe, workers=1, show_progressbar=False)
    assert stamps == {path: path.stat().st_mtime_ns for path in cache.glob("*.npz")}
    simulate_exit_waves(tmp_path, 2, recipe, workers=1, show_progressbar=False, held_out_only=True)
    assert entry_indices(tmp_path) == [1]
    np.testing.assert_array_equal(load_field(tmp_path, 1).wave, load_field(cache, 1).wave)


def test_another_recipe_is_refused(cache, recipe):
    with pytest.raises(ValueError, match="simulations of another recipe"):
        simulate_exit_waves(cache, 8, replace(recipe, seed=4), workers=1)


def test_field_has_what_was_drawn(cache, recipe):
    field = load_field(cache, 3)
    particles = draw_particles(recipe, 3)
    assert field.wave.shape == (90, 90) and field.masks.shape == (len(particles), 90, 90)
    assert [particle.kind for particle in particles] == list(field.kinds)
    np.testing.assert_allclose(field.diameters, [particle.diameter for particle in particles], rtol=1e-5)
    assert np.mean(np.abs(field.wave) ** 2) == pytest.approx(1, abs=0.1)
    # particles scatter more than the film
    phase = np.abs(np.angle(field.wave / field.wave.mean()))
    assert phase[field.masks.any(0)].mean() > phase[~field.masks.any(0)].mean()


def test_shares_of_other_fields_leave_the_rest_of_a_library_as_it_is(cache, recipe):
    """What a field shows depends on its number, not on what the other fields of its library show."""
    changed = replace(
        recipe, crystals=("MgO",), held_out_crystals=("CeO2",), crystal_share=0.5, crystal_thickness=(6.0, 10.0)
    )
    fields = [simulate_field(changed, index) for index in range(8)]
    told = [json.loads(field["parameters"]) for field in fields]
    assert {one["crystalline"] for one in told} == {True, False}
    for index, (field, parameters) in enumerate(zip(fields, told, strict=True)):
        if parameters["crystalline"]:
            assert parameters["film"] == ("CeO2" if recipe.is_held_out(index) else "MgO")
            particles = draw_particles(changed, index)
            assert [particle.kind for particle in particles] == parameters["kinds"]
        else:
            np.testing.assert_allclose(
                field["wave"][0] + 1j * field["wave"][1], load_field(cache, index).wave, atol=1e-3
            )


def test_crystals_that_do_not_exist_are_trained_on_but_not_held_out(recipe):
    shares = {"crystals": ("MgO",), "held_out_crystals": ("MgO",), "crystal_share": 1.0, "changed_share": 1.0}
    changed = replace(recipe, **shares, crystal_thickness=(6.0, 10.0))
    for index in range(2):
        told = json.loads(simulate_field(changed, index)["parameters"])
        assert told["changed"] is not recipe.is_held_out(index)
        assert [particle.kind for particle in draw_particles(changed, index)] == told["kinds"]


def test_bare_supports_lie_under_other_fields(recipe, tmp_path):
    shares = {"crystals": ("MgO",), "crystal_share": 1.0, "bare_share": 0.5, "crystal_thickness": (6.0, 10.0)}
    changed = replace(recipe, **shares, held_out_every=10**9)
    simulate_exit_waves(tmp_path, 4, changed, workers=1, show_progressbar=False)
    told = [load_field(tmp_path, index) for index in range(4)]
    bare = [field.parameters["bare"] for field in told]
    assert set(bare) == {True, False}
    assert all(len(field.masks) == 0 for field in told if field.parameters["bare"])
    maker = TileMaker(tmp_path, range(4), ImagingRecipe(), tile=32)
    fields = maker.fields.load()
    assert [field.index for field in fields] == [index for index in range(4) if not bare[index]]
    assert [field.index for field in maker.fields.load(2)] == [index for index in range(2) if not bare[index]]
    stacked = [maker.fields.on_bare_support(fields[0], np.random.default_rng(seed)) for seed in range(30)]
    untouched = [one is fields[0] for one in stacked]
    assert 0.4 < np.mean(untouched) < 0.9
    one = stacked[untouched.index(False)]
    assert np.abs(one.wave - fields[0].wave).mean() > 0.05
    assert one.outline_map is fields[0].outline_map
    frames, maps = maker.draw(2, {}, (0,))
    assert frames.shape == (2, 1, 32, 32) and maps.shape == (2, 2, 32, 32)


def test_large_fields_and_other_rules(recipe):
    changed = replace(
        recipe, large_share=1.0, large_edge=60.0, large_diameters=(24.0, 30.0), large_sampling=0.4, varied=1.0
    )
    field = simulate_field(changed, 0)
    told = json.loads(field["parameters"])
    assert told["edge"] == 60.0 and field["wave"].shape == (2, 135, 135)
    assert told["varied"] and 1.2 <= told["slice_thickness"] <= 4.0
    assert (field["diameters"] > 20).all() and len(field["labels"]) >= 1


def test_particles_that_no_window_holds_are_seen_through_coarser_pixels(cache):
    assert [coarser_view(extent) for extent in (20.0, 71.0, 72.0, 110.0, 120.0, 400.0)] == [1, 1, 1.5, 1.5, 2, 2]
    particle = list_particles([load_field(cache, 0)])[0]
    wide = replace(particle, extent=100.0).seen(2.0)
    assert wide.coarser == 2.0 and wide.window == window_for(50.0)
    # a dark disk takes a quarter of the pixels when they are twice as large
    axis = (np.arange(180) + 0.5) / 3 - 30.0
    disk = np.hypot(axis[:, None], axis) < 8.0
    parameters = {"edge": 60.0, "energy": 300e3}
    wave = np.where(disk, 0.5, 1.0).astype(np.complex64)
    field = Field(wave, disk[None], np.zeros(1, int), ("sphere",), np.array([16.0]), parameters)
    particle, conditions = list_particles([field])[0], ImagingRecipe().nominal(1e6, pixel_size=0.4)
    areas = []
    for one in (particle, particle.seen(2.0)):
        window = record_window(field, one, conditions, np.random.default_rng(0), 48, off_centre=0.0)
        areas.append((window < (window.min() + np.median(window[:4])) / 2).sum())
    assert areas[1] / areas[0] == pytest.approx(0.25, abs=0.08)


def test_split(recipe):
    assert split_fields(list(range(8)), recipe) == {"training": [0, 2, 4, 6], "validation": [1, 5], "test": [3, 7]}


def test_middles_of_particles_lie_in_them(cache):
    fields = [load_field(cache, index) for index in range(8)]
    particles = list_particles(fields)
    assert len(particles) == sum(len(field.labels) for field in fields)
    for particle in particles:
        mask = fields[particle.field].masks[particle.number]
        row, column = np.round(particle.middle / 40 * 90).astype(int) % 90
        assert mask[row, column]
        assert 48 <= particle.window <= 64


def test_window_shows_the_particle_in_the_middle(cache):
    """Without noise the middle of the window has more contrast than its edge."""
    field = load_field(cache, 0)
    recipe = ImagingRecipe().nominal(1e6, pixel_size=0.4)
    contrast = []
    for particle in list_particles([field]):
        window = record_window(field, particle, recipe, np.random.default_rng(0), 64, off_centre=0.0)
        assert window.shape == (64, 64)
        middle, rim = window[24:40, 24:40], np.concatenate([window[:4].ravel(), window[-4:].ravel()])
        contrast.append(middle.std() / rim.std())
    assert np.mean(contrast) > 1.4


def test_batches_are_seeded_and_balanced(cache):
    maker = WindowMaker(cache, [0, 2, 4, 6], ImagingRecipe(), 3)
    windows, labels = maker.draw(32, {}, (1, 2))
    again, _ = WindowMaker(cache, [0, 2, 4, 6], ImagingRecipe(), 3).draw(32, {}, (1, 2))
    assert torch.equal(windows, again)
    assert windows.shape[:2] == (32, 1) and windows.shape[2] % 16 == 0
    assert set(labels.tolist()) == {0, 1, 2}
    torch.testing.assert_close(windows.mean((1, 2, 3)), torch.zeros(32), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="no particles of every class"):
        WindowMaker(cache, [0, 2, 4, 6], ImagingRecipe(), 3).draw(4, {"simulations": 0}, (1, 2))


def test_tiles_and_their_maps(cache):
    frames, maps = TileMaker(cache, [0, 2], ImagingRecipe(stretch=(0.5, 2.0), scale_error=0.1), tile=96).draw(
        12, {}, (1, 2)
    )
    assert frames.shape == (12, 1, 96, 96) and maps.shape == (12, 2, 96, 96)
    assert set(np.unique(maps[:, 0])) <= {0.0, 1.0}
    assert maps[:, 0].mean() > 0.02
    assert (maps[:, 1][maps[:, 0] == 0] == 0).all() and maps[:, 1].max() == pytest.approx(1)


def test_patterns():
    windows, labels = PatternMaker((10.0, 20.0)).draw(9, {}, (1, 2))
    assert windows.shape[0] == 9 and windows.shape[2] in (48, 64) and len(labels) == 9


def test_losses_are_least_for_the_truth():
    maps = torch.zeros(1, 2, 16, 16)
    maps[:, 0, 4:12, 4:12] = 1
    maps[:, 1, 6:10, 6:10] = 1
    right, wrong = 20 * (2 * maps - 1), 20 * (1 - 2 * maps)
    loss = MapLoss()
    assert loss(right, maps) < 0.01 < loss(torch.zeros_like(maps), maps) < loss(wrong, maps)
    assert loss.right(right, maps) == 1 and loss.right(wrong, maps) == 0
    labels = torch.tensor([0, 1])
    logits = 20 * torch.eye(2)
    assert ClassLoss()(logits, labels) < 1e-6 < ClassLoss(0.1)(logits, labels)
    assert ClassLoss().right(logits, labels) == 1


@pytest.mark.parametrize("task", sorted(RECIPES))
def test_training_writes_a_model_that_loads(task, recipes, cache, tmp_path):
    folder = tasks.train(recipes[task], cache, tmp_path / "tiny", workers=0, show_progressbar=False)
    model = load_model(folder)
    assert isinstance(model, {"crystallinity": Classifier, "segmentation": ParticleFinder}[task])
    card = json.loads((folder / "card.json").read_text())
    assert card["training"]["fields"] == 4 and card["training"]["seed"] == 5
    results = tasks.evaluate(folder, cache, tmp_path / "out")
    assert "e/Å²" in tasks.report(folder, results)
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert written["nominal"] == json.loads(json.dumps(results["nominal"])) == card["evaluation"]


def test_too_few_simulations(recipes, cache, tmp_path):
    text = recipes["crystallinity"].read_text().replace("simulations = 8", "simulations = 30")
    path = tmp_path / "more.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="has 8 simulations, expected 30: make them with"):
        tasks.train(path, cache, tmp_path / "tiny", workers=0)


def test_no_pretraining(recipes, cache, tmp_path):
    with pytest.raises(ValueError, match="no stages that need no simulations"):
        tasks.train(recipes["segmentation"], cache, tmp_path / "tiny", pretrain_only=True)


def test_scores_of_frames():
    perfect = {"intersection": 10, "union": 10, "matched": 3, "missed": 0, "wrong": 0}
    half = {"intersection": 5, "union": 10, "matched": 1, "missed": 1, "wrong": 1}
    pooled = segmentation.score_frames([perfect, half])
    assert pooled["iou"]["value"] == 0.75 and pooled["f1"]["value"] == 0.8
    assert pooled["precision"]["value"] == pooled["recall"]["value"] == 0.8
    assert pooled["iou"]["interval"] == [0.5, 1.0] and pooled["particles"] == 5


def test_two_classes_from_three():
    probabilities = np.array([[[0.4, 0.3, 0.3]], [[0.2, 0.2, 0.6]], [[0.3, 0.3, 0.4]]])
    right = crystallinity.two_class_right(probabilities, np.array([1, 2, 2]))
    np.testing.assert_array_equal(right[:, 0], [True, True, False])


def test_precision_and_recall():
    predicted = np.array([[0, 0], [0, 1], [1, 1], [2, 0]])
    found = crystallinity.precision_recall(predicted, np.array([0, 0, 1, 2]))
    assert found["monocrystalline"]["precision"]["value"] == 0.75
    assert found["monocrystalline"]["recall"]["value"] == 0.75
    assert found["amorphous"]["recall"]["value"] == 0.5


def test_selective():
    probabilities = np.array([[[0.9, 0.1, 0.0]], [[0.4, 0.3, 0.3]], [[0.1, 0.8, 0.1]]])
    part = crystallinity.selective(probabilities, np.array([0, 1, 1]), 0.5)
    assert part["accuracy"] == 1 and part["coverage"] == pytest.approx(0.6667)


def test_there_are_no_particles_behind_an_aperture():
    frame, labels = np.random.default_rng(0).random((60, 80)), np.ones((60, 80), int)
    for seed in range(5):
        cut, left = _cut_by_aperture(frame, labels, np.random.default_rng(seed))
        assert 0 < (left == 0).mean() < 0.9
        assert (cut[left == 0] == frame.min()).all()
        np.testing.assert_array_equal(cut[left > 0], frame[left > 0])
