"""Trainings by the name of their task; `particlespy_ml.models.TASKS` has what else belongs to it."""

from __future__ import annotations

from particlespy_ml.training.columns.training import ColumnTraining
from particlespy_ml.training.crystallinity.training import CrystallinityTraining
from particlespy_ml.training.isomer.training import IsomerTraining
from particlespy_ml.training.isomer_atlas.training import AtlasTraining
from particlespy_ml.training.multiscale.training import MultiscaleTraining
from particlespy_ml.training.segmentation.training import SegmentationTraining
from particlespy_ml.training.training import Training

TRAININGS: dict[str, type[Training]] = {
    training.name: training
    for training in (
        IsomerTraining,
        AtlasTraining,
        CrystallinityTraining,
        SegmentationTraining,
        MultiscaleTraining,
        ColumnTraining,
    )
}


def training_of(task: str) -> type[Training]:
    """Return the training of a task.

    Raises
    ------
    ValueError
        If there is none: models of the task are made elsewhere.
    """
    if task not in TRAININGS:
        raise ValueError(f"There is no training for the task {task!r}, only for {sorted(TRAININGS)}.")
    return TRAININGS[task]
