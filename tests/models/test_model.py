"""What models do with windows and frames."""

import pickle

import numpy as np

from particlespy_ml.models.load import load_model
from particlespy_ml.models.model import ParticleFinder
from particlespy_ml.training.card import update_card


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


def test_a_model_that_rejects_has_one_more_output(folder):
    update_card(folder, classes=["a", "b", "c"], rejects=True)
    model = load_model(folder)
    assert model.rejects
    probabilities = model.predict(np.random.default_rng(0).normal(size=(5, 48, 48)).astype(np.float32))
    assert probabilities.shape == (5, 3)
    assert (probabilities.sum(1) < 1).all()


def test_a_model_that_finds_particles(make_finder):
    model = load_model(make_finder())
    assert isinstance(model, ParticleFinder) and model.threshold == 0.5
    assert model.in_pixel_range((0.1, 0.1)) and not model.in_pixel_range((0.1, 0.3))
    frame = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
    for first, second in zip(model.maps(frame), model.maps(frame), strict=True):
        assert first.shape == frame.shape and 0 <= first.min() and first.max() <= 1
        np.testing.assert_array_equal(first, second)


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
