"""Training of networks that find particles on any support."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training.loop import checkpoint_path, fit
from particlespy_ml.training.losses import WeightedMapLoss
from particlespy_ml.training.multiscale.batches import OUTPUTS, TILE, MicrographMaker

if TYPE_CHECKING:
    import torch


def train_multiscale_network(
    tables: dict,
    cache_folder: str | Path,
    out_folder: str | Path,
    *,
    workers: int = 1,
    show_progressbar: bool = True,
) -> Path:
    """Train a network that finds particles on supports as a recipe says, evaluate it, and write its folder.

    Parameters
    ----------
    tables
        Recipe, as from `load_recipe`. Besides what `particlespy_ml.training.loop.fit` takes, its training may have
        ``tile``, the edge of the micrographs in pixels.
    cache_folder
        Folder of the checkpoint, from which a run that was stopped goes on.
    out_folder
        Folder of the model; an older model there is replaced.
    workers
        Processes that draw batches.
    show_progressbar
        Show a progress bar.
    """
    from particlespy_ml.training.multiscale.evaluate import finish_multiscale

    return finish_multiscale(fit_multiscale(tables, cache_folder, workers, show_progressbar), tables, out_folder)


def fit_multiscale(
    tables: dict, cache_folder: str | Path, workers: int = 1, show_progressbar: bool = True
) -> torch.nn.Module:
    """Return the trained network of a recipe; see `train_multiscale_network`."""
    recipe = MicrographRecipe.from_dict(tables.get("detector", {}))
    training = tables["training"]
    told = [tables[name] for name in ("model", "detector", "training")]
    return fit(
        MicrographMaker(recipe, training.get("tile", TILE)),
        {**tables["model"]["architecture"], "outputs": len(OUTPUTS)},
        training,
        checkpoint_path(cache_folder, tables["model"]["name"], "training", *told),
        loss=WeightedMapLoss(),
        workers=workers,
        show_progressbar=show_progressbar,
    )
