"""The function `supported_particle`: a metal particle on a slab of a support."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.crystals.crystal import Crystal
from particlespy_ml.simulation.atoms.coincidence import Coincidence, find_coincidence
from particlespy_ml.simulation.atoms.contact import closest, touching_height
from particlespy_ml.simulation.atoms.support_slabs import support_slab
from particlespy_ml.simulation.atoms.wulff import wulff_particle

if TYPE_CHECKING:
    from ase import Atoms

SUPPORT, PARTICLE = 0, 1  # tags of the atoms
CLOSEST = 0.75  # of the sum of covalent radii: nothing may be nearer
_MARGIN = 8.0  # Å of the slab beyond the particle on every side


def supported_particle(
    metal: str | Crystal | Atoms = "Pt",
    support: str | Crystal | Atoms = "CeO2",
    facet: str | tuple[int, ...] = "111",
    size: float = 30.0,
    *,
    face: str | tuple[int, ...] = "111",
    termination: str = "neutral",
    truncation: float = 0.0,
    energies: dict[str, float] | None = None,
    rotation: float | str = "coincidence",
    shift: tuple[float, float] = (0.0, 0.0),
    gap: float | None = None,
    thickness: float = 10.0,
    width: float | None = None,
    max_mismatch: float = 0.05,
    fixed: float = 3.0,
    seed: int = 0,
) -> Atoms:
    """Build a metal particle on a support, before anything relaxes.

    Parameters
    ----------
    metal
        A cubic element such as "Pt" or a cubic crystal, as a Wulff particle; or atoms of your own, whose lowest ones
        come to lie on the support.
    support
        One of `particlespy_ml.simulation.atoms.support_slabs.SUPPORTS` or another crystal, as a slab; or a slab of your
        own with its surface upwards and a rectangular cell.
    facet
        Facet of the particle at the interface.
    size
        Diameter in Å of the sphere of the volume of the whole Wulff shape.
    face, termination, thickness
        Of the slab, see `particlespy_ml.simulation.atoms.support_slabs.support_slab`; thickness in Å.
    truncation
        Where the interface cuts the Wulff shape: 1 leaves all, 0 a half.
    energies
        Surface energies of the metal by face; by default those of
        `particlespy_ml.simulation.atoms.wulff.SURFACE_ENERGIES`.
    rotation
        Of the particle about the normal in degrees, from where the shortest lattice vector of the facet lies along x,
        which is the shorter side of the rectangular cell of the face; "coincidence": that of the smallest cell that
        both lattices share within *max_mismatch*.
    shift
        Of the particle along x and y in Å.
    gap
        Distance in Å along z from the uppermost atom of the support to the lowest of the particle; by default they
        touch: no two atoms are nearer than the sum of their covalent radii.
    width
        Least width of the slab in Å; by default that of the particle and 16 Å.
    max_mismatch
        Largest mismatch of the shared cell.
    fixed
        Atoms of the slab up to so many Å above its lowest ones are fixed in relaxations.
    seed
        Of amorphous carbon.

    Returns
    -------
    ase.Atoms
        Tags are 0 for the support and 1 for the particle; the array ``"layer"`` counts the layers of the particle from
        the interface, 1 for the first, 0 for the support. ``info["supported"]`` tells what was built: the mismatch
        among it, which is also logged. Periodic along x and y; the surface of the support is at z = 0 before the slab
        is moved into its cell.

    Raises
    ------
    TypeError
        If metal or support is none of these.
    ValueError
        If a name is unknown, or atoms would be nearer than three quarters of the sum of their covalent radii.

    References
    ----------
    W. L. Winterbottom, Acta Metall. 15, 303 (1967). A. Zur and T. C. McGill, J. Appl. Phys. 55, 378 (1984).

    Examples
    --------
    >>> from particlespy_ml.simulation import supported_particle
    >>> atoms = supported_particle("Pt", "TiO2-anatase", "100", 16, face="001", width=24)
    >>> atoms.info["supported"]["coincidence"]
    '15 Å², mismatch 3.5 %, rotation 45.00°'
    """
    particle, lattice = _particle(metal, facet, size, truncation, energies)
    extent = np.ptp(particle.positions[:, :2], axis=0).max()
    wanted = width or extent + 2 * _MARGIN
    slab = _slab(support, face, wanted, thickness, termination, seed)
    found = _coincidence(lattice, slab.info["support"]["lattice"], max_mismatch, rotation)
    angle = float(found.rotation) if rotation == "coincidence" and found else 0.0
    if rotation != "coincidence":
        angle = float(rotation)
    particle.rotate(angle, "z")
    edges = np.array(slab.cell.lengths()[:2])
    particle.positions[:, :2] += edges / 2 + np.asarray(shift, float)
    top = slab.positions[:, 2].max()
    if gap is None:
        particle.positions[:, 2] += touching_height(
            particle.get_chemical_symbols(), particle.positions, slab.get_chemical_symbols(), slab.positions, edges
        )
    else:
        particle.positions[:, 2] += top + gap - particle.positions[:, 2].min()
    return _joined(slab, particle, found, angle, shift, fixed, truncation, facet)


def _particle(metal, facet, size: float, truncation: float, energies):
    from ase import Atoms

    if isinstance(metal, Atoms):
        particle = metal.copy()
        particle.set_constraint()
        lattice = particle.info.get("lattice", [])
    elif isinstance(metal, (str, Crystal)):
        particle = wulff_particle(metal, facet, size, truncation=truncation, energies=energies)
        lattice = particle.info["lattice"]
    else:
        raise TypeError(f"metal is a {type(metal).__name__}; expected a name, a crystal or ASE atoms.")
    particle.positions -= [*particle.positions[:, :2].mean(0), particle.positions[:, 2].min()]
    return Atoms(particle.get_chemical_symbols(), positions=particle.positions), lattice


def _slab(support, face, width: float, thickness: float, termination: str, seed: int) -> Atoms:
    from ase import Atoms

    if isinstance(support, (str, Crystal)):
        return support_slab(support, face, width=width, thickness=thickness, termination=termination, seed=seed)
    if not isinstance(support, Atoms):
        raise TypeError(f"support is a {type(support).__name__}; expected a name, a crystal or ASE atoms.")
    cell = np.array(support.cell)
    if np.linalg.matrix_rank(cell[:2, :2]) < 2 or np.abs(cell[[0, 1], [1, 0]]).max() > 1e-3:
        raise ValueError("The slab has no rectangular cell along x and y; make one, or give a material and a face.")
    slab = support.copy()
    slab.set_constraint()
    repeats = np.maximum(np.ceil(width / np.diag(cell)[:2] - 1e-6).astype(int), 1)
    slab = slab.repeat((*repeats.tolist(), 1))
    slab.pbc = (True, True, False)
    slab.info.setdefault("support", {"material": slab.get_chemical_formula(empirical=True), "lattice": []})
    return slab


def _coincidence(first, second, limit: float, rotation) -> Coincidence | None:
    """The cell that both lattices share; None where one of them is unknown or amorphous."""
    if not len(first) or not len(second):
        return None
    try:
        turn = None if rotation == "coincidence" else float(rotation)
        return find_coincidence(np.array(first), np.array(second), limit=limit, rotation=turn)
    except ValueError:  # they share none
        return None


def _joined(slab, particle, found, angle: float, shift, fixed: float, truncation: float, facet):
    from ase.constraints import FixAtoms

    told = dict(slab.info.get("support", {}))
    below = slab.arrays.get("spacing_below", np.zeros(len(slab), int))
    atoms = slab + particle
    atoms.set_tags([SUPPORT] * len(slab) + [PARTICLE] * len(particle))
    layers = np.zeros(len(atoms), int)
    layers[len(slab) :] = layers_from_below(particle.positions[:, 2])
    atoms.arrays.pop("spacing_below", None)
    atoms.new_array("layer", layers)
    atoms.new_array("spacing_below", np.concatenate([below, np.full(len(particle), -1)]))
    atoms.info = {
        "supported": {
            "support": {key: value for key, value in told.items() if key != "lattice"},
            "facet": str(facet),
            "truncation": float(truncation),
            "rotation": angle,
            "shift": [float(one) for one in shift],
            "coincidence": str(found) if found else "none",
            "mismatch": float(found.mismatch) if found else float("nan"),
            "atoms": [len(slab), len(particle)],
        }
    }
    edges = atoms.cell.lengths()[:2]
    ratio, pair = closest(atoms.get_chemical_symbols(), atoms.positions, edges)
    if ratio < CLOSEST:
        names = " and ".join(atoms.get_chemical_symbols()[one] for one in pair)
        raise ValueError(
            f"{names} would be at {ratio:.2f} of the sum of their covalent radii; expected {CLOSEST} at least. Give a "
            "larger gap, another shift, or a wider slab."
        )
    height = np.ptp(atoms.positions[:, 2]) + 20.0
    atoms.set_cell([*edges, height])
    atoms.positions[:, 2] += 5.0 - atoms.positions[:, 2].min()
    atoms.pbc = (True, True, False)
    lowest = atoms.positions[:, 2].min()
    is_fixed = (atoms.get_tags() == SUPPORT) & (atoms.positions[:, 2] <= lowest + fixed)
    atoms.set_constraint(FixAtoms(mask=is_fixed))
    _log(atoms)
    return atoms


def _log(atoms) -> None:
    import logging

    told = atoms.info["supported"]
    logging.getLogger(__name__).info(
        "%d atoms of the support, %d of the particle; shared cell: %s", *told["atoms"], told["coincidence"]
    )


def layers_from_below(heights: np.ndarray, least: float = 0.7) -> np.ndarray:
    """Return the number of the layer of atoms from their heights in Å, from 1 for the lowest.

    Layers are told apart by gaps of more than *least* / 2 Å between sorted heights.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.atoms.supported_particle import layers_from_below
    >>> layers_from_below(np.array([2.3, 0.0, 0.1, 4.5]))
    array([2, 1, 1, 3])
    """
    order = np.argsort(heights, kind="stable")
    steps = np.diff(heights[order], prepend=heights[order][:1]) > least / 2
    layers = np.empty(len(heights), int)
    layers[order] = 1 + np.cumsum(steps)
    return layers
