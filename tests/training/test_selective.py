"""Thresholds of a made classifier, found on one part of its images and tried on another."""

import json

import numpy as np
import torch

from particlespy_ml.classification.selective import Thresholds
from particlespy_ml.training.selective import calibrate_selective, split, with_noise, write_thresholds

CARD = {"classes": ["a", "b"], "temperature": 2.0}


def record(part, noise, seed):
    """Outputs of images that are right the less often the more noise they have, and labels."""
    rng = np.random.default_rng([seed, part == "test"])
    labels = rng.integers(2, size=150)
    sure = rng.normal(3 * (1 - noise), 2.0, size=(150, 4))
    logits = np.zeros((150, 4, 2))
    np.put_along_axis(logits, np.broadcast_to(labels[:, None, None], (150, 4, 1)), sure[..., None], 2)
    shares = np.full((150, 4, 1), noise) + 0.01 * rng.random((150, 4, 1))
    return np.concatenate([2 * logits, shares], axis=2), labels, None


def test_what_is_asked_for_is_what_comes():
    learnt = [("validation", noise) for noise in np.linspace(0.05, 0.95, 10)]
    thresholds, told = calibrate_selective(record, learnt, {"made": lambda dose: ("test", 30 / dose)}, CARD)
    for target, by_dose in told["made"].items():
        for dose, one in by_dose.items():
            if one["coverage"] > 0.1:
                assert one["accuracy"] > float(target) - 0.04, (target, dose)
                assert one["interval"][0] <= one["accuracy"] <= one["interval"][1]
    coverage = [told["made"]["0.95"][dose]["coverage"] for dose in ("300", "1000", "10000")]
    assert coverage[0] <= coverage[1] <= coverage[2] and coverage[2] > 0.5
    assert told["made"]["0.9"]["1000"]["coverage"] >= told["made"]["0.98"]["1000"]["coverage"]


def test_the_network_tells_the_noise_too():
    network = with_noise(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 2)))
    windows = torch.randn(3, 1, 16, 16)
    with torch.inference_mode():
        found = network(windows).numpy()
    noise, probabilities = split(found[:, None], 1.0, 2)
    assert found.shape == (3, 3) and np.abs(noise - 1).max() < 0.2
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


def test_a_card_gets_them_and_loses_nothing(tmp_path):
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    thresholds = Thresholds(np.array([0.1, 0.5]), np.array([0.9]), np.array([[0.2], [0.4]]))
    write_thresholds(tmp_path, thresholds, {"made": {}})
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["classes"] == ["a", "b"] and card["selective_by_dose"] == {"made": {}}
    np.testing.assert_allclose(Thresholds.from_card(card).at(np.array([0.3]), 0.9), 0.3)
