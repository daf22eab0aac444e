"""How well a network finds particles on supports, on micrographs that it was never trained on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.models.multiscale_finder import CERTAIN, MultiscaleFinder
from particlespy_ml.segmentation.grid import label_sizes
from particlespy_ml.segmentation.multiscale import candidates, segment_multiscale, view_maps, view_steps
from particlespy_ml.segmentation.score import count_agreement
from particlespy_ml.simulation.micrographs.draw import Micrograph, draw_micrograph
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training.card import versions, write_model
from particlespy_ml.training.multiscale.batches import LARGEST, OUTPUTS, SMALLEST
from particlespy_ml.training.segmentation.evaluate import score_frames

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

SHAPE = (384, 384)
FRAMES = {"validation": 300, "test": 200}
EMPTY_FRAMES = 300
SEEDS = {"validation": 101, "test": 202, "empty": 303}  # those of training are pairs that begin with the recipe's seed
THRESHOLD = 0.52  # of pixels: outlines have the area of the particles, see `benchmarks.supports`
COUNTED = 5.0  # pixels across, of the smallest particles that count
EMPTY = 1 / 3  # share of the frames by which probabilities are told in which there is nothing
SUPPORTED = (("fractal", 0.4), ("spheres", 0.4), ("platelets", 0.1), ("slope", 0.1))
_ROUNDS = 8
FLAT = (("none", 0.4), ("film", 0.6))


def conditions(recipe: MicrographRecipe) -> dict[str, MicrographRecipe]:
    """Return recipes of test micrographs by name."""
    every = replace(recipe, inverted=0.0, empty=0.0, coarser=(0.0, 1.0))
    nominal = replace(every, contrast=(3.0, 16.0), noise=(0.02, 0.5), annotated=0.0, clipped=0.0, scan_noise=0.0)
    return {
        "nominal, supports": replace(nominal, supports=SUPPORTED),
        "nominal, films": replace(nominal, supports=FLAT, mixed=0.0),
        "every fault": every,
    }


def with_empty(recipe: MicrographRecipe) -> MicrographRecipe:
    """Return the recipe of micrographs with every fault, some of which are empty."""
    return replace(conditions(recipe)["every fault"], empty=recipe.empty)


def micrographs(recipe: MicrographRecipe, part: str, count: int) -> Iterator[Micrograph]:
    """Draw the micrographs of a part, "validation", "test" or "empty", of a recipe, one after another."""
    for number in range(count):
        yield draw_micrograph(recipe, SHAPE, np.random.default_rng([7_000_000 + SEEDS[part], number]))


def finder_of(network: torch.nn.Module, card: dict) -> MultiscaleFinder:
    """Return a network that was trained as a model, before it is written."""
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    held = hashlib.sha256()  # networks are kept by it, so that of two with other weights it must differ
    for name in sorted(weights):
        held.update(np.ascontiguousarray(weights[name]).tobytes())
    return MultiscaleFinder({**card, "sha256": f"not yet written, {held.hexdigest()}"}, weights)


def agreement(finder: MultiscaleFinder, seen: Iterator[Micrograph], threshold: float | None = None) -> dict:
    """Scores over micrographs with 95 % intervals, as of `score_frames`, of particles that can be seen.

    Beside these, F1 of those above 8 pixels, and of all, whether they can be seen or not.
    """
    counts: dict[float, list] = {COUNTED: [], 8.0: []}
    of_all = []
    for one in seen:
        labels, _ = segment_multiscale(one.image, finder, threshold, polarity="bright")
        for smallest, rows in counts.items():
            rows.append(count_visible(labels, one, smallest))
        of_all.append(count_agreement(labels, one.labels, smallest=_area(COUNTED)))
    others = {"f1_above_8_px": counts[8.0], "f1_of_all": of_all}
    return {**score_frames(counts[COUNTED]), **{name: score_frames(rows)["f1"] for name, rows in others.items()}}


def count_visible(found: np.ndarray, seen: Micrograph, diameter: float = COUNTED) -> dict[str, int]:
    """Count the particles of a micrograph that match; see `count_agreement`. What nobody could see is hidden.

    Parameters
    ----------
    found
        Labels.
    seen
        The truth.
    diameter
        In pixels, of the smallest that count.
    """
    return count_agreement(found, seen.labels, smallest=_area(diameter), hidden=~seen.visible)


def _area(diameter: float) -> float:
    return np.pi / 4 * diameter**2


def _on_hidden(pairs: np.ndarray, seen: Micrograph) -> np.ndarray:
    """Which of those found lie for the most part on particles that nobody could see, from common pixels."""
    return pairs[1:, 1:] @ ~seen.visible > 0.5 * pairs[1:].sum(1)


def found_and_true(finder: MultiscaleFinder, seen: Iterator[Micrograph]) -> tuple[np.ndarray, np.ndarray]:
    """Return (mean probability, diameter in the view, frame) of what each view shows, and whether it is a particle."""
    rows, right = [], []
    plain = MultiscaleFinder({**finder.card, "detection": [0.0, 1.0, 0.0, 0.0]}, finder.weights)
    for frame, one in enumerate(seen):
        true_sizes = label_sizes(one.labels)
        for step in view_steps(one.image.shape):
            found = candidates(one.image, view_maps(one.image, step, plain), step, plain, finder.threshold)
            number = len(found.evidence)
            if not number:
                continue
            pairs = np.zeros((number + 1, len(true_sizes)))
            np.add.at(pairs, (found.labels.ravel(), one.labels.ravel()), 1)
            sizes = pairs.sum(1)
            union = sizes[1:, None] + true_sizes[None, 1:] - pairs[1:, 1:]
            best = (pairs[1:, 1:] / np.maximum(union, 1)).max(1, initial=0)
            diameter = 2 * np.sqrt(sizes[1:] / np.pi) / step
            counts = ~_on_hidden(pairs, one)
            rows.append(np.stack([found.probability, diameter, np.full(number, frame)], 1)[counts])
            right.append(best[counts] >= 0.5)
    return np.concatenate([np.zeros((0, 3)), *rows]), np.concatenate([np.zeros(0, bool), *right])


def calibrate_detection(finder: MultiscaleFinder, seen: Iterator[Micrograph]) -> list[float]:
    """Return the coefficients that make probabilities of `found_and_true`, for `MultiscaleFinder`."""
    rows, right = found_and_true(finder, seen)
    return [0.0, 1.0, 0.0, 0.0] if right.all() or not right.any() else fit_detection(rows, right)


def fit_detection(rows: np.ndarray, right: np.ndarray, lone: float | None = None) -> list[float]:
    """Return the coefficients that make probabilities of what `found_and_true` returns.

    Parameters
    ----------
    rows, right
        As `found_and_true` returns them.
    lone
        By how much evidence counts less for each unit that is missing to a certain particle in the frame; by default it
        is found too, which takes frames without particles.
    """
    from sklearn.linear_model import LogisticRegression

    inside = np.clip(rows[:, 0], 1e-4, 1 - 1e-4)
    told = np.stack([np.log(inside / (1 - inside)), np.log(rows[:, 1] / 20)], 1)
    frames = rows[:, 2].astype(int)
    missing = np.zeros(len(rows))
    for _ in range(_ROUNDS):  # what is missing follows from the evidence
        fit = LogisticRegression(C=10.0).fit(np.column_stack([told, missing]), right)
        evidence = fit.intercept_[0] + told @ fit.coef_[0, :2]
        most = np.full(frames.max() + 1, -np.inf)
        np.maximum.at(most, frames, evidence)
        missing = np.maximum(CERTAIN - most[frames], 0.0) if lone is None else missing
    lone = max(-float(fit.coef_[0, 2]), 0.0) if lone is None else lone
    return [round(float(value), 4) for value in (fit.intercept_[0], *fit.coef_[0, :2], lone)]


def calibration_error(finder: MultiscaleFinder, seen: Iterator[Micrograph], bins: int = 10) -> float:
    """Mean difference between the probability of what was found and the share of it that are particles."""
    told, right = [], []
    for one in seen:
        labels, probability = segment_multiscale(one.image, finder, min_detection=0.05, polarity="bright")
        if not len(probability):
            continue
        pairs = np.zeros((len(probability) + 1, int(one.labels.max()) + 1))
        np.add.at(pairs, (labels.ravel(), one.labels.ravel()), 1)
        union = pairs.sum(1)[1:, None] + pairs.sum(0)[None, 1:] - pairs[1:, 1:]
        counts = ~_on_hidden(pairs, one)
        told.append(probability[counts])
        right.append((pairs[1:, 1:] / np.maximum(union, 1)).max(1, initial=0)[counts] >= 0.5)
    if not told:
        return 0.0
    told, right = np.concatenate(told), np.concatenate(right)
    which = np.minimum((told * bins).astype(int), bins - 1)
    return float(sum(abs((told - right)[which == k].sum()) for k in range(bins)) / len(told))


def measure_multiscale(finder: MultiscaleFinder, recipe: MicrographRecipe) -> dict:
    """All numbers of a card, on test micrographs."""
    results = {
        name: agreement(finder, micrographs(one, "test", FRAMES["test"])) for name, one in conditions(recipe).items()
    }
    every = conditions(recipe)["every fault"]
    nothing = replace(every, empty=1.0)
    false = [
        len(segment_multiscale(one.image, finder, polarity="bright")[1])
        for one in micrographs(nothing, "empty", EMPTY_FRAMES)
    ]
    return {
        "conditions": results,
        "false_per_empty_frame": round(float(np.mean(false)), 4),
        "empty_frames_with_any": float(np.mean(np.array(false) > 0)),
        "calibration_error": round(
            calibration_error(finder, micrographs(with_empty(recipe), "test", FRAMES["test"])), 4
        ),
    }


def finish_multiscale(network: torch.nn.Module, tables: dict, out_folder: str | Path) -> Path:
    """Calibrate, measure, and write a model, whose weights are of half precision."""
    network = network.half().float().eval()
    recipe = MicrographRecipe.from_dict(tables["detector"])
    card = {
        **tables["model"],
        "architecture": {**tables["model"]["architecture"], "outputs": len(OUTPUTS)},
        "outputs": list(OUTPUTS),
        "normalisation": "see particlespy_ml.segmentation.two_contrasts",
        "threshold": THRESHOLD,
        "diameter_range_px": [SMALLEST, LARGEST * 1.2],
        "detection": [0.0, 1.0, 0.0, 0.0],
    }
    validation = micrographs(with_empty(replace(recipe, empty=EMPTY)), "validation", FRAMES["validation"])
    card["detection"] = calibrate_detection(finder_of(network, card), validation)
    results = measure_multiscale(finder_of(network, card), recipe)
    _logger.info("%s", results)
    card = {
        **card,
        "evaluation": results,
        "evaluation_conditions": f"drawn micrographs of {SHAPE[0]} by {SHAPE[1]} pixels, particles of {COUNTED:g} "
        "pixels and more, matched at an intersection over union of 0.5; particles that the border cuts do not count, "
        "nor do those that cannot be seen (f1_of_all counts them); "
        "intervals of 95 % over micrographs",
        "training": {
            "recipe": tables["training"],
            "seed": tables["training"]["seed"],
            "detector": tables["detector"],
        },
        "versions": versions(),
        **tables["card"],
    }
    return write_model(out_folder, network.half(), card)


def evaluate_multiscale(network: torch.nn.Module, card: dict) -> dict:
    """Measure a model again; see `measure_multiscale`."""
    return measure_multiscale(finder_of(network, card), MicrographRecipe.from_dict(card["training"]["detector"]))
