"""What the commands of training do for networks that find particles on any support."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.training.report import multiscale_lines
from particlespy_ml.training.training import Training


class MultiscaleTraining(Training):
    """Micrographs are drawn while the network is trained, so that there is nothing to simulate before."""

    name = "multiscale_segmentation"
    simulation = detector = MicrographRecipe
    needs_simulations = False

    @staticmethod
    def simulate(cache_folder, count, settings, workers, held_out_only) -> list[Path]:
        """Simulate nothing: no files are written."""
        return []

    @staticmethod
    def train(tables, cache_folder, out_folder, **options) -> Path:
        """Train; see `particlespy_ml.training.multiscale.train.train_multiscale_network`."""
        from particlespy_ml.training.multiscale.train import train_multiscale_network

        return train_multiscale_network(tables, cache_folder, out_folder, **options)

    @staticmethod
    def evaluate(network, card, cache_folder) -> dict:
        """Measure; see `particlespy_ml.training.multiscale.evaluate.measure_multiscale`."""
        from particlespy_ml.training.multiscale.evaluate import evaluate_multiscale

        return evaluate_multiscale(network, card)

    @staticmethod
    def draw(results, card, folder) -> None:
        """F1 by kind of micrograph."""
        from particlespy_ml.training.figures import draw_multiscale

        draw_multiscale(results, folder)

    @staticmethod
    def report(results) -> Iterator[str]:
        """Table of F1 by kind of micrograph."""
        return multiscale_lines(results)
