"""What of a crystal is seen along a zone axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from particlespy_ml.crystals.crystal import SAME, Crystal, as_crystal
from particlespy_ml.crystals.directions import direction, direction_name
from particlespy_ml.crystals.plane_lattice import reduce_basis

ZONE_AXES = {"<001>": (0, 0, 1), "<011>": (0, 1, 1), "<111>": (1, 1, 1)}  # of cubic crystals
# of the number of electrons: how a column scatters to high angles (O. L. Krivanek et al., Nature 464, 571 (2010), find
# 1.64; it depends on the detector)
EXPONENT = 1.7
EXTINCT = 1e-6  # of the strongest structure factor: rounding


@dataclass(frozen=True)
class Projection:
    """A crystal seen along a zone axis: columns of atoms, and the plane lattice that repeats them.

    All lengths are in lattice constants, that is, in lengths of the first vector of the conventional cell.

    Parameters
    ----------
    structure, zone_axis
        What is seen along what.
    basis
        Two shortest vectors of the plane lattice, shape (2, 2), the second at most 90 degrees from the first,
        counter-clockwise.
    heights
        How much higher the crystal repeats itself at each of the two vectors than at the origin, in periods.
    period
        Distance along the beam after which the crystal repeats itself: that between the atoms of a column, where the
        primitive cell holds one atom.
    sites
        Places of the columns of a plane cell in fractions of the basis, shape (n, 2).
    species
        For each column the symbols of the atoms of one period, from below.
    site_heights
        For each column the heights of these atoms in periods, from 0 to 1.
    frame
        Unit vectors of x, y and the beam in the crystal, one a row, shape (3, 3): positions in the image are
        ``positions @ frame.T``.
    """

    structure: str
    zone_axis: str
    basis: np.ndarray
    heights: np.ndarray
    period: float
    sites: np.ndarray
    species: tuple[tuple[str, ...], ...]
    site_heights: tuple[tuple[float, ...], ...]
    frame: np.ndarray

    @property
    def nearest(self) -> float:
        """Distance between neighbouring columns."""
        lattice = float(np.linalg.norm(self.basis, axis=1).min())
        between = (self.sites[:, None] - self.sites[None])[np.triu_indices(len(self.sites), 1)]
        around = np.array(list(product((-1, 0, 1), repeat=2)))
        distances = np.linalg.norm((between[:, None] - np.rint(between)[:, None] + around) @ self.basis, axis=-1)
        return min(lattice, float(distances.min(initial=np.inf)))

    @property
    def area(self) -> float:
        """Area of the plane cell."""
        return abs(float(np.linalg.det(self.basis)))

    def strengths(self, exponent: float = EXPONENT) -> np.ndarray:
        """Return how much the atoms of one period of each column scatter, shape (n,); 1 an atom where all are alike.

        Parameters
        ----------
        exponent
            Atoms weigh as their number of electrons to this power.
        """
        if len({symbol for column in self.species for symbol in column}) == 1:
            return np.array([float(len(column)) for column in self.species])
        from ase.data import atomic_numbers

        weights = [sum(float(atomic_numbers[symbol]) ** exponent for symbol in column) for column in self.species]
        return np.array(weights)

    def structure_factors(self, indices, exponent: float = EXPONENT) -> np.ndarray:
        """Return the Fourier coefficients of a plane cell over the one at zero, shape (m,), complex.

        Parameters
        ----------
        indices
            Whole numbers (h, k), shape (m, 2), of the reciprocal lattice of the basis.
        exponent
            See `strengths`.
        """
        weights = self.strengths(exponent)
        return np.exp(2j * np.pi * np.asarray(indices) @ self.sites.T) @ weights / weights.sum()

    def reflections(self, shells: int = 2, weakest: float = EXTINCT) -> list[np.ndarray]:
        """Return the shortest reflections in shells of one length, one of each pair g and -g.

        Parameters
        ----------
        shells
            Number of lengths.
        weakest
            Reflections whose structure factor is less than this, over the one at zero, are left out: by default those
            that are extinct, because columns of the cell cancel each other.

        Raises
        ------
        ValueError
            If there are not as many.
        """
        return [indices @ np.linalg.inv(self.basis).T for indices in self.reflection_indices(shells, weakest)]

    def reflection_indices(self, shells: int = 2, weakest: float = EXTINCT) -> list[np.ndarray]:
        """Return the whole numbers (h, k) of `reflections`, in shells of one length.

        Parameters
        ----------
        shells, weakest
            See `reflections`.
        """
        reciprocal = np.linalg.inv(self.basis).T
        reach = 3.0 * np.linalg.norm(reciprocal, axis=1).max()
        for _ in range(6):
            highest = np.ceil(reach * np.linalg.norm(self.basis, axis=1)).astype(int)  # since h is g times a
            ranges = (range(-n, n + 1) for n in highest)
            indices = np.array([pair for pair in product(*ranges) if pair > (0, 0)])
            lengths = np.linalg.norm(indices @ reciprocal, axis=1).round(6)
            seen = (lengths <= reach) & (np.abs(self.structure_factors(indices)) > weakest)
            indices, lengths = indices[seen], lengths[seen]
            if len(found := np.unique(lengths)) >= shells:
                return [indices[lengths == length] for length in found[:shells]]
            reach *= 1.7
        raise ValueError(
            f"{self.structure} along {self.zone_axis} has {len(found)} shells of reflections above {weakest:.3g} of "
            f"the strongest; expected {shells}, give fewer or a lower limit."
        )


def projection(structure: Crystal | str, zone_axis: str | Sequence[int]) -> Projection:
    """Return the columns of a crystal along a zone axis, and their plane lattice.

    Parameters
    ----------
    structure
        A `particlespy_ml.crystals.crystal.Crystal`; or "fcc" or "bcc" for crystals of atoms of no kind; or a name that
        `particlespy_ml.crystals.crystal.crystal` knows.
    zone_axis
        Any, see `particlespy_ml.crystals.directions.direction`: "<011>", "[1-10]", (1, 1, 2), "<11-20>". The image is
        what one sees against [uvw], which points to the viewer; x is along the normal of a plane of low indices.

    Raises
    ------
    ValueError
        If the crystal is unknown, or the zone axis is none.

    Examples
    --------
    >>> from particlespy_ml.crystals.projection import projection
    >>> seen = projection("fcc", "<011>")
    >>> round(seen.nearest, 3), round(seen.period, 3)
    (0.612, 0.707)
    >>> projection("CeO2", "<011>").species
    (('Ce',), ('O',), ('O',))
    """
    whole = as_crystal(structure)
    return _projection(whole, direction(zone_axis, whole), direction_name(zone_axis))


@lru_cache(maxsize=256)
def _projection(crystal: Crystal, along: tuple[int, int, int], name: str) -> Projection:
    cell = crystal.cell / crystal.a
    primitive = crystal.primitive
    frame = _frame(cell, np.array(along))
    beam = np.rint(np.array(along) @ np.linalg.inv(primitive)).astype(int)
    beam //= np.gcd.reduce(beam)  # numbers of primitive vectors along one period
    period = float(np.linalg.norm(beam @ primitive @ cell))
    numbers = _plane_vectors(beam, primitive @ cell @ frame.T, period)
    vectors = numbers @ (primitive @ cell) @ frame.T
    basis, heights = vectors[:2, :2], vectors[:2, 2] / period % 1
    atoms = np.array(crystal.places) @ np.linalg.inv(numbers @ primitive)
    sites, species, site_heights = _columns(atoms, crystal.symbols, vectors, SAME / crystal.a)
    return Projection(crystal.name, name, basis, heights, period, sites, species, site_heights, frame)


def _frame(cell: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Unit vectors of x, y and the beam; x is along the normal of a plane of low indices that holds the beam."""
    first, second = (np.array(vector) for vector in _complement(along)[1])
    planes = np.rint(reduce_basis(np.stack([first, second]))).astype(int)
    candidates = [*planes, planes[0] + planes[1], planes[0] - planes[1]]
    # the shortest, and of these the one without later indices: (100) before (010), (1-10) before (10-1)
    plane = min(candidates, key=lambda hkl: (hkl @ hkl, *np.abs(hkl[::-1])))
    plane = plane * np.sign(plane[np.flatnonzero(plane)[0]])
    across = np.linalg.inv(cell) @ plane
    beam = along @ cell
    across, beam = across / np.linalg.norm(across), beam / np.linalg.norm(beam)
    return np.stack([across, np.cross(beam, across), beam])


