"""The smooth background that columns stand on: polynomials, or splines that follow a support."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.interpolate import BSpline

DEGREES = (-1, 0, 1, 2, 3)
KNOTS = 2.5  # distances between neighbours from one knot of a local background to the next: columns are finer by far
MOST_KNOTS = 16  # along each side of an image


@dataclass(frozen=True)
class Background:
    """Sums of products of a function of the row and a function of the column.

    Parameters
    ----------
    degree
        Of the polynomial: 0 constant, 1 a plane; -1 for none. That of the pieces where there are knots.
    knots
        Distance of the knots of cubic splines in pixels; None for a polynomial.
    """

    degree: int = 1
    knots: float | None = None

    @classmethod
    def local(cls, spacing: float) -> Background:
        """Return a background that follows what is wider than columns of a spacing in pixels."""
        return cls(3, KNOTS * spacing)

    def scaled(self, factor: float) -> Background:
        """Return the same background of an image whose pixels are larger by a factor."""
        return self if self.knots is None else Background(self.degree, self.knots / factor)

    def terms(self, shape) -> np.ndarray:
        """Return which function of the row and which of the column each term is the product of, shape (t, 2)."""
        if self.knots is None:
            pairs = [(i, j) for i in range(self.degree + 1) for j in range(self.degree + 1 - i)]
        else:
            pairs = list(product(*(range(len(self._knots(n)) - 4) for n in shape)))
        return np.array(pairs, int).reshape(-1, 2)

    def functions(self, places, axis: int, shape, centre, extent: float) -> np.ndarray:
        """Return the functions along an axis at places in pixels, shape (functions, places).

        Parameters
        ----------
        places
            Rows or columns; beyond the image splines keep the value at its border.
        axis
            0 for rows, 1 for columns.
        shape
            Of the image.
        centre, extent
            Where the polynomials have their origin, and what they count distances in, in pixels.
        """
        places = np.asarray(places, float)
        if self.knots is None:
            return ((places - centre[axis]) / extent) ** np.arange(self.degree + 1)[:, None]
        inside = np.clip(places, 0, shape[axis] - 1)
        return BSpline.design_matrix(inside, self._knots(shape[axis]), 3).toarray().T

    def _knots(self, size: int) -> np.ndarray:
        pieces = int(np.clip(np.rint((size - 1) / self.knots), 1, MOST_KNOTS))
        ends = np.zeros(3), np.full(3, size - 1.0)
        return np.concatenate([ends[0], np.linspace(0, size - 1, pieces + 1), ends[1]])
