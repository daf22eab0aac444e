"""Slabs of supports: by face and termination, without a dipole unless one is asked for."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.crystals.crystal import SHEETS, Crystal, crystal
from particlespy_ml.simulation.atoms.packing import FILMS, pack_box
from particlespy_ml.simulation.atoms.surface_lattice import SurfaceLattice, miller, rectangle, surface_lattice

if TYPE_CHECKING:
    from ase import Atoms

SUPPORTS = ("CeO2", "c-ZrO2", "TiO2-rutile", "TiO2-anatase", "MgO", "graphite", "amorphous carbon")
# formal charges of ions; other elements have none, except in a binary oxide, whose cation balances oxygen
CHARGES = {"O": -2.0, "Ce": 4.0, "Zr": 4.0, "Ti": 4.0, "Mg": 2.0}
# cubic zirconia in Å, extrapolated to room temperature: E. V. Stefanovich, A. L. Shluger and C. R. A. Catlow,
# Phys. Rev. B 49, 11560 (1994); that stabilised by yttria is longer, 5.14
ZIRCONIA = 5.09
_PLANE = 0.12  # Å: atoms that are nearer along the normal are one plane
_DIPOLE = 1e-3  # of charge times spacing, below which there is no dipole


def support_crystal(name: str) -> Crystal:
    """Return the crystal of a support: one of `SUPPORTS`, or what `particlespy_ml.crystals.crystal` knows.

    Parameters
    ----------
    name
        Such as "c-ZrO2" or "graphite".
    """
    if name == "c-ZrO2":
        return crystal("ZrO2", ZIRCONIA, structure="fluorite")
    if name == "graphite":
        sheet = crystal("graphene")
        vectors = np.array(sheet.cell)
        vectors[2] *= 2 * SHEETS / vectors[2, 2]
        third = 1 / 3
        places = ((0, 0, 0), (third, 2 * third, 0), (0, 0, 0.5), (2 * third, third, 0.5))
        return Crystal("graphite", vectors, ("C",) * 4, places)
    try:
        return crystal(name)
    except ValueError as error:
        raise ValueError(f"Unknown support {name!r}; expected one of {', '.join(SUPPORTS)}. {error}") from error


@dataclass(frozen=True)
class Cut:
    """A way to cut a crystal parallel to a face.

    Parameters
    ----------
    height
        Of the cut in Å, from 0 to below the spacing of the face.
    top
        Symbols of the plane that is uppermost then.
    dipole
        Of one spacing and cell of the face, in elementary charges times Å; zero where the slab is neutral.
    missing
        Bonds that the cut breaks, per cell.
    """

    height: float
    top: tuple[str, ...]
    dipole: float
    missing: int


def cuts(lattice: SurfaceLattice, charges: dict[str, float]) -> list[Cut]:
    """Return the ways to cut a crystal parallel to a face, those that break fewest bonds first.

    Parameters
    ----------
    lattice
        The face.
    charges
        Of the ions by symbol; other atoms have none.

    References
    ----------
    P. W. Tasker, J. Phys. C 12, 4977 (1979).
    """
    heights = lattice.places[:, 2]
    order = np.argsort(heights)
    gaps = np.diff(np.append(heights[order], heights[order[0]] + lattice.spacing))
    charge = np.array([charges.get(one, 0.0) for one in lattice.symbols])
    found = []
    for position in np.flatnonzero(gaps > _PLANE):
        cut = (heights[order[position]] + gaps[position] / 2) % lattice.spacing
        z = (heights - cut) % lattice.spacing
        top = tuple(sorted(set(lattice.symbols[z > z.max() - _PLANE].tolist())))
        dipole = float(charge @ z)
        found.append(Cut(float(cut), top, dipole, _broken_bonds(lattice, cut)))
    return sorted(found, key=lambda one: (one.missing, one.height))


def _broken_bonds(lattice: SurfaceLattice, cut: float) -> int:
    """Bonds per cell that cross a plane; a bond is up to 1.2 times the nearest distance of the two elements."""
    symbols, points, index = _block(lattice, cut, 3, 2)
    own = (index == 0).all(1)
    near = np.array([points[own], points[own]])[0]
    tree = cKDTree(points)
    distance, other = tree.query(near, k=min(16, len(points)))
    shortest = distance[:, 1].min()
    broken = 0
    for place, away, neighbours in zip(near, distance, other, strict=True):
        bonded = neighbours[(away > 0.1) & (away < 1.25 * max(shortest, away[1]))]
        # layer 0 lies below the cut, layer 1 above
        broken += int(np.sum(points[bonded, 2] >= lattice.spacing) if place[2] < lattice.spacing else 0)
    return broken


def _block(lattice: SurfaceLattice, cut: float, reach: int, layers: int):
    """Atoms of some cells about the origin, z from the cut, and the cell of each (along both vectors, layer)."""
    z = (lattice.places[:, 2] - cut) % lattice.spacing
    places = lattice.places.copy()
    places[:, :2] += np.rint((z + cut - places[:, 2]) / lattice.spacing)[:, None] * lattice.shift
    places[:, 2] = z
    spans = [np.arange(-reach, reach + 1)] * 2 + [np.arange(layers)]
    cells = np.stack(np.meshgrid(*spans, indexing="ij"), -1).reshape(-1, 3)
    moves = np.column_stack(
        [cells[:, :2] @ lattice.basis + cells[:, 2:] * lattice.shift, cells[:, 2] * lattice.spacing]
    )
    points = (moves[:, None] + places[None]).reshape(-1, 3)
    return np.tile(lattice.symbols, len(cells)), points, np.repeat(cells, len(places), axis=0)


def support_slab(
    material: str | Crystal,
    face: str | tuple[int, ...] = "111",
    *,
    width: float | tuple[float, float] = 30.0,
    thickness: float = 10.0,
    termination: str = "neutral",
    charges: dict[str, float] | None = None,
    seed: int = 0,
) -> Atoms:
    """Return a slab of a support, periodic along x and y, its surface at z = 0.

    Parameters
    ----------
    material
        One of `SUPPORTS`, another compound or element that `particlespy_ml.crystals.crystal` knows, or a crystal.
    face
        Miller indices of the surface; of no meaning for amorphous carbon.
    width
        Least extent along x, or along x and y, in Å. It is a whole number of rectangular cells of the face.
    thickness
        Least thickness in Å; a whole number of formula units.
    termination
        "neutral": the cut without a dipole that breaks fewest bonds or, where every cut has one, that of which a part
        of the uppermost ions is moved to the lower side until there is none (such as half of them on CeO2 (001) and MgO
        (111)). An element: the uppermost plane is of it.
    charges
        Formal charges by symbol, over those known.
    seed
        Of amorphous carbon.

    Returns
    -------
    ase.Atoms
        ``info["support"]`` tells material, face, termination, dipole (e Å for each cell of the face), and what was
        moved.
        The array ``"spacing_below"`` counts repeats from the surface, 0 for the uppermost.

    Raises
    ------
    ValueError
        If material, face or termination is unknown.

    Warns
    -----
    UserWarning
        If the termination that was asked for has a dipole.

    Examples
    --------
    >>> from particlespy_ml.simulation.atoms.support_slabs import support_slab
    >>> slab = support_slab("CeO2", "111", width=20)
    >>> slab.get_chemical_formula(empirical=True), slab.info["support"]["top"]
    ('CeO2', 'O')
    """
    if not thickness > 0 or not np.all(np.asarray(width) > 0):
        raise ValueError(f"thickness={thickness}, width={width}; expected lengths in Å above zero.")
    if material == "amorphous carbon":
        return _carbon(np.broadcast_to(np.asarray(width, float), 2), thickness, seed)
    solid = material if isinstance(material, Crystal) else support_crystal(material)
    lattice = surface_lattice(solid, face)
    known = ion_charges(lattice.symbols, charges)
    cut, is_polar = _choose(cuts(lattice, known), termination, lattice, known)
    moved = _share_to_move(cut, lattice, known) if termination == "neutral" and is_polar else 0.0
    within = np.ptp((lattice.places[:, 2] - cut.height) % lattice.spacing)
    repeats = 1 + max(0, int(np.ceil((thickness - within - 1e-6) / lattice.spacing)))
    symbols, points, layer, cell, own = _fill(lattice, cut.height, width, repeats, even=moved > 0)
    if moved:
        turn = own.T @ np.linalg.inv(lattice.basis.T)
        down = np.append(turn @ lattice.shift, lattice.spacing) * repeats
        points, count = _move_top(points, moved, down, cell)
        cut = Cut(cut.height, cut.top, 0.0, cut.missing)
    elif is_polar:
        warnings.warn(
            f"The {'/'.join(cut.top)} termination of {solid.name} {_told(face)} has a dipole of {cut.dipole:.2g} e Å "
            'for each cell of its face; termination="neutral" has none.',
            UserWarning,
            stacklevel=2,
        )
    points[:, 2] -= points[:, 2].max()
    told = {
        "material": solid.name if not isinstance(material, str) else material,
        "face": _told(face),
        "top": "/".join(cut.top),
        "dipole": cut.dipole,
        "moved": count if moved else 0,
        "lattice": own.tolist(),
    }
    return _slab_atoms(symbols, points, cell, layer, told)


def _told(face) -> str:
    return "(" + "".join(str(one) for one in miller(face)) + ")"


def _slab_atoms(symbols, points, cell, layer, told: dict) -> Atoms:
    from ase import Atoms

    order = np.lexsort([points[:, 0].round(3), points[:, 1].round(3), points[:, 2].round(3)])
    atoms = Atoms(symbols[order], positions=points[order], cell=[*cell, np.ptp(points[:, 2]) + 20.0])
    atoms.pbc = (True, True, False)
    atoms.new_array("spacing_below", layer[order])
    atoms.info["support"] = told
    return atoms


def ion_charges(symbols, charges: dict[str, float] | None = None) -> dict[str, float]:
    """Return formal charges by symbol: given ones, those known, and that of the one other element of an oxide."""
    names, counts = np.unique(np.asarray(symbols), return_counts=True)
    known = {name: CHARGES[name] for name in names if name in CHARGES} | dict(charges or {})
    unknown = [name for name in names if name not in known]
    if len(unknown) == 1 and "O" in known and len(names) == 2:
        number = dict(zip(names, counts, strict=True))
        known[unknown[0]] = -known["O"] * number["O"] / number[unknown[0]]
    total = sum(known.get(name, 0.0) * count for name, count in zip(names, counts, strict=True))
    return known if abs(total) < 1e-6 else {}


def _choose(ways: list[Cut], termination: str, lattice: SurfaceLattice, charges: dict) -> tuple[Cut, bool]:
    """The cut of a termination, and whether it has a dipole."""
    if not ways:
        raise ValueError("The crystal cannot be cut parallel to this face: its atoms lie in no planes.")
    scale = max((abs(one) for one in charges.values()), default=1.0) * lattice.spacing

    def polar(cut: Cut) -> bool:
        return abs(cut.dipole) > _DIPOLE * scale

    if termination == "neutral":
        flat = [cut for cut in ways if not polar(cut)]
        if flat:
            return flat[0], False
        # anions stay uppermost
        anions = [cut for cut in ways if all(charges.get(one, 0) < 0 for one in cut.top)]
        return (anions or ways)[0], True
    wanted = [cut for cut in ways if cut.top == (termination,)]
    if not wanted:
        names = sorted({"/".join(cut.top) for cut in ways})
        raise ValueError(f'Unknown termination {termination!r}; expected "neutral" or one of {", ".join(names)}.')
    wanted.sort(key=lambda cut: (polar(cut), cut.missing))
    return wanted[0], polar(wanted[0])


def _share_to_move(cut: Cut, lattice: SurfaceLattice, charges: dict) -> float:
    """Share of the uppermost ions that take the dipole with them when they move below the slab."""
    z = (lattice.places[:, 2] - cut.height) % lattice.spacing
    charge = sum(charges[one] for one in lattice.symbols[z > z.max() - _PLANE])
    share = cut.dipole / (charge * lattice.spacing)
    if not 0 < share < 1:
        raise ValueError("No termination of this face is without a dipole; name an element to cut it nevertheless.")
    return share


def _fill(lattice: SurfaceLattice, cut: float, width, repeats: int, even: bool):
    """Symbols, places, layers from the surface, edges, and the lattice of the face, of a rectangular slab."""
    numbers = rectangle(lattice.basis)
    sides = numbers @ lattice.basis
    edges = np.linalg.norm(sides, axis=1)
    count = np.maximum(np.ceil(np.broadcast_to(np.asarray(width, float), 2) / edges - 1e-6).astype(int), 1)
    if even:
        count += count % 2
    turn = np.array([sides[0] / edges[0], sides[1] / edges[1]])
    reach = int(np.abs(numbers).sum()) + 1
    symbols, points, index = _block(lattice, cut, reach, repeats)
    points[:, :2] = points[:, :2] @ turn.T
    size = len(lattice.symbols)
    fractions = points[:, :2] / edges
    member = np.tile(np.arange(size), len(points) // size)
    keys = np.column_stack([np.round(fractions % 1, 4) % 1, index[:, 2], member])
    _, first = np.unique(keys.round(4), axis=0, return_index=True)
    symbols, layer = symbols[first], index[first, 2]
    points = np.column_stack([(np.round(fractions[first], 6) % 1) * edges, points[first, 2]])
    shifts = np.stack(np.meshgrid(np.arange(count[0]), np.arange(count[1]), indexing="ij"), -1).reshape(-1, 2) * edges
    whole = np.tile(points, (len(shifts), 1))
    whole[:, :2] += np.repeat(shifts, len(points), axis=0)
    below = repeats - 1 - np.tile(layer, len(shifts))
    return np.tile(symbols, len(shifts)), whole, below, count * edges, lattice.basis @ turn.T


def _move_top(points: np.ndarray, share: float, down: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, int]:
    """Move a share of the uppermost ions below the slab by a vector of the lattice, every other one."""
    top = np.flatnonzero(points[:, 2] > points[:, 2].max() - _PLANE)
    column = np.unique(points[top, 0].round(2), return_inverse=True)[1]
    row = np.unique(points[top, 1].round(2), return_inverse=True)[1]
    order = np.lexsort([row, column, (row + column) % 2])
    count = round(share * len(top))
    gone = top[order[:count]]
    moved = points.copy()
    moved[gone] -= down
    moved[:, :2] %= edges
    return moved, count


def _carbon(width: np.ndarray, thickness: float, seed: int) -> Atoms:
    density, distance = FILMS["C"]
    box = (float(width[0]), float(width[1]), float(thickness))
    points = pack_box(round(density * np.prod(box)), box, distance, np.random.default_rng(seed))
    points[:, 2] -= points[:, 2].max()
    told = {"material": "amorphous carbon", "face": "", "top": "C", "dipole": 0.0, "moved": 0, "lattice": []}
    return _slab_atoms(np.full(len(points), "C"), points, width, np.zeros(len(points), int), told)
