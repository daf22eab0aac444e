"""Atomic models at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


def relax(atoms: Atoms, calculator: Calculator | None = None, fmax: float = 0.05, steps: int = 200) -> Atoms:
    """Return the atoms moved to where the forces on them are small.

    Parameters
    ----------
    atoms
        Model of a particle.
    calculator
        An ASE calculator; by default effective medium theory, for Al, Ni, Cu, Pd, Ag, Pt and Au.
    fmax
        Largest force that may be left, in eV/Å.
    steps
        Upper limit of steps; ``info["relaxed"]`` says whether the forces are small.

    Returns
    -------
    ase.Atoms

    Raises
    ------
    ValueError
        If the default calculator does not know the element.

    References
    ----------
    K. W. Jacobsen et al., Surf. Sci. 366, 394 (1996). E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006).
    """
    from ase.calculators.calculator import CalculatorError
    from ase.optimize import FIRE

    relaxed = atoms.copy()
    if calculator is None:
        from ase.calculators.emt import EMT

        from particlespy_ml.crystals.effective_medium import EffectiveMedium

        known = ("Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au")
        unknown = sorted(set(atoms.get_chemical_symbols()) - set(known))
        if unknown:
            raise ValueError(
                f"Effective medium theory does not know {', '.join(unknown)}, only {', '.join(known)}; give "
                f"another ASE calculator."
            )
        calculator = EMT() if atoms.pbc.any() else EffectiveMedium()
    relaxed.calc = calculator
    try:
        done = FIRE(relaxed, logfile=None).run(fmax=fmax, steps=steps)
    except CalculatorError as error:
        raise ValueError(f"The calculator cannot treat these atoms: {error}") from error
    energy = relaxed.get_potential_energy()
    relaxed.calc = None
    relaxed.info.update({"relaxed": bool(done), "energy": float(energy)})
    return relaxed
