"""How right a potential is: its properties beside experiment, DFT and the thesis' COMB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.potentials.calculators import get_calculator
from particlespy_ml.simulation.potentials.properties import (
    element_energy,
    energy,
    formation_energy,
    metal_properties,
    oxygen_on_surface,
)
from particlespy_ml.simulation.potentials.reference import COMPOUNDS, METALS, OXYGEN, UNITS

if TYPE_CHECKING:
    import pandas as pd
    from ase.calculators.calculator import Calculator


def check_potential(
    calculator: str | Calculator | Callable[[], Calculator],
    metals: Sequence[str] = ("Au", "Pt"),
    compounds: bool | None = None,
) -> pd.DataFrame:
    """Return the properties of metals and cubic compounds by a potential, beside known ones.

    Parameters
    ----------
    calculator
        A name, see `particlespy_ml.simulation.potentials.calculators.get_calculator`, an ASE calculator, or a function
        that gives one.
    metals
        Of `particlespy_ml.simulation.potentials.reference.METALS`.
    compounds
        Whether to compute formation energies, and those of oxygen on {111}; by default unless the potential is "emt",
        which knows metals alone.

    Returns
    -------
    pandas.DataFrame
        Columns ``system``, ``property``, ``unit``, ``value``, ``reference`` (experiment or DFT), ``COMB`` and
        ``error``, the value less the reference.

    Raises
    ------
    ValueError
        If a metal has no reference.
    """
    import pandas as pd

    unknown = sorted(set(metals) - set(METALS))
    if unknown:
        raise ValueError(f"No reference of {', '.join(unknown)}; expected some of {', '.join(METALS)}.")
    make = _maker(calculator)
    rows = []
    with_others = compounds if compounds is not None else calculator != "emt"
    for metal in metals:
        found = metal_properties(metal, make)
        for name, value in found.items():
            reference, comb = METALS[metal][name]
            rows.append((metal, name, UNITS[name], value, reference, comb))
        if with_others:
            rows += _oxygen_rows(metal, found["lattice constant"], make)
    if with_others:
        rows += _compound_rows(metals, make)
    frame = pd.DataFrame(rows, columns=["system", "property", "unit", "value", "reference", "COMB"])
    frame["error"] = frame["value"] - frame["reference"]
    return frame


def _maker(calculator) -> Callable:
    if calculator == "emt":
        return lambda: get_calculator("emt")
    if isinstance(calculator, str):
        one = get_calculator(calculator)  # loads weights once
        return lambda: one
    return calculator if callable(calculator) and not hasattr(calculator, "get_forces") else lambda: calculator


def _oxygen_rows(metal: str, a: float, make) -> list[tuple]:
    from ase import Atoms

    reference, known = OXYGEN[metal]
    # energies come from free atoms
    shift = 0.0
    if reference == "O2":
        shift = energy(Atoms("O", cell=[14.0] * 3, pbc=False), make) - element_energy("O", make)
    found = oxygen_on_surface(metal, a, make)
    return [
        (metal, f"O on {{111}}, {coverage:g} monolayers, from {reference}", "eV", found[coverage] + shift, dft, comb)
        for coverage, (dft, comb) in known.items()
    ]


def _compound_rows(metals, make) -> list[tuple]:
    chosen = [one for one in COMPOUNDS if any(metal in one[0] for metal in metals)]
    names = sorted({symbol for one in chosen for symbol in ("Au", "Pt", "Ti", "Zr", "O") if symbol in one[0]})
    references = {name: element_energy(name, make) for name in names}
    return [
        (
            formula,
            f"formation, {structure}",
            "eV/atom",
            formation_energy(formula, structure, a, references, make),
            dft,
            comb,
        )
        for formula, structure, a, dft, comb in chosen
    ]


def mean_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """Return mean absolute errors of groups of properties, of the potential and of COMB.

    Parameters
    ----------
    frame
        Of `check_potential`.

    Returns
    -------
    pandas.DataFrame
        Columns ``group``, ``unit``, ``n``, ``error`` and ``COMB``; lengths and elastic constants in per cent.
    """
    import pandas as pd

    groups = {
        "lattice constants and bonds": (("lattice constant", "dimer, length"), True),
        "elastic constants": (("bulk modulus", "C11", "C12", "C44"), True),
        "energies of an atom": (("energy of an atom", "dimer, energy of an atom"), False),
        "phases": (("hcp - fcc", "bcc - fcc", "diamond - fcc", "sc - fcc"), False),
        "{111} surfaces": (("{111} surface",), True),
        "ratios of surface energies": (("{100} over {111}", "{110} over {111}"), True),
        "vacancies": (("vacancy",), False),
        "oxygen on {111}": (tuple(one for one in frame["property"] if one.startswith("O on")), False),
        "formation of compounds": (tuple(one for one in frame["property"] if one.startswith("formation")), False),
    }
    rows = []
    for group, (names, relative) in groups.items():
        part = frame[frame["property"].isin(names) & np.isfinite(frame["error"])]
        if part.empty:
            continue
        scale = 100 / part["reference"].abs() if relative else 1.0
        own, comb = (part["error"].abs() * scale).mean(), ((part["COMB"] - part["reference"]).abs() * scale).mean()
        rows.append((group, "%" if relative else "eV", len(part), float(own), float(comb)))
    return pd.DataFrame(rows, columns=["group", "unit", "n", "error", "COMB"])


def format_check(frame: pd.DataFrame, name: str) -> str:
    """Return the table of a check and its mean errors as Markdown.

    Parameters
    ----------
    frame
        Of `check_potential`.
    name
        Of the potential.
    """
    lines = [f"| | property | unit | {name} | experiment or DFT | COMB |", "|---|---|---|---|---|---|"]
    for row in frame.itertuples(index=False):
        values = (f"{one:.4g}" if np.isfinite(one) else "" for one in (row.value, row.reference, row.COMB))
        lines.append(f"| {row.system} | {row.property} | {row.unit} | {' | '.join(values)} |")
    lines += ["", "Mean absolute errors:", "", f"| | unit | number | {name} | COMB |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.group} | {row.unit} | {row.n} | {row.error:.3g} | {row.COMB:.3g} |"
        for row in mean_errors(frame).itertuples(index=False)
    ]
    return "\n".join(lines)


def print_check(name: str) -> None:
    """Print the check of a potential: the command ``particlespy-ml potentials check NAME``."""
    print(format_check(check_potential(name), name))
