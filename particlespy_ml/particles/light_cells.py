"""Cells of pixels about particles: coarser about larger ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Cells along the equivalent radius, at least: what surrounds large particles is seen in cells of several pixels.
RADIUS_IN_CELLS = 8


@dataclass
class Cells:
    """Blocks of pixels.

    Parameters
    ----------
    pixels
        Along rows and columns.
    size
        Edges of a cell in units of the shorter.
    unit
        That one in units of the shorter edge of a pixel.
    """

    pixels: tuple[int, int]
    size: tuple[float, float]
    unit: float

    @classmethod
    def for_particle(cls, count: int, sampling: tuple[float, float]) -> Cells:
        """Cells about a particle of some pixels; *sampling* are their edges in units of the shorter."""
        radius = np.sqrt(count * sampling[0] * sampling[1] / np.pi)
        edge = max(radius / RADIUS_IN_CELLS, 1)
        pixels = tuple(max(int(edge / size), 1) for size in sampling)
        edges = [n * size for n, size in zip(pixels, sampling, strict=True)]
        return cls(pixels, tuple(round(size / min(edges), 9) for size in edges), min(edges))

    @property
    def area(self) -> int:
        """Pixels in a cell."""
        return self.pixels[0] * self.pixels[1]

    def radius_of(self, count: int) -> float:
        """Equivalent radius of some pixels in cells."""
        return np.sqrt(count / self.area * self.size[0] * self.size[1] / np.pi)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sums over cells, in the type of the values, which fill whole cells."""
        for axis, n in enumerate(self.pixels):
            parts = [values[i::n] if axis == 0 else values[:, i::n] for i in range(n)]
            values = parts[0] if n == 1 else parts[0] + parts[1]
            for part in parts[2:]:
                values += part
        return values

    def count(self, chosen: np.ndarray) -> np.ndarray:
        """Pixels that are chosen in each cell; the pixels, booleans, fill whole cells."""
        kind = np.min_scalar_type(self.area)
        return self.sum(chosen.view(kind) if kind == np.uint8 else chosen.astype(kind))

    def spread(self, cells: np.ndarray) -> np.ndarray:
        """Return to each pixel what its cell has."""
        for axis in (1, 0):
            n = self.pixels[axis]
            cells = cells if n == 1 else np.repeat(cells, n, axis)
        return cells
