"""Crystals with any number of atoms in their cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

SAME = 1e-3  # Å: atoms that are nearer than this are one

# Primitive vectors of the centred cubic lattices, in lattice constants.
STRUCTURES = {
    "fcc": ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)),
    "bcc": ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5)),
}
CENTRES = {"fcc": ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)), "bcc": ((0, 0, 0), (0.5, 0.5, 0.5))}

ELEMENTS = ("fcc", "bcc", "hcp", "diamond")  # structures of elements that ASE builds
COMPOUNDS = ("CeO2", "MgO", "TiO2-rutile", "TiO2-anatase", "graphene")
# Lattice constants in Å, at room temperature.
CERIA = 5.4113  # M. C. Morris et al., Natl. Bur. Stand. (U.S.) Monogr. 25, Sec. 20, 38 (1983)
MAGNESIA = 4.2112  # R. M. Hazen, Am. Mineral. 61, 266 (1976)
# a, c and the place u of oxygen: S. C. Abrahams and J. L. Bernstein, J. Chem. Phys. 55, 3206 (1971)
RUTILE = (4.59366, 2.95868, 0.30479)
# the same: C. J. Howard, T. M. Sabine and F. Dickson, Acta Cryst. B 47, 462 (1991)
ANATASE = (3.7845, 9.5143, 0.2081)
GRAPHENE = 2.46  # √3 times 1.42 Å: A. H. Castro Neto et al., Rev. Mod. Phys. 81, 109 (2009)
SHEETS = 3.354  # between sheets of graphite: P. Trucano and R. Chen, Nature 258, 136 (1975)


@dataclass(frozen=True)
class Crystal:
    """A crystal: the atoms of its conventional cell, to which indices of directions refer.

    Parameters
    ----------
    name
        What it is called in results.
    vectors
        Lattice vectors in Å, one a row, shape (3, 3). The length of the first is the lattice constant.
    symbols
        Chemical symbols of the atoms of the cell, ``"X"`` where they do not matter.
    places
        Of the atoms, in fractions of the lattice vectors, shape (n, 3).

    Raises
    ------
    ValueError
        If the vectors span no volume, or there are not as many places as symbols.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.crystals.crystal import Crystal
    >>> polonium = Crystal("Po", 3.35 * np.eye(3), ["Po"], [[0, 0, 0]])
    >>> round(polonium.a, 2), len(polonium.symbols)
    (3.35, 1)
    """

    name: str
    vectors: tuple[tuple[float, ...], ...]
    symbols: tuple[str, ...]
    places: tuple[tuple[float, ...], ...]

    def __post_init__(self):
        vectors, places = np.asarray(self.vectors, float), np.asarray(self.places, float)
        if vectors.shape != (3, 3) or not np.isfinite(vectors).all() or not abs(np.linalg.det(vectors)) > 1e-6:
            raise ValueError(f"Lattice vectors of shape {vectors.shape}; expected three of three numbers, in no plane.")
        if not len(self.symbols) or places.shape != (len(self.symbols), 3) or not np.isfinite(places).all():
            raise ValueError(
                f"{len(self.symbols)} symbols and places of shape {places.shape}; expected three numbers for each atom."
            )
        # tuples, so that crystals can be compared and kept in caches
        object.__setattr__(self, "vectors", tuple(map(tuple, vectors.tolist())))
        object.__setattr__(self, "places", tuple(map(tuple, places.tolist())))
        object.__setattr__(self, "symbols", tuple(map(str, self.symbols)))

    @property
    def cell(self) -> np.ndarray:
        """Lattice vectors in Å, shape (3, 3)."""
        return np.array(self.vectors)

    @property
    def a(self) -> float:
        """Length of the first lattice vector in Å: the unit of lengths of a `Projection`."""
        return float(np.linalg.norm(self.vectors[0]))

    @property
    def primitive(self) -> np.ndarray:
        """Vectors of the smallest cell that the crystal repeats, in fractions of the lattice vectors, shape (3, 3)."""
        shifts = translations(self)
        for name, centres in CENTRES.items():
            if len(shifts) == len(centres) and {tuple(p) for p in np.round(shifts, 6)} == set(centres):
                return np.array(STRUCTURES[name])
        return lattice_of(shifts)

    @classmethod
    def from_atoms(cls, atoms: Atoms, name: str | None = None) -> Crystal:
        """Return the crystal that repeats the cell of ASE atoms.

        Parameters
        ----------
        atoms
            With a cell of three vectors.
        name
            By default the formula.

        Raises
        ------
        ValueError
            If the atoms have no cell of three vectors.
        """
        cell = np.array(atoms.cell)
        if np.linalg.matrix_rank(cell) < 3:
            raise ValueError(
                f"The cell of {atoms.get_chemical_formula()} has {np.linalg.matrix_rank(cell)} vectors; expected "
                "three. A sheet needs one across it: atoms.center(vacuum=5, axis=2)."
            )
        places = atoms.get_scaled_positions(wrap=True)
        return cls(name or atoms.get_chemical_formula(empirical=True), cell, atoms.get_chemical_symbols(), places)

    def to_atoms(self) -> Atoms:
        """Return the conventional cell as ASE atoms, periodic along all three vectors."""
        from ase import Atoms

        return Atoms(self.symbols, cell=self.cell, scaled_positions=np.array(self.places), pbc=True)


def crystal(name: str, lattice_constant: float | None = None, *, structure: str | None = None) -> Crystal:
    """Return the crystal of an element or of a compound.

    Parameters
    ----------
    name
        An element whose reference state (ASE) is fcc, bcc, hcp or diamond, such as "Pt", "Fe", "Co" or "Si"; "CeO2"
        (fluorite), "MgO" (rocksalt), "TiO2-rutile", "TiO2-anatase" or "graphene". With *structure* any formula.
    lattice_constant
        Length of a in Å; by default the measured one. The ratio c/a and the places of the atoms stay.
    structure
        "fcc", "bcc", "hcp" or "diamond" of an element, "rocksalt" or "fluorite" of a compound such as "ThO2", cation
        first; by default the one that is known. Needs *lattice_constant* where it is not the known one.

    Returns
    -------
    Crystal
        For graphene one sheet in a cell as high as the distance between sheets of graphite, so that [0001] is a
        direction.

    Raises
    ------
    ValueError
        If name or structure is unknown, or the lattice constant is needed or not above zero.

    References
    ----------
    Each constant of a compound bears its own in this module; those of elements are ASE's.

    Examples
    --------
    >>> from particlespy_ml.crystals.crystal import crystal
    >>> ceria = crystal("CeO2")
    >>> round(ceria.a, 2), len(ceria.symbols)
    (5.41, 12)
    """
    if lattice_constant is not None and not (np.isfinite(lattice_constant) and lattice_constant > 0):
        raise ValueError(f"lattice_constant={lattice_constant}; expected a length in Å, above zero.")
    if structure is not None:
        return Crystal.from_atoms(_in_structure(name, structure, lattice_constant), name)
    if name not in COMPOUNDS:
        return Crystal.from_atoms(_in_structure(name, _reference_state(name), lattice_constant), name)
    if name == "CeO2":
        atoms = _in_structure(name, "fluorite", lattice_constant or CERIA)
    elif name == "MgO":
        atoms = _in_structure(name, "rocksalt", lattice_constant or MAGNESIA)
    elif name == "graphene":
        a = lattice_constant or GRAPHENE
        vectors = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, SHEETS * a / GRAPHENE]]
        return Crystal(name, vectors, ("C", "C"), ((1 / 3, 2 / 3, 0), (2 / 3, 1 / 3, 0)))
    else:
        atoms = _titania(name, lattice_constant)
    return Crystal.from_atoms(atoms, name)


def cubic_element(symbol: str) -> tuple[str, float]:
    """Return structure and lattice constant in Å of a cubic element (from ASE).

    Parameters
    ----------
    symbol
        Such as "Pt".

    Raises
    ------
    ValueError
        If the element is unknown, or not fcc or bcc in its reference state.
    """
    from ase.data import atomic_numbers, reference_states

    if symbol not in atomic_numbers:
        raise ValueError(f"{symbol!r} is no chemical element.")
    state = reference_states[atomic_numbers[symbol]]
    if not state or state["symmetry"] not in STRUCTURES:
        raise ValueError(
            f"{symbol!r} is neither fcc nor bcc; expected an element such as Au, Pt, Pd, Ag, Cu, Fe or W, or give "
            "lattice constant and structure, or cross-sections of your own."
        )
    return state["symmetry"], float(state["a"])


@lru_cache(maxsize=64)
def as_crystal(structure: Crystal | str) -> Crystal:
    """Return a crystal from its name; "fcc" and "bcc" are crystals of atoms of no kind, with a of 1 Å.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if isinstance(structure, Crystal):
        return structure
    if structure in STRUCTURES:
        centres = CENTRES[structure]
        return Crystal(structure, np.eye(3), ("X",) * len(centres), centres)
    return crystal(structure)


