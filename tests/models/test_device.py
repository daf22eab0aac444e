"""Where networks run: the argument, and what is refused. Without a GPU, torch is told that there is one."""

import pickle

import numpy as np
import pytest
import torch

from particlespy_ml.models.load import load_model
from particlespy_ml.models.networks import torch_device

WINDOWS = np.random.default_rng(0).normal(size=(3, 64, 64)).astype(np.float32)


@pytest.fixture
def gpus(monkeypatch):
    """A function that makes torch find a number of GPUs."""

    def found(number):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: number)

    return found


def test_a_gpu_is_taken_where_there_is_one(gpus):
    gpus(0)
    assert torch_device() == torch_device("cpu") == "cpu"
    gpus(2)
    assert torch_device() == torch_device("cuda") == "cuda"
    assert torch_device("cpu") == "cpu" and torch_device("cuda:1") == "cuda:1"
    assert torch_device(torch.device("cuda", 0)) == "cuda:0"


@pytest.mark.parametrize("device", ["gpu", "cuda:2", "", 0, "cuda:x"], ids=repr)
def test_an_unknown_device_lists_those_there_are(gpus, device, folder):
    gpus(2)
    with pytest.raises(ValueError, match="Unknown device .*: expected None or one of .*'cpu', 'cuda', 'cuda:0'"):
        torch_device(device)
    with pytest.raises(ValueError, match="Unknown device"):
        load_model(folder, device=device)


def test_no_gpu_is_an_error_that_says_so(gpus, folder, make_finder):
    gpus(0)
    with pytest.raises(ValueError, match=r"'cuda': expected None or one of \['cpu'\]; torch finds no GPU here"):
        load_model(folder, device="cuda")
    with pytest.raises(ValueError, match="no GPU"):
        load_model(folder).predict(WINDOWS, device="cuda")
    with pytest.raises(ValueError, match="no GPU"):
        load_model(folder).embed(WINDOWS, device="cuda")
    with pytest.raises(ValueError, match="no GPU"):
        load_model(make_finder()).maps(WINDOWS[0], device="cuda")


def test_a_model_keeps_the_device_it_was_loaded_for(folder):
    model, plain = load_model(folder, device="cpu"), load_model(folder)
    assert model.device == "cpu" and plain.device is None
    assert load_model(model) is load_model(model, device="cpu") is model
    assert load_model(plain, device="cpu").device == pickle.loads(pickle.dumps(model)).device == "cpu"
    wanted = plain.predict(WINDOWS, device="cpu")
    np.testing.assert_array_equal(model.predict(WINDOWS), wanted)


def test_a_model_for_the_cpu_stays_there_beside_a_gpu(gpus, folder, make_finder):
    finder = load_model(make_finder(), device="cpu")
    wanted = finder.maps(WINDOWS[0])
    gpus(1)
    np.testing.assert_array_equal(finder.maps(WINDOWS[0]), wanted)
    assert load_model(folder)._device() == "cuda" and load_model(folder)._device("cpu") == "cpu"


def test_an_atlas_stays_on_the_cpu(gpus):
    atlas = load_model("isomer-atlas")
    gpus(1)
    assert atlas._device() == atlas._device("cpu") == "cpu"
    with pytest.raises(ValueError, match="'isomer-atlas' runs on the CPU alone, not on 'cuda'"):
        atlas.predict(WINDOWS, device="cuda")
    with pytest.raises(ValueError, match="Unknown device"):
        load_model(atlas, device="gpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same(folder, make_finder):
    model, finder = load_model(folder), load_model(make_finder())
    np.testing.assert_allclose(model.predict(WINDOWS), model.predict(WINDOWS, device="cpu"), atol=1e-2)
    np.testing.assert_allclose(model.embed(WINDOWS), model.embed(WINDOWS, device="cpu"), rtol=1e-2, atol=1e-2)
    for on_gpu, on_cpu in zip(finder.maps(WINDOWS[0]), finder.maps(WINDOWS[0], device="cpu"), strict=True):
        np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-2)
