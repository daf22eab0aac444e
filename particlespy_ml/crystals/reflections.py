"""Reflections by which an image shows along which zone axis a crystal is seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from particlespy_ml.crystals.crystal import Crystal
from particlespy_ml.crystals.directions import low_index_zone_axes
from particlespy_ml.crystals.projection import Projection, projection

STRONG = 0.3  # of the structure factor at zero: weaker reflections are often lost in noise
# times the longest reflection that is needed to span the plane: a shell up to there is looked for too. Two reflections
# at a right angle are rarer by chance than others.
FURTHER, FURTHER_OBLIQUE = 1.3, 1.5
# Logarithm of the power of the weakest reflection over what is expected at the same radius without one, for numbers of
# independent reflections: what it is above for a few per cent of simulated particles off the axis. The more there are,
# the less likely all of them are there by chance.
NEEDED = ((2.0, 2.95), (2.5, 2.1), (3.0, 1.6))
SECOND = 0.5  # of that, and of a reflection, for the further shell, which the first ones make all but certain
FOREIGN = 0.88  # times the shortest reflection: others up to it cannot be told from it where the scale is uncertain
# of the power that a crystal on the axis has in an image blurred by a Gaussian of this standard deviation in Å: tilted
# particles have less, from the ends of their columns
FAINTEST, BLUR = 0.03, 0.6
NEARLY = 0.12  # of its length: how far a reflection may lie from another one that is taken for it


@dataclass(frozen=True)
class Pattern:
    """Reflections of a zone axis.

    Parameters
    ----------
    seen
        The crystal along the zone axis.
    vectors
        Reflections that are looked for, in 1 / lattice constant, shape (n, 2).
    needed
        How far each has to stand out, shape (n,).
    foreign
        Lengths of reflections of other zone axes that are shorter than all of these: none of them may be there.
    both_hands
        Whether the mirror image is another pattern, which a crystal shows from behind.
    turns
        Rotations, shape (m, 2, 2), that take the pattern to nearly itself: lengths have to say which is right.
    powers
        Power of each reflection beside the others as the crystal alone has it, shape (n,). NaN where it is not
        compared: where a blurred image has much less of it, and where the primitive cell holds one atom.
    least
        Least power of each over that at zero, shape (n,), NaN as *powers*.
    """

    seen: Projection
    vectors: np.ndarray
    needed: np.ndarray
    foreign: tuple[float, ...]
    both_hands: bool
    turns: np.ndarray
    powers: np.ndarray
    least: np.ndarray


def strong_reflections(seen: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Return the shortest strong reflections that span the plane, and those of one further shell if it is near.

    Of reflections along one line the shortest is taken.

    Parameters
    ----------
    seen
        A crystal along a zone axis.

    Returns
    -------
    ndarray, ndarray
        In 1 / lattice constant, shapes (n, 2) and (m, 2).

    Examples
    --------
    >>> from particlespy_ml.crystals.projection import projection
    >>> from particlespy_ml.crystals.reflections import strong_reflections
    >>> [len(vectors) for vectors in strong_reflections(projection("fcc", "<011>"))]
    [2, 1]
    """
    first = np.empty((0, 2))
    count = 1
    while True:
        shell = _not_along(seen.reflections(count, STRONG)[-1], first)
        count += 1
        if np.linalg.matrix_rank(first, tol=1e-6) < 2:
            first = np.vstack([first, shell])
        elif len(shell):
            right_angle = len(first) == 2 and abs(first[0] @ first[1]) < 1e-6
            limit = FURTHER if right_angle or len(first) > 2 else FURTHER_OBLIQUE
            near = np.linalg.norm(shell[0]) <= limit * np.linalg.norm(first, axis=1).max()
            return first, shell if near else shell[:0]


