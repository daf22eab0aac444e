"""How well a network finds columns, on fields that it was never trained on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.features import feature_count
from particlespy_ml.columns.network import MappedColumns
from particlespy_ml.columns.read import read_columns
from particlespy_ml.columns.score import match_columns
from particlespy_ml.models.column_mapper import PLACE_OUTPUTS, ColumnMapper, mapped_kinds
from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.datasets.column_waves import (
    film_indices,
    load_column_field,
    load_film,
)
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe, record_columns
from particlespy_ml.training.card import versions, write_model
from particlespy_ml.training.columns.batches import CANONICAL, as_seen, output_numbers

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)

DOSES = (1e2, 3e2, 1e3, 3e3, 1e4, 1e5)
VIEW = 40.0  # Å, edge of the test images
REACH = 0.5  # Å, largest distance of a column from the true one
BORDER = 1.0  # Å from the border within which columns do not count
THRESHOLD = 0.7
FIELDS = 80  # of each part, at most: more of them would narrow the intervals little
_BINS = 10


@dataclass(frozen=True)
class Outcome:
    """What was found in the image of one field.

    Parameters
    ----------
    found, wrong
        Numbers of true columns found, and of columns found where there is none.
    heights, missed
        Number of the output of the true columns found, and of those missed.
    posterior
        Probabilities told of those found, shape (found, outputs).
    misplacement, errors
        Distance of those found from the true place in Å, shape (found, 2), and the error told, shape (found,).
    """

    found: int
    wrong: int
    heights: np.ndarray
    missed: np.ndarray
    posterior: np.ndarray
    misplacement: np.ndarray
    errors: np.ndarray


def mapper(network: torch.nn.Module, card: dict) -> ColumnMapper:
    """Return a network that was just trained as a model that maps columns."""
    weights = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    return ColumnMapper({"sha256": card["name"] + str(id(network)), **card}, weights, "cpu")


def column_outcomes(
    model: ColumnMapper,
    folder: str | Path,
    fields: list[int],
    films: list[int],
    recipe: ColumnImagingRecipe,
    seed: int,
    threshold: float = THRESHOLD,
) -> list[Outcome]:
    """Return what a model finds in one image of each field; fields whose wave has a film get no other one."""
    heights = tuple(number for _, number in model.kinds)
    outcomes = []
    for index in fields:
        rng = np.random.default_rng([seed, index])
        field = load_column_field(folder, index)
        film = load_film(folder, films[rng.integers(len(films))]) if films else None
        middle = field.places.mean(0) if len(field.places) else np.full(2, field.parameters["edge"] / 2)
        seen = record_columns(
            field, recipe, rng, view=VIEW, film=None if field.parameters.get("film") else film, middle=middle
        )
        images, places = as_seen(seen)
        _, found = read_columns(model, images, not seen.told["displayed"], threshold)
        outcomes.append(outcome(found, places, output_numbers(seen, heights), images.shape[1:]))
    return outcomes


def outcome(found: MappedColumns, places: np.ndarray, outputs: np.ndarray, shape: tuple[int, int]) -> Outcome:
    """Compare what was found in an image with what is there; *places* in pixels of `CANONICAL`."""
    inside = _inside(places, shape)
    match = match_columns(found.places, places, REACH / CANONICAL, inside)
    return Outcome(
        len(match.found),
        int(_inside(found.places[match.wrong], shape).sum()),
        outputs[match.true],
        outputs[match.missed],
        found.posterior[match.found],
        (found.places[match.found] - places[match.true]) * CANONICAL,
        found.errors[match.found],
    )


def _inside(places: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    border = BORDER / CANONICAL
    return ((places >= border) & (places <= np.array(shape) - 1 - border)).all(1)


def score_columns(outcomes: list[Outcome], error_scale: float = 1.0, counted: np.ndarray | None = None) -> dict:
    """Pool outcomes.

    Parameters
    ----------
    outcomes
        Of the images.
    error_scale
        Factor of the errors told.
    counted
        Whether the atoms of the columns of each output are counted, shape (outputs,); by default all are.

    Returns
    -------
    dict
        ``recall``, ``precision`` and ``f1`` of the columns, ``exact`` and ``within_one``, shares of the columns found
        and counted whose most probable output is right or next to it, each with its ``interval`` of 95 % over fields;
        ``misplacement`` (root mean square along an axis in Å) and its ratio to the error told, ``error_ratio``;
        ``calibration_error`` of the outputs' probabilities; ``false_per_image``, ``images`` and ``columns``.
    """
    rows = []
    for one in outcomes:
        best = one.posterior.argmax(1) + 1 if one.found else np.zeros(0, int)
        taken = np.ones(one.found, bool) if counted is None else counted[one.heights - 1]
        off = np.abs(best - one.heights)[taken]
        rows.append([one.found, one.wrong, len(one.missed), (off == 0).sum(), (off <= 1).sum(), len(off)])
    table = np.array(rows, float)

    def scores(part: np.ndarray) -> np.ndarray:
        found, wrong, missed, exact, close, told = part.sum(0)
        return np.array(
            [
                found / max(found + missed, 1),
                found / max(found + wrong, 1),
                2 * found / max(2 * found + missed + wrong, 1),
                exact / max(told, 1),
                close / max(told, 1),
            ]
        )

    rng = np.random.default_rng(0)
    drawn = np.array([scores(table[rng.integers(len(table), size=len(table))]) for _ in range(1000)])
    edges = np.quantile(drawn, [0.025, 0.975], axis=0)
    value = scores(table)
    off = np.concatenate([one.misplacement for one in outcomes])
    errors = np.concatenate([one.errors for one in outcomes]) * error_scale
    names = ("recall", "precision", "f1", "exact", "within_one")
    return {
        **{
            name: {"value": round(float(value[i]), 4), "interval": edges[:, i].round(4).tolist()}
            for i, name in enumerate(names)
        },
        "misplacement": round(float(np.sqrt((off**2).mean())), 4) if len(off) else None,
        "error_ratio": round(float(np.sqrt(((off / errors[:, None]) ** 2).mean())), 3) if len(off) else None,
        "calibration_error": calibration_error(outcomes),
        "false_per_image": round(float(table[:, 1].mean()), 4),
        "images": len(table),
        "columns": int(table[:, [0, 2]].sum()),
    }


def calibration_error(outcomes: list[Outcome]) -> float | None:
    """Return the expected calibration error of the most probable outputs of the columns found, in ten bins."""
    posterior = np.concatenate([one.posterior for one in outcomes])
    true = np.concatenate([one.heights for one in outcomes])
    if not len(true):
        return None
    top, right = posterior.max(1), posterior.argmax(1) + 1 == true
    bins = np.minimum((top * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(top[bins == number].mean() - right[bins == number].mean()) * (bins == number).mean()
        for number in np.unique(bins)
    ]
    return round(float(np.sum(gaps)), 4)


def recall_by_output(outcomes: list[Outcome], outputs: int) -> list[float | None]:
    """Return the share of the columns of each output that were found."""
    found, missed = (
        np.bincount(np.concatenate([getattr(one, name) for one in outcomes]).astype(int), minlength=outputs + 1)
        for name in ("heights", "missed")
    )
    total = found + missed
    return [round(float(f / t), 4) if t else None for f, t in zip(found[1:], total[1:], strict=True)]


def measure_columns(model: ColumnMapper, folder: str | Path, recipe: ColumnImagingRecipe, parts: dict) -> dict:
    """All numbers of a card on held-out fields, under all conditions that were drawn for training, at several doses."""
    results = {}
    highest = dict(model.kinds)
    # where one output stands for any number of atoms none is counted, unless no kind has more
    counted = np.array([highest[kind] > 1 or max(highest.values()) == 1 for kind, _ in model.outputs])
    for dose in DOSES:
        fixed = replace(recipe, dose=(dose, dose), empty=0.0)
        outcomes = column_outcomes(model, folder, parts["test"], parts["films"], fixed, 31, model.threshold)
        results[f"{dose:g}"] = {
            **score_columns(outcomes, counted=counted),
            "recall_by_output": recall_by_output(outcomes, len(model.outputs)),
        }
    return results


def false_columns(model: ColumnMapper, folder: str | Path, recipe: ColumnImagingRecipe, parts: dict) -> dict:
    """Columns found in images of nothing: in vacuum and on films, at all doses."""
    results = {}
    for name, share in (("vacuum", 0.0), ("film", 1.0)):
        empty = replace(recipe, empty=1.0, film=(share, *recipe.film[1:]))
        outcomes = column_outcomes(model, folder, parts["test"], parts["films"], empty, 37, model.threshold)
        results[name] = round(float(np.mean([one.wrong for one in outcomes])), 4)
    return results


def held_out(folder: str | Path, recipe: ColumnWaveRecipe) -> dict[str, list[int]]:
    """Numbers of some fields for "validation" and "test", in turn, and of the "films" to combine them with."""
    fields = [index for index in entry_indices(folder) if recipe.is_held_out(index)]
    return {
        "validation": [index for index in fields if index // recipe.held_out_every % 2 == 0][:FIELDS],
        "test": [index for index in fields if index // recipe.held_out_every % 2 == 1][:FIELDS],
        "films": film_indices(folder, recipe, held_out=True),
    }


def column_architecture(model: dict, detector: ColumnImagingRecipe) -> dict:
    """Return the architecture of a recipe's network with the numbers of its images and maps, without a reader."""
    outputs = 1 + sum(number for _, number in mapped_kinds(model)) + PLACE_OUTPUTS
    channels = detector.images * len(model.get("channels", ["local"]))
    return {**model["architecture"], "in_channels": channels, "outputs": outputs}


