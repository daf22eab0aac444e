"""Accuracy on scans that are sheared, stretched and bent, as slow drift leaves them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.isomers.compare import predicted
from benchmarks.isomers.record import nominal_conditions, record
from benchmarks.isomers.simulations import SEED, SIZES, draw_hard
from particlespy_ml.models.load import load_model
from particlespy_ml.simulation.atoms.structures import ISOMERS
from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe
from particlespy_ml.simulation.recording.detector import DetectorRecipe
from particlespy_ml.training.card import model_folder, read_model
from particlespy_ml.training.isomer.batches import Item, model_items
from particlespy_ml.training.isomer.evaluate import accuracy_with_interval, held_out_items, logits_of
from particlespy_ml.training.isomer.structures_cache import structures

DOSES = (300.0, 1e3, 1e4)  # electrons per Å²
LARGEST = (0.0, 0.03, 0.05)
_EACH = 20  # models of each class


def main(model: str, realisations: int, held_out: Path | None) -> None:
    """Print accuracies on models that were never trained on, and on simulated images of isomers held out."""
    network, card = read_model(model_folder(model))
    simulation = IsomerLibraryRecipe.from_dict(card["training"]["simulation"])
    detector = DetectorRecipe.from_dict(card["training"]["detector"])
    count = len(card["classes"])
    with TemporaryDirectory() as folder:
        drawn = structures(Path(folder), simulation, dict.fromkeys(simulation.classes, _EACH), held_out=True)
    sets = {"incoherent images of models": model_items(drawn, count)}
    if held_out is not None:
        sets["PRISM images"] = held_out_items(held_out, simulation, "test")
    for title, items in sets.items():
        known = [item for item in items if item.label < count]
        print(f"Distorted scans, {len(known)} particles, {title}: largest shear, stretch and bend, right of {count}")
        for dose in DOSES:
            cells = [_accuracy(network, known, detector.nominal(dose), largest, realisations) for largest in LARGEST]
            print(f"  {dose:6g} e/Å²  " + "  ".join(cells))
    print()


def print_agreement(realisations: int) -> None:
    """Print how often network and atlas both give a class, and how often another one."""
    models = [load_model(name) for name in ("isomer-haadf", "isomer-atlas")]
    rng = np.random.default_rng(SEED)
    drawn = [(draw_hard(kind, size, rng).positions, label) for label, kind in enumerate(ISOMERS) for size in SIZES]
    items = model_items([(positions - positions.mean(0), label) for positions, label in drawn for _ in range(4)])
    labels = np.array([item.label for item in items])
    print(f"Network and atlas, {len(items)} particles of {', '.join(map(str, SIZES))} atoms, default probabilities")
    for dose in DOSES:
        for largest in LARGEST:
            conditions = replace(nominal_conditions(dose), distortion=(float(largest > 0), largest))
            said = np.full((2, len(items), realisations), -1)
            for rows, windows in record(items, conditions, realisations, 92):
                for number, model in enumerate(models):
                    told = predicted(model, windows)
                    sure = told.max(-1) >= model.min_probability
                    said[number, rows] = np.where(sure, told.argmax(-1), -1)
            both = (said >= 0).all(0)
            other = (said[0] != said[1])[both].mean()
            cells = [
                f"{name} answers {np.mean(one >= 0):.3f}, right {(one == labels[:, None])[one >= 0].mean():.3f}"
                for name, one in zip(("network", "atlas"), said, strict=True)
            ]
            print(f"  {dose:6g} e/Å², {largest:.0%}: both {both.mean():.3f}, {other:.3f} differ; {'; '.join(cells)}")
    print()


def _accuracy(network, items: list[Item], conditions: DetectorRecipe, largest: float, realisations: int) -> str:
    labels = np.array([item.label for item in items])[:, None]
    seen = replace(conditions, distortion=(float(largest > 0), largest))
    logits = logits_of(network, items, seen, realisations, 91)[..., : labels.max() + 1]
    part = accuracy_with_interval(logits.argmax(-1) == labels)
    low, high = part["interval"]
    return f"{largest:.0%}: {part['accuracy']:.3f} ({low:.3f} to {high:.3f})"
