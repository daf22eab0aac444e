"""How good a model is: accuracy with intervals, calibration, coverage, on simulations it was never trained on."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.core.proportions import wilson_interval
from particlespy_ml.models.networks import fuse
from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.detector import DetectorRecipe, detect
from particlespy_ml.training.isomer.batches import (
    CANONICAL,
    STEP,
    Item,
    clean_images,
    prism_items,
    split_indices,
)

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

DOSES = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 1e5)
PIXEL_SIZES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # Å
SOURCE_SIZES = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4)  # Å, full width at half maximum
OFF_CENTRING = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)  # Å, rms distance from the middle of the window
SIZE_EDGES = (0.8, 1.5, 2.0, 2.5, 3.0, 4.5)  # nm


def logits_of(
    network: torch.nn.Module, items: list[Item], recipe: DetectorRecipe, realisations: int = 4, seed: int = 0
) -> np.ndarray:
    """Return the logits of items that are recorded several times, shape (items, realisations, classes).

    Each realisation has its own in-plane orientation, position, noise and whatever else the recipe draws. Up to 8 items
    are recorded together with one pixel size, in another company each time.
    """
    import torch

    network = fuse(network).to(memory_format=torch.channels_last)
    return features_of(network, items, recipe, realisations, seed)


def features_of(
    network: torch.nn.Module,
    items: list[Item],
    recipe: DetectorRecipe,
    realisations: int,
    seed: int,
    show_progressbar: bool = False,
) -> np.ndarray:
    """Return what a network, or a part of one, makes of recorded items; see `logits_of`."""
    import torch
    from tqdm.auto import trange

    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    windows = np.array([item.window for item in items])
    result: list = []
    with torch.inference_mode():
        for _ in trange(realisations, desc="Recording", disable=not show_progressbar):
            outputs: list = [None] * len(items)
            for window in np.unique(windows):
                rows = rng.permutation(np.flatnonzero(windows == window))
                for group in np.array_split(rows, -(-len(rows) // 8)):
                    made = _record_and_classify(network, [items[row] for row in group], recipe, rng, generator)
                    for row, values in zip(group, made, strict=True):
                        outputs[row] = values
            result.append(np.stack(outputs))
    return np.stack(result, axis=1)


def _record_and_classify(network, items, recipe, rng, generator) -> np.ndarray:
    clean, radius = clean_images(items, rng, generator, recipe.single_annuli)
    window = items[0].window
    windows = standardise(detect(clean, radius, recipe, generator, window=window, step=STEP, canonical=CANONICAL))
    return network(windows[:, None]).numpy()


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities of the classes, along the last axis."""
    from scipy.special import softmax as of

    return of(np.asarray(logits, dtype=float) / temperature, axis=-1)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Temperature that minimises the cross-entropy of held-out logits.

    References
    ----------
    C. Guo et al., ICML, PMLR 70, 1321 (2017).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def cross_entropy(log_temperature: float) -> float:
        values = log_softmax(logits / np.exp(log_temperature), axis=-1)
        return -np.take_along_axis(values, labels[..., None], -1).mean()

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-2, 2), method="bounded").x))


