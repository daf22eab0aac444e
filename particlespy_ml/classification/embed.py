"""What a classifier sees in particles before it decides on a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.classification.windows import cut_window, window_views
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.models.model import Classifier


@dataclass(frozen=True, eq=False)
class ParticleEmbedder:
    """A picklable function from a frame, its labels and its measured rows to vectors.

    Parameters
    ----------
    model
        Loaded classifier.
    grid
        Calibration of the frames.
    """

    model: Classifier
    grid: PixelGrid

    @property
    def width(self) -> int:
        """Length of the vectors."""
        return self.model.embedding_width

    def __call__(self, frame: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return vectors, shape (rows, width), float32; NaN where the pixels are outside of the model's range."""
        out = np.full((len(rows), self.width), np.nan, np.float32)
        if not self.model.in_pixel_range(self.grid.nanometres):
            return out
        edges, sizes = window_views(rows, self.grid, self.model.pixel_size, self.model.windows, self.model.coarser)
        for edge in np.unique(edges):
            chosen = np.flatnonzero(edges == edge)
            windows = [
                cut_window(frame, labels, rows[number], self.grid, float(sizes[number]), int(edge)) for number in chosen
            ]
            out[chosen] = self.model.embed(standardise(np.stack(windows)))
        return out
