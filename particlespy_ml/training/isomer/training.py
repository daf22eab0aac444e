"""What the commands of training do for classifiers of isomers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe
from particlespy_ml.simulation.recording.detector import DetectorRecipe
from particlespy_ml.training.report import isomer_lines
from particlespy_ml.training.training import Training


class IsomerTraining(Training):
    """Trained on PRISM images; leading stages may take atomic models alone."""

    name = "isomer"
    simulation, detector = IsomerLibraryRecipe, DetectorRecipe
    has_pretraining = True

    @staticmethod
    def simulate(cache_folder, count, settings, workers, held_out_only) -> list[Path]:
        """Simulate PRISM images."""
        from particlespy_ml.simulation.datasets.isomers import simulate_library

        return simulate_library(cache_folder, count, settings, workers, held_out_only=held_out_only)

    @staticmethod
    def train(tables, cache_folder, out_folder, **options) -> Path:
        """Train; see `particlespy_ml.training.isomer.train.train_isomers`."""
        from particlespy_ml.training.isomer.train import train_isomers

        return train_isomers(tables, cache_folder, out_folder, **options)

    @staticmethod
    def evaluate(network, card, cache_folder) -> dict:
        """Measure; see `particlespy_ml.training.isomer.evaluate.measure`."""
        from particlespy_ml.training.isomer.evaluate import evaluate_isomers

        return evaluate_isomers(network, card, cache_folder)

    @staticmethod
    def draw(results, card, folder) -> None:
        """Accuracy, confusion and coverage."""
        from particlespy_ml.training.figures import draw_figures

        draw_figures(results, card["classes"], folder)

    @staticmethod
    def report(results) -> Iterator[str]:
        """Tables by dose, size and microscope."""
        return isomer_lines(results)
