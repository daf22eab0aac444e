"""ASE calculators by name, and one for a metal on a support that does not move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.contact import bond_lengths

if TYPE_CHECKING:
    from ase import Atoms

NAMES = ("emt", "sevennet", "chgnet")
EMT_METALS = ("Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au")
# CPU seconds an atom a step, on one core of 2020 or later; MB an atom
COSTS = {"emt": (6e-5, 0.02), "sevennet": (0.034, 3.0), "chgnet": (0.03, 3.0)}
DEPTH = 0.1  # eV of the well between an atom of the metal and one of the support: .5 J/m² under Pt {100} on anatase
_CUTOFF = 6.0  # Å


def get_calculator(name: str | Calculator, atoms: Atoms | None = None, **options: Any) -> Calculator:
    """Return an ASE calculator.

    Parameters
    ----------
    name
        "emt": effective medium theory of ASE for atoms of tag 1, or all atoms where no others are; atoms of tag 0 with
        elements beyond its own act on the metal by a pair potential and do not move, see `MetalOnSupport`. "sevennet":
        SevenNet-0 from the package ``sevenn``. "chgnet": CHGNet from the package ``chgnet``. Or any ASE calculator,
        which is returned as it is.
    atoms
        What it is for; "emt" needs them.
    **options
        For the calculator.

    Returns
    -------
    ase.calculators.calculator.Calculator

    Raises
    ------
    ValueError
        If the name is unknown, or the calculator does not know the elements.
    ImportError
        If its package is missing.

    References
    ----------
    EMT: K. W. Jacobsen, P. Stoltze and J. K. Nørskov, Surf. Sci. 366, 394 (1996). SevenNet: Y. Park et al., J. Chem.
    Theory Comput. 20, 4857 (2024). CHGNet: B. Deng et al., Nat. Mach. Intell. 5, 1031 (2023).
    """
    if not isinstance(name, str):
        if not hasattr(name, "get_forces"):
            raise TypeError(f"calculator is a {type(name).__name__}; expected one of {NAMES}, or an ASE calculator.")
        return name
    if name == "emt":
        return _emt(atoms, **options)
    missing = (
        "The potential {0} needs the package {1}: install the extra with `pip install particlespy-ml[potentials]`."
    )
    if name == "sevennet":
        try:
            from sevenn.calculator import SevenNetCalculator
        except ImportError as error:
            raise ImportError(missing.format(name, "sevenn")) from error
        return SevenNetCalculator(**{"model": "7net-0", "device": "auto"} | options)
    if name == "chgnet":
        try:
            from chgnet.model.dynamics import CHGNetCalculator
        except ImportError as error:
            raise ImportError(missing.format(name, "chgnet")) from error
        return CHGNetCalculator(**options)
    raise ValueError(f"Unknown calculator {name!r}; expected one of {', '.join(NAMES)}, or an ASE calculator.")


def _emt(atoms: Atoms | None, **options) -> Calculator:
    from ase.calculators.emt import EMT

    if atoms is None:
        return EMT(**options)
    symbols, tags = np.array(atoms.get_chemical_symbols()), atoms.get_tags()
    foreign = ~np.isin(symbols, EMT_METALS)
    if not foreign.any():
        return EMT(**options)
    unknown = sorted(set(symbols[foreign & (tags != 0)].tolist()))
    if unknown or not (tags == 1).any():
        raise ValueError(
            f"Effective medium theory does not know {', '.join(unknown) or ', '.join(sorted(set(symbols[foreign])))}, "
            f"only {', '.join(EMT_METALS)}. A support may have other elements where its atoms have the tag 0 and those "
            'of the particle the tag 1; or take "sevennet", "chgnet" or a calculator of your own.'
        )
    return MetalOnSupport(**options)


class MetalOnSupport(Calculator):
    """A metal by effective medium theory above a support that holds still and acts by a pair potential.

    Between an atom of the metal (tag 1) and one of the support (tag 0) there is a 12-6 Lennard-Jones potential with its
    minimum at the sum of their covalent radii, cut off smoothly at 6 Å. There are no forces on the support. It keeps a
    particle on its support, and nothing more: adhesion, charge transfer and strain by the support are not those of the
    materials. For these take a potential of all elements.

    Parameters
    ----------
    depth
        Of the well in eV: one number, or one for each element of the support, such as ``{"O": 0.4, "Ti": 0.05}``.
    **options
        For ASE's calculators.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012
    default_parameters = {"depth": DEPTH}  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy", "forces"), system_changes=all_changes):
        """Set ``results``: energy in eV and forces in eV/Å."""
        from ase.calculators.emt import EMT

        super().calculate(atoms, properties, system_changes)
        metal = atoms.get_tags() == 1
        alone = atoms[metal]
        if not hasattr(self, "_metal") or len(self._metal_atoms) != len(alone):
            self._metal, self._metal_atoms = EMT(), alone
        self._metal_atoms = alone
        alone.set_constraint()
        alone.calc = self._metal
        forces = np.zeros((len(atoms), 3))
        forces[metal] = alone.get_forces()
        energy, push = self._wall(atoms, np.flatnonzero(metal), np.flatnonzero(~metal))
        forces[metal] += push
        self.results = {"energy": float(alone.get_potential_energy() + energy), "forces": forces}

    def _wall(self, atoms, metal: np.ndarray, support: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy, and forces on the metal, of the pair potential."""
        symbols, points = np.array(atoms.get_chemical_symbols()), atoms.positions
        edges = np.where(atoms.pbc[:2], atoms.cell.lengths()[:2], 1e6)
        height = np.ptp(points[:, 2]) + 20.0
        box = np.array([*edges, height])
        low = points[:, 2].min()
        shift = np.where(atoms.pbc[:2], 0.0, 5e5)
        moved = np.column_stack([(points[:, :2] + shift) % edges, points[:, 2] - low])
        forces = np.zeros((len(metal), 3))
        near = cKDTree(moved[support], boxsize=box).query_ball_point(moved[metal], _CUTOFF)
        counts = np.array([len(one) for one in near])
        if not counts.sum():
            return 0.0, forces
        first = np.repeat(np.arange(len(metal)), counts)
        second = np.concatenate([np.array(one, int) for one in near if one])
        away = moved[metal[first]] - moved[support[second]]
        away -= box * np.rint(away / box)
        distance = np.linalg.norm(away, axis=1)
        kinds, kind = np.unique(symbols, return_inverse=True)
        rest = bond_lengths(kinds, kinds)[kind[metal[first]], kind[support[second]]]
        depths = self.parameters["depth"]
        if isinstance(depths, dict):
            lacking = sorted({str(one) for one in symbols[support]} - set(depths))
            if lacking:
                raise ValueError(f"depth has no value for {', '.join(lacking)}; give one for each element.")
            depth = np.array([float(depths.get(str(one), 0.0)) for one in kinds])[kind[support[second]]]
        else:
            depth = float(depths)
        energy, slope = lennard_jones(distance, rest, depth)
        np.add.at(forces, first, -(slope / distance)[:, None] * away)
        return float(energy.sum()), forces


def lennard_jones(distance: np.ndarray, rest, depth) -> tuple[np.ndarray, np.ndarray]:
    """Return energy and its derivative of a 12-6 potential that a cosine takes to zero from 5 to 6 Å.

    Parameters
    ----------
    distance
        In Å.
    rest
        Distance of the minimum in Å.
    depth
        Of the minimum in eV.
    """
    ratio = (rest / distance) ** 6
    energy = depth * (ratio**2 - 2 * ratio)
    slope = -12 * depth * (ratio**2 - ratio) / distance
    turn = np.clip((distance - (_CUTOFF - 1)) * np.pi, 0, np.pi)
    fade, steep = (1 + np.cos(turn)) / 2, -np.sin(turn) * np.pi / 2
    return energy * fade, slope * fade + energy * steep
