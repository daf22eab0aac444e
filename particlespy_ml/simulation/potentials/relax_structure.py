"""The functions `relax_structure` and `run_dynamics`: models at rest, and heated and cooled."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from particlespy_ml.simulation.potentials.calculators import COSTS, get_calculator

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

_logger = logging.getLogger(__name__)
_INSTEAD = "give another trajectory=, or delete this one"
_LOST = 6.0  # Å beyond any other atom: gone


def estimate_cost(atoms: Atoms, calculator: str | Calculator, steps: int) -> dict[str, float]:
    """Return CPU seconds on one core and memory in MB that so many steps take at most; NaN where nothing is known.

    Parameters
    ----------
    atoms, calculator
        See `relax_structure`.
    steps
        Number of steps.
    """
    name = calculator if isinstance(calculator, str) else ""
    seconds, memory = COSTS.get(name, (np.nan, np.nan))
    number = int((atoms.get_tags() == 1).sum()) if name == "emt" and (atoms.get_tags() == 1).any() else len(atoms)
    return {"seconds": float(seconds * number * steps), "megabytes": float(200 + memory * number)}


def relax_structure(
    atoms: Atoms,
    calculator: str | Calculator = "emt",
    *,
    fmax: float = 0.05,
    steps: int = 300,
    trajectory: str | Path | None = None,
    show_progressbar: bool = False,
    **options: Any,
) -> Atoms:
    """Move atoms to where the forces on them are small, by FIRE; atoms that are fixed stay.

    Parameters
    ----------
    atoms
        Such as those of `particlespy_ml.simulation.supported_particle`, the lowest atoms of which are fixed.
    calculator
        "emt", "sevennet", "chgnet", or an ASE calculator, see
        `particlespy_ml.simulation.potentials.calculators.get_calculator`. With "emt" all of a support of other elements
        is held.
    fmax
        Largest force that may be left, in eV/Å.
    steps
        Upper limit of steps, those in the trajectory included.
    trajectory
        File of ASE that keeps every step. If it is there already, the last of its steps is where it starts.
    show_progressbar
        Whether to show a bar. Time and memory are logged before the first step.
    **options
        For the calculator.

    Returns
    -------
    ase.Atoms
        ``info["relaxation"]`` has the energy in eV, whether it ``converged``, the number of steps, the calculator, and
        how far atoms moved at most in Å (``largest_move``).

    Raises
    ------
    ValueError
        If an atom leaves, or the trajectory is of other atoms, of another start, or of another calculator.

    References
    ----------
    E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006).

    Examples
    --------
    >>> from particlespy_ml.simulation import relax_structure, wulff_particle
    >>> relaxed = relax_structure(wulff_particle("Au", "111", 8, truncation=1), steps=100)
    >>> relaxed.info["relaxation"]["converged"]
    True
    """
    from ase.io import Trajectory
    from ase.optimize import FIRE
    from tqdm import tqdm

    moved = atoms.copy()
    file = Path(trajectory) if trajectory else None
    moved.calc = get_calculator(calculator, moved, **options)
    before = _resume(moved, file)
    _announce(atoms, calculator, steps)
    optimizer = FIRE(moved, logfile=None)
    bar = tqdm(total=steps, disable=not show_progressbar, desc="relax")
    optimizer.attach(lambda: bar.update(1))
    writer = Trajectory(str(file), "a" if before else "w", moved) if file else None
    if writer is not None:  # where it starts is the last step that is there
        optimizer.attach(lambda: writer.write() if optimizer.nsteps or not before else None)
    try:
        done = bool(optimizer.run(fmax=fmax, steps=max(steps - max(before - 1, 0), 0)))
        energy = float(moved.get_potential_energy())
    finally:
        bar.close()
        if writer is not None:
            writer.close()
    moved.calc = None
    _check_whole(moved)
    moved.info["relaxation"] = {
        "energy": energy,
        "converged": done,
        "steps": int(optimizer.nsteps),
        "fmax": float(fmax),
        "calculator": _name(calculator),
        "largest_move": float(np.linalg.norm(moved.positions - atoms.positions, axis=1).max(initial=0)),
    }
    return moved


def run_dynamics(
    atoms: Atoms,
    calculator: str | Calculator = "emt",
    *,
    temperatures: Sequence[float] = (300.0, 800.0, 300.0),
    steps: int | Sequence[int] = 200,
    snapshots: int = 10,
    timestep: float = 5.0,
    friction: float = 0.02,
    seed: int = 0,
    trajectory: str | Path | None = None,
    show_progressbar: bool = False,
    **options: Any,
) -> list[Atoms]:
    """Heat and cool atoms by Langevin dynamics, and return snapshots of the last temperature.

    Parameters
    ----------
    atoms
        What moves; fixed atoms stay.
    calculator, **options
        See `relax_structure`.
    temperatures
        In K, one after another; the first is where it starts.
    steps
        Of each temperature: one number for all, or one each.
    snapshots
        Number of snapshots, evenly over the second half of the last temperature.
    timestep
        In fs.
    friction
        In 1/fs.
    seed
        Of velocities and random forces: one machine and version repeats its energies to the last bit.
    trajectory
        File of ASE that keeps the end of every segment between snapshots. If it is there, what it has is not computed
        again: each segment draws from a seed of its own, so that the rest is the same as without a break.
    show_progressbar
        Whether to show a bar. Time and memory are logged before the first step.

    Returns
    -------
    list of ase.Atoms
        Each with ``info["dynamics"]``: temperature asked for and found in K, time in fs, energy in eV.

    Raises
    ------
    ValueError
        If an atom leaves, the arguments do not fit, or the trajectory is of other atoms, another start or other
        settings.
    """
    from ase.io import Trajectory
    from tqdm import tqdm

    plan = _plan(temperatures, steps, snapshots)
    moved = atoms.copy()
    file = Path(trajectory) if trajectory else None
    settings = {"timestep": float(timestep), "friction": float(friction), "seed": int(seed), "start": _digest(atoms)}
    settings["calculator"] = _name(calculator)
    done = _finished(file, atoms, plan, settings)
    moved.calc = get_calculator(calculator, moved, **options)
    _announce(atoms, calculator, sum(number for _, number, _ in plan[len(done) :]))
    if done:
        moved.positions, last = done[-1].positions, done[-1]
        moved.set_momenta(last.get_momenta(), apply_constraint=False)
    else:
        _start(moved, float(plan[0][0]), seed)
    found = list(done)
    for number, (temperature, count, _) in enumerate(tqdm(plan, disable=not show_progressbar, desc="dynamics")):
        if number < len(done):
            continue
        _segment(moved, temperature, count, timestep, friction, seed, number)
        _check_whole(moved)
        time = timestep * sum(one[1] for one in plan[: number + 1])
        kept = _snapshot(moved, temperature, time, settings)
        found.append(kept)
        if file:
            with Trajectory(str(file), "a") as writer:
                writer.write(kept)
    return [one for one, (_, _, keep) in zip(found, plan, strict=True) if keep]


def _plan(temperatures, steps, snapshots: int) -> list[tuple[float, int, bool]]:
    """Segments: temperature, steps, and whether its end is a snapshot."""
    counts = [int(steps)] * len(temperatures) if np.ndim(steps) == 0 else [int(one) for one in steps]
    if not len(temperatures) or len(counts) != len(temperatures) or min(counts) < 1 or min(temperatures) < 0:
        raise ValueError(
            f"temperatures={list(temperatures)}, steps={steps}; expected temperatures in K and as many "
            "numbers of steps."
        )
    if not 1 <= snapshots <= max(1, counts[-1] // 2):
        raise ValueError(f"snapshots={snapshots}; expected 1 to {max(1, counts[-1] // 2)}, half of the last steps.")
    plan = [(float(t), n, False) for t, n in zip(temperatures[:-1], counts[:-1], strict=True)]
    last, before = counts[-1], counts[-1] - counts[-1] // 2
    if last > 1:
        plan.append((float(temperatures[-1]), before, False))
    ends = np.linspace(0, last - before if last > 1 else 1, snapshots + 1).round().astype(int)
    return plan + [(float(temperatures[-1]), int(n), True) for n in np.diff(ends)]


def _start(atoms: Atoms, temperature: float, seed: int) -> None:
    """Draw momenta of a temperature; of free atoms their sum is zero."""
    from ase import units

    rng = np.random.default_rng([seed, 2**31])
    momenta = np.sqrt(atoms.get_masses() * units.kB * temperature)[:, None] * rng.standard_normal((len(atoms), 3))
    if not atoms.constraints:
        momenta -= momenta.mean(0)
    atoms.set_momenta(momenta)


def _segment(atoms, temperature: float, count: int, timestep: float, friction: float, seed: int, number: int) -> None:
    from ase import units
    from ase.md.langevin import Langevin

    if count < 1:
        return
    rng = np.random.default_rng([seed, number])
    dynamics = Langevin(
        atoms, timestep * units.fs, temperature_K=temperature, friction=friction / units.fs, fixcm=False, rng=rng
    )
    dynamics.run(count)


def _snapshot(atoms, temperature: float, time: float, settings: dict):
    from ase.calculators.singlepoint import SinglePointCalculator

    energy = float(atoms.get_potential_energy())
    kept = atoms.copy()
    kept.calc = SinglePointCalculator(kept, energy=energy)
    kept.info["dynamics"] = {
        "temperature": temperature,
        "temperature_found": float(atoms.get_temperature()),
        "time": float(time),
        "energy": energy,
        **settings,
    }
    return kept


def _resume(atoms: Atoms, file: Path | None) -> int:
    """Take the last step of a trajectory, if there is one, and return how many it has."""
    if file is None or not file.is_file() or not file.stat().st_size:
        return 0
    from ase.io import Trajectory

    with Trajectory(str(file)) as reader:
        number, first, last = len(reader), reader[0], reader[-1]
    _check_same(last, atoms, file)
    if first.positions.shape != atoms.positions.shape or not np.allclose(first.positions, atoms.positions, atol=1e-6):
        raise ValueError(f"{file.name} is a trajectory from other positions: {_INSTEAD}.")
    before, now = (getattr(one.calc, "name", None) for one in (last, atoms))
    if None not in (before, now) and before != now:
        raise ValueError(f"{file.name} is a trajectory by the calculator {before!r}, not by {now!r}: {_INSTEAD}.")
    atoms.positions = last.positions
    return number


def _finished(file: Path | None, atoms: Atoms, plan: list, settings: dict) -> list:
    if file is None or not file.is_file() or not file.stat().st_size:
        return []
    from ase.io import read

    found = read(str(file), index=":")
    _check_same(found[0], atoms, file)
    for number, one in enumerate(found[: len(plan)]):
        told = one.info.get("dynamics", {})
        wanted = {**settings, "temperature": plan[number][0]}
        wanted["time"] = settings["timestep"] * sum(count for _, count, _ in plan[: number + 1])
        differing = [name for name, value in wanted.items() if told.get(name) != value]
        if differing:
            shown = ", ".join(f"{name} {told.get(name)}, not {wanted[name]}" for name in differing if name != "start")
            raise ValueError(f"{file.name} is a trajectory of {shown or 'another start'}: {_INSTEAD}.")
    return found[: len(plan)]


def _digest(atoms: Atoms) -> str:
    """What tells positions from others, to a millionth of an ångström."""
    places = np.round(atoms.positions, 6) + 0.0
    return hashlib.sha256(np.ascontiguousarray(places).tobytes()).hexdigest()[:16]


def _check_same(one: Atoms, other: Atoms, file: Path) -> None:
    if one.get_chemical_symbols() != other.get_chemical_symbols():
        raise ValueError(f"{file.name} is a trajectory of {one.get_chemical_formula()}, and not of these atoms.")


def _check_whole(atoms: Atoms) -> None:
    """Raise if an atom is far from all others, or anything is not finite."""
    from scipy.spatial import cKDTree

    if not np.isfinite(atoms.positions).all():
        raise ValueError("Positions are not finite: the time step is too long, or atoms overlap.")
    if len(atoms) < 2:
        return
    away = cKDTree(atoms.positions).query(atoms.positions, k=2)[0][:, 1]
    if away.max() > _LOST:
        raise ValueError(
            f"{int((away > _LOST).sum())} atoms are more than {_LOST:g} Å from all others: they left. Start from a "
            "relaxed structure, or take a shorter time step or a lower temperature."
        )


def _announce(atoms: Atoms, calculator, steps: int) -> None:
    cost = estimate_cost(atoms, calculator, steps)
    if np.isfinite(cost["seconds"]):
        _logger.info(
            "%d atoms, up to %d steps: about %.0f s of one core, %.0f MB",
            len(atoms),
            steps,
            cost["seconds"],
            cost["megabytes"],
        )


def _name(calculator) -> str:
    return calculator if isinstance(calculator, str) else type(calculator).__name__
