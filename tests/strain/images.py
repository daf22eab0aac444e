"""Images of lattices whose strain is known in closed form."""

from __future__ import annotations

import numpy as np

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
