"""The network that finds particles beside thresholds, on held-out fields."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.segmentation import otsu
from particlespy_ml.models.load import load_model
from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.network import segment_with_network
from particlespy_ml.segmentation.score import count_agreement
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe, load_field
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.imaging import ImagingRecipe, record
from particlespy_ml.training.fields import split_fields
from particlespy_ml.training.segmentation.evaluate import nominal_frames, score_frames

_DOSES = (1e2, 3e2, 1e3, 1e4, 1e5)
_SETTINGS = list(product((0, 1, 2, 4), (False, True)))


def main(folder: Path, cache: Path, frames: int) -> None:
    """Print scores on frames of 12 nm of held-out fields."""
    from skimage.measure import label

    model = load_model(folder)
    recipe = ExitWaveRecipe.from_dict(model.card["training"]["simulation"])
    check_recipe(cache, recipe)
    detector = ImagingRecipe.from_dict(model.card["training"]["detector"])
    indices = split_fields(entry_indices(cache), recipe)["test"][:frames]
    for title, conditions in (
        ("paper's optics, focus within 50 nm, 0.5 Å pixels", lambda dose: nominal_frames(detector, dose)),
        ("every fault of the training", lambda dose: replace(detector, dose=(dose, dose), scale_error=0.03)),
    ):
        print(f"Particles of {len(indices)} held-out fields, {title}: IoU of the masks, F1 at an IoU of 0.5")
        for dose in _DOSES:
            recorded = []
            for index in indices:
                seen = record(
                    load_field(cache, index),
                    conditions(dose),
                    np.random.default_rng([71, index]),
                    view=118.0,
                    outlines=True,
                )
                recorded.append((seen.image, label(seen.labels, background=0), seen.pixel_size / 10))
            _print_scores(_scores(recorded, model), f"{dose:>8.0f} e/Å²")
    print()


def _scores(recorded: list, model) -> dict[str, dict]:
    """Scores of the network, of the default without a network, and of Otsu's settings."""
    counts: dict[str, list] = {}
    for image, truth, pixel_size in recorded:
        found = {
            "network": segment_with_network(image, (pixel_size,) * 2, model),
            'method="auto"': segment_automatic(image, (pixel_size,) * 2),
            **{f"Otsu {s} {w}": otsu(image, True, s, w) for s, w in _SETTINGS},
        }
        for name, labels in found.items():
            counts.setdefault(name, []).append(count_agreement(labels, truth))
    return {name: score_frames(rows) for name, rows in counts.items()}


def _print_scores(scores: dict[str, dict], title: str) -> None:
    thresholds = {name: part for name, part in scores.items() if name.startswith("Otsu")}
    best = {key: max(part[key]["value"] for part in thresholds.values()) for key in ("iou", "f1")}
    cells = []
    for name in ("network", 'method="auto"'):
        part = scores[name]
        texts = (
            f"{p['value']:.3f} ({p['interval'][0]:.3f} to {p['interval'][1]:.3f})" for p in (part["iou"], part["f1"])
        )
        iou, f1 = texts
        cells.append(f"{name} {iou}, {f1}")
    plain = thresholds["Otsu 0 False"]
    cells.append(f"Otsu {plain['iou']['value']:.3f}, {plain['f1']['value']:.3f}")
    cells.append(f"best of {len(thresholds)} settings chosen with the truth {best['iou']:.3f}, {best['f1']:.3f}")
    print(f"  {title}  " + "; ".join(cells))
