"""The network that finds particles beside thresholds, on held-out fields."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.segmentation import otsu
from particlespy_ml.core.resample import nearest_map
from particlespy_ml.models.load import load_model
from particlespy_ml.segmentation.automatic import segment_automatic
from particlespy_ml.segmentation.network import labels_from_maps, maps_from_labels, segment_with_network
from particlespy_ml.segmentation.score import count_agreement
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe, Field, load_field
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.imaging import ImagingRecipe, record
from particlespy_ml.training.fields import FRAME_PIXEL, split_fields
from particlespy_ml.training.segmentation.evaluate import nominal_frames, score_frames

_DOSES = (1e2, 3e2, 1e3, 1e4, 1e5)
_SETTINGS = list(product((0, 1, 2, 4), (False, True)))


def main(folder: Path, cache: Path, frames: int) -> None:
    """Print scores on frames of 12 nm of held-out fields."""
    model = load_model(folder)
    recipe = ExitWaveRecipe.from_dict(model.card["training"]["simulation"])
    check_recipe(cache, recipe)
    detector = ImagingRecipe.from_dict(model.card["training"]["detector"])
    indices = split_fields(entry_indices(cache), recipe)["test"][:frames]
    on_oxides = [index for index in indices if load_field(cache, index).parameters["crystalline"]]
    for title, conditions in (
        ("paper's optics, focus within 50 nm, 0.5 Å pixels", lambda dose: nominal_frames(detector, dose)),
        ("every fault of the training", lambda dose: replace(detector, dose=(dose, dose), scale_error=0.03)),
    ):
        for support, chosen in (("films", [i for i in indices if i not in on_oxides]), ("oxides", on_oxides)):
            print(
                f"Particles of {len(chosen)} held-out fields on {support}, {title}: IoU of the masks, F1 at an IoU "
                "of 0.5"
            )
            for dose in _DOSES if chosen else ():
                recorded = [_recorded(load_field(cache, index), conditions(dose)) for index in chosen]
                _print_scores(_scores(recorded, model), f"{dose:>8.0f} e/Å²")
    print()


def _recorded(field: Field, conditions: ImagingRecipe) -> tuple[np.ndarray, np.ndarray, float]:
    """Image, true labels, and pixel size in nm."""
    from skimage.measure import label

    seen = record(field, conditions, np.random.default_rng([71, field.index]), view=118.0, outlines=True)
    return seen.image, label(seen.labels, background=0), seen.pixel_size / 10


def _from_true_maps(truth: np.ndarray, pixel_size: float) -> np.ndarray:
    """Particles that a network without a fault would find: those that overlap too much are still one."""
    coarse = nearest_map(truth, tuple(round(n * pixel_size * 10 / FRAME_PIXEL) for n in truth.shape))
    return nearest_map(labels_from_maps(*maps_from_labels(coarse), 0.5, 0.08), truth.shape)


def _scores(recorded: list, model) -> dict[str, dict]:
    """Scores of the network, of true maps, of the default without a network, and of Otsu's settings."""
    counts: dict[str, list] = {}
    for image, truth, pixel_size in recorded:
        found = {
            "network": segment_with_network(image, (pixel_size,) * 2, model),
            "true maps": _from_true_maps(truth, pixel_size),
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
    for name in ("network", "true maps", 'method="auto"'):
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
