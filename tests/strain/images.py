"""Images of lattices whose strain is known in closed form."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

SQUARE = np.eye(2)
HEXAGONAL = np.array([[1.0, 0.5], [0.0, np.sqrt(3) / 2]])


def turn(degrees):
    t = np.deg2rad(degrees)
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


def lattice_image(shape, cell=SQUARE, spacing=9.0, deformation=SQUARE, width=0.2, steps=(1.0, 1.0), order=3):
    """A homogeneous lattice of Gaussian columns as its Fourier series, so that pixels of any shape sample it exactly.

    *cell* has the lattice vectors in columns, *width* is that of a column over the spacing; the largest wave is of
    amplitude one or less.
    """
    y, x = (step * (np.arange(n) - (n - 1) / 2) for n, step in zip(shape, steps, strict=True))
    reciprocal = np.linalg.inv(deformation @ cell * spacing)
    image = np.zeros(shape)
    for h in range(-order, order + 1):
        for k in range(-order, order + 1):
            g = h * reciprocal[0] + k * reciprocal[1]
            fall = np.exp(-2 * (np.pi * width * spacing) ** 2 * (g @ g))
            image += fall * np.cos(2 * np.pi * (g[0] * x + g[1] * y[:, None] + 0.13 * h + 0.31 * k))
    return image


def columns_image(shape, places, width):
    """Gaussian columns of height one at places (x, y) in pixels."""
    y, x = np.arange(shape[0]), np.arange(shape[1])
    down = np.exp(-((y[:, None] - places[:, 1]) ** 2) / (2 * width**2))
    return down @ np.exp(-((x[:, None] - places[:, 0]) ** 2) / (2 * width**2)).T


def analytic_field(x, y, alpha, strength):
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
