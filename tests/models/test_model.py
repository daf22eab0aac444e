"""Models on disk: what is refused, and what the refusal says."""

import json
import pickle

import numpy as np
import pytest

from particlespy_ml.models.model import (
    DEFAULT_MODELS,
    Classifier,
    ParticleFinder,
    default_model,
    list_models,
    load_model,
)


def change_card(folder, **changes):
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def folder(make_model):
    return make_model()


def test_load(folder):
    model = load_model(folder)
    assert isinstance(model, Classifier)
    assert model.name == "random"
    assert model.classes == ("icosahedron", "decahedron", "cuboctahedron", "amorphous")
    assert model.pixel_size == pytest.approx(0.04)
    assert model.windows == (64, 96, 128)
    assert load_model(model) is model
    assert load_model(str(folder)) is load_model(folder)


def test_predict(folder):
    model = load_model(folder)
    windows = np.random.default_rng(0).normal(size=(5, 64, 64)).astype(np.float32)
    probabilities = model.predict(windows)
    assert probabilities.shape == (5, 4) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(model.predict(windows, batch_size=2), probabilities, atol=1e-6)
    np.testing.assert_array_equal(model.predict(windows), probabilities)
    assert model.predict(windows[:0]).shape == (0, 4)


def test_temperature_softens(make_model):
    windows = np.random.default_rng(0).normal(size=(5, 64, 64)).astype(np.float32)
    sharp = load_model(make_model("sharp", temperature=0.1)).predict(windows)
    soft = load_model(make_model("soft", temperature=10.0)).predict(windows)
    assert (soft.max(1) < sharp.max(1)).all()
    np.testing.assert_array_equal(soft.argmax(1), sharp.argmax(1))


def test_a_loaded_model_is_picklable_and_comparable(folder):
    model = load_model(folder)
    copy = pickle.loads(pickle.dumps(model))
    assert model == model and model != copy
    windows = np.ones((1, 64, 64), np.float32)
    np.testing.assert_array_equal(copy.predict(windows), model.predict(windows))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_weights(folder, damage):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-7], "flipped": content, "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"(?s)model\.safetensors are damaged.*sha256.*again"):
        load_model(folder)


def test_weights_damaged_after_they_were_loaded(folder):
    load_model(folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        load_model(folder)


def test_weights_that_are_a_pickle_are_refused(folder):
    import hashlib

    class Explodes:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was run",))

    content = pickle.dumps(Explodes())
    (folder / "model.safetensors").write_bytes(content)
    change_card(folder, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(ValueError, match="no safetensors file"):
        load_model(folder)


def test_loading_never_unpickles(folder, monkeypatch):
    import torch

    def refuse(*arguments, **keywords):
        raise AssertionError("a pickle was loaded")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    load_model(folder)


def test_loading_never_touches_the_network(folder, monkeypatch):
    import socket

    def refuse(*arguments, **keywords):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    load_model(folder)
    list_models()


def test_missing_weights(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"no weights: .*model\.safetensors is missing"):
        load_model(folder)


def test_missing_card(folder):
    (folder / "card.json").unlink()
    with pytest.raises(ValueError, match=r"no model: it lacks card\.json"):
        load_model(folder)


@pytest.mark.parametrize("content", ["{", "", "[]", "3", '"card"', "null"])
def test_card_that_is_no_card(folder, content):
    (folder / "card.json").write_text(content)
    with pytest.raises(ValueError, match=r"card\.json"):
        load_model(folder)


def test_card_that_is_no_text(folder):
    (folder / "card.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not valid JSON"):
        load_model(folder)


@pytest.mark.parametrize(
    "key",
    [
        "format_version",
        "name",
        "signal_type",
        "task",
        "architecture",
        "classes",
        "pixel_size",
        "windows",
        "pixel_size_range_angstrom",
        "diameter_range_nm",
        "temperature",
        "min_probability",
        "sha256",
    ],
)
def test_card_that_lacks_a_key(folder, key):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    del card[key]
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match=rf"card\.json lacks {key}\."):
        load_model(folder)


def test_card_that_lacks_two_keys_names_both(folder):
    path = folder / "card.json"
    card = json.loads(path.read_text())
    del card["classes"], card["task"]
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match="lacks task, classes"):
        load_model(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pixel_size", 0.4),
        ("pixel_size", {"value": 0.04, "unit": "nm"}),
        ("pixel_size", {"value": 0, "unit": "Å"}),
        ("windows", []),
        ("windows", [0]),
        ("windows", 96),
        ("classes", ["a", "b", "c", "a"]),
        ("classes", ["a", "b", "c", "undefined"]),
        ("classes", "abcd"),
        ("temperature", 0),
        ("temperature", "warm"),
        ("temperature", float("nan")),
        ("min_probability", 1.5),
        ("diameter_range_nm", [4, 1]),
        ("diameter_range_nm", 3),
        ("pixel_size_range_angstrom", [0.1]),
        ("architecture", "pooled_resnet"),
        ("rejects", "yes"),
    ],
)
def test_card_with_a_wrong_value(folder, key, value):
    change_card(folder, **{key: value})
    with pytest.raises(ValueError, match=rf"card\.json has {key} = .*; expected"):
        load_model(folder)


