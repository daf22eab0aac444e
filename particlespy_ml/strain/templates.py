"""Templates: how the neighbours of a column lie around it in crystals without strain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from scipy.spatial import Delaunay

from particlespy_ml.crystals.crystal import Crystal, as_crystal
from particlespy_ml.crystals.projection import projection

FEWEST = 6  # neighbours by default: the shells that hold as many
APART = 1.12  # ratio of radii above which, by default, shells are told apart by distance
SAME_SHELL = 1e-3  # of a radius
SAME_PLACE = 1e-3  # of the distance between neighbours
LEAST_ANGLE = np.radians(20)  # between neighbours of a ring: nearer ones would be mistaken for each other
ROWS = 5  # cells around a site that are looked at
FOLDS = (12, 6, 4, 3, 2, 1)

# every layer of hcp is a twin plane of fcc
_TWIN = Crystal(
    "hcp",
    ((1, 0, 0), (-0.5, 0.75**0.5, 0), (0, 0, (8 / 3) ** 0.5)),
    ("X", "X"),
    ((1 / 3, 2 / 3, 1 / 4), (2 / 3, 1 / 3, 3 / 4)),
)
_TWIN_CONSTANT = 0.5**0.5  # in lattice constants of fcc
# name: lattice, then crystal and zone axis, or the vectors of a plane lattice
STANDARD: dict[str, tuple] = {
    "square": ("square", ((1.0, 0.0), (0.0, 1.0))),
    "hexagonal": ("hexagonal", ((1.0, 0.0), (0.5, 0.75**0.5))),
    "fcc<110>": ("fcc", "fcc", "<011>"),
    "fcc<001>": ("fcc", "fcc", "<001>"),
    "fcc<111>": ("fcc", "fcc", "<111>"),
    "fcc<110> twin": ("fcc", _TWIN, "<11-20>"),
    "bcc<001>": ("bcc", "bcc", "<001>"),
    "bcc<110>": ("bcc", "bcc", "<011>"),
    "bcc<111>": ("bcc", "bcc", "<111>"),
    "graphene": ("graphene", "graphene", "<0001>"),
}


@dataclass(frozen=True, eq=False)
class Site:
    """What surrounds one column of a crystal.

    Parameters
    ----------
    neighbours
        Places (x, y) of the neighbours around the column, in lattice constants, by shells from within, and in a shell
        by azimuth, shape (N, 2).
    following
        Radius of the shell that follows.
    """

    neighbours: np.ndarray
    following: float

    @cached_property
    def radii(self) -> np.ndarray:
        """Distances of the neighbours, shape (N,)."""
        return np.linalg.norm(self.neighbours, axis=1)

    @cached_property
    def places(self) -> np.ndarray:
        """Neighbours as complex numbers x + iy, shape (N,)."""
        return self.neighbours @ (1, 1j)

    @cached_property
    def first_shell(self) -> int:
        """Number of neighbours of the first shell."""
        return int((self.radii < self.radii[0] * (1 + SAME_SHELL)).sum())

    @cached_property
    def turns(self) -> np.ndarray:
        """Turns in radians that take the neighbours to themselves; zero is one of them."""
        return _turns(self.places, self.places)

    @cached_property
    def reach(self) -> float:
        """Radius halfway between the last shell and the one that follows, over that of the first."""
        return float((self.radii[-1] + self.following) / 2 / self.radii[0])

    @cached_property
    def rings(self) -> tuple[np.ndarray, ...]:
        """Numbers of neighbours in rings, sorted by azimuth in each.

        A ring joins shells as long as its neighbours are told apart by their azimuths, so that the order does not
        depend on distances that are nearly the same, such as those of fcc<110>.
        """
        azimuths, rings = np.angle(self.places), [np.empty(0, int)]
        for shell in _shells(self.radii):
            both = np.concatenate([rings[-1], shell])
            sorted_angles = np.sort(azimuths[both])
            gaps = np.diff(np.append(sorted_angles, sorted_angles[0] + 2 * np.pi))
            if len(rings[-1]) and gaps.min() < LEAST_ANGLE:
                rings.append(shell)
            else:
                rings[-1] = both
        return tuple(ring[np.argsort(azimuths[ring], kind="stable")] for ring in rings)

    @cached_property
    def starts(self) -> list[int]:
        """Places in the first ring from which its order may start: one of those that symmetry makes equal."""
        ring, kept = self.places[self.rings[0]], []
        for number, place in enumerate(ring):
            turned = place * np.exp(1j * self.turns)
            if not any(np.abs(turned - ring[other]).min() < SAME_PLACE * self.radii[0] for other in kept):
                kept.append(number)
        return kept


@dataclass(frozen=True, eq=False)
class Template:
    """What surrounds the columns of a crystal.

    Parameters
    ----------
    name
        What it is called in results.
    sites
        Columns whose surroundings no turn makes equal.
    lattice
        Templates of one lattice have one scale.
    fold
        The surroundings tell how the crystal is turned up to 360 degrees over this number.
    gap
        Radius of the largest circle that fits between the columns.
    """

    name: str
    sites: tuple[Site, ...]
    lattice: str
    fold: int
    gap: float


def template(
    crystal: str | Crystal, zone_axis: str | Sequence[int] | None = None, *, neighbours: int | None = None
) -> Template:
    """Return what surrounds the columns of a crystal.

    Parameters
    ----------
    crystal
        A name of `STANDARD`, or, with *zone_axis*, a crystal or its name, see
        `particlespy_ml.crystals.projection.projection`.
    zone_axis
        Along which the crystal is seen.
    neighbours
        Number of neighbours of a column, which fill shells: 4 or 8 of "square", 3, 9 or 12 of "graphene"; by default
        the shells that hold six at least and that distance tells apart.

    Returns
    -------
    Template
        Its unit of length is the lattice constant of the crystal; of "square" and "hexagonal" the distance between
        neighbours. Surroundings without a mirror line come in both hands, as the crystal may be seen from either side.

    Raises
    ------
    ValueError
        If the name is unknown, or the neighbours fill no shells.

    Examples
    --------
    >>> from particlespy_ml.strain import template
    >>> [len(site.neighbours) for site in template("graphene").sites], template("graphene").fold
    ([9], 6)
    >>> len(template("CeO2", "<011>").sites)  # Ce and O
    2
    """
    if isinstance(crystal, str) and zone_axis is None:
        if crystal not in STANDARD:
            raise ValueError(
                f"Unknown template {crystal!r}; expected one of {', '.join(STANDARD)}, or a crystal and a zone axis, "
                'such as ("CeO2", "<011>").'
            )
        lattice, *seen = STANDARD[crystal]
        if len(seen) == 1:
            return _template(crystal, lattice, np.array(seen[0]), np.zeros((1, 2)), neighbours)
        return _seen(crystal, lattice, *seen, neighbours, _TWIN_CONSTANT if seen[0] is _TWIN else 1.0)
    if zone_axis is None:
        raise ValueError(f"The template of {crystal.name} needs a zone axis, such as <011>.")
    shown = projection(crystal, zone_axis)
    return _seen(f"{shown.structure}{shown.zone_axis}", shown.structure, crystal, zone_axis, neighbours)


def _seen(name: str, lattice: str, crystal, zone_axis, neighbours: int | None, constant: float = 1.0) -> Template:
    shown = projection(as_crystal(crystal), zone_axis)
    return _template(name, lattice, constant * shown.basis, shown.sites, neighbours)


def _template(name, lattice, basis, sites, neighbours: int | None) -> Template:
    around = [_surroundings(basis, sites, site) for site in sites]
    made = [_site(name, places, neighbours) for places in around]
    turns = np.concatenate([_turns(one.places, other.places) for one in made for other in made])
    fold = next((n for n in FOLDS if _are_multiples(turns, n)), 1)
    kept: list[Site] = []
    for site in (*made, *(_mirrored(site) for site in made)):
        if not any(len(_turns(other.places, site.places)) for other in kept):
            kept.append(site)
    return Template(name, tuple(kept), lattice, fold, max(_gap(places) for places in around))


def _surroundings(basis: np.ndarray, sites: np.ndarray, site: np.ndarray) -> np.ndarray:
    """Places around a site, without itself, as far as all are known, sorted by distance."""
    cells = np.array(list(product(range(-ROWS, ROWS + 1), repeat=2)))
    places = ((cells[:, None] + sites[None] - site) @ basis).reshape(-1, 2)
    radii = np.linalg.norm(places, axis=1)
    known = (ROWS - 1) * abs(np.linalg.det(basis)) / np.linalg.norm(basis, axis=1).max()
    places, radii = places[(radii > 1e-6) & (radii < known)], radii[(radii > 1e-6) & (radii < known)]
    azimuths = np.angle(places @ (1, 1j)).round(6)
    return places[np.lexsort((azimuths, radii.round(6)))]


def _gap(places: np.ndarray) -> float:
    """Radius of the largest circle through the site and two places around it, without any inside."""
    mesh = Delaunay(np.vstack([[0.0, 0.0], places]))
    corners = mesh.points[mesh.simplices[(mesh.simplices == 0).any(1)]]
    return float(circumradii(corners).max())


def circumradii(corners: np.ndarray) -> np.ndarray:
    """Return the radii of the circles through the corners of triangles, shape (n,); infinite for those on a line.

    Parameters
    ----------
    corners
        Shape (n, 3, 2).
    """
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    twice = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
    return np.divide(sides.prod(1), 2 * twice, out=np.full(len(corners), np.inf), where=twice > 0)


def _site(name: str, places: np.ndarray, neighbours: int | None) -> Site:
    radii = np.linalg.norm(places, axis=1)
    shells = _shells(radii)
    filled = [int(shell[-1]) + 1 for shell in shells[:-1]]
    if neighbours is None:
        apart = [n for n in filled if n >= FEWEST and radii[n] > APART * radii[n - 1]]
        neighbours = (apart or [n for n in filled if n >= FEWEST])[0]
    if neighbours not in filled or neighbours < 3:
        allowed = ", ".join(str(n) for n in filled if 3 <= n <= 24)
        raise ValueError(f"{neighbours} neighbours of {name} fill no shells; expected one of {allowed}.")
    return Site(places[:neighbours], float(radii[neighbours]))


def _shells(radii: np.ndarray) -> list[np.ndarray]:
    """Numbers of places of one distance; distances are sorted."""
    return np.split(np.arange(len(radii)), np.flatnonzero(np.diff(radii) > SAME_SHELL * radii[:-1]) + 1)


def _mirrored(site: Site) -> Site:
    flipped = site.neighbours * [1, -1]
    azimuths = np.angle(flipped @ (1, 1j)).round(6)
    return Site(flipped[np.lexsort((azimuths, np.linalg.norm(flipped, axis=1).round(6)))], site.following)


def _turns(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Turns in radians that take places to other places, both complex and sorted by distance; none where none does."""
    if len(one) != len(other):
        return np.empty(0)
    angles = np.angle(other / one[0])[np.abs(np.abs(other) - np.abs(one[0])) < SAME_PLACE * np.abs(one[0])]
    apart = np.abs(one[None, :, None] * np.exp(1j * angles)[:, None, None] - other[None, None])
    return angles[(apart.min(2) < SAME_PLACE * np.abs(one[0])).all(1)]


