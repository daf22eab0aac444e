"""Class probabilities for the particles of one or many frames."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.classification.selective import Thresholds, noise_share
from particlespy_ml.classification.surroundings import surrounding_lattice
from particlespy_ml.classification.windows import cut_window, window_views
from particlespy_ml.core.calibration import NANOMETRES, PixelGrid
from particlespy_ml.core.progress import bar
from particlespy_ml.models.model import Classifier
from particlespy_ml.quality.fringes import lacks_fringes
from particlespy_ml.tables.classes import LEAST, NONE, class_columns, classes_from_probabilities
from particlespy_ml.tables.rows import add_columns

FLUSH = 256  # windows gathered over frames before they go through the network


@dataclass(frozen=True, eq=False)
class ParticleClassifier:
    """A picklable function that adds classes to measured frames.

    Parameters
    ----------
    model
        Loaded model.
    grid
        Calibration of the frames.
    min_probability
        Particles whose largest probability is below are undefined.
    scale
        Lattice constant of the sample over that of the model. All lengths of the model are in proportion to it.
    calibrated
        Whether probabilities are calibrated.
    spacing
        Lattice spacing in nm without which a frame shows no classes: particles that are undefined in such a frame have
        no probabilities. None for models that need no fringes.
    target_accuracy
        Share of the answers that shall be right, by which each particle has a least probability of its own, in place of
        *min_probability*; see `particlespy_ml.classification.selective`.
    """

    model: Classifier
    grid: PixelGrid
    min_probability: float
    scale: float = 1.0
    calibrated: bool = True
    spacing: float | None = None
    target_accuracy: float | None = None

    @property
    def beside(self) -> tuple[str, ...]:
        """Columns beside those of every classification, some of `particlespy_ml.tables.classes.BESIDE`."""
        return (NONE,) * self.model.rejects + (LEAST,) * (self.target_accuracy is not None)

    @property
    def pixel_size(self) -> float:
        """Pixel size in nm to which particles are resampled."""
        return self.model.pixel_size * self.scale

    def __call__(self, frames, labels: list[np.ndarray], tables: list[np.ndarray]) -> list[np.ndarray]:
        """Return the tables with classes, probabilities batched over particles and frames."""
        counts = [len(table) for table in tables]
        probabilities = np.full((sum(counts), len(self.model.classes)), np.nan, np.float32)
        least = np.full(sum(counts), self.min_probability)
        thresholds = None if self.target_accuracy is None else Thresholds.from_card(self.model.card)
        apart = thresholds is not None and thresholds.on_lattices is not None
        lattice = np.full(sum(counts), np.nan) if apart else None
        if self.in_pixel_range():
            waiting: list[tuple[int, np.ndarray]] = []
            number = 0
            with bar(sum(counts), f"Classifying ({self.model.name})", "particle") as steps:
                for frame, label, table in zip(frames, labels, tables, strict=True):
                    views = window_views(table, self.grid, self.pixel_size, self.model.windows, self.model.coarser)
                    for row, edge, size in zip(table, *views, strict=True):
                        seen = (frame, label, row, self.grid, float(size), int(edge))
                        waiting.append((number, cut_window(*seen)))
                        if lattice is not None:
                            lattice[number] = surrounding_lattice(*seen)
                        number += 1
                        if len(waiting) >= FLUSH:
                            steps.update(len(waiting))
                            self._predict(waiting, probabilities, least, thresholds, lattice)
                self._predict(waiting, probabilities, least, thresholds, lattice)
        parts = (np.split(values, np.cumsum(counts)[:-1]) for values in (probabilities, least))
        return [self._with_classes(*one) for one in zip(frames, tables, *parts, strict=True)]

    def in_pixel_range(self) -> bool:
        """Whether the frames resolve what the model looks at."""
        return self.model.in_pixel_range(tuple(size / self.scale for size in self.grid.nanometres))

    def _predict(
        self,
        waiting: list[tuple[int, np.ndarray]],
        probabilities: np.ndarray,
        least: np.ndarray,
        thresholds: Thresholds | None,
        lattice: np.ndarray | None,
    ) -> None:
        """Predict what is waiting, window size by window size, and empty the list."""
        by_edge: dict[int, list[tuple[int, np.ndarray]]] = {}
        for number, window in waiting:
            by_edge.setdefault(len(window), []).append((number, window))
        for group in by_edge.values():
            windows = standardise(np.stack([window for _, window in group]))
            numbers = [number for number, _ in group]
            probabilities[numbers] = self.model.predict(windows, calibrated=self.calibrated)
            if thresholds is not None:
                about = None if lattice is None else lattice[numbers]
                told = noise_share(windows), self.target_accuracy, probabilities[numbers], about
                least[numbers] = thresholds.least(*told)
        waiting.clear()

    def _with_classes(
        self, frame: np.ndarray, table: np.ndarray, probabilities: np.ndarray, least: np.ndarray
    ) -> np.ndarray:
        out = add_columns(table, class_columns(self.model.classes, self.beside))
        index, probability = classes_from_probabilities(probabilities, least)
        if self.spacing is not None and (index < 0).any():
            if lacks_fringes(frame, self.grid.nanometres, self.spacing):
                probabilities[index < 0] = probability[index < 0] = np.nan
        out["class_index"] = np.where(self._in_size_range(table), index, -1)
        out["probability"] = probability
        for number, name in enumerate(self.model.classes):
            out[f"probability_{name}"] = probabilities[:, number]
        if NONE in self.beside:
            out[NONE] = np.clip(1 - probabilities.sum(1), 0, 1)
        if LEAST in self.beside:
            out[LEAST] = least
        return out

    def _in_size_range(self, table: np.ndarray) -> np.ndarray:
        low, high = self.model.card["diameter_range_nm"]
        diameter = table["equivalent_circular_diameter"] * NANOMETRES[self.grid.units] / self.scale
        return (diameter >= low) & (diameter <= high)


def warn_out_of_range(classifier: ParticleClassifier) -> None:
    """Warn where a pixel size is outside the model's range, so that every particle stays undefined."""
    if not classifier.in_pixel_range():
        low, high = classifier.model.card["pixel_size_range_angstrom"]
        size = max(classifier.grid.nanometres) * 10
        warnings.warn(
            f"The pixel size of {size:.3g} Å is outside the range of the model {classifier.model.name!r}, {low:g} to "
            f"{high:g} Å: every particle is left {'undefined'!r}. Check the calibration, or rebin finer images.",
            UserWarning,
            stacklevel=3,
        )
