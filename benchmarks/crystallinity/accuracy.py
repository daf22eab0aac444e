"""Accuracy of the classifier on held-out fields, in the imaging range of the literature and out of it."""

from __future__ import annotations

from pathlib import Path

from particlespy_ml.training.card import read_model
from particlespy_ml.training.crystallinity.evaluate import evaluate_crystallinity
from particlespy_ml.training.report import crystallinity_lines


def main(folder: Path, cache: Path, realisations: int) -> None:
    """Print the tables."""
    network, card = read_model(folder)
    results = evaluate_crystallinity(network, card, cache, realisations)
    print("\n".join(crystallinity_lines(results)) + "\n")