def accuracy_with_interval(right: np.ndarray, seed: int = 0, draws: int = 2000) -> dict:
    """Accuracy with a 95 % interval over structures.

    Realisations of one structure are not independent, so whole structures are drawn anew (cluster bootstrap). Where
    structures are few or all alike, the bootstrap has too little spread: the Wilson interval of as many independent
    images as there are structures is taken where all structures are alike.

    Parameters
    ----------
    right
        Whether each classification was right, shape (structures, realisations).
    """
    right = np.asarray(right, dtype=float)
    means = right.mean(1)
    rng = np.random.default_rng(seed)
    drawn = means[rng.integers(len(means), size=(draws, len(means)))].mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    alike = np.ptp(means) == 0 or np.isin(means, (0, 1)).all()
    wilson = wilson_interval(means.mean(), len(means)) if alike else (low, high)
    low, high = min(low, wilson[0]), max(high, wilson[1])
    return {
        "accuracy": round(float(means.mean()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "n": int(right.size),
        "structures": len(means),
    }


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Share of each predicted class (columns) among the images of each true class (rows).

    Images whose prediction is -1 are undefined: they count for the row, but for no column.
    """
    from sklearn import metrics

    counts = metrics.confusion_matrix(labels.ravel(), predicted.ravel(), labels=[*range(n_classes), -1])[:-1]
    return counts[:, :-1] / np.maximum(counts.sum(1, keepdims=True), 1)


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy over bins of equal numbers of images.

    References
    ----------
    C. Guo et al., ICML, PMLR 70, 1321 (2017); equal-mass bins.
    """
    confidence = probabilities.max(-1).ravel()
    right = (probabilities.argmax(-1) == labels).ravel()
    order = np.argsort(confidence)
    parts = np.array_split(order, min(bins, max(1, len(order) // 10)))
    return float(sum(len(p) * abs(confidence[p].mean() - right[p].mean()) for p in parts) / len(order))


def coverage_curve(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, list[float]]:
    """Accuracy among the images whose probability is at least a threshold, against the share of images kept."""
    confidence = probabilities.max(-1).ravel()
    right = (probabilities.argmax(-1) == labels).ravel()
    order = np.argsort(-confidence)
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    keep = np.unique(np.linspace(max(1, len(order) // 20), len(order), 40).astype(int)) - 1
    return {
        "coverage": [round(float(k + 1) / len(order), 4) for k in keep],
        "accuracy": [round(float(accuracy[k]), 4) for k in keep],
        "min_probability": [round(float(confidence[order][k]), 4) for k in keep],
    }


def threshold_for(probabilities: np.ndarray, labels: np.ndarray, wanted: float = 0.95) -> float:
    """Smallest probability above which the wanted share of classifications is right (0.999 where none is)."""
    confidence = probabilities.max(-1).ravel()
    right = (probabilities.argmax(-1) == labels).ravel()
    order = np.argsort(-confidence)
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(accuracy >= wanted)
    return float(round(confidence[order][enough[-1]], 3)) if len(enough) else 0.999


def calibrate(
    network: torch.nn.Module,
    items: list[Item],
    recipe: DetectorRecipe,
    n_classes: int,
    seed: int = 11,
    doses: tuple[float, float] = (100.0, 1e5),
    dose: float = 1e3,
    only_classes: bool = False,
) -> dict:
    """Temperature over a range of *doses* in e/Å², and the probability that makes 95 % right at one *dose*.

    Items whose label is *n_classes* are none of the classes: no class is right for them. With *only_classes* they count
    for the probability alone, and the temperature calibrates the probabilities of the classes.
    """
    labels = _labels(items)
    mixed = logits_of(network, items, replace(recipe, dose=doses), 8, seed)
    rows = np.flatnonzero(labels[:, 0] < n_classes) if only_classes else slice(None)
    temperature = fit_temperature(mixed[rows], np.broadcast_to(labels, mixed.shape[:2])[rows])
    at_dose = softmax(logits_of(network, items, replace(recipe, dose=(dose, dose)), 8, seed + 1), temperature)
    return {
        "temperature": round(temperature, 4),
        "min_probability": threshold_for(at_dose[..., :n_classes], labels),
    }


def _labels(items: list[Item]) -> np.ndarray:
    return np.array([item.label for item in items])[:, None]


def measure(
    network: torch.nn.Module,
    items: list[Item],
    recipe: DetectorRecipe,
    calibration: dict,
    n_classes: int,
    realisations: int = 16,
) -> dict:
    """All numbers of a card, on held-out items.

    Parameters
    ----------
    network, items, recipe
        What is measured, on what, and the microscope.
    calibration
        ``temperature`` and ``min_probability`` of the model, as from `calibrate`.
    n_classes
        Number of classes; items of a larger label are out of range.
    realisations
        Times that each structure is recorded under each condition.

    Returns
    -------
    dict
        Accuracy with intervals over structures at several doses under ``nominal`` conditions (a well-run microscope,
        `DetectorRecipe.nominal`) and ``harsh`` ones (everything that training draws), by size, pixel size, source size
        and off-centring, ``confusion`` matrices, calibration errors, accuracy-against-coverage curves and how well
        what is out of range is told apart (area under the receiver operating characteristic).
    """
    known = [item for item in items if item.label < n_classes]
    others = [item for item in items if item.label >= n_classes]
    labels = _labels(known)

    def probabilities(conditions: DetectorRecipe, of: list[Item] = known, seed: int = 21) -> np.ndarray:
        return softmax(logits_of(network, of, conditions, realisations, seed), calibration["temperature"])[
            ..., :n_classes
        ]

    def accuracy(values: np.ndarray, rows=slice(None)) -> dict:
        return accuracy_with_interval((values.argmax(-1) == labels)[rows])

    at_1000 = recipe.nominal(1e3)
    nominal = {dose: probabilities(recipe.nominal(dose)) for dose in DOSES}
    harsh = {dose: probabilities(replace(recipe, dose=(dose, dose))) for dose in DOSES}
    sweeps = {
        "by_pixel_size_at_1000": {
            size: replace(recipe.nominal(1e3, pixel_size=size), binning=False) for size in PIXEL_SIZES
        },
        "by_source_size_at_1000": {size: recipe.nominal(1e3, source_fwhm=size) for size in SOURCE_SIZES},
        "by_off_centring_at_1000": {rms: replace(at_1000, off_centre=rms / np.sqrt(2)) for rms in OFF_CENTRING},
    }
    curves = {
        name: {f"{value:g}": accuracy(probabilities(conditions)) for value, conditions in sweep.items()}
        for name, sweep in sweeps.items()
    }
    diameter = np.array([2 * item.radius / 10 for item in known])
    bins = list(zip(SIZE_EDGES[:-1], SIZE_EDGES[1:], strict=True))
    inside = {f"{low}-{high} nm": (diameter >= low) & (diameter < high) for low, high in bins}
    every_label = np.broadcast_to(labels, nominal[1e3].shape[:2])
    every_harsh = np.concatenate([harsh[dose] for dose in DOSES if dose >= 100], axis=1)
    return {
        "nominal": {f"{dose:g}": accuracy(values) for dose, values in nominal.items()},
        "harsh": {f"{dose:g}": accuracy(values) for dose, values in harsh.items()},
        "by_size_at_1000": {name: accuracy(nominal[1e3], rows) for name, rows in inside.items() if rows.any()},
        **curves,
        "confusion": {
            f"{dose:g}": confusion_matrix(every_label, nominal[dose].argmax(-1), n_classes).round(4).tolist()
            for dose in (300.0, 1e3, 1e4)
        },
        "confusion_above_min_probability": confusion_matrix(
            every_label,
            np.where(nominal[1e3].max(-1) >= calibration["min_probability"], nominal[1e3].argmax(-1), -1),
            n_classes,
        )
        .round(4)
        .tolist(),
        "calibration_error_harsh": round(expected_calibration_error(every_harsh, labels), 4),
        "calibration_error_nominal_1000": round(expected_calibration_error(nominal[1e3], labels), 4),
        "coverage_nominal_1000": coverage_curve(nominal[1e3], labels),
        "coverage_harsh_1000": coverage_curve(harsh[1e3], labels),
        "out_of_range": {
            f"{dose:g}": auroc_with_interval(nominal[dose].max(-1), probabilities(recipe.nominal(dose), others).max(-1))
            for dose in (1e3, 1e4)
            if others
        },
    }


def auroc_with_interval(known: np.ndarray, others: np.ndarray, seed: int = 0, draws: int = 1000) -> dict:
    """Probability that a known image scores above one out of range, with a 95 % interval over structures.

    Parameters
    ----------
    known, others
        Largest class probability, shapes (structures, realisations).
    """
    from scipy.stats import mannwhitneyu

    def score(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Areas of several draws at once, of shapes (draws, structures, realisations)."""
        first, second = (values.reshape(len(values), -1) for values in (first, second))
        found = mannwhitneyu(first, second, axis=1, method="asymptotic").statistic
        return found / (first.shape[1] * second.shape[1])

    rng = np.random.default_rng(seed)
    chosen = [[rng.integers(len(values), size=len(values)) for values in (known, others)] for _ in range(draws)]
    drawn = np.concatenate(
        [
            score(
                *(values[np.array(rows)] for values, rows in zip((known, others), zip(*part, strict=True), strict=True))
            )
            for part in (chosen[i : i + 50] for i in range(0, draws, 50))
        ]
    )
    return {
        "auroc": round(float(score(known[None], others[None])[0]), 4),
        "interval": [round(float(edge), 4) for edge in np.quantile(drawn, [0.025, 0.975])],
        "structures": [len(known), len(others)],
    }


def accuracy_by_dose(
    network: torch.nn.Module,
    items: list[Item],
    recipe: DetectorRecipe,
    n_classes: int,
    realisations: int = 8,
    seed: int = 31,
) -> dict:
    """Accuracy with intervals at each of `DOSES` under nominal conditions, of the items that have a class."""
    items = [item for item in items if item.label < n_classes]
    labels = _labels(items)
    outputs = {
        dose: logits_of(network, items, recipe.nominal(dose), realisations, seed)[..., :n_classes] for dose in DOSES
    }
    return {f"{dose:g}": accuracy_with_interval(values.argmax(-1) == labels) for dose, values in outputs.items()}


def held_out_items(cache_folder: str | Path, recipe: IsomerLibraryRecipe, part: str) -> list[Item]:
    """Items of the "validation" or "test" part of a cache."""
    indices = split_indices(entry_indices(cache_folder), recipe)[part]
    if not indices:
        wanted = 2 * recipe.held_out_every * len(recipe.classes)
        raise ValueError(f"{cache_folder} has no simulations held out for {part}: simulate more, {wanted} at least.")
    return prism_items(cache_folder, indices)


def evaluate_isomers(network: torch.nn.Module, card: dict, cache_folder: str | Path, realisations: int = 16) -> dict:
    """Measure a model on the test part of a cache; see `measure`."""
    recipe = IsomerLibraryRecipe.from_dict(card["training"]["simulation"])
    check_recipe(cache_folder, recipe)
    items = held_out_items(cache_folder, recipe, "test")
    _logger.info("evaluating on %d structures", len(items))
    detector = DetectorRecipe.from_dict(card["training"]["detector"])
    return measure(network, items, detector, card, len(card["classes"]), realisations)