def _are_multiples(turns: np.ndarray, fold: int) -> bool:
    """Whether turns make up those by 360 degrees over a number, and no finer ones."""
    steps = turns * fold / (2 * np.pi)
    numbers = np.rint(steps).astype(int)
    return bool(np.abs(steps - numbers).max() < 1e-3) and int(np.gcd.reduce(np.append(numbers, fold))) == 1


def template_points(
    templates: Sequence[Template], template: np.ndarray, site: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the templates of columns have the column, at zero, and its neighbours.

    Parameters
    ----------
    templates
        All that there are.
    template, site
        Numbers of the template of each column and of its site, shape (n,).
    most
        Number of neighbours for which there is room.

    Returns
    -------
    points
        Shape (n, most + 1, 2); zeros where the template has no more.
    totals
        Number of neighbours of each template, shape (n,).
    """
    sites = [one for kind in templates for one in kind.sites]
    first = np.cumsum([0, *(len(kind.sites) for kind in templates)])
    table = np.zeros((len(sites), most + 1, 2))
    for row, one in zip(table, sites, strict=True):
        row[1 : len(one.neighbours) + 1] = one.neighbours
    number = first[template] + site
    return table[number], np.array([len(one.neighbours) for one in sites])[number]


@lru_cache(maxsize=64)
def _named(name: str, neighbours: int | None) -> Template:
    return template(name, neighbours=neighbours)


def as_templates(wanted, neighbours: int | None = None) -> tuple[Template, ...]:
    """Return templates from what a user gives: a name, a crystal and a zone axis, a `Template`, or a list of these.

    Parameters
    ----------
    wanted
        A tuple of a crystal, or its name, and a zone axis is one template.
    neighbours
        Of each, see `template`; a `Template` keeps its own.

    Raises
    ------
    TypeError
        If something is none of these.
    ValueError
        If there are none, two have one name, or one is unknown.

    Examples
    --------
    >>> from particlespy_ml.strain.templates import as_templates
    >>> [one.name for one in as_templates(["square", ("Pt", "<011>")])]
    ['square', 'Pt<011>']
    """
    if isinstance(wanted, (str, Template)) or _is_seen_crystal(wanted):
        wanted = [wanted]
    elif not isinstance(wanted, Sequence):
        raise TypeError(
            f"template={wanted!r}; expected a name, a crystal and a zone axis, a Template, or a list of these."
        )
    found = []
    for one in wanted:
        if isinstance(one, Template):
            found.append(one)
        elif isinstance(one, str):
            found.append(_named(one, neighbours))
        elif _is_seen_crystal(one):
            found.append(template(*one, neighbours=neighbours))
        else:
            raise TypeError(f"{one!r} is no template; expected a name, a crystal and a zone axis, or a Template.")
    names = [one.name for one in found]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"Expected templates of different names, not {names}.")
    return tuple(found)


def _is_seen_crystal(wanted) -> bool:
    """Whether something is a crystal and a zone axis, and no tuple of two names."""
    if not isinstance(wanted, tuple) or len(wanted) != 2 or not isinstance(wanted[0], (str, Crystal)):
        return False
    return isinstance(wanted[0], Crystal) or wanted[0] not in STANDARD
