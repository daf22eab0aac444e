"""Training of classifiers of crystallinity in HRTEM images."""

from __future__ import annotations

import logging
from pathlib import Path

from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training.fields import WindowMaker, split_fields
from particlespy_ml.training.loop import checkpoint_path, fit

_logger = logging.getLogger(__name__)


def train_crystallinity(
    tables: dict,
    cache_folder: str | Path,
    out_folder: str | Path,
    *,
    workers: int = 1,
    show_progressbar: bool = True,
) -> Path:
    """Train a classifier as a recipe says, calibrate and evaluate it, and write its folder.

    A run that was stopped goes on from its checkpoint in the cache folder, as long as neither the recipe nor the number
    of simulations changed.

    Parameters
    ----------
    tables
        Recipe, as from `load_recipe`.
    cache_folder
        Folder of exit waves, made with `simulate_exit_waves`.
    out_folder
        Folder of the model; an older model there is replaced.
    workers
        Processes that make batches.
    show_progressbar
        Show a progress bar.
    """
    from particlespy_ml.training.crystallinity.evaluate import finish_crystallinity

    recipe, indices = training_fields(tables, cache_folder)
    architecture = {**tables["model"]["architecture"], "n_classes": len(recipe.classes)}
    maker = WindowMaker(cache_folder, indices, ImagingRecipe.from_dict(tables["detector"]), len(recipe.classes))
    checkpoint = field_checkpoint(tables, cache_folder, indices)
    network = fit(
        maker, architecture, tables["training"], checkpoint, workers=workers, show_progressbar=show_progressbar
    )
    return finish_crystallinity(network, tables, cache_folder, out_folder, len(indices))


def training_fields(tables: dict, cache_folder: str | Path) -> tuple[ExitWaveRecipe, list[int]]:
    """Recipe of the fields, and the indices of those to train on.

    Raises
    ------
    ValueError
        If the folder is another recipe's, or lacks simulations.
    """
    recipe = ExitWaveRecipe.from_dict(tables["simulation"])
    check_recipe(cache_folder, recipe)
    wanted = tables["training"].get("simulations")
    found = [index for index in entry_indices(cache_folder) if wanted is None or index < wanted]
    indices = split_fields(found, recipe)["training"]
    if not indices or (wanted is not None and len(found) < wanted):
        raise ValueError(
            f"{cache_folder} has {len(found)} simulations, expected {wanted or 'some'}: make them with "
            f"`particlespy-ml simulate {tables['model']['name']} --cache {cache_folder} --count {wanted or 1000}`."
        )
    _logger.info("training on %d fields", len(indices))
    return recipe, indices


def field_checkpoint(tables: dict, cache_folder: str | Path, indices: list[int]) -> Path:
    """File of the checkpoint of a training on fields."""
    told = [tables[name] for name in ("model", "simulation", "detector", "training")]
    return checkpoint_path(cache_folder, tables["model"]["name"], "training", *told, indices)
