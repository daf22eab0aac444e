"""Matches across the boundary of grains, told by the grains that others say their columns belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.strain.agreement import DEVIATIONS, Fits
from particlespy_ml.strain.deformation import Polar

LEAST_TURN = 5.0  # degrees between grains: less may be bent crystal
LARGEST_STRETCH = 0.06  # between a match and those of its neighbours: surfaces relax by less
LARGEST_RATIO = 1.2  # of lattice constants of neighbours: where many columns miss, a superlattice is matched too
ROUNDS = 10


@dataclass(frozen=True)
class Lattices:
    """How the crystal lies at each match.

    Parameters
    ----------
    numbers, known
        Columns of each match, the one that is matched first, and which there are, shape (m, k).
    template, lattice, fold
        Numbers of the template and of its lattice, and how many turns leave it as it is, shape (m,).
    angle
        Of the turn, in radians, shape (m,).
    size
        Lattice constant, shape (m,).
    stretch
        xx, yy and xy over their mean, shape (m, 3).
    limits
        Of differences between two: of angles in radians, and of stretches, shape (m,) each.
    squares
        See `Fits`.
    """

    numbers: np.ndarray
    known: np.ndarray
    template: np.ndarray
    lattice: np.ndarray
    fold: np.ndarray
    angle: np.ndarray
    size: np.ndarray
    stretch: np.ndarray
    limits: tuple[np.ndarray, np.ndarray]
    squares: np.ndarray

    @classmethod
    def of(cls, fits: Fits, numbers, known, template, lattice, fold, points, nearest) -> Lattices:
        """Take the maps of matches apart.

        Parameters
        ----------
        fits, numbers, known, template, lattice, fold
            See above.
        points, nearest
            Of the templates, as for `particlespy_ml.strain.agreement.fit_matches`.
        """
        polar = Polar.of(fits.maps.matrices)
        size = polar.stretch[:, :2].mean(1)
        count = np.maximum(known.sum(1), 1)[:, None]
        inside = np.where(known[..., None], points, 0)
        centred = np.where(known[..., None], inside - (inside.sum(1) / count)[:, None], 0)
        spread = np.sqrt((centred**2).sum((1, 2)) / 2) / nearest
        # two maps of columns that scatter alike
        noise = DEVIATIONS * np.sqrt(2) * fits.scatter / np.maximum(spread, 1e-9)
        limits = np.maximum(np.radians(LEAST_TURN), noise / np.sqrt(2)), np.maximum(LARGEST_STRETCH, noise)
        with np.errstate(invalid="ignore", divide="ignore"):
            stretch = polar.stretch / size[:, None]
        return cls(numbers, known, template, lattice, fold, polar.angle, size, stretch, limits, fits.squares)

    def differ(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return whether matches are of different grains, or phases; of templates of one lattice none is told."""
        period = 2 * np.pi / self.fold[one]
        away = self.angle[one] - self.angle[other]
        away = np.abs(away - period * np.round(away / period))
        turned = away > np.maximum(self.limits[0][one], self.limits[0][other])
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = self.size[one] / self.size[other]
            turned |= (ratio > LARGEST_RATIO) | (ratio < 1 / LARGEST_RATIO)
        same = self.template[one] == self.template[other]
        return np.where(same, turned, self.lattice[one] != self.lattice[other])

    def of_neighbours(self, kept: np.ndarray, total: int) -> np.ndarray:
        """Return the numbers of the matches of the neighbours, -1 where these have none that is kept, shape (m, k - 1).

        Parameters
        ----------
        kept
            Shape (m,).
        total
            Number of columns.
        """
        of_column = np.full(total, -1)
        of_column[self.numbers[kept, 0]] = np.flatnonzero(kept)
        return np.where(self.known, of_column[self.numbers], -1)[:, 1:]