def test_a_model_that_rejects_has_one_more_output(folder):
    change_card(folder, classes=["a", "b", "c"], rejects=True)
    model = load_model(folder)
    assert model.rejects
    probabilities = model.predict(np.random.default_rng(0).normal(size=(5, 48, 48)).astype(np.float32))
    assert probabilities.shape == (5, 3)
    assert (probabilities.sum(1) < 1).all()


@pytest.mark.parametrize("number", [3, 5])
def test_wrong_number_of_classes(folder, number):
    change_card(folder, classes=[f"class {i}" for i in range(number)])
    with pytest.raises(
        ValueError, match=rf"'random' needs {number} outputs .*, but the network gives an array of \(1, 4\)"
    ):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": [8, 8, 16]},
        {"widths": [8, 8]},
        {"widths": [8, 8], "blocks": [1, 1]},
        {"blocks": [1, 1, 2]},
        {"n_classes": 3},
        {"name": "transformer"},
        {"depth": 3},
        {"widths": "8"},
    ],
    ids=str,
)
def test_architecture_that_does_not_fit(folder, change):
    architecture = json.loads((folder / "card.json").read_text())["architecture"]
    change_card(folder, architecture={**architecture, **change})
    with pytest.raises(ValueError, match="card of the model 'random' does not fit"):
        load_model(folder)


@pytest.mark.parametrize("version", [0, 2, "1"])
def test_wrong_version(folder, version):
    change_card(folder, format_version=version)
    with pytest.raises(ValueError, match=f"format version {version}; .* reads 1"):
        load_model(folder)


def test_unknown_name_lists_the_models():
    with pytest.raises(ValueError, match="Unknown model 'isomer-hadf'.*folder") as error:
        load_model("isomer-hadf")
    for name in list_models():
        assert name in str(error.value)


@pytest.mark.parametrize("model", [3, ["isomer-haadf"], b"isomer-haadf"], ids=str)
def test_what_is_no_model(model):
    with pytest.raises(TypeError, match="Expected the name or the folder of a model"):
        load_model(model)


def test_a_name_may_not_leave_the_bundled_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Unknown model|lacks card"):
        load_model("../weights")


def test_default_model():
    assert default_model("HAADF") == "isomer-haadf"
    assert default_model("HRTEM") == "crystallinity-hrtem"
    for signal_type in ("particle_image", ""):
        with pytest.raises(ValueError, match=r"no default model.*model=.*measure_particles"):
            default_model(signal_type)


def test_every_default_model_is_bundled_and_loads():
    """Fails as long as a model that `classify_particles()` takes by default is missing from weights/."""
    bundled = list_models()
    for signal_type, name in DEFAULT_MODELS.items():
        assert name in bundled, f"weights/{name} is missing; bundled are {bundled}"
        model = load_model(name)
        assert model.card["signal_type"] == signal_type
        assert model.name == name


def test_every_bundled_card_says_what_the_design_asks():
    names = list_models()
    assert "isomer-haadf" in names, f"weights/isomer-haadf is missing; bundled are {names}"
    for name in names:
        card = load_model(name).card
        text = json.dumps(card).lower()
        for word in ("evaluation", "seed", "versions", "licen", "limitations"):
            assert word in text, f"the card of {name} does not mention {word}"
        if "classes" in card:
            assert "confusion_matrix" in card
            assert len(card["classes"]) + card["rejects"] == card["architecture"]["n_classes"]


def test_a_model_that_finds_particles(make_finder):
    model = load_model(make_finder())
    assert isinstance(model, ParticleFinder) and model.threshold == 0.5
    assert model.in_pixel_range((0.1, 0.1)) and not model.in_pixel_range((0.1, 0.3))
    frame = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
    for first, second in zip(model.maps(frame), model.maps(frame), strict=True):
        assert first.shape == frame.shape and 0 <= first.min() and first.max() <= 1
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0}, "has threshold = 0; expected a number between 0 and 1"),
        ({"architecture": {"name": "unet", "outputs": 3, "widths": [4, 8, 8]}}, "does not fit its weights"),
        ({"architecture": {"name": "unet", "widths": [4, 8, 8]}}, "needs 'outputs'"),
        ({"task": "isomer"}, "lacks classes, windows, temperature, min_probability"),
    ],
)
def test_a_finder_that_does_not_fit_its_card(make_finder, changes, message):
    with pytest.raises(ValueError, match=message):
        load_model(make_finder(**changes))


def test_torch_keeps_its_threads(two_disks, model_folder):
    import torch

    before = torch.get_num_threads()
    table = two_disks.as_lazy().classify_particles(model_folder)
    table.compute(show_progressbar=False)
    assert torch.get_num_threads() == before


def test_threads_share_one_network(folder):
    from concurrent.futures import ThreadPoolExecutor

    model = load_model(folder)
    windows = np.random.default_rng(1).normal(size=(8, 64, 64)).astype(np.float32)
    expected = model.predict(windows)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: model.predict(windows), range(16)):
            np.testing.assert_allclose(result, expected, atol=1e-6)
