"""The level of light about a particle: a plane fitted to a ring of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# An octant of the ring is left out where it is this many standard errors off, such as by a particle that was not found.
OUTLYING = 4.0


# A plane is fitted where the ring surrounds the particle, so that its value in the middle has at most this many times
# the variance of the mean.
MAX_INFLATION = 3.0


@dataclass
class Level:
    """A background: a plane about the particle's centroid, and how well it is known.

    ``inflation`` is the variance of the value in the middle over the variance of a pixel.
    """

    plane: np.ndarray
    inflation: float
    variance: float
    scatter: float
    freedom: int


def fit_level(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> Level:
    """Fit a plane to the means of octants about the origin; octants that do not fit are left out.

    Means of many pixels are fitted rather than pixels, since they scatter like Gaussians at any dose, and as much as
    noise of neighbouring pixels that goes together, or an uneven support, makes them.
    """
    octant = (rows > 0) + 2 * (columns > 0) + 4 * (np.abs(rows) > np.abs(columns))
    sums = [np.bincount(octant, weights, 8) for weights in (None, rows, columns, values, values * values)]
    present = sums[0] > 0
    counts, row, column, mean, square = (part[present] for part in sums)
    row, column, mean = row / counts, column / counts, mean / counts
    total = counts.sum()
    variance = max((square - counts * mean**2).sum(), 0.0) / max(total - len(counts), 1)
    while True:
        plane, inflation, terms = _weighted_plane(row, column, mean, counts)
        off = np.sqrt(counts) * (mean - plane[0] - plane[1] * row - plane[2] * column)
        freedom = len(counts) - terms
        if freedom < 2:
            break
        size = np.abs(off)
        worst = size.argmax()
        usual = max(np.sqrt(variance), 1.4826 * np.sort(size)[len(size) // 2])
        # sums of like numbers are rounded
        if size[worst] <= OUTLYING * usual + 1e-9 * np.sqrt(counts[worst]) * np.abs(mean).max():
            break
        row, column, mean, counts = (np.delete(part, worst) for part in (row, column, mean, counts))
    return Level(plane, inflation, variance, float((off**2).sum()), freedom)


def _weighted_plane(row, column, mean, counts) -> tuple[np.ndarray, float, int]:
    """Plane, variance of its value at the origin over that of a pixel, and number of its terms."""
    total = counts.sum()
    level = (np.array([(counts * mean).sum() / total, 0.0, 0.0]), 1 / total, 1)
    if len(counts) < 5:
        return level
    design = np.stack([np.ones_like(row), row, column], axis=1)
    normal = (design * counts[:, None]).T @ design
    try:
        inverse = np.linalg.inv(normal)
    except np.linalg.LinAlgError:
        return level
    if not 0 < inverse[0, 0] * total <= MAX_INFLATION:
        return level
    return inverse @ (design * counts[:, None]).T @ mean, inverse[0, 0], 3
