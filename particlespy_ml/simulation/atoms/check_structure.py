"""Whether a built structure can be: distances, composition, coordination, charge and dipole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.contact import bond_lengths, closest
from particlespy_ml.simulation.atoms.support_slabs import ion_charges

if TYPE_CHECKING:
    from ase import Atoms


def check_structure(atoms: Atoms, charges: dict[str, float] | None = None) -> dict:
    """Return what a structure is like; tags tell the support (0) from the particle (1).

    Parameters
    ----------
    atoms
        Slab or supported particle, periodic along x and y.
    charges
        Formal charges of ions by symbol, over those known.

    Returns
    -------
    dict
        - ``closest``, ``closest_pair``: smallest distance over the sum of covalent radii, and its elements;
        - ``formula``, ``charge``, ``dipole`` of the support: the last two in e and in e Å per Å² of the surface;
        - ``lone``: number of atoms without a neighbour within 1.3 times the sum of covalent radii;
        - ``coordination``: median number of such neighbours by element, of ions those of the other sign;
        - ``interface``: pairs of particle and support that touch; ``particle_pieces``: connected parts of the particle.

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.check_structure import check_structure
    >>> from particlespy_ml.simulation.atoms.support_slabs import support_slab
    >>> found = check_structure(support_slab("MgO", "100", width=12))
    >>> found["formula"], found["charge"], abs(round(found["dipole"], 6)), found["lone"]
    ('MgO', 0.0, 0.0, 0)
    """
    symbols, points = np.array(atoms.get_chemical_symbols()), atoms.positions
    edges = atoms.cell.lengths()[:2]
    support = atoms.get_tags() == 0
    ratio, pair = closest(symbols, points, edges)
    known = ion_charges(symbols[support], charges) or dict(charges or {})
    charge = np.array([known.get(one, 0.0) for one in symbols[support]])
    dipole = float(charge @ points[support, 2]) / float(np.prod(edges)) if abs(charge.sum()) < 1e-6 else float("nan")
    first, second = _bonds(symbols, points, edges)
    sign = np.zeros(len(atoms))
    sign[support] = np.sign(charge)
    ionic = sign[first] * sign[second] <= 0  # ions of one sign do not bind
    first, second = first[ionic], second[ionic]
    number = np.bincount(np.concatenate([first, second]), minlength=len(atoms))
    of_particle = ~support[first] & ~support[second]
    return {
        "closest": ratio,
        "closest_pair": tuple(str(symbols[one]) for one in pair),
        "formula": atoms[support].get_chemical_formula(empirical=True) if support.any() else "",
        "charge": float(charge.sum()),
        "dipole": dipole,
        "lone": int((number == 0).sum()),
        "coordination": {str(one): float(np.median(number[symbols == one])) for one in np.unique(symbols)},
        "interface": int((support[first] != support[second]).sum()),
        "particle_pieces": _pieces(np.flatnonzero(~support), first[of_particle], second[of_particle]),
    }


def _bonds(symbols: np.ndarray, points: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    box = np.array([edges[0], edges[1], np.ptp(points[:, 2]) + 20.0])
    moved = np.column_stack([points[:, :2] % edges, points[:, 2] - points[:, 2].min()])
    kinds, kind = np.unique(symbols, return_inverse=True)
    bonds = 1.3 * bond_lengths(kinds, kinds)
    pairs = cKDTree(moved, boxsize=box).query_pairs(float(bonds.max()), output_type="ndarray")
    away = moved[pairs[:, 0]] - moved[pairs[:, 1]]
    away -= box * np.rint(away / box)
    near = np.linalg.norm(away, axis=1) < bonds[kind[pairs[:, 0]], kind[pairs[:, 1]]]
    return pairs[near, 0], pairs[near, 1]


def _pieces(members: np.ndarray, first: np.ndarray, second: np.ndarray) -> int:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(members):
        return 0
    place = {int(one): number for number, one in enumerate(members)}
    rows, columns = [place[int(one)] for one in first], [place[int(one)] for one in second]
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(members),) * 2)
    return int(connected_components(graph, directed=False)[0])
