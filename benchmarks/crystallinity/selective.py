"""Accuracy that is asked for, and what comes of it: thresholds from validation fields, tried on test fields."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.selective import print_selective
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training.card import model_folder, read_model
from particlespy_ml.training.crystallinity.evaluate import held_out, logits_and_lattices
from particlespy_ml.training.selective import calibrate_selective, with_noise, write_thresholds


def main(model: Path, cache: Path, realisations: int, write: bool) -> None:
    """Print accuracy and coverage by dose; with *write*, keep thresholds and numbers on the model's card."""
    network, card = read_model(model_folder(model))
    simulation = ExitWaveRecipe.from_dict(card["training"]["simulation"])
    detector = ImagingRecipe.from_dict(card["training"]["detector"])
    network = with_noise(network)
    rows: dict[str, tuple] = {}
    for part in ("validation", "test"):
        data = held_out(cache, simulation, part)
        rows[part] = data, np.flatnonzero(data.rows)
        for support, on in (("films", ~data.crystalline), ("oxides", data.crystalline)):
            rows[f"{part} {support}"] = data, np.flatnonzero(data.rows & on)

    def record(part: str, conditions: ImagingRecipe, seed: int):
        data, chosen = rows[part]
        outputs, lattice = logits_and_lattices(network, data, chosen, conditions, realisations, seed)
        return outputs, data.labels[chosen], lattice

    doses = {"dose": (1e2, 1e5)}
    learnt = [
        ("validation", replace(detector, **doses)),
        ("validation", replace(detector.nominal(1e3), **doses)),
    ]
    tried = {}
    for support in ("films", "oxides"):
        if len(rows[f"test {support}"][1]):
            part = f"test {support}"
            tried[f"nominal, {support}"] = lambda dose, part=part: (part, detector.nominal(dose))
            tried[f"harsh, {support}"] = lambda dose, part=part: (part, replace(detector, dose=(dose, dose)))
    thresholds, told = calibrate_selective(record, learnt, tried, card)
    print_selective(Path(model).name, told)
    if write:
        write_thresholds(model_folder(model), thresholds, told)
