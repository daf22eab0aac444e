"""What the commands of training do for classifiers of crystallinity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from particlespy_ml.simulation.datasets.exit_waves import ExitWaveRecipe
from particlespy_ml.simulation.recording.imaging import ImagingRecipe
from particlespy_ml.training.report import crystallinity_lines
from particlespy_ml.training.training import Training


class CrystallinityTraining(Training):
    """Trained on windows of fields of particles on a support, recorded from their exit waves."""

    name = "crystallinity"
    simulation, detector = ExitWaveRecipe, ImagingRecipe

    @staticmethod
    def simulate(cache_folder, count, settings, workers, held_out_only) -> list[Path]:
        """Simulate exit waves."""
        from particlespy_ml.simulation.datasets.exit_waves import simulate_exit_waves

        return simulate_exit_waves(cache_folder, count, settings, workers, held_out_only=held_out_only)

    @staticmethod
    def train(tables, cache_folder, out_folder, **options) -> Path:
        """Train; see `particlespy_ml.training.crystallinity.train.train_crystallinity`."""
        from particlespy_ml.training.crystallinity.train import train_crystallinity

        return train_crystallinity(tables, cache_folder, out_folder, **options)

    @staticmethod
    def evaluate(network, card, cache_folder) -> dict:
        """Measure; see `particlespy_ml.training.crystallinity.evaluate.measure_crystallinity`."""
        from particlespy_ml.training.crystallinity.evaluate import evaluate_crystallinity

        return evaluate_crystallinity(network, card, cache_folder)

    @staticmethod
    def draw(results, card, folder) -> None:
        """Accuracy, confusion and what is left above a probability."""
        from particlespy_ml.training.figures import draw_crystallinity

        draw_crystallinity(results, card["classes"], folder)

    @staticmethod
    def report(results) -> Iterator[str]:
        """Tables for two and three classes beside the paper's."""
        return crystallinity_lines(results)
