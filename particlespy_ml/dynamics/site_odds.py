"""What a network says of each site of a lattice in a frame: the odds of a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.columns.by_network import CUT, read_frame
from particlespy_ml.dynamics.site_features import Rigid

if TYPE_CHECKING:
    from particlespy_ml.models.column_mapper import ColumnMapper

REACH = 0.3  # of the distance between neighbours: a column that is farther away is not that of a site
LEAST = 0.01  # probability, and its distance from 1, beyond which a network is not believed


@dataclass(frozen=True)
class NetworkOdds:
    """Logarithms of the odds of a column at sites.

    Parameters
    ----------
    pixel_size
        Rows and columns in nm.
    mapper
        The network.
    near
        Distance between neighbours in pixels.
    """

    pixel_size: tuple[float, float]
    mapper: ColumnMapper
    near: float
    count = 1
    shared = False  # the network knows neighbours for what they are
    scaled = False

    def __call__(self, frame: np.ndarray, places: np.ndarray, motion: Rigid) -> np.ndarray:
        """Return the odds at places in a frame, shape (n, 1); NaN at the border."""
        there = np.isfinite(frame)
        whole = there.all()
        if not whole:
            frame = np.where(there, frame, np.median(frame[there]))
        maps, _, _, step = read_frame(frame, self.pixel_size, self.mapper, 0.5, None if whole else there)
        found = np.full((len(places), 1), np.nan)
        reach = max(0.1 * CUT / self.pixel_size[0], 1)
        inside = ((places > reach) & (places < np.array(frame.shape) - 1 - reach)).all(1)
        nearest = np.clip(np.rint(places).astype(int), 0, np.array(frame.shape) - 1)
        inside &= there[tuple(nearest.T)]
        if maps is None or not inside.any():
            return found
        radius = REACH * self.near / step[0]
        half = int(np.ceil(radius))
        y, x = np.mgrid[-half : half + 1, -half : half + 1]
        highest = ndi.maximum_filter(1 - maps.background, footprint=np.hypot(y, x) <= radius)
        at = np.rint((places[inside] + 0.5) / step - 0.5).astype(int)
        at = np.clip(at, 0, np.array(highest.shape) - 1)
        probability = np.clip(highest[tuple(at.T)], LEAST, 1 - LEAST)
        found[inside, 0] = np.log(probability / (1 - probability))
        return found
