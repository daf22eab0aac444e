"""Training of networks that find columns."""

from __future__ import annotations

import logging
from pathlib import Path

from particlespy_ml.models.column_mapper import mapped_kinds
from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.datasets.column_waves import film_indices
from particlespy_ml.simulation.datasets.store import check_recipe, entry_indices
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe
from particlespy_ml.training.columns.batches import ColumnMaker
from particlespy_ml.training.columns.evaluate import column_architecture, finish_columns
from particlespy_ml.training.columns.initial import write_initial_weights
from particlespy_ml.training.columns.read import with_reader
from particlespy_ml.training.loop import checkpoint_path, fit
from particlespy_ml.training.losses import ColumnLoss

_logger = logging.getLogger(__name__)


def train_column_network(
    tables: dict,
    cache_folder: str | Path,
    out_folder: str | Path,
    *,
    workers: int = 1,
    show_progressbar: bool = True,
) -> Path:
    """Train a network that finds columns as a recipe says, calibrate and evaluate it, and write its folder.

    A run that was stopped goes on from its checkpoint in the cache folder, as long as neither the recipe nor the number
    of simulations changed.

    Parameters
    ----------
    tables
        Recipe, as from `load_recipe`. Besides what `particlespy_ml.training.loop.fit` takes, its training has
        ``output_weight``, the weight of telling columns apart once they are found, and may have ``initial``, the name
        or folder of a model that finds columns, from whose weights it starts.
    cache_folder
        Folder of exit waves, made with `simulate_column_waves`.
    out_folder
        Folder of the model; an older model there is replaced.
    workers
        Processes that make batches.
    show_progressbar
        Show a progress bar.
    """
    recipe, fields = training_columns(tables, cache_folder)
    heights = tuple(number for _, number in mapped_kinds(tables["model"]))
    detector = ColumnImagingRecipe.from_dict(tables["detector"])
    films = tuple(film_indices(cache_folder, recipe, held_out=False))
    maker = ColumnMaker(
        str(cache_folder), tuple(fields), films, detector, heights, tuple(tables["model"].get("channels", ["local"]))
    )
    told = [tables[name] for name in ("model", "simulation", "detector", "training")]
    architecture, training = column_architecture(tables["model"], detector), dict(tables["training"])
    if training.get("initial"):
        first = Path(cache_folder) / "checkpoints" / f"{tables['model']['name']}_initial.safetensors"
        training["initial"] = str(write_initial_weights(training["initial"], architecture, first))
    network = fit(
        maker,
        architecture,
        training,
        checkpoint_path(cache_folder, tables["model"]["name"], "training", *told, fields),
        loss=ColumnLoss(sum(heights), output_weight=training.get("output_weight", 1.0)),
        workers=workers,
        show_progressbar=show_progressbar,
    )
    if "reader" in tables["model"]:
        network = with_reader(network, tables, cache_folder, fields, workers, show_progressbar)
    return finish_columns(network, tables, cache_folder, out_folder, len(fields))


def training_columns(tables: dict, cache_folder: str | Path) -> tuple[ColumnWaveRecipe, list[int]]:
    """Return the recipe of the fields, and the numbers of those to train on.

    Raises
    ------
    ValueError
        If the folder is another recipe's, lacks simulations, or the recipe's kinds are not the model's.
    """
    recipe = ColumnWaveRecipe.from_dict(tables["simulation"])
    kinds = tuple(one["kind"] for one in tables["model"]["columns"])
    if kinds != recipe.kinds:
        raise ValueError(f"The model has columns of {kinds}, the simulations {recipe.kinds}: expected the same kinds.")
    check_recipe(cache_folder, recipe)
    wanted = tables["training"].get("simulations")
    found = [index for index in entry_indices(cache_folder) if wanted is None or index < wanted]
    fields = [index for index in found if not recipe.is_held_out(index)]
    if not fields or (wanted is not None and len(found) < wanted):
        raise ValueError(
            f"{cache_folder} has {len(found)} simulations, expected {wanted or 'some'}: make them with "
            f"`particlespy-ml simulate {tables['model']['name']} --cache {cache_folder} --count {wanted or 1000}`."
        )
    _logger.info("training on %d fields", len(fields))
    return recipe, fields
