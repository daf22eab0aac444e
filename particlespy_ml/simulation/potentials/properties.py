"""Properties of crystals, surfaces and molecules as a potential has them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc100, fcc110, fcc111
from ase.constraints import FixAtoms
from ase.units import GPa

Calculate = Callable[[], object]  # gives a fresh ASE calculator
_STRAIN = 0.01
# Fcc hollows of a cell of two by two that are taken one after another, layers of the slab and those that stay, and Å of
# oxygen above the outermost at first
_HOLLOWS, _LAYERS, _FIXED, _ABOVE = ((0, 0), (1, 1), (1, 0), (0, 1)), 5, 2, 1.2
_SURFACES = {"111": (fcc111, 9), "100": (fcc100, 9), "110": (fcc110, 13)}


def energy(atoms: Atoms, make: Calculate) -> float:
    """Return the energy of atoms in eV."""
    one = atoms.copy()
    one.calc = make()
    return float(one.get_potential_energy())


def relaxed_volume(cell: Callable[[float], Atoms], guess: float, make: Calculate, width: float = 0.03) -> tuple:
    """Return lattice constant, energy of an atom and bulk modulus of a cubic crystal.

    Parameters
    ----------
    cell
        Gives the crystal of a lattice constant in Å.
    guess
        Near that of the least energy; it is sought step by step.
    make
        Gives a calculator.
    width
        Relative range of the lattice constants of the last fit.

    Returns
    -------
    tuple of float
        In Å, eV and GPa; NaN where there is no minimum within a factor of 1.5.
    """
    a = float(guess)
    for reach in (0.06, 0.06, 0.06, width, width):
        lengths = a * (1 + np.linspace(-reach, reach, 7))
        energies = np.array([energy(cell(one), make) for one in lengths])
        place = int(np.argmin(energies))
        if place in (0, 6):
            a = float(lengths[place])
            continue
        # a polynomial in a^-2, as of R. Birch, is close to a parabola
        fit = np.polyfit((lengths / a) ** -2, energies, 3)
        roots = np.roots(np.polyder(fit))
        real = [one.real for one in roots if abs(one.imag) < 1e-9 and np.polyval(np.polyder(fit, 2), one.real) > 0]
        if not real:
            break
        root = min(real, key=lambda one: abs(one - 1))
        a = a * root**-0.5
    if not guess / 1.5 < a < guess * 1.5 or place in (0, 6):
        return float("nan"), float("nan"), float("nan")
    atoms = cell(a)
    lengths = a * (1 + np.array([-0.005, 0, 0.005]))
    low, middle, high = (energy(cell(one), make) for one in lengths)
    # B = V d²E/dV², with V = a³ c
    second = (low - 2 * middle + high) / (0.005 * a) ** 2
    modulus = second * a**2 / (9 * atoms.get_volume()) / GPa
    return float(a), middle / len(atoms), float(modulus)


def elastic_constants(symbol: str, a: float, modulus: float, make: Calculate) -> tuple[float, float, float]:
    """Return C11, C12 and C44 of an fcc element in GPa, by second differences of energies.

    Parameters
    ----------
    symbol, a
        Element and lattice constant in Å.
    modulus
        Bulk modulus in GPa.
    make
        Gives a calculator.
    """
    atoms = bulk(symbol, "fcc", a=a, cubic=True)
    volume = atoms.get_volume()

    def second(strain: np.ndarray) -> float:
        values = []
        for step in (-_STRAIN, 0.0, _STRAIN):
            moved = atoms.copy()
            moved.set_cell(atoms.cell @ strain(step), scale_atoms=True)
            values.append(energy(moved, make))
        return (values[0] - 2 * values[1] + values[2]) / _STRAIN**2 / volume / GPa

    shear = second(lambda e: np.diag([1 + e, 1 / (1 + e), 1.0])) / 4  # (C11 - C12) / 2, at constant volume
    c44 = second(lambda e: np.array([[1, e / 2, 0], [e / 2, 1, 0], [0, 0, 1 / (1 - e**2 / 4)]]))
    return modulus + 4 * shear / 3, modulus - 2 * shear / 3, c44


def surface_energy(symbol: str, face: str, a: float, of_atom: float, make: Calculate) -> float:
    """Return the energy of a relaxed surface of an fcc element in J/m².

    Parameters
    ----------
    symbol, face, a
        Element, "111", "100" or "110", and lattice constant in Å.
    of_atom
        Energy of an atom of the crystal in eV.
    make
        Gives a calculator.
    """
    maker, layers = _SURFACES[face]
    slab = maker(symbol, (1, 1, layers), a=a, vacuum=8.0)
    slab = _relaxed(slab, make)
    area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    return (slab.get_potential_energy() - len(slab) * of_atom) / (2 * area) * 16.02176634


def vacancy_energy(symbol: str, a: float, of_atom: float, make: Calculate, repeats: int = 2) -> float:
    """Return the energy of a vacancy of an fcc element in eV, relaxed at the volume of the crystal."""
    atoms = bulk(symbol, "fcc", a=a, cubic=True).repeat(repeats)
    del atoms[0]
    return float(_relaxed(atoms, make).get_potential_energy() - len(atoms) * of_atom)


def oxygen_on_surface(symbol: str, a: float, make: Calculate) -> dict[float, float]:
    """Return the energy that an oxygen atom in a hollow of {111} has more than a free one, by coverage.

    Parameters
    ----------
    symbol, a
        Element and lattice constant in Å.
    make
        Gives a calculator.

    Returns
    -------
    dict
        In eV an oxygen atom, at a quarter to one monolayer in fcc hollows of a cell of two by two. The free atom has
        the energy of one in a large cell.
    """
    slab = fcc111(symbol, (2, 2, _LAYERS), a=a, vacuum=8.0)
    slab.set_constraint(FixAtoms(mask=slab.get_tags() > _LAYERS - _FIXED))
    clean = _relaxed(slab.copy(), make).get_potential_energy()
    alone = energy(Atoms("O", cell=[14.0] * 3, pbc=False), make)
    found = {}
    for number in range(1, len(_HOLLOWS) + 1):
        covered = slab.copy()
        for place in _HOLLOWS[:number]:
            add_adsorbate(covered, "O", _ABOVE, "fcc", offset=place)
        whole = _relaxed(covered, make).get_potential_energy()
        found[number / len(_HOLLOWS)] = float((whole - clean) / number - alone)
    return found


def dimer(symbol: str, make: Calculate) -> tuple[float, float]:
    """Return the energy of an atom of a dimer, from that of free atoms, in eV, and its length in Å."""
    lengths = np.linspace(1.9, 3.1, 13)
    box = [14.0, 14.0, 14.0]
    alone = energy(Atoms(symbol, cell=box, pbc=False), make)
    energies = [energy(Atoms([symbol] * 2, [(5, 5, 5), (5 + d, 5, 5)], cell=box, pbc=False), make) for d in lengths]
    place = int(np.clip(np.argmin(energies), 1, len(lengths) - 2))
    fit = np.polyfit(lengths[place - 1 : place + 2], energies[place - 1 : place + 2], 2)
    best = -fit[1] / (2 * fit[0])
    return float(np.polyval(fit, best) / 2 - alone), float(best)


def metal_properties(symbol: str, make: Calculate) -> dict[str, float]:
    """Return the properties of an fcc element by name, as in `particlespy_ml.simulation.potentials.reference.METALS`.

    Parameters
    ----------
    symbol
        Element.
    make
        Gives a calculator.
    """
    from ase.data import atomic_numbers, reference_states

    guess = reference_states[atomic_numbers[symbol]]["a"]
    a, of_atom, modulus = relaxed_volume(lambda one: bulk(symbol, "fcc", a=one), guess, make)
    alone = energy(Atoms(symbol, cell=[14.0] * 3, pbc=False), make)
    c11, c12, c44 = elastic_constants(symbol, a, modulus, make)
    near = a / np.sqrt(2)
    phases = {
        "hcp": (lambda one: bulk(symbol, "hcp", a=one, c=one * np.sqrt(8 / 3)), near),
        "bcc": (lambda one: bulk(symbol, "bcc", a=one), near * 1.13),
        "diamond": (lambda one: bulk(symbol, "diamond", a=one), a * 1.45),
        "sc": (lambda one: bulk(symbol, "sc", a=one), near * 0.93),
    }
    found = {
        "lattice constant": a,
        "energy of an atom": of_atom - alone,
        "bulk modulus": modulus,
        "C11": c11,
        "C12": c12,
        "C44": c44,
    }
    for name, (cell, start) in phases.items():
        found[f"{name} - fcc"] = relaxed_volume(cell, start, make)[1] - of_atom
    surfaces = {face: surface_energy(symbol, face, a, of_atom, make) for face in _SURFACES}
    found["{111} surface"] = surfaces["111"]
    found["{100} over {111}"] = surfaces["100"] / surfaces["111"]
    found["{110} over {111}"] = surfaces["110"] / surfaces["111"]
    found["vacancy"] = vacancy_energy(symbol, a, of_atom, make)
    found["dimer, energy of an atom"], found["dimer, length"] = dimer(symbol, make)
    return found


def compound_cell(formula: str, structure: str, a: float) -> Atoms:
    """Return a cubic compound, rocksalt, fluorite, cesiumchloride or L1_2 (AuCu3), of a lattice constant in Å."""
    from ase.formula import Formula

    names = list(Formula(formula).count())
    if structure == "L1_2":
        places = [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
        counts = Formula(formula).count()
        names.sort(key=counts.get)
        return Atoms([names[0], *[names[1]] * 3], scaled_positions=places, cell=[a] * 3, pbc=True)
    return bulk(formula, structure, a=a)


def formation_energy(
    formula: str, structure: str, guess: float, references: dict[str, float], make: Calculate
) -> float:
    """Return the energy of formation of a cubic compound in eV an atom, from energies of atoms of the elements.

    Parameters
    ----------
    formula, structure, guess
        See `compound_cell`; the lattice constant is relaxed from the guess in Å.
    references
        Energy of an atom in eV by element.
    make
        Gives a calculator.
    """
    _, of_atom, _ = relaxed_volume(lambda one: compound_cell(formula, structure, one), guess, make)
    symbols = compound_cell(formula, structure, guess).get_chemical_symbols()
    return float(of_atom - np.mean([references[one] for one in symbols]))


def element_energy(symbol: str, make: Calculate) -> float:
    """Return the energy of an atom of an element in eV: fcc, hcp, or of the molecule O2."""
    from ase.data import atomic_numbers, reference_states

    if symbol == "O":
        molecule = Atoms("O2", [(6, 6, 6), (7.23, 6, 6)], cell=[13.0] * 3, pbc=False)
        return float(_relaxed(molecule, make).get_potential_energy() / 2)
    state = reference_states[atomic_numbers[symbol]]
    ratio = state.get("c/a", 1.6)
    if state["symmetry"] == "hcp":
        return relaxed_volume(lambda one: bulk(symbol, "hcp", a=one, c=ratio * one), state["a"], make)[1]
    return relaxed_volume(lambda one: bulk(symbol, state["symmetry"], a=one), state["a"], make)[1]


def _relaxed(atoms: Atoms, make: Calculate) -> Atoms:
    from ase.optimize import FIRE

    atoms.calc = make()
    FIRE(atoms, logfile=None).run(fmax=0.02, steps=200)
    return atoms
