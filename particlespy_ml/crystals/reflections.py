"""Reflections by which an image shows along which zone axis a crystal is seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from particlespy_ml.crystals.crystal import Crystal
from particlespy_ml.crystals.directions import low_index_zone_axes
from particlespy_ml.crystals.projection import Projection, projection

STRONG = 0.3  # of the structure factor at zero: weaker reflections are often lost in noise
FURTHER = 1.3  # times the longest reflection that is needed to span the plane: a shell up to there is looked for too
# Logarithm of the power of the weakest reflection over what is expected at the same radius without one, for numbers of
# independent reflections: what it is above for a few per cent of simulated particles off the axis. The more there are,
# the less likely all of them are there by chance.
NEEDED = ((2.0, 2.95), (2.5, 2.1), (3.0, 1.6))
SECOND = 0.5  # of that, and of a reflection, for the further shell, which the first ones make all but certain
LONGER = 0.88  # times the shortest reflection: what is longer cannot be told from it where the scale is not known well


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
    """

    seen: Projection
    vectors: np.ndarray
    needed: np.ndarray
    foreign: tuple[float, ...]
    both_hands: bool


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
            near = np.linalg.norm(shell[0]) <= FURTHER * np.linalg.norm(first, axis=1).max()
            return first, shell if near else shell[:0]


@lru_cache(maxsize=64)
def patterns(crystal: Crystal, zone_axes: tuple) -> tuple[Pattern, ...]:
    """Return the reflections to look for along zone axes of a crystal.

    Parameters
    ----------
    crystal, zone_axes
        See `particlespy_ml.crystals.projection.projection`.
    """
    known = {
        zone: strong_reflections(projection(crystal, zone)) for zone in (*zone_axes, *low_index_zone_axes(crystal))
    }
    squares = np.concatenate([(vectors**2).sum(1) for both in known.values() for vectors in both])
    lengths = np.sqrt(np.unique(squares.round(6)))
    found = []
    for zone in zone_axes:
        first, further = known[zone]
        vectors = np.vstack([first, further])
        numbers, needed = np.transpose(NEEDED)
        needed = np.interp(len(first) + SECOND * len(further), numbers, needed)
        needed = needed * np.repeat((1.0, SECOND), (len(first), len(further)))
        foreign = lengths[lengths < LONGER * np.linalg.norm(vectors, axis=1).min()]
        found.append(Pattern(projection(crystal, zone), vectors, needed, tuple(foreign), not mirrored(vectors)))
    return tuple(found)


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


def _not_along(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Vectors that lie along none of some others."""
    across = vectors[:, None, 0] * others[None, :, 1] - vectors[:, None, 1] * others[None, :, 0]
    return vectors[(np.abs(across) > 1e-6).all(1)]