def full_architecture(model: dict, detector: ColumnImagingRecipe) -> dict:
    """Return the architecture of a recipe's network with its reader, if there is one."""
    architecture = column_architecture(model, detector)
    if "reader" not in model:
        return architecture
    highest = next(one["heights"] for one in model["columns"] if one["kind"] == model["reader"]["kind"])
    reader = {key: value for key, value in model["reader"].items() if key != "kind"}
    return {
        **architecture,
        "reader": {**reader, "features": feature_count(detector.images), "outputs": highest},
    }


def finish_columns(
    network: torch.nn.Module, tables: dict, cache_folder: str | Path, out_folder: str | Path, n_training: int
) -> Path:
    """Calibrate on the validation part of the cache, measure on the test part, write the folder."""
    recipe = ColumnWaveRecipe.from_dict(tables["simulation"])
    detector = ColumnImagingRecipe.from_dict(tables["detector"])
    parts = held_out(cache_folder, recipe)
    card = {
        **tables["model"],
        "architecture": full_architecture(tables["model"], detector),
        "pixel_size": {"value": CANONICAL, "unit": "Å"},
        "normalisation": "less the local mean, over the local deviation, Gaussian averages over 12 Å, clipped at 8",
        "threshold": tables["model"].get("threshold", THRESHOLD),
    }
    seen = replace(detector, dose=(3e2, 1e5), empty=0.0)
    model = mapper(network, card)
    outcomes = column_outcomes(model, cache_folder, parts["validation"], parts["films"], seen, 17, model.threshold)
    card["error_scale"] = score_columns(outcomes)["error_ratio"] or 1.0  # where nothing was found
    model = mapper(network, card)
    results = measure_columns(model, cache_folder, detector, parts)
    _logger.info("error scale %s, at 1e3 e/Å² %s", card["error_scale"], results["1000"])
    card = {
        **card,
        "evaluation": results,
        "evaluation_conditions": "held-out fields, films and microscopes with everything that the detector recipe "
        f"draws; matches within {REACH} Å; intervals of 95 % over fields",
        "false_columns_per_image": false_columns(model, cache_folder, detector, parts),
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


def evaluate_columns(network: torch.nn.Module, card: dict, cache_folder: str | Path) -> dict:
    """Measure a model on the test part of a cache; see `measure_columns`."""
    recipe = ColumnWaveRecipe.from_dict(card["training"]["simulation"])
    check_recipe(cache_folder, recipe)
    detector = ColumnImagingRecipe.from_dict(card["training"]["detector"])
    return measure_columns(mapper(network, card), cache_folder, detector, held_out(cache_folder, recipe))
