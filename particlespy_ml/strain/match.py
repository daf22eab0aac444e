"""Columns matched with templates: which neighbours a column has, and which are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.strain.agreement import fit_matches, with_witnesses
from particlespy_ml.strain.grains import Lattices, across_boundaries
from particlespy_ml.strain.order import order_neighbours, search_neighbours
from particlespy_ml.strain.templates import Site, Template, template_points

MAX_RMSD = 0.1  # of the distance between neighbours: a twin plane of fcc is .12 from fcc
LARGEST_RMSD = 0.25  # the search takes too long above, and any packing is matched
FEWEST = 3  # neighbours matched
SHARE = 3  # of this many neighbours of the template one is matched at least
ENOUGH = 1000  # columns from which a template is chosen
# what became of a column, in the order of their numbers
OUTCOMES = (
    "matched",
    "too few neighbours",
    "no template",
    "neighbour off lattice",
    "several grains",
    "alone",
    "no place",
)
MATCHED, TOO_FEW, NO_TEMPLATE, OFF_LATTICE, SEVERAL_GRAINS, ALONE, NO_PLACE = range(len(OUTCOMES))


@dataclass(frozen=True)
class Surroundings:
    """The nearest columns around each column.

    Parameters
    ----------
    places
        All columns, complex x + iy, shape (n,).
    nearest
        Numbers of the nearest columns of each, from the nearest on; n where there are no more, shape (n, k).
    distances
        Their distances; infinite where there are no more.
    """

    places: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray

    @classmethod
    def of(cls, places: np.ndarray, count: int) -> Surroundings:
        """Look up the nearest columns.

        Parameters
        ----------
        places
            Finite, (x, y), shape (n, 2).
        count
            How many.
        """
        places = np.asarray(places, float).reshape(-1, 2)
        total = len(places)
        if not total:
            return cls(np.empty(0, complex), np.empty((0, count), int), np.empty((0, count)))
        distances, nearest = cKDTree(places).query(places, count + 1)
        # of columns at one place any may come first
        own = nearest == np.arange(total)[:, None]
        own[~own.any(1), -1] = True
        keep = ~own
        shape = (total, count)
        return cls(places @ (1, 1j), nearest[keep].reshape(shape), distances[keep].reshape(shape))

    def subset(self, columns: np.ndarray) -> _Part:
        """Return the surroundings of some of the columns."""
        return _Part(columns, self.nearest[columns], self.distances[columns])

    def spacing(self, shell: int, smooth: bool) -> np.ndarray:
        """Return the distance between neighbours at each column, shape (n,); infinite where it has too few.

        Parameters
        ----------
        shell
            Number of columns of the first shell. Half of them are looked at, since the rest may miss at the rim.
        smooth
            Take the median over the nearest columns.
        """
        own = np.median(self.distances[:, : min(shell, max(3, -(-shell // 2)))], axis=1)
        if not smooth or not len(own):
            return own
        around = np.append(own, np.inf)[self.nearest]
        return np.median(np.column_stack([own, np.where(np.isfinite(around), around, own[:, None])]), axis=1)


@dataclass(frozen=True)
class _Part:
    columns: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class Matches:
    """What columns were matched with.

    Parameters
    ----------
    template, site
        Number of the template, and of its site; -1 where none was matched, shape (n,).
    neighbours
        Number of the column that is each neighbour of the template; -1 where it is missing, shape (n, k).
    rmsd
        Over the distance to the first shell: of the best template, also where that is too much for a match; NaN where
        nothing could be compared, shape (n,).
    outcome
        Number of one of `OUTCOMES`: why a column is not matched, shape (n,).
    """

    template: np.ndarray
    site: np.ndarray
    neighbours: np.ndarray
    rmsd: np.ndarray
    outcome: np.ndarray

    @property
    def matched(self) -> np.ndarray:
        """Whether each column is matched, shape (n,)."""
        return self.template >= 0

    @property
    def n_neighbours(self) -> np.ndarray:
        """Number of neighbours matched, shape (n,)."""
        return (self.neighbours >= 0).sum(1)

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the columns that are matched, and of each its own number and those of its neighbours.

        Returns
        -------
        column
            Shape (m,).
        numbers, known
            Shape (m, k + 1): numbers, any where there is none, and where there is one.
        """
        column = np.flatnonzero(self.matched)
        numbers = np.column_stack([column, self.neighbours[column]])
        return column, np.maximum(numbers, 0), numbers >= 0

    def refused(self, outcome: np.ndarray) -> Matches:
        """Return the matches with those left out that have another outcome than to be matched.

        Parameters
        ----------
        outcome
            Shape (n,).
        """
        which = outcome == MATCHED
        template, site = (np.where(which, one, -1) for one in (self.template, self.site))
        return Matches(template, site, np.where(which[:, None], self.neighbours, -1), self.rmsd, outcome)


