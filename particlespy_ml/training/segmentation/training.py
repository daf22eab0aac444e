"""What the commands of training do for networks that find particles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from particlespy_ml.training.crystallinity.training import CrystallinityTraining
from particlespy_ml.training.report import segmentation_lines


class SegmentationTraining(CrystallinityTraining):
    """Trained on frames of the same fields as classifiers of crystallinity."""

    name = "segmentation"

    @staticmethod
    def train(tables, cache_folder, out_folder, **options) -> Path:
        """Train; see `particlespy_ml.training.segmentation.train.train_segmentation_network`."""
        from particlespy_ml.training.segmentation.train import train_segmentation_network

        return train_segmentation_network(tables, cache_folder, out_folder, **options)

    @staticmethod
    def evaluate(network, card, cache_folder) -> dict:
        """Measure; see `particlespy_ml.training.segmentation.evaluate.measure_segmentation`."""
        from particlespy_ml.training.segmentation.evaluate import evaluate_segmentation

        return evaluate_segmentation(network, card, cache_folder)

    @staticmethod
    def draw(results, card, folder) -> None:
        """Overlap of the masks and share of the particles found."""
        from particlespy_ml.training.figures import draw_segmentation

        draw_segmentation(results, folder)

    @staticmethod
    def report(results) -> Iterator[str]:
        """Tables of overlap and of particles found."""
        return segmentation_lines(results)
