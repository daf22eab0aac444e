"""The registry of tasks: what each asks of a card, and that a new one is a class and a line."""

import json
from typing import ClassVar

import numpy as np
import pytest
import torch

from particlespy_ml.models import TASKS, Classifier, MapModel, Task, list_models, load_model
from particlespy_ml.models.fields import CLASSES
from particlespy_ml.models.load import DEFAULT_MODELS
from particlespy_ml.models.networks import build_network
from particlespy_ml.segmentation.make_segmenter import NETWORK_OPTIONS
from particlespy_ml.training.card import sha256, update_card, write_model

NAMES = ["a", "b", "c", "d", "e"]
CARD = {
    "name": "several",
    "signal_type": "HRTEM",
    "classes": NAMES,
    "pixel_size": {"value": 0.4, "unit": "Å"},
    "pixel_size_range_angstrom": [0.05, 0.65],
    "diameter_range_nm": [0.9, 4.5],
}
SMALL = {
    "pooled_resnet": {"name": "pooled_resnet", "widths": [8, 8], "blocks": [1, 1]},
    "spectral_resnet": {"name": "spectral_resnet", "widths": [8, 8], "blocks": [1, 1], "spectral_widths": [4, 8]},
    "unet": {"name": "unet", "widths": [4, 8, 8]},
}


class MapsOfClasses(MapModel):
    """A class for each pixel, from one image or several."""

    def predict(self, frame, device=None):
        return self._maps(frame, lambda logits: logits.softmax(0), 768, 176, device)


class Columns(Task):
    """A task of a user's own."""

    name = "columns-of-a-test"
    model = MapsOfClasses
    required: ClassVar = {"classes": CLASSES}

    @classmethod
    def wanted_outputs(cls, card):
        return len(card["classes"]), f"{len(card['classes'])} maps, one for each class"


@pytest.fixture
def columns(monkeypatch):
    monkeypatch.setitem(TASKS, Columns.name, Columns)


def save(folder, architecture, **card):
    """Write a network with random weights that are not those of a fresh one."""
    torch.manual_seed(1)
    return write_model(folder, build_network(architecture), {**CARD, "architecture": architecture, **card})


def save_classifier(folder, name="pooled_resnet", **changes):
    architecture = {**SMALL[name], "in_channels": 3, "n_classes": 5, **changes}
    card = {"task": "classification", "windows": [48, 64], "temperature": 1.0, "min_probability": 0.0}
    return save(folder, architecture, **card)


def save_maps(folder, **changes):
    return save(folder, {**SMALL["unet"], "in_channels": 3, "outputs": 5, **changes}, task=Columns.name)


def test_every_task_states_what_it_needs():
    for name, task in TASKS.items():
        assert issubclass(task, Task) and task.name == name and task.__doc__
        assert issubclass(task.model, (Classifier, MapModel))
    assert sorted(TASKS) == [
        "classification",
        "crystallinity",
        "isomer",
        "isomer-atlas",
        "map_columns",
        "multiscale_segmentation",
        "segmentation",
    ]


def test_every_bundled_model_is_one_of_its_task():
    for name in list_models():
        model = load_model(name)
        task = TASKS[model.card["task"]]
        assert type(model) is task.model
        assert set(task.required) <= set(model.card)


def test_default_models_stand_in_their_task_alone():
    assert DEFAULT_MODELS == {"HAADF": "isomer-haadf", "HRTEM": "crystallinity-hrtem"}
    assert NETWORK_OPTIONS["model"] == TASKS["segmentation"].default_models["HRTEM"]
    for task in TASKS.values():
        for signal_type, name in task.default_models.items():
            card = load_model(name).card
            assert (card["task"], card["signal_type"]) == (task.name, signal_type)


def test_an_unknown_task_lists_the_known_ones(folder):
    update_card(folder, task="isomers")
    with pytest.raises(ValueError, match="has task = 'isomers'; expected one of .*'isomer', 'isomer-atlas'"):
        load_model(folder)


def test_an_atlas_needs_templates(folder):
    update_card(folder, task="isomer-atlas")
    with pytest.raises(ValueError, match="has the architecture 'template_atlas', not 'pooled_resnet'"):
        load_model(folder)


