"""What the commands of training do for networks that find columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe
from particlespy_ml.training.training import Training


class ColumnTraining(Training):
    """Trained on recorded views of exit waves whose columns are known."""

    name = "map_columns"
    simulation, detector = ColumnWaveRecipe, ColumnImagingRecipe

    @staticmethod
    def simulate(cache_folder, count, settings, workers, held_out_only) -> list[Path]:
        """Simulate exit waves, and films to combine them with."""
        from particlespy_ml.simulation.datasets.column_waves import simulate_column_waves

        return simulate_column_waves(cache_folder, count, settings, workers, held_out_only=held_out_only)

    @staticmethod
    def train(tables, cache_folder, out_folder, **options) -> Path:
        """Train; see `particlespy_ml.training.columns.train.train_column_network`."""
        from particlespy_ml.training.columns.train import train_column_network

        return train_column_network(tables, cache_folder, out_folder, **options)

    @staticmethod
    def evaluate(network, card, cache_folder) -> dict:
        """Measure; see `particlespy_ml.training.columns.evaluate.measure_columns`."""
        from particlespy_ml.training.columns.evaluate import evaluate_columns

        return evaluate_columns(network, card, cache_folder)

    @staticmethod
    def draw(results, card, folder) -> None:
        """Columns found and heights told right over the dose."""
        from particlespy_ml.training.figures import draw_columns

        draw_columns(results, folder)

    @staticmethod
    def report(results) -> Iterator[str]:
        """Tables of columns found, their places and heights."""
        from particlespy_ml.training.report import column_lines

        return column_lines(results)