def translations(crystal: Crystal) -> np.ndarray:
    """Return the translations within the cell that leave a crystal as it is, in fractions, shape (n, 3), zero first.

    Parameters
    ----------
    crystal
        With any cell, primitive or not.
    """
    places, symbols = np.array(crystal.places), np.array(crystal.symbols)
    kinds, counts = np.unique(symbols, return_counts=True)
    rarest = places[symbols == kinds[np.argmin(counts)]]
    found = []
    for shift in (rarest - rarest[0]) % 1:
        between = places[None] - (places + shift)[:, None]
        near = np.linalg.norm((between - np.rint(between)) @ crystal.cell, axis=-1) < SAME
        if (near & (symbols[None] == symbols[:, None])).any(1).all():
            found.append(np.where(shift > 1 - 1e-6, 0.0, shift))
    return np.array(found)


def lattice_of(shifts: np.ndarray) -> np.ndarray:
    """Return three vectors that span the lattice of whole numbers and some fractions, shape (3, 3).

    Parameters
    ----------
    shifts
        All fractions of the lattice within the cell, shape (n, 3).
    """
    # n times a fraction is whole, since the fractions form a group of n
    count = len(shifts)
    rows = np.vstack([count * np.eye(3), count * shifts])
    rows = np.rint(rows).astype(int)
    for column in range(3):  # echelon form by Euclid's algorithm
        while True:
            left = np.flatnonzero(rows[column:, column]) + column
            if len(left) <= 1:
                break
            pivot = left[np.argmin(np.abs(rows[left, column]))]
            rows[[column, pivot]] = rows[[pivot, column]]
            below = np.arange(column + 1, len(rows))
            rows[below] -= (rows[below, column] // rows[column, column])[:, None] * rows[column]
        if len(left) == 1:
            rows[[column, left[0]]] = rows[[left[0], column]]
    return rows[:3] / count


def _reference_state(symbol: str) -> str:
    from ase.data import atomic_numbers, reference_states

    if symbol not in atomic_numbers:
        raise ValueError(
            f"Unknown crystal {symbol!r}; expected {', '.join(STRUCTURES)}, an element, or one of "
            f"{', '.join(COMPOUNDS)}; or make one with Crystal.from_atoms."
        )
    state = reference_states[atomic_numbers[symbol]]
    if not state or state["symmetry"] not in ELEMENTS:
        raise ValueError(
            f"{symbol!r} is {state['symmetry'] if state else 'no crystal'} in its reference state; expected an element "
            f"that is {', '.join(ELEMENTS)}; give structure and lattice_constant, or make one with Crystal.from_atoms."
        )
    return state["symmetry"]


def _in_structure(formula: str, structure: str, a: float | None) -> Atoms:
    """Conventional cell of an element, or of a compound with one lattice constant."""
    from ase.build import bulk
    from ase.data import atomic_numbers, reference_states
    from ase.spacegroup import crystal as from_spacegroup

    state = (reference_states[atomic_numbers[formula]] if formula in atomic_numbers else None) or {}
    if a is None and state.get("symmetry") != structure:
        raise ValueError(f"The lattice constant of {formula} as {structure} is not known; give lattice_constant in Å.")
    a = a or state["a"]
    if structure in ELEMENTS and formula in atomic_numbers:
        if structure != "hcp":
            return bulk(formula, structure, a=a, cubic=True)
        ratio = state["c/a"] if state.get("symmetry") == "hcp" else np.sqrt(8 / 3)  # of spheres where not known
        return bulk(formula, "hcp", a=a, c=a * ratio)
    if structure not in ("rocksalt", "fluorite"):
        raise ValueError(
            f"Unknown structure {structure!r} of {formula!r}; expected {', '.join(ELEMENTS)} of an element, rocksalt "
            "or fluorite of a compound; or make a crystal with Crystal.from_atoms."
        )
    cation, anion = _two_elements(formula, structure)
    place = (0.5, 0.5, 0.5) if structure == "rocksalt" else (0.25, 0.25, 0.25)
    return from_spacegroup((cation, anion), ((0, 0, 0), place), spacegroup=225, cellpar=[a, a, a, 90, 90, 90])


def _two_elements(formula: str, structure: str) -> tuple[str, str]:
    from ase.formula import Formula

    wanted = [1, 1] if structure == "rocksalt" else [1, 2]
    try:
        counts = Formula(formula).count()
    except ValueError:
        counts = {}
    if list(counts.values()) != wanted:
        example = "MgO" if structure == "rocksalt" else "ThO2"
        raise ValueError(f"{formula!r} is no formula of a {structure} crystal; expected one such as {example}.")
    cation, anion = counts
    return cation, anion


def _titania(name: str, a: float | None) -> Atoms:
    from ase.spacegroup import crystal as from_spacegroup

    known, c, u = RUTILE if name == "TiO2-rutile" else ANATASE
    place, group = ((u, u, 0), 136) if name == "TiO2-rutile" else ((0, 0, u), 141)
    c, a = c * (a or known) / known, a or known
    return from_spacegroup(("Ti", "O"), ((0, 0, 0), place), spacegroup=group, cellpar=[a, a, c, 90, 90, 90])
