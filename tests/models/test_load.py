"""Models by name and by folder: what is refused, and what the refusal says."""

import json
import pickle

import pytest

from particlespy_ml.models.load import DEFAULT_MODELS, default_model, list_models, load_model
from particlespy_ml.models.model import Classifier
from particlespy_ml.training.card import update_card


def test_load(folder):
    model = load_model(folder)
    assert isinstance(model, Classifier)
    assert model.name == "random"
    assert model.classes == ("icosahedron", "decahedron", "cuboctahedron", "amorphous")
    assert model.pixel_size == pytest.approx(0.04)
    assert model.windows == (64, 96, 128)
    assert load_model(model) is model
    assert load_model(str(folder)) is load_model(folder)


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
    update_card(folder, sha256=hashlib.sha256(content).hexdigest())
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
            architecture = card["architecture"]
            outputs = architecture.get("outputs", architecture["n_classes"])
            assert len(card["classes"]) + card["rejects"] == outputs