def _complement(along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two whole vectors that make up all whole numbers with one, and two that are perpendicular to it, by indices."""
    a, b, c = (int(number) for number in along)
    common, p, q = _euclid(a, b)
    if common == 0:
        return np.eye(3, dtype=int)[:2], np.eye(3, dtype=int)[:2]
    _, r, s = _euclid(common, c)
    side = np.array([-q, p, 0])
    other = np.array([-s * a // common, -s * b // common, r])
    return np.stack([side, other]), np.stack([[b // common, -a // common, 0], [-c * p, -c * q, common]])


def _euclid(a: int, b: int) -> tuple[int, int, int]:
    """Greatest common divisor g, p and q with g = p a + q b, g not below zero."""
    p, q, x, y = 1, 0, 0, 1
    while b:
        quotient = a // b
        a, b = b, a - quotient * b
        p, q, x, y = x, y, p - quotient * x, q - quotient * y
    return (a, p, q) if a >= 0 else (-a, -p, -q)


def _plane_vectors(beam: np.ndarray, primitive: np.ndarray, period: float) -> np.ndarray:
    """Numbers of primitive vectors of the two vectors of the basis and of the period, shape (3, 3).

    *primitive* is in image coordinates. Of vectors of one length those come first that lie nearest to the plane, and of
    these the ones with the lower numbers, so that a crystal has one basis.
    """
    pair = _complement(beam)[0]
    flat = (pair @ primitive)[:, :2]
    pair = np.rint(reduce_basis(flat) @ np.linalg.inv(flat)).astype(int) @ pair
    numbers = np.array([(i, j) for i, j in product(range(-2, 3), repeat=2) if (i, j) != (0, 0)]) @ pair
    level = np.rint((numbers @ primitive)[:, 2] / period).astype(int)
    numbers = (numbers[:, None] + np.arange(-1, 2)[:, None] * beam - level[:, None, None] * beam).reshape(-1, 3)
    vectors = numbers @ primitive
    lengths = np.linalg.norm(vectors[:, :2], axis=1)
    order = np.lexsort((*numbers.T[::-1], np.abs(vectors[:, 2]).round(9), lengths.round(9)))
    numbers, vectors, lengths = numbers[order], vectors[order], lengths[order]
    area = abs(np.linalg.det(primitive)) / period
    cross = vectors[:, None, 0] * vectors[None, :, 1] - vectors[:, None, 1] * vectors[None, :, 0]
    dot = vectors[:, :2] @ vectors[:, :2].T
    first, second = np.nonzero((np.abs(cross - area) < 1e-6 * area) & (dot > -1e-6 * area))
    best = np.argmin((lengths[first] + lengths[second]).round(9))
    return np.stack([numbers[first[best]], numbers[second[best]], beam])


def _columns(atoms, symbols, vectors, tolerance: float):
    """Places, symbols and heights of the columns of a plane cell, from places in the cell of basis and period."""
    sites: list[np.ndarray] = []
    columns: list[list[tuple[float, str]]] = []
    period = vectors[2, 2]
    for atom, symbol in zip(atoms, symbols, strict=True):
        place = atom[:2] - np.floor(atom[:2] + 1e-6)
        apart = np.array([place - site for site in sites]).reshape(-1, 2)
        turns = np.rint(apart)
        same = np.flatnonzero(np.linalg.norm((apart - turns) @ vectors[:2, :2], axis=1) < tolerance)
        if len(same):
            place, column = place - turns[same[0]], columns[same[0]]
        else:
            column = []
            sites.append(place)
            columns.append(column)
        height = float(atom[2] + place @ vectors[:2, 2] / period)
        height -= np.floor(height + tolerance / period)
        # an atom that is there already is one that the conventional cell repeats
        if all(abs(height - other) * period > tolerance for other, _ in column):
            column.append((max(height, 0.0), symbol))
    columns = [sorted(column) for column in columns]
    species = tuple(tuple(symbol for _, symbol in column) for column in columns)
    return np.array(sites), species, tuple(tuple(height for height, _ in column) for column in columns)
