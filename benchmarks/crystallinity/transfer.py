"""Does it transfer: models trained on carbon, on carbon and silicon, and on drawn patterns, each tested on all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.datasets.exit_waves import load_field
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.simulation.recording.patterns import draw_pattern
from particlespy_ml.training.crystallinity.evaluate import held_out, particle_logits
from particlespy_ml.training.crystallinity.train import training_fields
from particlespy_ml.training.fields import PatternMaker, WindowMaker
from particlespy_ml.training.isomer.batches import CANONICAL, window_for
from particlespy_ml.training.isomer.evaluate import accuracy_with_interval
from particlespy_ml.training.loop import checkpoint_path, fit
from particlespy_ml.training.recipe import load_recipe

_PATTERNS = 400


def main(cache: Path, steps: int, workers: int) -> None:
    """Train the three models, or take them from their checkpoints, and print the table."""
    tables = load_recipe("crystallinity-hrtem")
    recipe, indices = training_fields(tables, cache)
    detector = ImagingRecipe.from_dict(tables["detector"])
    carbon = [index for index in indices if load_field(cache, index).parameters["film"] == "C"]
    mixed = sorted(np.random.default_rng(0).choice(indices, len(carbon), replace=False).tolist())
    fields = {"carbon": carbon, "carbon and silicon": mixed, "patterns": []}
    makers = {
        name: WindowMaker(cache, chosen, detector, len(CRYSTALLINITY)) if chosen else PatternMaker(recipe.diameters)
        for name, chosen in fields.items()
    }
    stages = [
        {"steps": steps * 3 // 4, "learning_rate": 2e-3, "final_rate": 0.2, "detector": {"dose": [3e2, 1e5]}},
        {"steps": steps // 4, "learning_rate": 4e-4, "frozen_norm": True},
    ]
    training = {**tables["training"], "stages": stages}
    architecture = {**tables["model"]["architecture"], "n_classes": len(CRYSTALLINITY)}
    architecture.pop("views", None)  # one view: what is compared is what was trained on
    data = held_out(cache, recipe, "test")
    film, rows = data.parameter("film"), np.flatnonzero(data.rows)
    print(f"Transfer: {steps} steps of {training['batch']} images each, paper's optics, 1e4 e/Å², three classes")
    print(f"  {'trained on':<20} {'on carbon':<24} {'on silicon':<24} on patterns")
    for name, maker in makers.items():
        told = (architecture, training, tables["simulation"], tables["detector"], fields[name])
        checkpoint = checkpoint_path(cache, "transfer", name.replace(" ", "-"), *told)
        network = fit(maker, architecture, training, checkpoint, workers=workers)
        cells = []
        for chosen in ("C", "Si"):
            part = rows[film[rows] == chosen]
            logits = particle_logits(network, data, part, detector.nominal(1e4), 2, 51)
            cells.append(accuracy_with_interval(logits.argmax(-1) == data.labels[part][:, None]))
        cells.append(_on_patterns(network))
        texts = [f"{c['accuracy']:.3f} ({c['interval'][0]:.3f} to {c['interval'][1]:.3f})" for c in cells]
        print(f"  {name:<20} " + " ".join(f"{text:<24}" for text in texts))
    print(f"  {len(carbon)} fields for each of the first two\n")


def _on_patterns(network) -> dict:
    import torch

    right = []
    with torch.inference_mode():
        for number in range(_PATTERNS):
            rng = np.random.default_rng([61, number])
            label = number % len(CRYSTALLINITY)
            diameter = float(np.exp(rng.uniform(*np.log((10.0, 60.0)))))
            image = draw_pattern(CRYSTALLINITY[label], diameter, window_for(diameter), CANONICAL, rng)
            right.append(int(network(torch.from_numpy(standardise(image[None]))[:, None]).argmax()) == label)
    return accuracy_with_interval(np.array(right)[:, None])
