"""How good a classifier of crystallinity is, on fields that it was never trained on."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.models.networks import fuse
from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe, Field, load_field
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training.card import versions, write_model
from particlespy_ml.training.fields import (
    COARSER_VIEWS,
    FieldParticle,
    list_particles,
    record_surroundings,
    record_window,
    split_fields,
)
from particlespy_ml.training.isomer.batches import CANONICAL, MULTIPLE
from particlespy_ml.training.isomer.evaluate import (
    accuracy_with_interval,
    confusion_matrix,
    coverage_curve,
    expected_calibration_error,
    fit_temperature,
    softmax,
    threshold_for,
)

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

AMORPHOUS = CRYSTALLINITY.index("amorphous")
DOSES = (1e2, 3e2, 1e3, 3e3, 1e4, 1e5)
DEFOCI = (-1000.0, -500.0, -200.0, -50.0, -25.0, 0.0, 25.0, 50.0, 200.0, 500.0, 1000.0)  # Å
HALVES = {"-5 to 0 nm": (-50.0, 0.0), "0 to 5 nm": (0.0, 50.0)}  # of the range of defocus of Gumbiowski et al., in Å
SIZES = (10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 80.0, 100.0, 130.0)  # Å
THICKNESSES = (10.0, 15.0, 20.0, 25.0, 30.0)  # Å
MAX_OVERLAP = 0.1  # share of a particle's area that others may cover in the main tables
PAPER_SIZES = (10.0, 30.0)  # Å
PAPER_KINDS = ("sphere", "two domains", "three domains", "packing")


class HeldOut:
    """Particles of some fields that a model was never trained on.

    Parameters
    ----------
    folder, indices
        Library of exit waves, and fields of it.
    """

    def __init__(self, folder: str | Path, indices: list[int]):
        self.fields: list[Field] = [load_field(folder, index) for index in indices]
        self.particles: list[FieldParticle] = list_particles(self.fields)
        self.labels = np.array([particle.label for particle in self.particles])
        self.kinds = np.array([particle.kind for particle in self.particles])
        self.diameters = np.array([particle.diameter for particle in self.particles])
        self.covered = np.concatenate([np.empty(0), *(_covered(field.masks) for field in self.fields)])

    def parameter(self, name: str) -> np.ndarray:
        """A parameter of the field of each particle."""
        return np.array([self.fields[particle.field].parameters[name] for particle in self.particles])

    @property
    def rows(self) -> np.ndarray:
        """Particles that others do not cover, on any support."""
        return self.covered <= MAX_OVERLAP

    @property
    def crystalline(self) -> np.ndarray:
        """Particles of fields whose support is a crystal."""
        return np.array([self.fields[one.field].parameters.get("crystalline", False) for one in self.particles], bool)


def _covered(masks: np.ndarray) -> np.ndarray:
    """Share of each particle's area that is another's too."""
    count = masks.sum(0)
    return np.array([(mask & (count > 1)).sum() / max(mask.sum(), 1) for mask in masks])


def held_out(folder: str | Path, recipe: ExitWaveRecipe, part: str) -> HeldOut:
    """Particles of the "validation" or "test" part of a library."""
    indices = split_fields(entry_indices(folder), recipe)[part]
    if not indices:
        raise ValueError(
            f"{folder} has no fields held out for {part}: simulate more, {2 * recipe.held_out_every} at least."
        )
    return HeldOut(folder, indices)


def particle_logits(
    network: torch.nn.Module,
    data: HeldOut,
    rows: np.ndarray,
    recipe: ImagingRecipe,
    realisations: int,
    seed: int,
) -> np.ndarray:
    """Return the logits of particles recorded several times, shape (particles, realisations, classes).

    Parameters
    ----------
    network
        Network; it is fused.
    data
        Held-out particles.
    rows
        Indices of the particles wanted.
    recipe
        Microscope and camera, drawn anew for each image.
    realisations
        Images of each particle.
    seed
        Seed.
    """
    return _logits_of(network, data, rows, seed, lambda *seen: _windows_of(*seen, recipe, realisations))[0]


def logits_and_lattices(
    network: torch.nn.Module,
    data: HeldOut,
    rows: np.ndarray,
    recipe: ImagingRecipe,
    realisations: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return logits as `particle_logits` does, and how strong a lattice shows about each particle in each image."""
    return _logits_of(network, data, rows, seed, lambda *seen: _surroundings_of(*seen, recipe, realisations))


