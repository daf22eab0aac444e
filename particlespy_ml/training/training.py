"""What the commands of training do for a task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import torch


class Training:
    """How the models of a task are simulated for, trained and evaluated. It is used as a class.

    Attributes
    ----------
    name
        That of the task in `particlespy_ml.models.TASKS`.
    simulation, detector
        Classes of the tables ``simulation`` and ``detector`` of a recipe.
    needs_simulations
        Whether there must be a folder of simulations; without, images are made while they are recorded.
    has_pretraining
        Whether `train` takes ``pretrain_only``: leading stages that need no simulations.
    """

    name: ClassVar[str]
    simulation: ClassVar[type]
    detector: ClassVar[type]
    needs_simulations: ClassVar[bool] = True
    has_pretraining: ClassVar[bool] = False

    @staticmethod
    def simulate(
        cache_folder: str | Path, count: int, settings, workers: int | None, held_out_only: bool
    ) -> list[Path]:
        """Simulate what models are trained on; *settings* are of the class `simulation`."""
        raise NotImplementedError

    @staticmethod
    def train(tables: dict, cache_folder: str | Path, out_folder: str | Path, **options) -> Path:
        """Train a model as a recipe says, calibrate and evaluate it, and write its folder, which is returned."""
        raise NotImplementedError

    @staticmethod
    def evaluate(network: torch.nn.Module, card: dict, cache_folder: str | Path) -> dict:
        """Return all numbers of a model on simulations that are held out, as plain values."""
        raise NotImplementedError

    @staticmethod
    def draw(results: dict, card: dict, folder: Path) -> None:
        """Write the figures of an evaluation."""
        raise NotImplementedError

    @staticmethod
    def report(results: dict) -> Iterator[str]:
        """Yield the lines of an evaluation as text."""
        raise NotImplementedError
