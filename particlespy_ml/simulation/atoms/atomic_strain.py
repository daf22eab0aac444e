"""Strain of every atom of a model, in three dimensions, relative to the crystal that it was built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.atoms.model_views import view_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from ase import Atoms

NAMES = ("exx", "eyy", "ezz", "eyz", "exz", "exy")
_PLACES = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_SHELL = 1.2  # of the distance between nearest neighbours: halfway to the second ones of fcc
_FLAT = 0.02  # of the neighbours' extent, below which they lie in a plane


def atomic_strain(
    model: Atoms,
    reference: Atoms,
    *,
    view: str | Sequence[float] | None = None,
    scale: float = 1.0,
    cutoff: float | None = None,
) -> pd.DataFrame:
    """Return the strain of every atom of the particle of a model.

    The least-squares map F of the vectors to the neighbours, from the reference to the model, is taken apart into a
    turn that is followed by the strain P - 1, as `particlespy_ml.strain.measure_strain` does for columns.

    Parameters
    ----------
    model, reference
        The same atoms after and before they moved, such as what `relax_structure` returns and what it was given. Of
        models of `supported_particle` the particle alone is looked at (tags above zero), otherwise all atoms.
    view
        Strain is told along x and y of the image of this view and along the beam, see
        `particlespy_ml.simulation.atoms.model_views.view_matrix`; by default along the axes of the model.
    scale
        Lattice constant without strain over that of the reference.
    cutoff
        Largest distance of neighbours in the reference in Å; by default 1.2 times that of the nearest ones.

    Returns
    -------
    pandas.DataFrame
        One row for each atom, its index the atom's number: ``exx``, ``eyy``, ``ezz``, ``eyz``, ``exz`` and ``exy``;
        ``rotation`` in degrees; ``nonaffine``, the root mean square in Å of what the map leaves of the neighbours'
        moves; ``n_neighbours``; ``layer``. NaN where an atom has fewer than four neighbours, or all in a plane with it.

    Raises
    ------
    ValueError
        If the two are not of the same atoms, or scale or cutoff is not above zero.

    References
    ----------
    M. L. Falk and J. S. Langer, Phys. Rev. E 57, 7192 (1998); F. Shimizu, S. Ogata and J. Li, Mater. Trans. 48, 2923
    (2007).

    Examples
    --------
    >>> from ase.cluster import Octahedron
    >>> import particlespy_ml as pml
    >>> reference = Octahedron("Au", 4)
    >>> model = reference.copy()
    >>> model.positions *= (1.02, 1.0, 0.99)
    >>> strain = pml.simulation.atomic_strain(model, reference)
    >>> strain[["exx", "eyy", "ezz"]].mean().round(6).tolist()
    [0.02, 0.0, -0.01]
    """
    import pandas as pd
    from ase.neighborlist import neighbor_list

    if model.get_chemical_symbols() != reference.get_chemical_symbols():
        raise ValueError("The model and its reference are not of the same atoms in the same order.")
    if not scale > 0 or (cutoff is not None and not cutoff > 0):
        raise ValueError(f"scale={scale}, cutoff={cutoff}; expected numbers above zero.")
    tags = reference.get_tags()
    numbers = np.flatnonzero(tags > 0) if (tags > 0).any() else np.arange(len(reference))
    before, after = reference[numbers], model[numbers]
    first, second, steps, cells = neighbor_list("ijDS", before, cutoff or _SHELL * _nearest(before))
    moved = after.positions[second] - after.positions[first] + cells @ np.asarray(after.cell)
    steps = scale * steps
    sums = np.zeros((2, len(numbers), 3, 3))
    np.add.at(sums[0], first, steps[:, :, None] * steps[:, None, :])
    np.add.at(sums[1], first, moved[:, :, None] * steps[:, None, :])
    count = np.bincount(first, minlength=len(numbers))
    spread = np.linalg.eigvalsh(sums[0])
    known = (count > 3) & (spread[:, 0] > _FLAT * spread[:, 2])
    maps = np.full((len(numbers), 3, 3), np.nan)
    maps[known] = sums[1][known] @ np.linalg.inv(sums[0][known])
    left = moved - np.einsum("nij,nj->ni", maps[first], steps)
    strain, angle = np.full_like(maps, np.nan), np.full(len(numbers), np.nan)
    u, sizes, v = np.linalg.svd(maps[known])
    strain[known] = (u * sizes[:, None, :]) @ np.swapaxes(u, 1, 2) - np.eye(3)
    angle[known] = np.degrees(np.arccos(np.clip((np.trace(u @ v, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    if view is not None:
        frame = view_matrix(view)
        strain = frame @ strain @ frame.T
    rows = {name: strain[:, i, j] for name, (i, j) in zip(NAMES, _PLACES, strict=True)}
    rows["rotation"] = angle
    rows["nonaffine"] = np.sqrt(np.bincount(first, (left**2).sum(1), len(numbers)) / np.maximum(count, 1))
    rows["n_neighbours"] = count
    rows["layer"] = reference.arrays.get("layer", tags)[numbers]
    return pd.DataFrame(rows, index=numbers)


def _nearest(atoms: Atoms) -> float:
    """Median distance of the nearest neighbours in Å."""
    from ase.neighborlist import neighbor_list

    reach = 3.5
    while reach < 20:
        first, distances = neighbor_list("id", atoms, reach)
        if len(np.unique(first)) == len(atoms):
            nearest = np.full(len(atoms), np.inf)
            np.minimum.at(nearest, first, distances)
            return float(np.median(nearest))
        reach *= 1.5
    raise ValueError(f"Some of {len(atoms)} atoms have no neighbour within 20 Å; expected a particle.")
