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
class Levels:
    """Backgrounds of particles: planes about their centroids, shape (particles, 3), and how well they are known.

    ``inflation`` is the variance of the value in the middle over the variance of a pixel.
    """

    plane: np.ndarray
    inflation: np.ndarray
    variance: np.ndarray
    scatter: np.ndarray
    freedom: np.ndarray


def fit_levels(owner: np.ndarray, count: int, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> Levels:
    """Fit planes to the means of octants about the origins; octants that do not fit are left out.

    Means of many pixels are fitted rather than pixels, since they scatter like Gaussians at any dose, and as much as
    noise of neighbouring pixels that goes together, or an uneven support, makes them.

    Parameters
    ----------
    owner
        Number of the particle of each pixel, each with one at least.
    count
        Particles.
    rows, columns
        Place of each pixel, from the particle's centroid.
    values
        Light of each pixel.
    """
    octant = 8 * owner + (rows > 0) + 2 * (columns > 0) + 4 * (np.abs(rows) > np.abs(columns))
    counts, row, column, mean, square = (
        np.bincount(octant, weights, 8 * count).reshape(count, 8)
        for weights in (None, rows, columns, values, values * values)
    )
    counts = counts.astype(float)
    filled = np.maximum(counts, 1)
    row, column, mean = row / filled, column / filled, mean / filled
    total, octants = counts.sum(1), np.count_nonzero(counts, axis=1)
    variance = np.maximum((square - counts * mean**2).sum(1), 0) / np.maximum(total - octants, 1)
    result = Levels(np.zeros((count, 3)), np.zeros(count), variance, np.zeros(count), np.zeros(count, int))
    left = np.arange(count)
    while len(left):
        weight, along, across, level = counts[left], row[left], column[left], mean[left]
        plane, inflation, terms = _weighted_planes(along, across, level, weight)
        off = np.sqrt(weight) * (level - plane[:, :1] - plane[:, 1:2] * along - plane[:, 2:] * across)
        used = np.count_nonzero(weight, axis=1)
        result.plane[left], result.inflation[left], result.freedom[left] = plane, inflation, used - terms
        result.scatter[left] = (off**2).sum(1)
        size = np.where(weight > 0, np.abs(off), -np.inf)
        place, number = size.argmax(1), np.arange(len(left))
        middle = np.sort(np.where(weight > 0, size, np.inf), axis=1)[number, used // 2]
        usual = np.maximum(np.sqrt(variance[left]), 1.4826 * middle)
        # sums of like numbers are rounded
        rounding = 1e-9 * np.sqrt(weight[number, place]) * np.abs(np.where(weight > 0, level, 0)).max(1)
        worse = (used - terms >= 2) & (size[number, place] > OUTLYING * usual + rounding)
        left, place = left[worse], place[worse]
        counts[left, place] = 0
    return result


def _weighted_planes(row, column, mean, counts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planes, variance of their values at the origin over that of a pixel, and number of their terms."""
    total = counts.sum(1)
    plane = np.zeros((len(total), 3))
    plane[:, 0] = (counts * mean).sum(1) / total
    inflation, terms = 1 / total, np.ones(len(total), int)
    many = np.count_nonzero(counts, axis=1) >= 5
    if not many.any():
        return plane, inflation, terms
    design = np.stack([np.ones_like(row), row, column], axis=2)[many]
    weighted = (design * counts[many, :, None]).transpose(0, 2, 1)
    inverse = _inverses(weighted @ design)
    known = np.isfinite(inverse[:, 0, 0]) & (0 < inverse[:, 0, 0])
    known &= inverse[:, 0, 0] * total[many] <= MAX_INFLATION
    which = np.flatnonzero(many)[known]
    plane[which] = (inverse @ weighted @ mean[many, :, None])[known, :, 0]
    inflation[which], terms[which] = inverse[known, 0, 0], 3
    return plane, inflation, terms


def _inverses(matrices: np.ndarray) -> np.ndarray:
    """Inverses of matrices; NaN of those that have none."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full_like(matrices, np.nan)
        return np.concatenate([_inverses(matrices[k : k + 1]) for k in range(len(matrices))])
