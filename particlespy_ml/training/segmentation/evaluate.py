"""How well a network finds particles, on fields that it was never trained on."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.models.networks import fuse
from particlespy_ml.segmentation.network import labels_from_maps, scale_frame
from particlespy_ml.segmentation.score import count_agreement
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe, load_field
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training.card import versions, write_model
from particlespy_ml.training.fields import FRAME_PIXEL, record_frame, split_fields

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

DOSES = (1e2, 3e2, 1e3, 3e3, 1e4, 1e5)
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
_QUALITY = ("f1", "iou")  # whose mean the threshold makes largest
FRAME = 112  # pixels of `FRAME_PIXEL` along each edge of the test frames: less than a field, which is periodic


def frame_maps(
    network: torch.nn.Module, folder: str | Path, indices: list[int], recipe: ImagingRecipe, seed: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return (probability, depth, true labels) of one recorded frame of each field."""
    import torch

    network = fuse(network).to(memory_format=torch.channels_last)
    found = []
    with torch.inference_mode():
        for index in indices:
            rng = np.random.default_rng([seed, index])
            frame, labels = record_frame(load_field(folder, index), recipe, rng, FRAME)
            maps = network(torch.from_numpy(scale_frame(frame))[None, None])[0].sigmoid().numpy()
            found.append((maps[0], maps[1], labels))
    return found


def agreement(found: list, threshold: float, split_depth: float = 0.08, min_diameter: float = 8.0) -> dict:
    """Scores over frames, with 95 % intervals over fields; see `score_frames`."""
    counts = []
    smallest = np.pi / 4 * (min_diameter / FRAME_PIXEL) ** 2
    for probability, depth, truth in found:
        labels = labels_from_maps(probability, depth, threshold, split_depth)
        labels = np.where((np.bincount(labels.ravel()) >= smallest)[labels], labels, 0)
        truth = np.where((np.bincount(truth.ravel()) >= smallest)[truth], truth, 0)
        counts.append(count_agreement(labels, truth))
    return score_frames(counts)


def score_frames(counts: list[dict[str, int]]) -> dict:
    """Pool what `count_agreement` counted in frames.

    Returns
    -------
    dict
        ``iou`` of the masks, ``f1``, ``precision`` and ``recall`` of the particles at an intersection over union of
        0.5, each with its ``interval`` of 95 % over frames, and the number of ``frames`` and ``particles``.
    """
    names = ("intersection", "union", "matched", "missed", "wrong")
    table = np.array([[row[name] for name in names] for row in counts], float)

    def scores(rows: np.ndarray) -> np.ndarray:
        inside, union, matched, missed, wrong = rows.sum(0)
        return np.array(
            [
                inside / max(union, 1),
                2 * matched / max(2 * matched + missed + wrong, 1),
                matched / max(matched + wrong, 1),
                matched / max(matched + missed, 1),
            ]
        )

    rng = np.random.default_rng(0)
    drawn = np.array([scores(table[rng.integers(len(table), size=len(table))]) for _ in range(1000)])
    edges = np.quantile(drawn, [0.025, 0.975], axis=0)
    value = scores(table)
    return {
        **{
            name: {"value": round(float(value[i]), 4), "interval": edges[:, i].round(4).tolist()}
            for i, name in enumerate(("iou", "f1", "precision", "recall"))
        },
        "frames": len(table),
        "particles": int(table[:, 2:4].sum()),
    }


def nominal_frames(recipe: ImagingRecipe, dose: float) -> ImagingRecipe:
    """Well-run microscope at a pixel of 0.5 Å, with focus within 50 nm: where particles are seen, not resolved."""
    return replace(recipe.nominal(dose, pixel_size=0.5), defocus=(100.0, 500.0))


