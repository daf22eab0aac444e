"""The lattice of a particle from its image as a whole, without its single columns.

A reflection of the power spectrum gathers the signal of all columns, so that the lattice is known at doses at which
most columns are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import minimize

from particlespy_ml.crystals.zone_axis import FEWEST_PIXELS, find_zone_axis_in, lattice_detail, without_padding

CONSTANTS = (0.365, 0.445)  # nm: with the stretch that `find_zone_axis_in` allows, lattice constants from 0.33 to 0.5
HIGHEST = 2.1  # times the shortest reflection: longer ones are hardly seen
GRID = 24  # places of the origin tried along each lattice vector


@dataclass(frozen=True)
class ImageLattice:
    """Plane lattice of columns, as seen in an image.

    Parameters
    ----------
    origin
        Row and column in pixels of a site.
    basis
        Lattice vectors in pixels, shape (2, 2), the shorter one first.
    zone_axis
        Zone axis of an fcc crystal with such a lattice.
    score
        See `particlespy_ml.crystals.zone_axis.ZoneAxis`.
    """

    origin: np.ndarray
    basis: np.ndarray
    zone_axis: str
    score: float

    @property
    def nearest(self) -> float:
        """Distance between neighbouring sites in pixels."""
        return float(np.linalg.norm(self.basis, axis=1).min())


def find_image_lattice(image, pixel_size: float, constants: tuple[float, ...] = CONSTANTS) -> ImageLattice | None:
    """Return the lattice of the particle in the middle of an image; None where it is on no zone axis.

    The lattice is that of an fcc crystal along <001>, <011> or <111>, which are also those of a bcc crystal but for the
    lattice constant. Its vectors are those with the greatest power of all reflections together, and its origin is where
    they are in phase.

    Parameters
    ----------
    image
        Shape (rows, columns).
    pixel_size
        In nm.
    constants
        Lattice constants of fcc crystals that are tried, in nm.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.fit.gaussians import gaussian_columns
    >>> from particlespy_ml.crystals.image_lattice import find_image_lattice
    >>> rows, columns = np.mgrid[:7, :7]
    >>> places = np.column_stack([21.0 + 9.8 * rows.ravel(), 20.0 + 9.8 * columns.ravel()])
    >>> found = find_image_lattice(gaussian_columns((100, 100), places, 50.0, 2.1), 0.02)
    >>> found.zone_axis, round(found.nearest, 1)
    ('<001>', 9.8)
    """
    image = np.asarray(image, float)
    whole = (np.array(image.shape) - 1) / 2
    image, middle = without_padding(image)
    found = [find_zone_axis_in(image, constant / pixel_size) for constant in constants]
    best = max(found, key=lambda zone: zone.score)
    if not best.zone_axis:
        return None
    detail, *_ = lattice_detail(image, 1.15 * best.lattice_constant, middle)
    indices = _reflections(best.basis)
    at = [np.arange(n) - (n - 1) / 2 for n in detail.shape]
    basis = _strongest(detail, at, best.basis, indices)
    amplitudes = _amplitudes(detail, at, indices @ np.linalg.inv(basis).T)
    origin = _in_phase(amplitudes, indices)
    order = np.argsort(np.linalg.norm(basis, axis=1), kind="stable")
    place = origin @ basis + [(n - 1) / 2 for n in detail.shape] + whole - middle
    return ImageLattice(place, basis[order], best.zone_axis, best.score)


def _reflections(basis: np.ndarray) -> np.ndarray:
    """Indices of the shorter reflections, one of each pair."""
    indices = np.array([(h, k) for h, k in product(range(-3, 4), repeat=2) if (h, k) > (0, 0)])
    lengths = np.linalg.norm(indices @ np.linalg.inv(basis).T, axis=1)
    return indices[(lengths <= HIGHEST * lengths.min()) & (lengths < 1 / FEWEST_PIXELS)]


def _amplitudes(detail, at, vectors) -> np.ndarray:
    """Fourier coefficients of an image at any reciprocal vectors, shape (m,)."""
    rows, columns = (np.exp(-2j * np.pi * np.outer(vectors[:, k], at[k])) for k in (0, 1))
    return np.sum((rows @ detail) * columns, axis=1)


def _strongest(detail, at, basis, indices) -> np.ndarray:
    """Lattice vectors with the greatest power of all reflections."""
    step = 0.1 / max(detail.shape)  # of a reciprocal vector, times the lattice vectors: a tenth of a fringe
    reciprocal = np.linalg.inv(basis).T
    scale = np.sum(np.abs(_amplitudes(detail, at, indices @ reciprocal)) ** 2)

    def power(change):
        amplitudes = _amplitudes(detail, at, indices @ (reciprocal + step * change.reshape(2, 2)))
        return -np.sum(np.abs(amplitudes) ** 2) / scale

    found = minimize(power, np.zeros(4), method="BFGS", options={"maxiter": 20})
    moved = found.x if np.abs(found.x).max() < 10 else np.zeros(4)  # not to another peak
    return np.linalg.inv(reciprocal + step * moved.reshape(2, 2)).T


def _in_phase(amplitudes, indices) -> np.ndarray:
    """Place in lattice vectors where all reflections are in phase."""

    def height(places):
        return np.real(np.exp(2j * np.pi * places @ indices.T) @ amplitudes)

    axis = np.arange(GRID) / GRID
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    best = places[np.argmax(height(places))]
    fine = best + (places - 0.5) * 2 / GRID
    return fine[np.argmax(height(fine))]
