"""Accuracy that is asked for of isomers: thresholds from validation structures, tried on test structures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.selective import print_selective
from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe
from particlespy_ml.simulation.datasets.store import check_recipe
from particlespy_ml.simulation.recording.detector import DetectorRecipe
from particlespy_ml.training.card import model_folder, read_model
from particlespy_ml.training.isomer.evaluate import held_out_items, logits_of
from particlespy_ml.training.selective import calibrate_selective, with_noise, write_thresholds


def main(model: str, cache: Path, realisations: int, write: bool) -> None:
    """Print accuracy and coverage by dose; with *write*, keep thresholds and numbers on the model's card."""
    network, card = read_model(model_folder(model))
    simulation = IsomerLibraryRecipe.from_dict(card["training"]["simulation"])
    detector = DetectorRecipe.from_dict(card["training"]["detector"])
    check_recipe(cache, simulation)
    parts = {
        part: [item for item in held_out_items(cache, simulation, part) if item.label < len(card["classes"])]
        for part in ("validation", "test")
    }
    network = with_noise(network)

    def record(part: str, conditions: DetectorRecipe, seed: int):
        items = parts[part]
        labels = np.array([item.label for item in items])
        return logits_of(network, items, conditions, realisations, seed), labels, None

    learnt = [
        ("validation", replace(detector, dose=(30.0, 1e5))),
        ("validation", replace(detector.nominal(1e3), dose=(30.0, 1e5))),
    ]
    tried = {
        "nominal": lambda dose: ("test", detector.nominal(dose)),
        "harsh": lambda dose: ("test", replace(detector, dose=(dose, dose))),
    }
    thresholds, told = calibrate_selective(record, learnt, tried, card)
    print(f"{len(parts['validation'])} structures for the thresholds, {len(parts['test'])} for the test")
    print_selective(card["name"], told)
    if write:
        write_thresholds(model_folder(model), thresholds, told)