def across_boundaries(lattices: Lattices, kept: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Return which matches hold columns of two grains, shape (m,).

    Every match says of its columns in which grain they are. Where matches differ in that, most of them are believed, or
    those whose map fits the column better. The others are of two grains, unless the boundary is coherent, as a twin
    plane is, the columns of which are sites of both grains: there all columns around, but those of the plane, are
    matched.

    Parameters
    ----------
    lattices
        Of all matches.
    kept
        Which of them are still believed, shape (m,).
    full
        Which of all columns have enough neighbours to be matched with a template, shape (n,).
    """
    kept, found = kept.copy(), np.zeros(len(kept), bool)
    for _ in range(ROUNDS):
        refused = _contradicted(lattices, kept, full) | _strained_alone(lattices, kept, len(full))
        if not refused.any():
            break
        found |= refused
        kept &= ~refused
    return found


def _contradicted(lattices: Lattices, kept: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Matches that say of a column of another grain that it is of their own."""
    refused = np.zeros(len(kept), bool)
    match, point = np.nonzero(lattices.known & kept[:, None])
    column = lattices.numbers[match, point]
    some = _may_differ(lattices, match, column, len(full))[column]
    match, point, column = match[some], point[some], column[some]
    if not len(match):
        return refused
    order = np.argsort(column, kind="stable")
    match, point, column = match[order], point[order], column[order]
    own, first, number = np.unique(column, return_index=True, return_counts=True)
    # one row for each column, of all that hold it
    at = first[:, None] + np.minimum(np.arange(number.max()), number[:, None] - 1)
    there = np.arange(number.max()) < number[:, None]
    held = match[at]
    alike = there[:, None] & ~lattices.differ(held[:, :, None], held[:, None, :])
    votes = alike.sum(2)
    misfit = (alike * lattices.squares[match, point][at][:, None]).sum(2) / np.maximum(votes, 1)
    best = np.where(there, votes - misfit / (1 + misfit), -1).argmax(1)
    others = there & ~alike[np.arange(len(own)), best]
    contested = np.zeros(len(full), bool)
    contested[own] = others.any(1)
    matched = np.zeros(len(full), bool)
    matched[lattices.numbers[kept, 0]] = True
    unfit = full & ~matched & ~contested
    around = (unfit[lattices.numbers] & lattices.known).any(1)
    incoherent = (around[held] & there).any(1)
    refused[held[others & incoherent[:, None]]] = True
    return refused


def _may_differ(lattices: Lattices, match: np.ndarray, column: np.ndarray, total: int) -> np.ndarray:
    """Which columns may be held by matches that differ: a bound that is quick to calculate, shape (total,)."""
    found = np.zeros(total, bool)
    kinds = np.unique(lattices.template)
    for kind in kinds:
        own = lattices.template[match] == kind
        turns = np.exp(1j * lattices.fold * lattices.angle)[match[own]]
        count = np.bincount(column[own], minlength=total)
        size = np.abs(np.bincount(column[own], turns.real, total) + 1j * np.bincount(column[own], turns.imag, total))
        fold = lattices.fold[lattices.template == kind][0]
        least = np.cos(min(fold * np.radians(LEAST_TURN), np.pi) / 2)
        found |= (count > 1) & (size <= count - 2 + 2 * least)
    if len(np.unique(lattices.lattice)) > 1:
        lowest, highest = np.full(total, np.iinfo(int).max), np.full(total, -1)
        np.minimum.at(lowest, column, lattices.lattice[match])
        np.maximum.at(highest, column, lattices.lattice[match])
        found |= lowest < highest
    return found


def _strained_alone(lattices: Lattices, kept: np.ndarray, total: int) -> np.ndarray:
    """Matches whose strain is far from that of half of their neighbours or more."""
    other = lattices.of_neighbours(kept, total)
    compared = (other >= 0) & kept[:, None] & (lattices.template[other] == lattices.template[:, None])
    away = np.abs(lattices.stretch[other] - lattices.stretch[:, None]).max(2)
    far = compared & (away > np.maximum(lattices.limits[1][:, None], lattices.limits[1][other]))
    return far.any(1) & (2 * far.sum(1) >= compared.sum(1))