def match_columns(
    places: np.ndarray,
    templates: Sequence[Template],
    r_max: float | None = None,
    max_rmsd: float = MAX_RMSD,
) -> Matches:
    """Match every column and its neighbours with the template that fits best.

    Neighbours are the nearest columns, as many as the template has, as far as they are nearer than *r_max*. All of them
    must find a place in the template: a column of which a neighbour belongs to another grain is not matched, one at the
    surface is, with the neighbours that it has. A match counts if two of its neighbours are matched too, since a few
    columns lie like any template by chance, none of them lies elsewhere than the others say, and none is in another
    grain by the matches that hold it.

    Parameters
    ----------
    places
        Finite, (x, y), shape (n, 2).
    templates
        The earlier one is taken of those that fit alike.
    r_max
        In the unit of the places; by default halfway between the last shell of the template and the one that follows,
        in distances between neighbours around the column.
    max_rmsd
        Largest RMSD of a match with all neighbours, over the distance between neighbours; less with fewer neighbours,
        as these have less freedom.

    Returns
    -------
    Matches

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.match import match_columns
    >>> from particlespy_ml.strain.templates import template
    >>> places = np.array([(x, y) for x in range(5) for y in range(5)])
    >>> match_columns(places, [template("square")]).n_neighbours.reshape(5, 5)[:2].tolist()
    [[3, 5, 5, 5, 3], [5, 8, 8, 8, 5]]
    """
    most = max(len(site.neighbours) for one in templates for site in one.sites)
    around = Surroundings.of(places, most)
    found = best_matches(around, np.arange(len(around.places)), templates, r_max, max_rmsd)
    return found.refused(_outcomes(around, found, templates))


def _outcomes(around: Surroundings, found: Matches, templates: Sequence[Template]) -> np.ndarray:
    """What becomes of each column when its neighbours are asked too, shape (n,)."""
    outcome = found.outcome.copy()
    column, numbers, known = found.points()
    if len(column):
        template, site = found.template[column], found.site[column]
        points = template_points(templates, template, site, found.neighbours.shape[1])[0]
        nearest = np.linalg.norm(points[:, 1], axis=1)
        places = np.column_stack([around.places.real, around.places.imag])
        fits = fit_matches(places[numbers], points, known, nearest)
        outcome[column[fits.strange]] = OFF_LATTICE
        names = list(dict.fromkeys(one.lattice for one in templates))
        lattice = np.array([names.index(one.lattice) for one in templates])[template]
        fold = np.array([one.fold for one in templates])[template]
        lattices = Lattices.of(fits, numbers, known, template, lattice, fold, points, nearest)
        across = across_boundaries(lattices, ~fits.strange, found.outcome != TOO_FEW)
        outcome[column[across]] = SEVERAL_GRAINS
        kept = outcome == MATCHED
        other = lattices.of_neighbours(kept[column], len(outcome))
        agree = np.zeros(found.neighbours.shape, bool)
        agree[column] = (other >= 0) & ~lattices.differ(np.arange(len(column))[:, None], other)
        outcome[kept & ~with_witnesses(kept, found.neighbours, agree)] = ALONE
    return outcome


def choose_template(
    places: np.ndarray, templates: Sequence[Template], r_max: float | None = None, max_rmsd: float = MAX_RMSD
) -> Template:
    """Return the template that most columns match, and best.

    Parameters
    ----------
    places, r_max, max_rmsd
        See `match_columns`. Of many columns a thousand are looked at.
    templates
        The first is returned where none matches.
    """
    most = max(len(site.neighbours) for one in templates for site in one.sites)
    around = Surroundings.of(places, most)
    some = np.unique(np.linspace(0, len(around.places) - 1, ENOUGH).astype(int)) if len(around.places) else []
    evidence = []
    for one in templates:
        found = best_matches(around, np.asarray(some, int), [one], r_max, max_rmsd)
        evidence.append(np.sum((max_rmsd - np.minimum(found.rmsd, max_rmsd))[found.matched]))
    return templates[int(np.argmax(evidence))]