def measure_segmentation(
    network: torch.nn.Module, folder: str | Path, indices: list[int], recipe: ImagingRecipe, threshold: float
) -> dict:
    """All numbers of a card, on held-out fields: nominal and harsh conditions at several doses.

    Fields on crystals, where there are some, are apart from those on amorphous films.
    """
    conditions = {
        "nominal": lambda dose: nominal_frames(recipe, dose),
        "harsh": lambda dose: replace(recipe, dose=(dose, dose), scale_error=0.03),
    }
    on_crystals = [i for i in indices if load_field(folder, i).parameters.get("crystalline", False)]
    sets = {"": [i for i in indices if i not in on_crystals], " on crystals": on_crystals}
    return {
        f"{name}{where}": {
            f"{dose:g}": agreement(frame_maps(network, folder, chosen, make(dose), 31), threshold) for dose in DOSES
        }
        for where, chosen in sets.items()
        if chosen
        for name, make in conditions.items()
    }


def choose_threshold(network: torch.nn.Module, folder: str | Path, indices: list[int], recipe: ImagingRecipe) -> float:
    """Threshold with the best mean of F1 and intersection over union.

    Of nominal frames of 1e3 and 1e4 e/Å², and of others with every fault.
    """
    conditions = [
        nominal_frames(recipe, 1e3),
        nominal_frames(recipe, 1e4),
        replace(recipe, dose=(1e3, 1e5), scale_error=0.03),
    ]
    sets = [frame_maps(network, folder, indices, one, 17) for one in conditions]

    def quality(threshold: float) -> float:
        return sum(scores[name]["value"] for scores in (agreement(one, threshold) for one in sets) for name in _QUALITY)

    return max(THRESHOLDS, key=quality)


def finish_segmentation(
    network: torch.nn.Module, tables: dict, cache_folder: str | Path, out_folder: str | Path, n_training: int
) -> Path:
    """Choose the threshold on the validation part of the cache, measure on the test part, write the folder."""
    recipe = ExitWaveRecipe.from_dict(tables["simulation"])
    detector = ImagingRecipe.from_dict(tables["detector"])
    parts = split_fields(entry_indices(cache_folder), recipe)
    threshold = choose_threshold(network, cache_folder, parts["validation"], detector)
    results = measure_segmentation(network, cache_folder, parts["test"], detector, threshold)
    _logger.info("threshold %s, at 1e3 e/Å² %s", threshold, results["nominal"]["1000"])
    card = {
        **tables["model"],
        "architecture": {**tables["model"]["architecture"], "outputs": 2},
        "outputs": ["particle", "depth"],
        "pixel_size": {"value": FRAME_PIXEL, "unit": "Å"},
        "normalisation": "frame less its median, over its median absolute deviation times 1.4826, clipped at 6",
        "threshold": threshold,
        "evaluation": results["nominal"],
        "evaluation_conditions": "held-out fields, 0.5 Å pixels, optics of Gumbiowski et al. with focus within 50 nm; "
        "particles that the border cuts do not count; intervals of 95 % over fields",
        "evaluation_harsh": results["harsh"],
        "evaluation_harsh_conditions": "the same fields with everything that the detector recipe draws",
        "evaluation_on_crystals": results.get("nominal on crystals", {}),
        "evaluation_on_crystals_harsh": results.get("harsh on crystals", {}),
        "evaluation_on_crystals_conditions": "held-out fields whose support is a crystal of an oxide that was never "
        "trained on",
        "training": {
            "recipe": tables["training"],
            "seed": tables["training"]["seed"],
            "simulation": tables["simulation"],
            "detector": tables["detector"],
            "fields": n_training,
        },
        "versions": versions(),
        **tables["card"],
    }
    return write_model(out_folder, network, card)


def evaluate_segmentation(network: torch.nn.Module, card: dict, cache_folder: str | Path) -> dict:
    """Measure a model on the test part of a cache; see `measure_segmentation`."""
    recipe = ExitWaveRecipe.from_dict(card["training"]["simulation"])
    check_recipe(cache_folder, recipe)
    indices = split_fields(entry_indices(cache_folder), recipe)["test"]
    detector = ImagingRecipe.from_dict(card["training"]["detector"])
    return measure_segmentation(network, cache_folder, indices, detector, float(card["threshold"]))
