"""Steps, vacancies, adatoms and reduced surfaces of supports and particles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.contact import bond_lengths, touching_height

if TYPE_CHECKING:
    from ase import Atoms

_TRIES = 300
_PLANE = 0.6  # Å below the uppermost oxygen: those that are its plane


def add_step(slab: Atoms, position: float = 0.5, height: int = 1) -> Atoms:
    """Return a slab without its uppermost repeats on one side: a step, which keeps the composition of the crystal.

    Parameters
    ----------
    slab
        Of `particlespy_ml.simulation.atoms.support_slabs.support_slab`.
    position
        Share of the slab along x that stays as it is.
    height
        Number of repeats that are taken off; the slab must have more.

    Raises
    ------
    ValueError
        If the slab has no repeats, or too few.

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.support_slabs import support_slab
    >>> from particlespy_ml.simulation.atoms.surface_defects import add_step
    >>> slab = support_slab("MgO", "100", width=17)
    >>> len(add_step(slab, 0.5)) / len(slab)
    0.9
    """
    below = slab.arrays.get("spacing_below")
    if below is None or not 0 < height <= below.max():
        raise ValueError(
            f"height={height}; expected at least one repeat and fewer than the slab has: "
            f"{0 if below is None else below.max() + 1}."
        )
    if not 0 < position < 1:
        raise ValueError(f"position={position}; expected a share between 0 and 1.")
    edge = slab.cell.lengths()[0]
    gone = (below >= 0) & (below < height) & (slab.positions[:, 0] % edge >= position * edge - 1e-6)
    stepped = slab[~gone]
    stepped.arrays["spacing_below"] = stepped.arrays["spacing_below"].copy()
    return stepped


def add_vacancies(atoms: Atoms, symbol: str, number: int, *, where: str = "surface", seed: int = 0) -> Atoms:
    """Return atoms without some, drawn at random.

    Parameters
    ----------
    atoms
        Any.
    symbol
        Element that is missing.
    number
        How many are missing.
    where
        "surface": those of the uppermost plane of this element in each column, or those of a particle that have few
        neighbours; "all".
    seed
        Of the draw.

    Raises
    ------
    ValueError
        If there are not as many.
    """
    symbols = np.array(atoms.get_chemical_symbols())
    if where not in ("surface", "all"):
        raise ValueError(f'where={where!r}; expected "surface" or "all".')
    able = symbols == symbol
    if where == "surface":
        able &= _is_free(atoms)
    able = np.flatnonzero(able)
    if not 0 <= number <= len(able):
        raise ValueError(f"number={number} vacancies of {symbol}; expected 0 to {len(able)}, the atoms that there are.")
    gone = np.random.default_rng(seed).choice(able, number, replace=False)
    keep = np.ones(len(atoms), bool)
    keep[gone] = False
    left = atoms[keep]
    left.info["vacancies"] = {"symbol": symbol, "number": int(number), "where": where, "seed": int(seed)}
    return left


def _is_free(atoms: Atoms) -> np.ndarray:
    """Atoms above which there is nothing within 4 Å, across by less than 1.2 Å."""
    points = atoms.positions
    tree = cKDTree(points)
    free = np.ones(len(points), bool)
    for number, near in enumerate(tree.query_ball_point(points, 4.0)):
        away = points[near] - points[number]
        free[number] = not ((away[:, 2] > 0.5) & (np.hypot(away[:, 0], away[:, 1]) < 1.2)).any()
    lowest = points[:, 2].min()
    return free & (points[:, 2] > lowest + 3.0)


def reduce_surface(slab: Atoms, share: float = 0.25, seed: int = 0) -> Atoms:
    """Return a slab whose uppermost plane of oxygen lacks a share of its atoms.

    Parameters
    ----------
    slab
        An oxide.
    share
        From 0 to 1.
    seed
        Of the draw.

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.support_slabs import support_slab
    >>> from particlespy_ml.simulation.atoms.surface_defects import reduce_surface
    >>> slab = support_slab("CeO2", "111", width=15)
    >>> reduced = reduce_surface(slab, 0.5)
    >>> len(slab) - len(reduced), reduced.info["vacancies"]["symbol"]
    (12, 'O')
    """
    symbols = np.array(slab.get_chemical_symbols())
    if "O" not in symbols or not 0 <= share <= 1:
        raise ValueError(
            f"share={share} of the oxygen of {slab.get_chemical_formula()}; expected an oxide, and 0 to 1."
        )
    oxygen = symbols == "O"
    heights = slab.positions[:, 2]
    top = np.flatnonzero(oxygen & (heights > heights[oxygen].max() - _PLANE))
    gone = np.random.default_rng(seed).choice(top, round(share * len(top)), replace=False)
    keep = np.ones(len(slab), bool)
    keep[gone] = False
    reduced = slab[keep]
    reduced.info["vacancies"] = {"symbol": "O", "number": len(gone), "where": "surface", "seed": int(seed)}
    return reduced


def add_adatoms(atoms: Atoms, symbol: str, number: int, *, seed: int = 0, beside: float = 0.0) -> Atoms:
    """Return atoms with more that rest on them, at random places, none nearer than a bond length to another.

    Parameters
    ----------
    atoms
        A slab or a supported particle in a rectangular cell, surface upwards.
    symbol
        Of the adatoms.
    number
        How many.
    seed
        Of the draw.
    beside
        Distance in Å from the atoms of a particle (tag 1) that adatoms keep, across: 0 also puts them on top of it.

    Raises
    ------
    ValueError
        If there is no room for as many.
    """
    from ase import Atoms as Structure

    rng = np.random.default_rng(seed)
    edges = np.array(atoms.cell.lengths()[:2])
    particle = atoms.positions[atoms.get_tags() == 1, :2]
    symbols, points = list(atoms.get_chemical_symbols()), atoms.positions.copy()
    added = np.empty((0, 3))
    apart = float(bond_lengths([symbol], [symbol])[0, 0])
    tries = 0  # in a row that found no room
    while len(added) < number and tries < _TRIES:
        tries += 1
        place = np.append(rng.random(2) * edges, 0.0)[None]
        if beside and len(particle) and np.hypot(*(particle - place[0, :2]).T).min() < beside:
            continue
        near = added[:, :2] - place[0, :2]
        near -= edges * np.rint(near / edges)
        if len(added) and np.hypot(*near.T).min() < apart:
            continue
        try:
            place[0, 2] += touching_height([symbol], place, symbols, points, edges)
        except ValueError:
            continue
        added, tries = np.vstack([added, place]), 0
    if len(added) < number:
        raise ValueError(f"There is room for {len(added)} adatoms of {symbol} and not for {number}.")
    more = Structure([symbol] * number, positions=added)
    more.set_tags([int(atoms.get_tags().max(initial=0))] * number)
    whole = atoms + more
    if "spacing_below" in whole.arrays:
        whole.arrays["spacing_below"][len(atoms) :] = -1
    return whole