@pytest.mark.parametrize("name", ["pooled_resnet", "spectral_resnet"])
def test_three_channels_and_five_classes_go_through_a_folder(name, tmp_path):
    folder = save_classifier(tmp_path / "several", name)
    model = load_model(folder)
    assert model.in_channels == 3 and model.classes == tuple(NAMES)
    assert model.sha256 == sha256(folder / "model.safetensors")
    windows = np.random.default_rng(0).normal(size=(7, 3, 48, 48)).astype(np.float32)
    found = model.predict(windows, batch_size=4)
    assert found.shape == (7, 5)
    assert model.embed(windows).shape == (7, model.embedding_width)
    torch.manual_seed(1)
    network = build_network(json.loads((folder / "card.json").read_text())["architecture"]).eval()
    with torch.inference_mode():
        np.testing.assert_allclose(found, network(torch.from_numpy(windows)).softmax(1), atol=1e-5)
    assert np.abs(model.predict(windows[:, ::-1]) - found).max() > 1e-6  # each channel is seen for itself


def test_a_task_of_maps_from_three_images_is_a_class_and_a_line(columns, tmp_path):
    model = load_model(save_maps(tmp_path / "maps"))
    assert type(model) is MapsOfClasses and model.purpose == Columns.name
    frame = np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32)
    found = model.predict(frame)
    assert found.shape == (5, 40, 50)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    one = load_model(save_maps(tmp_path / "one", in_channels=1))
    assert one.predict(frame[0]).shape == one.predict(frame[:1]).shape == (5, 40, 50)


def test_a_wrong_number_of_channels_is_an_error_that_says_which(columns, folder, tmp_path):
    model, maps = load_model(save_classifier(tmp_path / "several")), load_model(save_maps(tmp_path / "maps"))
    windows = np.zeros((2, 48, 48), np.float32)
    for wrong in (windows, np.zeros((2, 1, 48, 48), np.float32)):
        with pytest.raises(ValueError, match=r"'several' sees 3 channels: .* \(n, 3, edge, edge\), got \(2, "):
            model.predict(wrong)
        with pytest.raises(ValueError, match="sees 3 channels"):
            model.embed(wrong)
    for wrong in (windows[0], windows):
        with pytest.raises(ValueError, match=r"sees 3 channels: .* \(3, rows, columns\), got \("):
            maps.predict(wrong)
    single = load_model(folder)
    np.testing.assert_array_equal(single.predict(windows[:, None]), single.predict(windows))
    with pytest.raises(ValueError, match=r"sees 1 channel: .* \(n, edge, edge\), got \(2, 3, 48, 48\)"):
        single.predict(np.zeros((2, 3, 48, 48), np.float32))


def test_a_card_of_other_channels_or_outputs_than_its_weights_is_refused(columns, tmp_path):
    folder = save_maps(tmp_path / "maps")
    architecture = json.loads((folder / "card.json").read_text())["architecture"]
    for change in ({"in_channels": 2}, {"outputs": 4}):
        update_card(folder, architecture={**architecture, **change})
        with pytest.raises(ValueError, match="'several' does not fit its weights: (?s:.*)size mismatch"):
            load_model(folder)
    update_card(folder, architecture=architecture, classes=NAMES[:4])
    with pytest.raises(ValueError, match=r"needs 4 maps, one for each class, but .* an array of \(1, 5, 64, 64\)"):
        load_model(folder)


@pytest.mark.parametrize("number", [0, -1, 1.5, "3", True, None], ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_channels_and_outputs_are_positive_whole_numbers(name, number):
    needed = "outputs" if name == "unet" else "n_classes"
    for key in ("in_channels", needed):
        with pytest.raises(ValueError, match=f"needs a positive whole number as '{key}'; got {number!r}"):
            build_network({**SMALL[name], needed: 2, key: number})


def test_an_atlas_sees_one_channel():
    with pytest.raises(ValueError, match="'template_atlas' takes"):
        build_network({"name": "template_atlas", "outputs": 3, "in_channels": 2})
