"""Three-dimensional models of particles from the numbers of atoms of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.crystals.crystal import STRUCTURES, crystal, cubic_element
from particlespy_ml.crystals.directions import low_index_zone_axes
from particlespy_ml.crystals.plane_lattice import PlaneLattice, fit_lattice, reduce_basis
from particlespy_ml.crystals.projection import projection
from particlespy_ml.crystals.relax import relax
from particlespy_ml.crystals.site_lattice import fit_sites

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike


ALIGNMENTS = ("centre", "bottom", "top")
SHAPE_TOLERANCE = 0.12


def identify_projection(basis, structure: str = "fcc", zone_axis: str | None = None):
    """Return the projection that has the shape of a plane lattice, the lattice's constant, and how its vectors match.

    Parameters
    ----------
    basis
        Two vectors of the lattice, shape (2, 2), in any unit.
    structure
        "fcc" or "bcc".
    zone_axis
        Take this zone axis; by default the one whose shape is nearest.

    Returns
    -------
    seen
        `particlespy_ml.crystals.projection.Projection`.
    lattice_constant
        In the unit of the basis.
    change
        Whole numbers, shape (2, 2): the basis is ``change`` times the turned and scaled basis of the projection.

    Raises
    ------
    ValueError
        If the lattice has the shape of no zone axis.
    """
    from itertools import product

    from particlespy_ml.crystals.projection import ZONE_AXES

    basis = np.asarray(basis, float)
    reduced = reduce_basis(basis)
    best = None
    for zone in ZONE_AXES if zone_axis is None else (zone_axis,):
        seen = projection(structure, zone)
        scale = np.sqrt(abs(np.linalg.det(reduced)) / seen.area)
        for numbers in product((-1, 0, 1), repeat=4):
            change = np.array(numbers, float).reshape(2, 2)
            if abs(abs(np.linalg.det(change)) - 1) > 1e-9:
                continue
            ideal = change @ seen.basis * scale
            # lengths and angle say how well the shapes agree, whatever the turn
            gram, wanted = reduced @ reduced.T, ideal @ ideal.T
            distance = np.abs(gram - wanted).max() / np.trace(wanted) * 2
            if best is None or distance < best[0] - 1e-9:
                best = (distance, seen, scale, change)
    distance, seen, scale, change = best
    if distance > SHAPE_TOLERANCE:
        raise ValueError(
            f"The columns form a lattice with vectors of {np.linalg.norm(reduced[0]):.3g} and "
            f"{np.linalg.norm(reduced[1]):.3g}, which is no {structure} crystal along "
            f"{zone_axis or '<001>, <011> or <111>'}."
        )
    to_reduced = np.rint(basis @ np.linalg.inv(reduced))
    return seen, float(scale), to_reduced @ change


def column_heights(indices, counts, change, heights, period: float, align: str = "centre") -> list[np.ndarray]:
    """Return the heights of the atoms of each column.

    Atoms of a column are a period apart, and those of each site sit at their place in the period, so that columns form
    one crystal. What is free is by how many periods each column is moved.

    Parameters
    ----------
    indices
        Sites, shape (n, 2).
    counts
        Numbers of atoms, shape (n,).
    change
        As from `identify_projection`.
    heights
        Of the sites of the projection's basis in periods.
    period
        Distance between atoms.
    align
        "centre": the middle of each column is as near to zero as its lattice planes allow; "bottom": the lowest atom of
        each column is the first at or above zero; "top": the highest is the last at or below zero.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.to_atoms import column_heights
    >>> column_heights([[0, 0], [1, 0]], [3, 2], np.eye(2), np.array([0.5, 0.5]), 2.0)
    [array([-2.,  0.,  2.]), array([-1.,  1.])]
    """
    if align not in ALIGNMENTS:
        raise ValueError(f"Unknown alignment {align!r}; expected one of {', '.join(ALIGNMENTS)}.")
    phases = (np.asarray(indices, float) @ np.asarray(change, float) @ np.asarray(heights, float)) % 1
    phases[phases > 1 - 1e-6] = 0
    found = []
    for phase, count in zip(phases, np.asarray(counts, int), strict=True):
        if align == "centre":
            start = np.rint(-(count - 1) / 2 - phase + 1e-9)
        else:
            start = 0.0 if align == "bottom" else -float(count - 1) - (1.0 if phase > 1e-6 else 0.0)
        found.append((start + phase + np.arange(count)) * period)
    return found


def build_atoms(
    positions: ArrayLike,
    counts: ArrayLike,
    element: str,
    *,
    zone_axis: str | None = None,
    structure: str | None = None,
    lattice_constant: float | None = None,
    align: str = "centre",
    snap: bool = False,
) -> Atoms:
    """Return the model of a particle from positions and numbers of atoms of its columns.

    Parameters
    ----------
    positions
        Of the columns in Å, shape (n, 2).
    counts
        Numbers of atoms, shape (n,); columns with less than one are left out.
    element
        Chemical symbol.
    zone_axis
        Along which the particle is seen; by default from where the columns lie.
    structure
        "fcc", "bcc", "hcp" or "diamond"; by default the element's (ASE).
    lattice_constant
        In Å; by default that of the columns themselves.
    align
        "centre", "bottom" or "top": where the columns are along the beam, see `column_heights`.
    snap
        Put columns on the sites of the fitted lattice, not where they were measured.

    Returns
    -------
    ase.Atoms

    Raises
    ------
    ValueError
        If there are too few columns, or they lie on no lattice of the structure.
    """
    from ase import Atoms

    positions, counts = np.asarray(positions, float).reshape(-1, 2), np.asarray(counts, int)
    kept = counts > 0
    positions, counts = positions[kept], counts[kept]
    arguments = (positions, counts, element, structure, zone_axis, lattice_constant, align, snap)
    if align not in ALIGNMENTS:
        raise ValueError(f"Unknown alignment {align!r}; expected one of {', '.join(ALIGNMENTS)}.")
    cubic = (structure or _structure_of(element)) in STRUCTURES
    found = _on_a_lattice(*arguments) if cubic else _on_sites(*arguments)
    xyz = [
        np.column_stack([np.repeat(p[None], len(h), 0), h]) for p, h in zip(found.places, found.heights, strict=True)
    ]
    atoms = Atoms([element] * int(counts.sum()), positions=np.vstack(xyz))
    middle = atoms.positions.mean(0)
    atoms.positions -= middle
    atoms.info.update(found.info, middle=middle[:2].tolist())
    atoms.arrays["column"] = np.repeat(np.flatnonzero(kept), counts)
    return atoms


@dataclass(frozen=True)
class _Columns:
    """Places of columns, shape (n, 2), heights of the atoms of each, and what is known of the crystal."""

    places: np.ndarray
    heights: list[np.ndarray]
    info: dict


def _structure_of(element: str) -> str:
    """The structure of an element's reference state."""
    from ase.data import atomic_numbers, reference_states

    if element not in atomic_numbers:
        raise ValueError(f"{element!r} is no chemical element.")
    state = reference_states[atomic_numbers[element]]
    return state["symmetry"] if state else ""


