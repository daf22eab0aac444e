"""Training of classifiers of isomers in HAADF images."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.detector import DetectorRecipe
from particlespy_ml.training.card import make_card, write_model
from particlespy_ml.training.isomer.batches import BatchMaker, model_items, prism_items, split_indices
from particlespy_ml.training.isomer.evaluate import accuracy_by_dose, calibrate, held_out_items, measure
from particlespy_ml.training.isomer.structures_cache import structures
from particlespy_ml.training.loop import checkpoint_path, fit

if TYPE_CHECKING:
    import torch

_logger = logging.getLogger(__name__)


def train_isomers(
    tables: dict,
    cache_folder: str | Path,
    out_folder: str | Path,
    *,
    workers: int = 1,
    pretrain_only: bool = False,
    show_progressbar: bool = True,
) -> Path:
    """Train a model as a recipe says, calibrate and evaluate it, and write its folder.

    A run that was stopped goes on from its checkpoint in the cache folder, as long as neither the recipe nor the number
    of simulations changed. Leading stages without PRISM images do not depend on the simulations, so they can be trained
    (``pretrain_only``) while simulations run.

    Parameters
    ----------
    tables
        Recipe, as from `load_recipe`.
    cache_folder
        Folder of simulations, made with `particlespy_ml.simulation.datasets.isomers.simulate_library`.
    out_folder
        Folder of the model; an older model there is replaced.
    workers
        Processes that make batches.
    pretrain_only
        Train only the leading stages without PRISM images, and write no model.
    show_progressbar
        Show a progress bar.

    Returns
    -------
    Path
        The folder of the model: ``model.safetensors`` and ``card.json``; with *pretrain_only*, the checkpoint.
    """
    simulation = IsomerLibraryRecipe.from_dict(tables["simulation"])
    detector = DetectorRecipe.from_dict(tables["detector"])
    cache_folder = Path(cache_folder)
    last = tables["training"].get("simulations")
    indices = split_indices([i for i in entry_indices(cache_folder) if last is None or i < last], simulation)[
        "training"
    ]
    if not indices and not pretrain_only:
        raise ValueError(f"{cache_folder} has no simulations to train on: make some with `particlespy-ml simulate`.")
    training, classes = tables["training"], simulation.classes
    check_recipe(cache_folder, simulation)
    drawn = structures(cache_folder / "structures", simulation, training.get("models", {}))
    models = model_items(drawn, lying=len(simulation.isomers))
    architecture = {**tables["model"]["architecture"], "n_classes": len(classes)}
    if not pretrain_only:  # what would otherwise be missed hours later
        for part in ("validation", "test"):
            held_out_items(cache_folder, simulation, part)
    options = {"workers": workers, "show_progressbar": show_progressbar}
    before = _pretraining_steps(training["stages"])
    first = _checkpoint(cache_folder, tables)
    if pretrain_only and not before:
        raise ValueError(
            "The first stage of the recipe takes PRISM images (prism_fraction), so there is no pre-training."
        )
    if before:
        _logger.info("pre-training on %d atomic models", len(models))
        maker = BatchMaker([], models, len(classes), detector)
        fit(maker, architecture, training, first, stop_after=before, **options)
        if pretrain_only:
            return first
    prism = prism_items(cache_folder, indices)
    _logger.info("training on %d PRISM images and %d atomic models", len(prism), len(models))
    checkpoint = _checkpoint(cache_folder, tables, indices)
    if before and not checkpoint.exists():
        shutil.copyfile(first, checkpoint)
    network = fit(BatchMaker(prism, models, len(classes), detector), architecture, training, checkpoint, **options)
    return finish(network, tables, cache_folder, out_folder, len(indices))


def _pretraining_steps(stages: list[dict]) -> int:
    """Steps of the leading stages that need no PRISM images."""
    steps = 0
    for stage in stages:
        if stage["prism_fraction"] > 0:
            break
        steps += stage["steps"]
    return steps


def _checkpoint(cache_folder: Path, tables: dict, indices: list[int] | None = None) -> Path:
    """File of the checkpoint, another for another recipe or other simulations."""
    training = tables["training"]
    if indices is None:  # pre-training does not depend on the later stages
        stages = [stage for stage in training["stages"] if stage["prism_fraction"] == 0]
        training = {**training, "stages": stages}
        training.pop("simulations", None)
    told = [tables["model"], tables["simulation"], tables["detector"], training, indices]
    kind = "pretraining" if indices is None else "training"
    return checkpoint_path(cache_folder, tables["model"]["name"], kind, *told)


def finish(
    network: torch.nn.Module, tables: dict, cache_folder: str | Path, out_folder: str | Path, n_training: int
) -> Path:
    """Calibrate a network on the validation part of the cache, measure it on the test part, write its folder.

    While there are few simulations, atomic models that were never trained on, imaged incoherently in many orientations,
    make the calibration steadier (``held_out_models`` of each class in the recipe; half of them are for the test).
    """
    cache_folder = Path(cache_folder)
    simulation = IsomerLibraryRecipe.from_dict(tables["simulation"])
    detector = DetectorRecipe.from_dict(tables["detector"])
    classes = simulation.isomers
    counts = dict.fromkeys(simulation.classes, tables["training"].get("held_out_models", 0))
    others = model_items(structures(cache_folder / "structures", simulation, counts, held_out=True), len(classes))
    validation = held_out_items(cache_folder, simulation, "validation") + others[::2]
    calibration = calibrate(network, validation, detector, len(classes))
    test = held_out_items(cache_folder, simulation, "test")
    results = measure(network, test, detector, calibration, len(classes))
    results["incoherent"] = accuracy_by_dose(network, others[1::2], detector, len(classes)) if others else {}
    _logger.info("accuracy %s", {dose: value["accuracy"] for dose, value in results["nominal"].items()})
    return write_model(out_folder, network, make_card(tables, n_training, calibration, results))