def _windows_of(field, particle, rng, recipe: ImagingRecipe, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of a particle in some images, and nothing about their surroundings."""
    windows = [record_window(field, particle, recipe, rng, particle.window) for _ in range(count)]
    return np.stack(windows), np.full(count, np.nan)


def _surroundings_of(field, particle, rng, recipe: ImagingRecipe, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of a particle in some images, and the strength of the lattice about it."""
    shown = [record_surroundings(field, particle, recipe, rng, particle.window) for _ in range(count)]
    return np.stack([window for window, _ in shown]), np.array([lattice for _, lattice in shown])


def _logits_of(network, data: HeldOut, rows, seed: int, show) -> tuple[np.ndarray, np.ndarray]:
    """Logits of what *show* makes of each field, particle and random generator, and what it tells beside."""
    import torch

    network = fuse(network).to(memory_format=torch.channels_last)
    outputs, beside = [], []
    with torch.inference_mode():
        for row in rows:
            particle = data.particles[row]
            windows, told = show(data.fields[particle.field], particle, np.random.default_rng([seed, int(row)]))
            outputs.append(network(torch.from_numpy(standardise(windows))[:, None]).numpy())
            beside.append(told)
    return np.stack(outputs), np.stack(beside)


def calibrate_crystallinity(network: torch.nn.Module, data: HeldOut, recipe: ImagingRecipe, seed: int = 11) -> dict:
    """Temperature over what the recipe draws, and the probability above which 95 % are right at 1e3 to 1e4 e/Å²."""
    rows = np.flatnonzero(data.rows)
    labels = data.labels[rows][:, None]
    mixed = particle_logits(network, data, rows, replace(recipe, dose=(3e2, 1e5)), 4, seed)
    temperature = fit_temperature(mixed, np.broadcast_to(labels, mixed.shape[:2]))
    typical = particle_logits(network, data, rows, replace(recipe, dose=(1e3, 1e4)), 4, seed + 1)
    return {
        "temperature": round(temperature, 4),
        "min_probability": threshold_for(softmax(typical, temperature), labels),
    }


def measure_crystallinity(
    network: torch.nn.Module, data: HeldOut, recipe: ImagingRecipe, calibration: dict, realisations: int = 4
) -> dict:
    """All numbers of a card, on held-out particles.

    Parameters
    ----------
    network
        Network.
    data
        Held-out particles. Main tables leave out those that others cover, and those on crystalline supports, which
        have one of their own.
    recipe
        What training drew; its `nominal` is the optics of Gumbiowski et al.
    calibration
        ``temperature`` and ``min_probability``.
    realisations
        Images of each particle under each condition.
    """
    main = np.flatnonzero(data.rows & ~data.crystalline)
    labels = data.labels[main]

    def probabilities(conditions: ImagingRecipe, rows=main) -> np.ndarray:
        return softmax(particle_logits(network, data, rows, conditions, realisations, 21), calibration["temperature"])

    nominal = {dose: probabilities(recipe.nominal(dose)) for dose in DOSES}
    harsh = {dose: probabilities(replace(recipe, dose=(dose, dose))) for dose in DOSES}
    defocus = {f: replace(recipe.nominal(1e4), defocus=(0.0, 0.0), focus=f) for f in DEFOCI}
    typical = np.concatenate([harsh[dose] for dose in DOSES if dose >= 1e3], axis=1)
    results = {
        "nominal": {f"{dose:g}": _accuracies(values, labels) for dose, values in nominal.items()},
        "harsh": {f"{dose:g}": _accuracies(values, labels) for dose, values in harsh.items()},
        "by_defocus_at_10000": {f"{f / 10:g} nm": _accuracies(probabilities(c), labels) for f, c in defocus.items()},
        **_of_parts(data, main, nominal),
        **_confusions(nominal, typical, labels, calibration["min_probability"]),
        **_confidences(nominal[1e4], typical, labels, calibration["min_probability"]),
    }
    halves = {
        name: replace(recipe.nominal(1e4), defocus=((b - a) / 2,) * 2, focus=(a + b) / 2)
        for name, (a, b) in HALVES.items()
    }
    results["by_half_of_defocus_at_10000"] = {n: _accuracies(probabilities(c), labels) for n, c in halves.items()}
    crystals = np.flatnonzero(data.rows & data.crystalline)
    if len(crystals):
        results["crystalline_supports"] = {
            name: {
                f"{dose:g}": _accuracies(probabilities(make(dose), crystals), data.labels[crystals])
                for dose in (1e3, 1e4)
            }
            for name, make in (("nominal", recipe.nominal), ("harsh", lambda dose: replace(recipe, dose=(dose, dose))))
        }
    covered = np.flatnonzero(~data.rows)
    if len(covered):
        right = probabilities(recipe.nominal(1e4), covered).argmax(-1) == data.labels[covered][:, None]
        results["overlapping_at_10000"] = accuracy_with_interval(right)
    return results


def _accuracies(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    """Accuracies in two and in three classes, with their intervals."""
    return {
        "two_class": accuracy_with_interval(two_class_right(probabilities, labels)),
        "three_class": accuracy_with_interval(probabilities.argmax(-1) == labels[:, None]),
    }


def _of_parts(data: HeldOut, main: np.ndarray, nominal: dict[float, np.ndarray]) -> dict:
    """Accuracies of the paper's range at every dose, and of sizes, supports and kinds at 1e4 e/Å²."""
    labels, diameters, kinds = data.labels[main], data.diameters[main], data.kinds[main]
    energies, films, thickness = (data.parameter(name)[main] for name in ("energy", "film", "thickness"))
    paper = (energies == 300e3) & (diameters >= PAPER_SIZES[0]) & (diameters < PAPER_SIZES[1])
    ranges = {"all kinds": paper, "kinds of the paper": paper & np.isin(kinds, PAPER_KINDS)}
    sizes = {f"{low / 10:g}-{high / 10:g} nm": (diameters >= low) & (diameters < high) for low, high in pairwise(SIZES)}
    supports = {
        f"{film}, {low / 10:g}-{high / 10:g} nm": (films == film) & (thickness >= low) & (thickness < high)
        for film in np.unique(films)
        for low, high in pairwise(THICKNESSES)
    }

    def of(values: np.ndarray, parts: dict[str, np.ndarray]) -> dict:
        return {name: _accuracies(values[rows], labels[rows]) for name, rows in parts.items() if rows.any()}

    right = nominal[1e4].argmax(-1) == labels[:, None]
    return {
        "paper_range": {f"{dose:g}": of(values, ranges) for dose, values in nominal.items()},
        "by_size_at_10000": of(nominal[1e4], sizes),
        "by_support_at_10000": of(nominal[1e4], supports),
        "by_kind_at_10000": {str(kind): accuracy_with_interval(right[kinds == kind]) for kind in np.unique(kinds)},
    }


def _confusions(
    nominal: dict[float, np.ndarray], typical: np.ndarray, labels: np.ndarray, min_probability: float
) -> dict:
    """Confusion matrices, and precision and recall of each class."""

    def matrix(predicted: np.ndarray) -> list:
        true = np.broadcast_to(labels[:, None], predicted.shape)
        return confusion_matrix(true, predicted, len(CRYSTALLINITY)).round(4).tolist()

    said = typical.argmax(-1)
    return {
        "confusion": {f"{dose:g}": matrix(nominal[dose].argmax(-1)) for dose in (1e3, 1e4)},
        "confusion_above_min_probability": matrix(np.where(typical.max(-1) >= min_probability, said, -1)),
        "confusion_harsh": matrix(said),
        "precision_recall_at_10000": precision_recall(nominal[1e4].argmax(-1), labels),
    }


def _confidences(at: np.ndarray, typical: np.ndarray, labels: np.ndarray, min_probability: float) -> dict:
    """How far probabilities are to be trusted, under the paper's optics at 1e4 e/Å² and with every fault."""
    return {
        "calibration_error_harsh": round(expected_calibration_error(typical, labels[:, None]), 4),
        "calibration_error_nominal_10000": round(expected_calibration_error(at, labels[:, None]), 4),
        "coverage_harsh": coverage_curve(typical, labels[:, None]),
        "coverage_nominal_10000": coverage_curve(at, labels[:, None]),
        "selective": {
            name: selective(values, labels, min_probability)
            for name, values in (("harsh, 1e3 e/Å² and more", typical), ("nominal, 1e4 e/Å²", at))
        },
    }


def two_class_right(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether amorphous and crystalline are told apart, shape of the probabilities without the classes."""
    return (probabilities[..., AMORPHOUS] > 0.5) == (labels == AMORPHOUS)[:, None]


def selective(probabilities: np.ndarray, labels: np.ndarray, min_probability: float) -> dict:
    """Accuracy of the images that have a class, and their share."""
    kept = probabilities.max(-1) >= min_probability
    right = probabilities.argmax(-1) == labels[:, None]
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(1000):
        rows = rng.integers(len(labels), size=len(labels))
        shares.append((right[rows] & kept[rows]).sum() / max(kept[rows].sum(), 1))
    return {
        "accuracy": round(float((right & kept).sum() / max(kept.sum(), 1)), 4),
        "interval": [round(float(edge), 4) for edge in np.quantile(shares, [0.025, 0.975])],
        "coverage": round(float(kept.mean()), 4),
    }


def precision_recall(predicted: np.ndarray, labels: np.ndarray) -> dict:
    """Precision and recall of each class, with 95 % intervals over particles."""

    def both(rows: np.ndarray, number: int) -> tuple[float, float]:
        own, said = labels[rows][:, None] == number, predicted[rows] == number
        return (own & said).sum() / max(said.sum(), 1), (own & said).sum() / max(own.sum() * predicted.shape[1], 1)

    rng = np.random.default_rng(0)
    everything = np.arange(len(labels))
    results = {}
    for number, name in enumerate(CRYSTALLINITY):
        drawn = np.array([both(rng.integers(len(labels), size=len(labels)), number) for _ in range(1000)])
        value, edges = both(everything, number), np.quantile(drawn, [0.025, 0.975], axis=0)
        results[name] = {
            what: {"value": round(float(value[column]), 4), "interval": edges[:, column].round(4).tolist()}
            for column, what in enumerate(("precision", "recall"))
        }
    return results


def finish_crystallinity(
    network: torch.nn.Module, tables: dict, cache_folder: str | Path, out_folder: str | Path, n_training: int
) -> Path:
    """Calibrate a network on the validation part of the cache, measure it on the test part, write its folder."""
    simulation = ExitWaveRecipe.from_dict(tables["simulation"])
    detector = ImagingRecipe.from_dict(tables["detector"])
    calibration = calibrate_crystallinity(network, held_out(cache_folder, simulation, "validation"), detector)
    results = measure_crystallinity(network, held_out(cache_folder, simulation, "test"), detector, calibration)
    _logger.info("accuracy %s", results["nominal"]["10000"])
    return write_model(out_folder, network, crystallinity_card(tables, n_training, calibration, results))


def crystallinity_card(tables: dict, n_training: int, calibration: dict, results: dict) -> dict:
    """Return the card of a classifier of crystallinity."""
    model, card = dict(tables["model"]), dict(tables["card"])
    low, high = card.pop("window_range")
    return {
        **model,
        "architecture": {**model["architecture"], "n_classes": len(CRYSTALLINITY)},
        "classes": list(CRYSTALLINITY),
        "rejects": False,
        "pixel_size": {"value": CANONICAL, "unit": "Å"},
        "window_multiple": MULTIPLE,
        "windows": list(range(low, high + 1, MULTIPLE)),
        "coarser_views": list(COARSER_VIEWS),
        "normalisation": "window-standardised",
        **calibration,
        "confusion_matrix": {
            "rows": "true class",
            "conditions": "held-out fields with everything that the detector recipe draws, 1e3 to 1e5 e/Å²",
            "values": results["confusion_harsh"],
            "values_above_min_probability": results["confusion_above_min_probability"],
        },
        "evaluation": results["nominal"],
        "evaluation_conditions": "held-out fields, particles cut out by their true masks, 0.4 Å pixels, optics of "
        "Gumbiowski et al. (ImagingRecipe.nominal), all sizes and beam energies; intervals of 95 % over particles; "
        f"particles that others cover by more than {MAX_OVERLAP:.0%} are left out, and those on crystalline supports",
        "evaluation_paper_range": results["paper_range"],
        "evaluation_harsh": results["harsh"],
        "evaluation_by_defocus": results["by_defocus_at_10000"],
        "evaluation_by_half_of_defocus": results["by_half_of_defocus_at_10000"],
        "evaluation_crystalline_supports": results.get("crystalline_supports", {}),
        "evaluation_by_size": results["by_size_at_10000"],
        "evaluation_by_support": results["by_support_at_10000"],
        "evaluation_by_kind": results["by_kind_at_10000"],
        "precision_recall": results["precision_recall_at_10000"],
        "calibration_error": results["calibration_error_harsh"],
        "coverage": results["coverage_harsh"],
        "selective": results["selective"],
        "training": {
            "recipe": tables["training"],
            "seed": tables["training"]["seed"],
            "simulation": tables["simulation"],
            "detector": tables["detector"],
            "fields": n_training,
        },
        "versions": versions(),
        **card,
    }


def evaluate_crystallinity(
    network: torch.nn.Module, card: dict, cache_folder: str | Path, realisations: int = 4
) -> dict:
    """Measure a model on the test part of a cache; see `measure_crystallinity`."""
    recipe = ExitWaveRecipe.from_dict(card["training"]["simulation"])
    check_recipe(cache_folder, recipe)
    detector = ImagingRecipe.from_dict(card["training"]["detector"])
    return measure_crystallinity(network, held_out(cache_folder, recipe, "test"), detector, card, realisations)
