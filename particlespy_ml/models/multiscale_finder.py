"""A model that finds particles in views of several magnifications."""

from __future__ import annotations

import numpy as np

from particlespy_ml.models.model import ParticleFinder


class MultiscaleFinder(ParticleFinder):
    """A model that finds particles of some pixels across, whatever a pixel measures; larger ones in coarser views."""

    @property
    def purpose(self) -> str:
        """That it finds particles on any support."""
        return "finds particles on any support"

    def in_pixel_range(self, nanometres: tuple[float, float]) -> bool:
        """That pixels may have any size."""
        return True

    @property
    def diameters(self) -> tuple[float, float]:
        """Smallest and largest diameter in pixels of particles that one view tells."""
        low, high = self.card["diameter_range_px"]
        return float(low), float(high)

    def detection_probability(self, mean_probability: np.ndarray, diameter: np.ndarray) -> np.ndarray:
        """Return how probable it is that what was found is a particle, as calibrated on particles never trained on.

        Parameters
        ----------
        mean_probability
            Mean of the map of particles over each.
        diameter
            In pixels of the view that each was found in.
        """
        constant, of_probability, of_diameter = self.card["detection"]
        inside = np.clip(np.asarray(mean_probability, float), 1e-4, 1 - 1e-4)
        size = np.log(np.maximum(np.asarray(diameter, float), 1) / 20)
        logit = constant + of_probability * np.log(inside / (1 - inside)) + of_diameter * size
        return 1 / (1 + np.exp(-logit))