def _on_a_lattice(positions, counts, element, structure, zone_axis, lattice_constant, align, snap) -> _Columns:
    """Columns of a crystal of one atom to a lattice point."""
    if structure is None:
        structure, _ = cubic_element(element)
    lattice = fit_lattice(positions)
    if lattice is None:
        raise ValueError(f"{len(positions)} counted columns form no lattice, so that no model can be built from them.")
    seen, constant, change = identify_projection(lattice.basis, structure, zone_axis)
    constant = lattice_constant or constant
    known = cubic_element(element)[1] if structure == cubic_element(element)[0] else constant
    _check_constant(constant, known, element, seen.zone_axis)
    heights = column_heights(lattice.indices, counts, change, seen.heights, seen.period * constant, align)
    info = {"zone_axis": seen.zone_axis, "lattice_constant": constant, "structure": structure}
    return _Columns(_places(positions, lattice, snap), heights, info)


def _on_sites(positions, counts, element, structure, zone_axis, lattice_constant, align, snap) -> _Columns:
    """Columns of a crystal of several atoms to a lattice point, each on one of the sites of its plane cell."""
    known = crystal(element, structure=structure, **({"lattice_constant": lattice_constant} if structure else {}))
    axes = low_index_zone_axes(known) if zone_axis is None else (zone_axis,)
    fits = [
        (seen, fit_sites(positions, seen, lattice_constant or known.a)) for seen in (projection(known, z) for z in axes)
    ]
    fits = [(seen, fit) for seen, fit in fits if fit is not None]
    if not fits:
        raise ValueError(
            f"{len(positions)} counted columns lie on the sites of no {element} crystal along "
            f"{', '.join(map(str, axes))}."
        )
    seen, fit = max(fits, key=lambda pair: (pair[1].on_site.sum(), -np.mean(pair[1].distance[pair[1].on_site] ** 2)))
    constant = lattice_constant or fit.lattice_constant
    _check_constant(constant, known.a, element, seen.zone_axis)
    moved = fit.cells @ seen.heights
    levels = [(moved[k] + np.array(seen.site_heights[site])) % 1 for k, site in enumerate(fit.sites)]
    heights = [
        column_levels(own, int(n), align) * seen.period * constant for own, n in zip(levels, counts, strict=True)
    ]
    places = fit.origin + (fit.cells + seen.sites[fit.sites]) @ fit.basis if snap else positions
    structure = structure or _structure_of(element)
    info = {"zone_axis": seen.zone_axis, "lattice_constant": constant, "structure": structure}
    return _Columns(places, heights, info)


