"""How far columns lie from the sites of a lattice without strain."""

from __future__ import annotations

import numpy as np


def displacements(places: np.ndarray, sites: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Return the vectors from the sites of a lattice to the columns, shape (n, 2).

    The lattice is that of the reference columns: the one that is nearest to them, by least squares.

    Parameters
    ----------
    places
        Columns (x, y), shape (n, 2).
    sites
        Whole numbers of the site of each column along two vectors of the lattice, shape (n, 2).
    reference
        Columns that the lattice is that of, shape (n,); by default all.

    Returns
    -------
    numpy.ndarray
        In the unit of the places. NaN for all where the reference has fewer than three columns, or all on one line.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain import displacements
    >>> sites = np.array([(a, b) for b in range(3) for a in range(3)])
    >>> places = 0.2 * sites + [5, 7]
    >>> places[4, 0] += 0.01
    >>> float(displacements(places, sites, np.arange(9) != 4)[4, 0].round(6))
    0.01
    """
    places, sites = np.asarray(places, float), np.asarray(sites, float)
    used = np.isfinite(places).all(1)
    if reference is not None:
        used &= np.asarray(reference, bool)
    middle = sites[used].mean(0) if used.any() else 0.0
    design = np.column_stack([sites - middle, np.ones(len(sites))])
    if used.sum() < 3 or np.linalg.matrix_rank(design[used]) < 3:
        return np.full(places.shape, np.nan)
    offset = places[used].mean(0)  # far from the origin digits would be lost
    lattice, *_ = np.linalg.lstsq(design[used], places[used] - offset, rcond=None)
    return places - offset - design @ lattice
