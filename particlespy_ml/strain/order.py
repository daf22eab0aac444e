"""Which neighbour of a column is which of a template's: by order, and by search where order fails."""

from __future__ import annotations

import numpy as np

from particlespy_ml.strain.templates import Site

MOST_NODES = 200_000  # of the search at once: what is kept in memory


def order_neighbours(vectors: np.ndarray, site: Site) -> tuple[np.ndarray, np.ndarray]:
    """Number neighbours by ring and azimuth like those of a template, for all columns at once.

    Every start that symmetry does not make equal is tried, and the one with the least RMSD is kept, which is free of
    scale, turn and shift.

    Parameters
    ----------
    vectors
        From each column to as many neighbours as the template has, from the nearest on, as complex numbers x + iy,
        shape (n, N).
    site
        Of the template.

    Returns
    -------
    order
        Which of the vectors is each neighbour of the template, shape (n, N).
    rmsd
        Of the column and its neighbours, over the distance to the template's first shell, shape (n,).

    References
    ----------
    P. M. Larsen, S. Schmidt and J. Schiøtz, Modelling Simul. Mater. Sci. Eng. 24, 055007 (2016), for matching;
    J. Madsen et al., Adv. Theory Simul. 1, 1800037 (2018), for columns.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.order import order_neighbours
    >>> from particlespy_ml.strain.templates import template
    >>> site = template("hexagonal").sites[0]
    >>> order, rmsd = order_neighbours(3 * np.exp(0.2j) * site.places[None, ::-1], site)
    >>> bool(rmsd[0] < 1e-7)
    True
    """
    count, number = vectors.shape
    azimuths = np.angle(vectors)
    ends = np.cumsum([len(ring) for ring in site.rings])
    first = np.argsort(azimuths[:, : ends[0]], axis=1, kind="stable")
    start = azimuths[np.arange(count), first[:, 0]] if count else np.empty(0)
    spread = _spread(vectors)
    best, best_error = np.zeros((count, number), int), np.full(count, np.inf)
    for shift in site.starts:
        order = np.empty((count, number), int)
        order[:, np.roll(site.rings[0], -shift)] = first
        angle = np.angle(site.places[site.rings[0][shift]])
        for ring, begin, end in zip(site.rings[1:], ends[:-1], ends[1:], strict=True):
            # cut open where the template has a gap, or noise would put the first of the ring last
            turned = np.sort((np.angle(site.places[ring]) - angle) % (2 * np.pi))
            gaps = np.diff(np.append(turned, turned[0] + 2 * np.pi))
            cut = turned[gaps.argmax()] + gaps.max() / 2
            of_template = np.argsort((np.angle(site.places[ring]) - angle - cut) % (2 * np.pi))
            found = np.argsort((azimuths[:, begin:end] - start[:, None] - cut) % (2 * np.pi), axis=1)
            order[:, ring[of_template]] = begin + found
        error = _squares(np.take_along_axis(vectors, order, 1), site.places, spread)
        better = error < best_error
        best[better], best_error[better] = order[better], error[better]
    return best, np.sqrt(best_error / (number + 1)) / site.radii[0]


def _spread(vectors: np.ndarray) -> np.ndarray:
    """Sum of squared distances of columns and neighbours from their middle."""
    middle = np.abs(vectors.sum(1)) ** 2 / (vectors.shape[1] + 1)
    return (np.abs(vectors) ** 2).sum(1) - middle


