"""Equilibrium shapes of crystals, free or cut by a support."""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

from particlespy_ml.crystals.crystal import Crystal, crystal
from particlespy_ml.simulation.atoms.surface_lattice import miller, surface_lattice

if TYPE_CHECKING:
    from ase import Atoms

# J/m²: L. Vitos et al., Surf. Sci. 411, 186 (1998), full charge density
SURFACE_ENERGIES = {
    "Al": {"111": 1.199, "100": 1.347, "110": 1.271},
    "Ni": {"111": 2.011, "100": 2.426, "110": 2.368},
    "Cu": {"111": 1.952, "100": 2.166, "110": 2.237},
    "Rh": {"111": 2.472, "100": 2.799, "110": 2.899},
    "Pd": {"111": 1.920, "100": 2.326, "110": 2.225},
    "Ag": {"111": 1.172, "100": 1.200, "110": 1.238},
    "Ir": {"111": 2.971, "100": 3.722, "110": 3.606},
    "Pt": {"111": 2.299, "100": 2.734, "110": 2.819},
    "Au": {"111": 1.283, "100": 1.627, "110": 1.700},
}


def family(face: str | tuple[int, ...]) -> np.ndarray:
    """Return the faces of a cubic crystal that are equivalent to one, shape (n, 3).

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.wulff import family
    >>> [len(family(face)) for face in ("111", "100", "110", "210")]
    [8, 6, 12, 24]
    """
    indices = miller(face)
    found = {
        tuple(sign * one for sign, one in zip(signs, order, strict=True))
        for order in permutations(indices)
        for signs in product((1, -1), repeat=3)
    }
    return np.array(sorted(found))


def wulff_planes(energies: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit normals and the distances of the planes of a Wulff construction of a cubic crystal.

    Parameters
    ----------
    energies
        Surface energy by face, such as ``{"111": 1.0, "100": 1.2}``, in one unit.

    Returns
    -------
    normals, distances
        Shapes (n, 3) and (n,); distances are the energies.

    References
    ----------
    G. Wulff, Z. Kristallogr. 34, 449 (1901); W. L. Winterbottom, Acta Metall. 15, 303 (1967), for the cut by a support.
    """
    if not energies or not all(np.isfinite(one) and one > 0 for one in energies.values()):
        raise ValueError(f"Surface energies {energies}; expected one above zero for each face.")
    normals, distances = [], []
    for face, energy in energies.items():
        members = family(face)
        normals.append(members / np.linalg.norm(members, axis=1, keepdims=True))
        distances.append(np.full(len(members), float(energy)))
    return np.concatenate(normals), np.concatenate(distances)


def volume(normals: np.ndarray, distances: np.ndarray) -> float:
    """Return the volume within planes about the origin.

    Raises
    ------
    ValueError
        If the planes enclose none.
    """
    try:
        corners = HalfspaceIntersection(np.column_stack([normals, -distances]), np.zeros(3)).intersections
        return float(ConvexHull(corners[np.isfinite(corners).all(1)]).volume)
    except (QhullError, ValueError) as error:
        raise ValueError("The faces enclose no volume; give more of them.") from error


def wulff_particle(
    metal: str | Crystal,
    facet: str | tuple[int, ...] = "111",
    size: float = 30.0,
    *,
    truncation: float = 0.0,
    energies: dict[str, float] | None = None,
) -> Atoms:
    """Return a Wulff particle with a facet downwards, cut parallel to it.

    Parameters
    ----------
    metal
        A cubic element, or a cubic crystal.
    facet
        The facet at the interface.
    size
        Diameter in Å of the sphere of the volume of the whole Wulff shape.
    truncation
        Distance of the interface from the centre of the Wulff shape over that of the facet: 1 is a free particle, 0 a
        half, and -1 would leave nothing. It is the energy of the interface less that of the bare support, over that of
        the facet.
    energies
        Surface energy by face; by default `SURFACE_ENERGIES`.

    Returns
    -------
    ase.Atoms
        The lowest layer at z = 0, x along the shortest lattice vector of the facet. ``info["lattice"]`` has the lattice
        of the facet.

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.wulff import wulff_particle
    >>> whole, half = (len(wulff_particle("Pt", "111", 20, truncation=cut)) for cut in (1, 0))
    >>> 0.5 < half / whole < 0.65
    True
    """
    from ase import Atoms

    solid = metal if isinstance(metal, Crystal) else crystal(metal)
    if energies is None:
        if solid.name not in SURFACE_ENERGIES:
            raise ValueError(
                f"No surface energies of {solid.name} are known, only of {', '.join(sorted(SURFACE_ENERGIES))}; give "
                'energies={"111": ..., "100": ...}.'
            )
        energies = SURFACE_ENERGIES[solid.name]
    if not size > 0 or not -1 < truncation <= 1:
        raise ValueError(f"size={size}, truncation={truncation}; expected above zero, and above -1 up to 1.")
    normals, distances = wulff_planes(energies)
    scale = (np.pi / 6 * size**3 / volume(normals, distances)) ** (1 / 3)
    lattice = surface_lattice(solid, facet)
    normals = normals @ lattice.frame.T
    # the frame has the facet upwards; it is turned about x
    flip = np.array([1.0, -1.0, -1.0])
    normals = normals * flip
    reach = scale * distances.max() * 1.8 + np.linalg.norm(solid.cell, axis=1).max()
    heights = 1 / np.linalg.norm(np.linalg.inv(solid.cell), axis=0)
    spans = [np.arange(-n, n + 1) for n in np.ceil(reach / heights).astype(int)]
    cells = np.stack(np.meshgrid(*spans, indexing="ij"), -1).reshape(-1, 1, 3)
    points = ((cells + np.array(solid.places)).reshape(-1, 3) @ solid.cell @ lattice.frame.T) * flip
    symbols = np.tile(np.array(solid.symbols), len(cells))
    inside = (points @ normals.T <= scale * distances + 1e-6).all(1)
    facet_distance = _distance_along(normals, scale * distances)
    inside &= points[:, 2] >= -truncation * facet_distance - 1e-6
    if not inside.any():
        raise ValueError(f"A particle of {size} Å cut at {truncation} has no atoms; make it larger.")
    points, symbols = points[inside], symbols[inside]
    points -= [*points[:, :2].mean(0), points[:, 2].min()]
    particle = Atoms(symbols, positions=points)
    particle.info["lattice"] = (lattice.basis * flip[:2]).tolist()
    return particle


def _distance_along(normals: np.ndarray, distances: np.ndarray) -> float:
    """How far the planes reach down from the origin, along z."""
    down = -normals[:, 2]
    return float((distances[down > 1e-9] / down[down > 1e-9]).min())
