"""Columns with known strain, and their images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erf

SPACING = 10.0  # pixels between columns
COLUMN = 0.2  # standard deviation of a column, over the spacing
NOISE = 0.05  # variance, where columns have a height of one
STEP = 0.03
STRENGTH = 0.03  # largest exx of the analytic field


@dataclass(frozen=True)
class Strained:
    """An image of a square lattice and what is known of its columns.

    Parameters
    ----------
    image
        Shape (n, n), without noise.
    places
        Columns (x, y) in pixels, shape (m, 2).
    gradient
        d u_i / d x_j of the displacement from the perfect lattice at each column, shape (m, 2, 2).
    """

    image: np.ndarray
    places: np.ndarray
    gradient: np.ndarray


def columns_image(shape: tuple[int, int], places: np.ndarray, width: float) -> np.ndarray:
    """Gaussian columns of height one at places (x, y) in pixels."""
    y, x = np.arange(shape[0]), np.arange(shape[1])
    down = np.exp(-((y[:, None] - places[:, 1]) ** 2) / (2 * width**2))
    return down @ np.exp(-((x[:, None] - places[:, 0]) ** 2) / (2 * width**2)).T


def analytic_field(x, y, alpha: float, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Displacements and their gradient of exx = s (x + y) exp(-alpha r²), eyy = s (x - y) exp(-alpha r²).

    Returns displacements (..., 2) and gradients d u_i / d x_j, (..., 2, 2).
    """
    bell, half = np.exp(-alpha * (x**2 + y**2)), np.sqrt(np.pi / alpha) / 2
    bell_x, bell_y = np.exp(-alpha * x**2), np.exp(-alpha * y**2)
    erf_x, erf_y = half * erf(np.sqrt(alpha) * x), half * erf(np.sqrt(alpha) * y)
    u = np.stack([-bell / (2 * alpha) + y * bell_y * erf_x, bell / (2 * alpha) + x * bell_x * erf_y], -1)
    xy = y * bell + (1 - 2 * alpha * y**2) * bell_y * erf_x
    yx = -x * bell + (1 - 2 * alpha * x**2) * bell_x * erf_y
    gradient = np.stack([np.stack([(x + y) * bell, xy], -1), np.stack([yx, (x - y) * bell], -1)], -2)
    return strength * u, strength * gradient


def lattice_sites(size: int) -> np.ndarray:
    """Sites (x, y) of a square lattice from the middle of a frame, with some beyond its border."""
    across = np.arange(-(size // 2 // SPACING) - 3, size // 2 // SPACING + 4) * SPACING
    return np.stack(np.meshgrid(across, across), -1).reshape(-1, 2)


def _strained(size: int, sites: np.ndarray, u: np.ndarray, gradient: np.ndarray) -> Strained:
    places = sites + u + size // 2
    return Strained(columns_image((size, size), places, COLUMN * SPACING), places, gradient)


def analytic(size: int = 512) -> Strained:
    """The analytic field, whose largest exx is `STRENGTH`, four fifths of the way to the border."""
    sites, alpha = lattice_sites(size), 1 / (size / 5) ** 2
    peak = np.exp(-0.5) / np.sqrt(alpha)  # of (x + y) exp(-alpha r²)
    return _strained(size, sites, *analytic_field(*sites.T, alpha, STRENGTH / peak))


def step(size: int = 256) -> Strained:
    """A crystal that is longer along x by `STEP` where x is above zero."""
    sites = lattice_sites(size)
    gradient = np.zeros((len(sites), 2, 2))
    gradient[:, 0, 0] = STEP * (sites[:, 0] > 0)
    u = np.column_stack([STEP * np.maximum(sites[:, 0], 0), np.zeros(len(sites))])
    return _strained(size, sites, u, gradient)


def surface(size: int = 256, layers: int = 3) -> Strained:
    """A crystal that ends in vacuum at the right, its outermost layers farther apart by `STEP`."""
    sites = lattice_sites(size)
    last = SPACING * round(size / 4 / SPACING)
    sites = sites[sites[:, 0] <= last]
    first = last - layers * SPACING
    u = np.column_stack([STEP * np.maximum(sites[:, 0] - first, 0), np.zeros(len(sites))])
    gradient = np.zeros((len(sites), 2, 2))
    gradient[:, 0, 0] = STEP * (sites[:, 0] > first)
    return _strained(size, sites, u, gradient)