def _squares(vectors: np.ndarray, places: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Sum of squares that scale, turn and shift leave, in the template's unit of length."""
    centred = places - places.sum() / (len(places) + 1)
    together = vectors @ centred.conj()  # to which the column itself, at zero, adds nothing
    template_spread = (np.abs(places) ** 2).sum() - np.abs(places.sum()) ** 2 / (len(places) + 1)
    power = np.abs(together) ** 2
    left = np.maximum(template_spread * spread - power, 0)
    return np.divide(template_spread * left, power, out=np.full(len(power), np.inf), where=power > 0)


def search_neighbours(vectors: np.ndarray, site: Site, max_rmsd: float) -> tuple[np.ndarray, np.ndarray]:
    """Number neighbours like those of a template with the least RMSD, by branch and bound, for many columns at once.

    Neighbours are given places of the template one after another. What is left of the squares after scale, turn and
    shift never falls as more are placed, so that a branch above the bound is cut.

    Parameters
    ----------
    vectors
        From each column to its neighbours, complex, shape (n, m) with m at most the N of the template; the template
        misses the rest.
    site
        Of the template.
    max_rmsd
        Bound: over the distance to the first shell.

    Returns
    -------
    order
        Place in the template of each of the vectors, shape (n, m); -1 where nothing lies within the bound.
    rmsd
        Shape (n,); infinite there.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.order import search_neighbours
    >>> from particlespy_ml.strain.templates import template
    >>> site = template("square").sites[0]
    >>> order, rmsd = search_neighbours(np.array([[2, 2j, -2]]), site, 0.1)
    >>> bool(rmsd[0] < 1e-7), site.radii[order[0]].tolist()
    (True, [1.0, 1.0, 1.0])
    """
    count, m = vectors.shape
    order, rmsd = np.full((count, m), -1), np.full(count, np.inf)
    step = max(1, MOST_NODES // len(site.places) ** 2)
    for begin in range(0, count, step):
        part = slice(begin, begin + step)
        order[part], rmsd[part] = _search(vectors[part], site, max_rmsd)
    return order, rmsd


def _search(vectors: np.ndarray, site: Site, max_rmsd: float) -> tuple[np.ndarray, np.ndarray]:
    count, m = vectors.shape
    places, most = site.places, (m + 1) * (max_rmsd * site.radii[0]) ** 2
    sums = np.cumsum(vectors, axis=1)
    spreads = np.cumsum(np.abs(vectors) ** 2, axis=1) - np.abs(sums) ** 2 / np.arange(2, m + 2)
    column = np.arange(count)
    chosen = np.empty((count, 0), int)
    total, power, cross = np.zeros(count, complex), np.zeros(count), np.zeros(count, complex)
    for level in range(m):
        own = vectors[column, level][:, None]
        totals = total[:, None] + places
        powers = power[:, None] + np.abs(places) ** 2
        crosses = cross[:, None] + places * own.conj()
        middle = crosses - totals * sums[column, level].conj()[:, None] / (level + 2)
        spread = powers - np.abs(totals) ** 2 / (level + 2)
        fitted = np.abs(middle) ** 2 / np.maximum(spreads[column, level], 1e-300)[:, None]
        left = spread - fitted
        left[np.arange(len(column))[:, None], chosen] = np.inf  # those that are taken
        if level == 0:  # one of those that turns make equal
            left[:, [k for k in range(len(places)) if not _first_of_its_kind(k, site)]] = np.inf
        node, place = np.nonzero(left <= most)
        column, chosen = column[node], np.column_stack([chosen[node], place])
        total, power, cross = totals[node, place], powers[node, place], crosses[node, place]
        found = spread[node, place], fitted[node, place]
    order, rmsd = np.full((count, m), -1), np.full(count, np.inf)
    if len(column):
        spread, fitted = found
        squares = np.maximum(spread - fitted, 0) * spread / fitted
        best = np.lexsort((squares, column))
        best = best[np.unique(column[best], return_index=True)[1]]
        order[column[best]] = chosen[best]
        rmsd[column[best]] = np.sqrt(squares[best] / (m + 1)) / site.radii[0]
    return order, rmsd


def _first_of_its_kind(number: int, site: Site) -> bool:
    turned = site.places[:number, None] * np.exp(1j * site.turns)
    return not (np.abs(turned - site.places[number]) < 1e-3 * site.radii[0]).any()
