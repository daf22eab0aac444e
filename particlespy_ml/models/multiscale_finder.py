"""A model that finds particles in views of several magnifications."""

from __future__ import annotations

import numpy as np

from particlespy_ml.models.model import ParticleFinder

CERTAIN = 5.5  # evidence of something in a frame from which on doubtful things beside it are judged by themselves


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
        constant, of_probability, of_diameter, _ = self.card["detection"]
        inside = np.clip(np.asarray(mean_probability, float), 1e-4, 1 - 1e-4)
        size = np.log(np.maximum(np.asarray(diameter, float), 1) / 20)
        return constant + of_probability * np.log(inside / (1 - inside)) + of_diameter * size

    def detection_probability(self, evidence: np.ndarray, most: float) -> np.ndarray:
        """Return how probable it is that what was found is a particle, as calibrated on particles never trained on.

        Parameters
        ----------
        evidence
            Of each, see `evidence`.
        most
            The most evidence that anything in the frame has. Where nothing is certain, what is doubtful is chance more
            often than elsewhere.

        Examples
        --------
        >>> finder = MultiscaleFinder({"detection": [0.0, 1.0, 0.0, 2.0]}, {})
        >>> finder.detection_probability(np.array([1.0]), most=6.0).round(2).tolist()
        [0.73]
        >>> finder.detection_probability(np.array([1.0]), most=4.5).round(2).tolist()
        [0.27]
        """
        lone = self.card["detection"][3]
        return 1 / (1 + np.exp(-(np.asarray(evidence, float) - lone * max(CERTAIN - most, 0.0))))