@lru_cache(maxsize=64)
def patterns(crystal: Crystal, zone_axes: tuple) -> tuple[Pattern, ...]:
    """Return the reflections to look for along zone axes of a crystal.

    Parameters
    ----------
    crystal, zone_axes
        See `particlespy_ml.crystals.projection.projection`.
    """
    axes = (*zone_axes, *low_index_zone_axes(crystal))
    known = {axis: strong_reflections(projection(crystal, axis)) for axis in axes}
    squares = np.concatenate([(vectors**2).sum(1) for both in known.values() for vectors in both])
    lengths = np.sqrt(np.unique(squares.round(6)))
    found = []
    for zone in zone_axes:
        first, further = known[zone]
        vectors = np.vstack([first, further])
        numbers, needed = np.transpose(NEEDED)
        needed = np.interp(len(first) + SECOND * len(further), numbers, needed)
        needed = needed * np.repeat((1.0, SECOND), (len(first), len(further)))
        foreign = lengths[lengths < FOREIGN * np.linalg.norm(vectors, axis=1).min()]
        seen = projection(crystal, zone)
        powers = comparable_powers(seen, vectors)
        least = FAINTEST * powers * np.exp(-((2 * np.pi * BLUR / crystal.a) ** 2) * (vectors**2).sum(1))
        turns, both_hands = near_symmetries(vectors), not mirrored(vectors)
        found.append(Pattern(seen, vectors, needed, tuple(foreign), both_hands, turns, powers, least))
    return tuple(found)


def comparable_powers(seen: Projection, vectors: np.ndarray) -> np.ndarray:
    """Return the power of reflections that an image blurs alike, shape (n,), NaN for the others.

    Parameters
    ----------
    seen
        A crystal along a zone axis.
    vectors
        Reflections in 1 / lattice constant, shape (n, 2).
    """
    lengths = np.linalg.norm(vectors, axis=1)
    powers = np.abs(seen.structure_factors(np.rint(vectors @ seen.basis.T))) ** 2
    compared = (lengths < FURTHER * lengths.min()) & (sum(map(len, seen.species)) > 1)
    return np.where(compared, powers, np.nan)


def mirrored(vectors: np.ndarray) -> bool:
    """Return whether vectors and their opposites are, after some turn, those of their mirror image.

    Parameters
    ----------
    vectors
        Shape (n, 2).
    """
    points = np.array(vectors) @ (1, 1j)
    points = np.concatenate([points, -points])
    # a mirror line lies half way between the first vector and its image
    for image in points[np.isclose(np.abs(points), np.abs(points[0]), rtol=1e-6)]:
        turned = points.conj() * points[0] * image / np.abs(points[0]) ** 2
        if (np.abs(turned[:, None] - points).min(1) < 1e-6 * np.abs(points).max()).all():
            return True
    return False


def near_symmetries(vectors: np.ndarray) -> np.ndarray:
    """Return the rotations that take vectors, or their opposites, nearly to one another, but not quite.

    Parameters
    ----------
    vectors
        Shape (n, 2).

    Returns
    -------
    ndarray
        Shape (m, 2, 2): turned are ``vectors @ turn.T``.
    """
    points = np.array(vectors) @ (1, 1j)
    both = np.concatenate([points, -points])
    found: list[complex] = []
    for image in both[len(points) :]:
        for start in points:
            turn = image / start / abs(image / start)
            away = (np.abs((turn * points)[:, None] - both).min(1) / np.abs(points)).max()
            known = any(min(abs(turn - other), abs(turn + other)) < 0.05 for other in found)
            if 1e-6 < away < NEARLY and not known and min(abs(turn - 1), abs(turn + 1)) > NEARLY:
                found.append(turn)
    return np.array([[[t.real, -t.imag], [t.imag, t.real]] for t in found]).reshape(-1, 2, 2)


def _not_along(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Vectors that lie along none of some others."""
    across = vectors[:, None, 0] * others[None, :, 1] - vectors[:, None, 1] * others[None, :, 0]
    return vectors[(np.abs(across) > 1e-6).all(1)]
