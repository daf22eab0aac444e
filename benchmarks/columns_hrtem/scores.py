"""What is found in images of known columns, compared with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.columns_hrtem import peers
from particlespy_ml.columns.by_network import columns_in_frame
from particlespy_ml.columns.network import MappedColumns
from particlespy_ml.models.column_mapper import ColumnMapper
from particlespy_ml.training.columns.batches import output_numbers
from particlespy_ml.training.columns.evaluate import CANONICAL, Outcome, outcome, score_columns


def by_network(model: ColumnMapper, threshold: float | None = None) -> Callable:
    """The network as users call it: from pixels, (images,) rows and columns, and their size in Å, to columns."""

    def find(image: np.ndarray, pixel: float) -> MappedColumns:
        image = image[0] if len(image) == 1 else image
        return columns_in_frame(image, (0.1 * pixel, 0.1 * pixel), model, threshold or model.threshold)[0]

    return find


def compared(seen, columns: MappedColumns, heights: tuple[int, ...] = (12,)) -> Outcome:
    """Compare columns of an image, places in its pixels, with what is there."""
    scale = seen.pixel_size / CANONICAL
    placed = MappedColumns(columns.places * scale, columns.errors, columns.probabilities, columns.posterior)
    shape = tuple(int(n * scale) for n in seen.images.shape[1:])
    return outcome(placed, seen.places * scale, output_numbers(seen, heights), shape)


def outcomes(recordings: list, find: Callable, heights: tuple[int, ...] = (12,)) -> list[Outcome]:
    """Compare what a function finds in the images with what is there."""
    return [compared(seen, find(seen.images, seen.pixel_size), heights) for seen, _ in recordings]


def best_of_peer(recordings: list, way: str) -> tuple[str, int, dict]:
    """The setting of a peer that is best with the truth, how many there are, and its scores."""
    results: dict[str, list[Outcome]] = {}
    for seen, _ in recordings:
        for told, places in peers.WAYS[way](seen.images[0].astype(float), seen.pixel_size).items():
            n = len(places)
            columns = MappedColumns(places, np.ones(n), np.ones(n), np.full((n, 12), 1 / 12))
            results.setdefault(told, []).append(compared(seen, columns))
    scores = {told: score_columns(found) for told, found in results.items()}
    best = max(scores, key=lambda told: scores[told]["f1"]["value"])
    return best, len(scores), scores[best]


def interval(score: dict) -> str:
    """A score with its interval of 95 %."""
    return f"{score['value']:.3f} ({score['interval'][0]:.3f} to {score['interval'][1]:.3f})"
