"""Columns on empty sites of the lattice of those that were found."""

from __future__ import annotations

import numpy as np

from particlespy_ml.columns.fit.background import Background
from particlespy_ml.columns.fit.refine import ColumnFit, refine_columns
from particlespy_ml.columns.search.detection import significance_threshold
from particlespy_ml.columns.search.places import at_pixels, in_sight
from particlespy_ml.crystals.plane_lattice import PlaneLattice, fit_lattice
from particlespy_ml.quality.noise import Noise

FEWEST_COLUMNS = 12
REGULAR = 0.85  # of the columns lie on the lattice
SPREAD = 0.12  # of the distance between neighbours: root mean square distance from the sites
NEIGHBOURS = 2  # columns around a site
WORTH_TRYING = 0.5  # of the significance that is needed
ASTRAY = 0.25  # of the distance between neighbours: a column that moves further from its site is none of it


def empty_sites(positions: np.ndarray, lattice: PlaneLattice) -> np.ndarray:
    """Return sites without a column beside two columns or more, shape (m, 2), as these columns predict them.

    Parameters
    ----------
    positions
        Of the columns, shape (n, 2).
    lattice
        Their lattice.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.search.complete import empty_sites
    >>> from particlespy_ml.crystals.plane_lattice import fit_lattice
    >>> rows, columns = np.mgrid[:5, :5]
    >>> places = np.column_stack([10.0 * rows.ravel(), 10.0 * columns.ravel()])
    >>> known = np.delete(places, 12, axis=0)
    >>> sites = empty_sites(known, fit_lattice(known))
    >>> bool(np.min(np.linalg.norm(sites - places[12], axis=1)) < 1e-6)
    True
    """
    known = {tuple(lattice.indices[k]): positions[k] for k in np.flatnonzero(lattice.on_lattice)}
    steps = np.array([(1, 0), (0, 1), (1, -1)])
    predicted: dict[tuple[int, int], list[np.ndarray]] = {}
    for index, place in known.items():
        for step in (*steps, *-steps):
            site = (index[0] + step[0], index[1] + step[1])
            if site not in known:
                predicted.setdefault(site, []).append(place + step @ lattice.basis)
    sites = [np.mean(places, axis=0) for places in predicted.values() if len(places) >= NEIGHBOURS]
    return np.array(sites).reshape(-1, 2)


def complete_lattice(
    image: np.ndarray,
    fit: ColumnFit,
    significance,
    false_positives: float,
    *,
    noise: Noise | None,
    background: int | Background,
    mask=None,
    known=None,
    faintest: float = 0.0,
) -> ColumnFit | None:
    """Add columns on empty sites of the lattice that are significant there, and refine all; None where there is none.

    The sites are a small part of the image, so that less significance is needed than elsewhere: that which is reached
    by chance *false_positives* times on all of them.

    Parameters
    ----------
    image
        Shape (rows, columns).
    fit
        Columns found.
    significance
        Function of an image and a fit: significance of its columns, shape (n,).
    false_positives
        Expected number of false columns on all the sites.
    noise, background, known
        See `particlespy_ml.columns.fit.refine.refine_columns`.
    mask
        Pixels in which columns are looked for, or None.
    faintest
        Smallest volume of a column.
    """
    count = len(fit.positions)
    lattice = fit_lattice(fit.positions) if count >= FEWEST_COLUMNS else None
    if lattice is None or lattice.fraction < REGULAR or lattice.spread > SPREAD:
        return None
    near = np.linalg.norm(lattice.basis[0])
    sites = empty_sites(fit.positions, lattice)
    sites = sites[in_sight(sites, image.shape, fit.widths.mean())]
    if mask is not None and len(sites):
        sites = sites[at_pixels(np.asarray(mask, bool), sites)]
    if not len(sites):
        return None
    area = len(sites) * np.pi * (ASTRAY * near / fit.widths.mean()) ** 2
    needed = significance_threshold(false_positives, area)
    width, settings = float(fit.widths.mean()), {"noise": noise, "background": background, "known": known}
    start = np.vstack([fit.positions, sites])
    for least in (WORTH_TRYING * needed, needed):
        full = refine_columns(image, start, width, max_iterations=8, **settings)
        away = np.linalg.norm(full.positions - start, axis=1)
        # what the Gaussians miss of real columns is no noise, but it is not to be taken for further columns
        least = least * np.sqrt(max(full.chi2, 1))
        keep = (significance(image, full) > least) & (away < ASTRAY * near) & (full.volumes > faintest)
        keep[:count] = True
        start = np.where(away[:, None] < ASTRAY * near, full.positions, start)[keep]
        if len(start) == count:
            return None
    return refine_columns(image, start, width, **settings)