def best_matches(
    around: Surroundings, columns: np.ndarray, templates: Sequence[Template], r_max: float | None, max_rmsd: float
) -> Matches:
    """Return the best match of some columns, whether or not their neighbours are matched.

    Parameters
    ----------
    around
        Of all columns.
    columns
        Numbers of those that are matched, shape (m,).
    templates, r_max, max_rmsd
        See `match_columns`.
    """
    count, most = len(columns), around.nearest.shape[1]
    template, site_number = np.full(count, -1), np.full(count, -1)
    neighbours = np.full((count, most), -1)
    rmsd, score = np.full(count, np.nan), np.full(count, -np.inf)
    outcome = np.full(count, TOO_FEW)
    part = around.subset(columns)
    for number, one in enumerate(templates):
        for k, site in enumerate(one.sites):
            reach = np.full(count, r_max, float) if r_max is not None else _reach(around, one, site)[columns]
            order, error = _match_site(around, part, site, reach, max_rmsd)
            matched = (order >= 0).sum(1)
            total = len(site.neighbours)
            near = np.isfinite(part.distances[:, :total]) & (part.distances[:, :total] <= reach[:, None])
            enough = near.sum(1) >= fewest_neighbours(total)
            outcome[enough & (outcome == TOO_FEW)] = NO_TEMPLATE
            own = _evidence(error, matched, total, max_rmsd)
            accepted = own > score
            known = (~accepted) & ~np.isfinite(score) & ~(error >= rmsd) & np.isfinite(error)
            rmsd[known | accepted] = error[known | accepted]
            score[accepted] = own[accepted]
            template[accepted], site_number[accepted] = number, k
            neighbours[accepted] = -1
            neighbours[accepted, :total] = order[accepted]
            outcome[accepted] = MATCHED
    return Matches(template, site_number, neighbours, rmsd, outcome)


def fewest_neighbours(total: int) -> int:
    """Return how many neighbours a match has at least, of those of the template."""
    return max(FEWEST, -(-total // SHARE))


def _evidence(rmsd: np.ndarray, matched: np.ndarray, total: int, max_rmsd: float) -> np.ndarray:
    """How much speaks for a match: how much nearer than by chance columns lie, for each that is free to lie elsewhere.

    Missing neighbours take some of it away. Matches of the same columns that fit to rounding are equal.
    """
    free = np.maximum(matched - 1, 1)
    scatter = rmsd * np.sqrt((matched + 1) / free)
    limit = max_rmsd * np.sqrt((total + 1) / (total - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = free * np.log(1.001 * limit / (scatter + 1e-4 * limit)) * (1 + matched / total)
    return np.where(matched > 0, evidence.round(6), -np.inf)


def _reach(around: Surroundings, template: Template, site: Site) -> np.ndarray:
    return site.reach * around.spacing(site.first_shell, smooth=len(template.sites) == 1)


def _match_site(around: Surroundings, part: _Part, site: Site, reach, max_rmsd: float) -> tuple[np.ndarray, np.ndarray]:
    """Number of the column that is each neighbour of a site, -1 where it is missing or none matches, and the RMSD."""
    total = len(site.neighbours)
    count = len(part.columns)
    order, rmsd = np.full((count, total), -1), np.full(count, np.nan)
    within = np.isfinite(part.distances[:, :total]) & (part.distances[:, :total] <= reach[:, None])
    near = within.sum(1)
    whole = np.flatnonzero(near == total)
    vectors = _vectors(around, part, whole, total)
    found, error = order_neighbours(vectors, site)
    rmsd[whole] = error
    good = error <= max_rmsd
    chosen = whole[good]
    order[chosen] = np.take_along_axis(part.nearest[chosen, :total], found[good], 1)
    for number in range(fewest_neighbours(total), total + 1):
        rest = whole[~good] if number == total else np.flatnonzero(near == number)
        if not len(rest):
            continue
        limit = max_rmsd * np.sqrt((number - 1) / (number + 1) * (total + 1) / (total - 1))
        places, error = search_neighbours(_vectors(around, part, rest, number), site, limit)
        fits = np.isfinite(error)
        chosen = rest[fits]
        order[chosen[:, None], places[fits]] = part.nearest[chosen, :number]
        rmsd[chosen] = error[fits]
    return order, rmsd


def _vectors(around: Surroundings, part: _Part, chosen: np.ndarray, number: int) -> np.ndarray:
    return around.places[part.nearest[chosen, :number]] - around.places[part.columns[chosen]][:, None]
