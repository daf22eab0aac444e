"""A model that finds particles in views of several magnifications."""

from __future__ import annotations

import numpy as np

from particlespy_ml.models.model import ParticleFinder

CERTAIN = 5.5  # evidence of something in a frame from which on doubtful things beside it are judged by themselves
# Particles beside one that make it neither more nor less probable, and how many count for one that has none beside it.
MANY, ALONE = 10.0, 0.3


class MultiscaleFinder(ParticleFinder):
    """A model that finds particles of some pixels across, whatever a pixel measures; larger ones in coarser views."""

    @property
    def purpose(self) -> str:
        """That it finds particles on any support."""
        return "finds particles on any support"

    def maps(
        self, frame: np.ndarray, tile: int = 1024, overlap: int = 176, device: str | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the maps of a frame; see `ParticleFinder.maps`.

        Returns
        -------
        probability, depth, contact
            Shape (rows, columns), float32, between 0 and 1. The third is the probability that a pixel lies where one
            particle meets another.
        """
        import torch

        probability, depth, contact = self._maps(frame, torch.sigmoid, tile, overlap, device)
        return probability, depth, contact

    def in_pixel_range(self, nanometres: tuple[float, float]) -> bool:
        """That pixels may have any size."""
        return True

    @property
    def diameters(self) -> tuple[float, float]:
        """Smallest and largest diameter in pixels of particles that one view tells."""
        low, high = self.card["diameter_range_px"]
        return float(low), float(high)

    def evidence(self, mean_probability: np.ndarray, diameter: np.ndarray) -> np.ndarray:
        """Return the evidence that what was found is a particle, taken by itself.

        Parameters
        ----------
        mean_probability
            Mean of the map of particles over each.
        diameter
            In pixels of the view that each was found in.

        Returns
        -------
        numpy.ndarray
            Logarithm of the odds.
        """
        constant, of_probability, of_diameter, *_ = self.card["detection"]
        inside = np.clip(np.asarray(mean_probability, float), 1e-4, 1 - 1e-4)
        size = np.log(np.maximum(np.asarray(diameter, float), 1) / 20)
        return constant + of_probability * np.log(inside / (1 - inside)) + of_diameter * size

    def detection_probability(self, evidence: np.ndarray, in_frame: np.ndarray) -> np.ndarray:
        """Return how probable it is that what was found is a particle, as calibrated on particles never trained on.

        Parameters
        ----------
        evidence
            Of each, see `evidence`.
        in_frame
            Of everything in the frame, these included. Where nothing is certain, or little else is there, what is
            doubtful is chance more often than elsewhere.

        Examples
        --------
        >>> finder = MultiscaleFinder({"detection": [0.0, 1.0, 0.0, 2.0, 0.5]}, {})
        >>> doubtful, others = np.array([1.0]), np.array([1.0, *[6.0] * 20])
        >>> finder.detection_probability(doubtful, others).round(2).tolist()
        [0.79]
        >>> finder.detection_probability(doubtful, doubtful).round(2).tolist()
        [0.0]
        """
        lone, company = self.card["detection"][3:]
        missing, others = beside(evidence, in_frame)
        return 1 / (1 + np.exp(-(np.asarray(evidence, float) - lone * missing + company * others)))


def beside(evidence: np.ndarray, in_frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a frame tells of each thing in it, by its other particles.

    Parameters
    ----------
    evidence, in_frame
        See `MultiscaleFinder.detection_probability`.

    Returns
    -------
    missing, others
        What the most certain one lacks to being certain; and the logarithm of the number of others that are particles,
        relative to many. Both have the shape of `evidence`.

    Examples
    --------
    >>> missing, others = beside(np.array([1.0]), np.array([1.0, 3.5]))
    >>> float(missing[0]), round(float(others[0]), 2)
    (2.0, -2.1)
    """
    evidence, in_frame = np.asarray(evidence, float), np.asarray(in_frame, float)
    missing = np.full(evidence.shape, max(CERTAIN - in_frame.max(initial=-np.inf), 0.0))
    # doubtful ones count less than by their probability
    number = np.sum((1 / (1 + np.exp(-in_frame))) ** 2) - (1 / (1 + np.exp(-evidence))) ** 2
    return missing, np.log((ALONE + np.maximum(number, 0)) / MANY)
