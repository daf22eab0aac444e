"""Effective medium theory of particles: ASE's potential, summed over all pairs of atoms at once."""

from __future__ import annotations

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import beta, parameters
from ase.units import Bohr
from scipy.spatial import cKDTree

SHELLS = np.array([12, 6, 24])  # atoms in the first shells of neighbours of fcc
MARGIN = 0.5  # Å beyond the middle of the cutoff, as far as pairs count


class EffectiveMedium(Calculator):
    """Calculator of particles that are not periodic, with the numbers of `ase.calculators.emt.EMT`.

    ASE goes from atom to atom, which takes tens of times as long for some hundred atoms. Energies and forces are the
    same up to rounding.

    Raises
    ------
    NotImplementedError
        If an element has no parameters, or the atoms are periodic.

    References
    ----------
    K. W. Jacobsen, P. Stoltze and J. K. Norskov, Surf. Sci. 366, 394 (1996).

    Examples
    --------
    >>> from ase import Atoms
    >>> pair = Atoms("Au2", positions=[[0, 0, 0], [0, 0, 2.0]], calculator=EffectiveMedium())
    >>> bool(pair.get_forces()[1, 2] > 0)  # closer than at rest
    True
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces"]
    nolabel = True

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Compute energies in eV and forces in eV/Å; see `ase.calculators.calculator.Calculator.calculate`."""
        super().calculate(atoms, properties, system_changes)
        if self.atoms.pbc.any():
            raise NotImplementedError("Periodic atoms need ase.calculators.emt.EMT.")
        if "numbers" in system_changes:
            self.elements = _elements(self.atoms)
        energies, forces = energies_and_forces(self.atoms.positions, *self.elements)
        total = float(energies.sum())
        self.results = {"energy": total, "free_energy": total, "energies": energies, "forces": forces}


def _elements(atoms) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Parameters of the elements in eV and Å, each of shape (elements,), and the element of each atom."""
    symbols, owner = np.unique(atoms.get_chemical_symbols(), return_inverse=True)
    unknown = [str(symbol) for symbol in symbols if symbol not in parameters]
    if unknown:
        raise NotImplementedError(f"Effective medium theory has no parameters of {', '.join(unknown)}.")
    names = ("cohesion", "radius", "pair", "eta", "kappa", "decay", "density")
    values = dict(zip(names, np.array([parameters[symbol] for symbol in symbols], float).T, strict=True))
    values["radius"] = values["radius"] * Bohr
    for name in ("eta", "kappa", "decay"):
        values[name] = values[name] / Bohr
    radius = values["radius"][:, None]
    distances = beta * radius * np.sqrt([1.0, 2.0, 3.0])
    shares = SHELLS / 12 * cutoff(distances)[0]
    values["gamma_1"] = (shares * np.exp(-values["eta"][:, None] * (distances - beta * radius))).sum(1)
    values["gamma_2"] = (shares * np.exp(-values["kappa"][:, None] / beta * (distances - beta * radius))).sum(1)
    return values, owner


def _range() -> tuple[float, float]:
    """Middle of the cutoff in Å, between the third and the fourth shell of the largest element, and its slope."""
    nearest = beta * Bohr * max(values[1] for values in parameters.values())
    middle = nearest * (np.sqrt(3) + 2) / 2
    return middle, np.log(1e4 - 1) / (2 * nearest - middle)  # 1e-4 at the fourth shell


def cutoff(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much neighbours at distances in Å count, and the derivative of it over itself in 1/Å."""
    middle, slope = _range()
    weight = 1 / (1 + np.exp(slope * (distances - middle)))
    return weight, slope * (weight - 1)


def energies_and_forces(
    positions: np.ndarray, elements: dict[str, np.ndarray], owner: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the energies of atoms in eV, shape (n,), and the forces on them in eV/Å, shape (n, 3).

    Parameters
    ----------
    positions
        In Å, shape (n, 3).
    elements
        Parameters of the elements.
    owner
        Element of each atom, shape (n,).
    """
    n = len(positions)
    one, other = cKDTree(positions).query_pairs(_range()[0] + MARGIN, output_type="ndarray").T
    between = positions[other] - positions[one]
    distance = np.sqrt(np.einsum("ij,ij->i", between, between))
    weight, slope = cutoff(distance)
    of = {name: values[owner] for name, values in elements.items()}
    ratio = of["density"][other] / of["density"][one] * weight  # what the other atom brings to the one
    back = of["density"][one] / of["density"][other] * weight

    def tail(atom, decay):
        return np.exp(-of[decay][atom] * (distance / (beta if decay == "kappa" else 1) - _reach(of, atom, decay)))

    density_at_one, density_at_other = tail(other, "eta") * ratio, tail(one, "eta") * back
    density = np.bincount(one, density_at_one, n) + np.bincount(other, density_at_other, n)
    energies, slopes = _embedding(density, of)
    pair_at_one = -0.5 * (of["pair"] / of["gamma_2"])[one] * tail(other, "kappa") * ratio
    pair_at_other = -0.5 * (of["pair"] / of["gamma_2"])[other] * tail(one, "kappa") * back
    shared = 0.5 * (pair_at_one + pair_at_other)
    energies += np.bincount(one, shared, n) + np.bincount(other, shared, n)
    derivative = slopes[one] * density_at_one * (slope - of["eta"][other])
    derivative += slopes[other] * density_at_other * (slope - of["eta"][one])
    derivative += pair_at_one * (slope - of["kappa"][other] / beta)
    derivative += pair_at_other * (slope - of["kappa"][one] / beta)
    pull = (derivative / distance)[:, None] * between
    forces = np.stack([np.bincount(one, f, n) - np.bincount(other, f, n) for f in pull.T], 1)
    return energies, forces


def _reach(of, atom, decay):
    """Distance at which a tail is one."""
    return of["radius"][atom] * (beta if decay == "eta" else 1)


def _embedding(density: np.ndarray, of: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Energies of atoms in the density of their neighbours, less those of the bulk, and their slopes by that density.

    Atoms without neighbours have the energy of the free atom.
    """
    bound = density > 0
    known = np.where(bound, density, 1)
    excess = -np.log(known / (12 * of["gamma_1"])) / (beta * of["eta"])  # of the neutral sphere's radius
    decayed = np.exp(-of["decay"] * excess)
    correction = 6 * of["pair"] * np.exp(-of["kappa"] * excess)
    energies = of["cohesion"] * (1 + of["decay"] * excess) * decayed + correction
    slopes = of["cohesion"] * of["decay"] ** 2 * excess * decayed + of["kappa"] * correction
    slopes = slopes / (beta * of["eta"] * known)
    return np.where(bound, energies, 0) - of["cohesion"], np.where(bound, slopes, 0)
