"""Accuracy that is asked for, and what comes of it: thresholds from validation fields, tried on test fields."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.selective import print_selective
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training.card import model_folder, read_model
from particlespy_ml.training.crystallinity.evaluate import held_out, particle_logits
from particlespy_ml.training.selective import calibrate_selective, with_noise, write_thresholds


def main(model: Path, cache: Path, realisations: int, write: bool) -> None:
    """Print accuracy and coverage by dose; with *write*, keep thresholds and numbers on the model's card."""
    network, card = read_model(model_folder(model))
    simulation = ExitWaveRecipe.from_dict(card["training"]["simulation"])
    detector = ImagingRecipe.from_dict(card["training"]["detector"])
    parts = {part: held_out(cache, simulation, part) for part in ("validation", "test")}
    network = with_noise(network)

    def record(part: str, conditions: ImagingRecipe, seed: int):
        rows = np.flatnonzero(parts[part].rows)
        return particle_logits(network, parts[part], rows, conditions, realisations, seed), parts[part].labels[rows]

    doses = {"dose": (1e2, 1e5)}
    learnt = [
        ("validation", replace(detector, **doses)),
        ("validation", replace(detector.nominal(1e3), **doses)),
    ]
    tried = {
        "nominal": lambda dose: ("test", detector.nominal(dose)),
        "harsh": lambda dose: ("test", replace(detector, dose=(dose, dose))),
    }
    thresholds, told = calibrate_selective(record, learnt, tried, card)
    print_selective(Path(model).name, told)
    if write:
        write_thresholds(model_folder(model), thresholds, told)
