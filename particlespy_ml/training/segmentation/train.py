"""Training of networks that find particles in HRTEM images."""

from __future__ import annotations

from pathlib import Path

from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training.crystallinity.train import field_checkpoint, training_fields
from particlespy_ml.training.fields import TileMaker
from particlespy_ml.training.loop import fit
from particlespy_ml.training.losses import MapLoss


def train_segmentation_network(
    tables: dict,
    cache_folder: str | Path,
    out_folder: str | Path,
    *,
    workers: int = 1,
    show_progressbar: bool = True,
) -> Path:
    """Train a network that finds particles as a recipe says, evaluate it, and write its folder.

    Parameters and checkpoints are those of `particlespy_ml.training.crystallinity.train.train_crystallinity`.
    """
    from particlespy_ml.training.segmentation.evaluate import finish_segmentation

    _, indices = training_fields(tables, cache_folder)
    maker = TileMaker(cache_folder, indices, ImagingRecipe.from_dict(tables["detector"]))
    checkpoint = field_checkpoint(tables, cache_folder, indices)
    network = fit(
        maker,
        {**tables["model"]["architecture"], "outputs": 2},
        tables["training"],
        checkpoint,
        loss=MapLoss(),
        workers=workers,
        show_progressbar=show_progressbar,
    )
    return finish_segmentation(network, tables, cache_folder, out_folder, len(indices))