def column_levels(levels: ArrayLike, count: int, align: str = "centre") -> np.ndarray:
    """Return the heights of the atoms of one column in periods, shape (count,).

    Parameters
    ----------
    levels
        Heights of the atoms of one period, from 0 to 1, shape (m,).
    count
        Number of atoms, on levels that follow each other.
    align
        As for `column_heights`.

    Examples
    --------
    >>> from particlespy_ml.counting.to_atoms import column_levels
    >>> column_levels([0.0, 0.25], 3)
    array([-0.75,  0.  ,  0.25])
    """
    levels = np.sort(np.asarray(levels, float) % 1)
    numbers = np.arange(-count - len(levels), count + len(levels))
    ladder = levels[numbers % len(levels)] + numbers // len(levels)
    starts = np.arange(len(ladder) - count + 1)
    if align == "bottom":
        start = starts[np.argmax(ladder[starts] >= -1e-6)]
    elif align == "top":
        start = starts[ladder[starts + count - 1] <= 1e-6][-1]
    else:
        middles = np.abs([ladder[k : k + count].mean() for k in starts])
        start = starts[np.argmin(np.round(middles, 9))]
    return ladder[start : start + count]


def _check_constant(constant: float, known: float, element: str, zone_axis: str) -> None:
    if not 0.85 < constant / known < 1.15:
        raise ValueError(
            f"The lattice constant of the columns is {constant:.3g} Å along {zone_axis}, that of {element} "
            f"{known:.3g} Å: check the pixel size and the element, or give lattice_constant=."
        )


def _places(positions, lattice: PlaneLattice, snap: bool) -> np.ndarray:
    return lattice.origin + lattice.indices @ lattice.basis if snap else positions


def to_atoms(
    table: BaseSignal,
    element: str,
    index: int = 0,
    *,
    zone_axis: str | None = None,
    structure: str | None = None,
    lattice_constant: float | str | None = None,
    align: str = "centre",
    snap: bool = False,
    relax: bool = False,
    calculator: Calculator | None = None,
    fmax: float = 0.05,
    steps: int = 200,
    best: bool = False,
) -> Atoms:
    """Return the three-dimensional model of a particle, as ASE atoms.

    The numbers of atoms are those of ``count``; columns that are not counted are left out, and
    ``info["columns_not_counted"]`` says how many. With *best* they are those of ``best_count``, which all columns with
    an estimate have. Neither is made to agree with `total_counts`, which weighs all numbers that a column may have.

    Parameters
    ----------
    table
        Counted column table.
    element
        Chemical symbol of an element that is fcc, bcc, hcp or diamond.
    index
        Number of the frame.
    zone_axis
        Such as "<011>"; by default the one of low indices whose columns lie as these do.
    structure
        "fcc", "bcc", "hcp" or "diamond"; by default the element's.
    lattice_constant
        A number in the image's unit, or a text such as "4.08 Å"; by default that of the columns.
    align
        "centre", "bottom" or "top": where the columns are along the beam.
    snap
        Put columns on the sites of the fitted lattice, not where they were measured.
    relax
        Move the atoms to where forces are small, see `particlespy_ml.crystals.relax.relax`.
    calculator, fmax, steps
        For *relax*.
    best
        Take the best guess of each column, also where the numbers of atoms are not resolved.

    Returns
    -------
    ase.Atoms
        In Å about the middle of the atoms, x and y along those of the image, z along the beam; ``info["middle"]`` has
        x and y of that middle in the image. It writes any format that ASE knows: ``atoms.write("a.xyz")``.

    Raises
    ------
    ValueError
        If the columns are not counted, some are left without a count, or they form no lattice of the element.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> columns = pml.data.columns_of_platinum().find_columns()
    >>> counted = columns.count_atoms(library=pml.data.platinum_library())
    >>> counted.to_atoms("Pt").info["zone_axis"]
    '<011>'
    """
    from particlespy_ml.core.calibration import NANOMETRES
    from particlespy_ml.core.lengths import in_nanometres

    relax_them = relax
    if "count" not in table.columns:
        raise ValueError("The columns are not counted; call count_atoms() first.")
    rows, _ = table.frame(index)
    if best and "best_count" not in table.columns:
        raise ValueError("The table has no best guesses; call count_atoms() again.")
    counts = rows["best_count" if best else "count"]
    missing = counts < 1
    if missing.all():
        from particlespy_ml.columns.flags import describe_flags

        why = describe_flags(int(np.bitwise_or.reduce(rows["flags"]))) if len(rows) else "there are no columns"
        guessed = "best_count" in table.columns and np.any(rows["best_count"] > 0)
        hint = " Take the best guesses with best=True." if guessed else ""
        raise ValueError(f"No column of frame {index} is counted: {why}.{hint}")
    angstrom = 10 * NANOMETRES[table.grid.units]
    if lattice_constant is not None:
        lattice_constant = 10 * in_nanometres(lattice_constant, table.grid, "lattice_constant")
    atoms = build_atoms(
        np.column_stack([rows["x"], rows["y"]]) * angstrom,
        counts,
        element,
        zone_axis=zone_axis,
        structure=structure,
        lattice_constant=lattice_constant,
        align=align,
        snap=snap,
    )
    atoms.info["columns_not_counted"] = int(missing.sum())
    if relax_them:
        atoms = _relax(atoms, calculator, fmax, steps)
    return atoms


_relax = relax
