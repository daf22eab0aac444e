"""What a support makes of the particle on it: strain of its layers, and which registry has the lower energy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from benchmarks.supported.strain_maps import draw_views, print_views, strain_of_views
from particlespy_ml.simulation.atoms.check_structure import check_structure
from particlespy_ml.simulation.atoms.supported_particle import supported_particle
from particlespy_ml.simulation.potentials.calculators import get_calculator
from particlespy_ml.simulation.potentials.properties import relaxed_volume
from particlespy_ml.simulation.potentials.relax_structure import relax_structure

WIDTH = 22.0  # Å, of slabs
THICKNESS = 6.0  # Å, of slabs by default
SYSTEMS = (
    ("Pt", "TiO2-anatase", "100", "001", "O"),
    ("Pt", "TiO2-anatase", "100", "001", "Ti"),
    ("Pt", "c-ZrO2", "111", "111", None),
    ("Pt", "CeO2", "111", "111", None),
    ("Au", "TiO2-rutile", "111", "110", None),
)


def print_support(
    calculator: str,
    size: float,
    steps: int,
    cache: Path | None,
    thickness: float = THICKNESS,
    chosen: Sequence[int] | None = None,
    figure: Path | None = None,
) -> None:
    """Strain of each layer of the particle after relaxation, relative to the crystal of the same potential.

    Of platinum, and where a file is given for a figure, also that of its columns and of its image.
    """
    drawn = {}
    systems = SYSTEMS if chosen is None else [SYSTEMS[number] for number in chosen]
    one = get_calculator(calculator)
    lattice = {
        metal: relaxed_volume(lambda a, metal=metal: bulk(metal, "fcc", a=a), guess, lambda: one)[0]
        for metal, guess in (("Pt", 3.92), ("Au", 4.08))
    }
    print(f"Relaxed with {calculator}, at most {steps} steps; strain in % along the axes of the cell, and what of the")
    print("moves of a layer is no strain, in Å; relative to the lattice constants of the potential,")
    print(f"{', '.join(f'{metal} {a:.3f} Å' for metal, a in lattice.items())}")
    for metal, support, facet, face, over in systems:
        atoms = over_element(metal, support, facet, face, size, over, thickness)
        name = f"{metal}-{support}-{face}-{over or 'any'}-{calculator}-{size:g}-{thickness:g}"
        trajectory = None if cache is None else cache / f"{name}.traj"
        relaxed = relax_structure(atoms, one, fmax=0.1, steps=steps, trajectory=trajectory)
        told, found = relaxed.info["relaxation"], check_structure(relaxed)
        print(
            f"  {metal}{{{facet}}} on {support} ({face}){f', over {over}' if over else ''}: {len(atoms)} atoms, "
            f"energy {told['energy']:.2f} eV after {told['steps']} steps, converged {told['converged']}; "
            f"closest {found['closest']:.2f} Å, pieces {found['particle_pieces']}, "
            f"largest move {told['largest_move']:.2f} Å",
            flush=True,
        )
        for layer, (strain, left, number) in layer_strains(atoms, relaxed, lattice[metal]).items():
            x, y, shear = 100 * strain
            print(f"    layer {layer}: {x:+.1f} {y:+.1f} {shear:+.1f}, {left:.2f} Å ({number} atoms)", flush=True)
        if figure is not None and metal == "Pt":
            title = f"Pt{{{facet}}}, {support} ({face})"
            drawn[title] = strain_of_views(atoms, relaxed, lattice[metal], facet)
            print_views(drawn[title])
    if drawn:
        draw_views(drawn, figure)


def over_element(
    metal: str, support: str, facet: str, face: str, size: float, element: str | None, thickness: float = THICKNESS
) -> Atoms:
    """Build a particle whose middle atom of the first layer lies over an atom of the support, if one is named."""
    slab = {"face": face, "width": WIDTH, "thickness": thickness}
    atoms = supported_particle(metal, support, facet, size, **slab)
    if element is None:
        return atoms
    first = atoms.positions[atoms.arrays["layer"] == 1]
    middle = first[np.argmin(np.linalg.norm(first[:, :2] - first[:, :2].mean(0), axis=1))]
    held = atoms.positions[(atoms.get_tags() == 0) & (np.array(atoms.get_chemical_symbols()) == element)]
    top = held[held[:, 2] > held[:, 2].max() - 0.3]
    below = top[np.argmin(np.linalg.norm(top[:, :2] - middle[:2], axis=1))]
    shift = tuple(float(one) for one in (below - middle)[:2])
    return supported_particle(metal, support, facet, size, shift=shift, **slab)


def layer_strains(before: Atoms, after: Atoms, lattice: float) -> dict[int, tuple[np.ndarray, float, int]]:
    """Strain (xx, yy, xy) of the layers of a particle in their plane, and the root mean square of what is left.

    Parameters
    ----------
    before
        As built: an undistorted crystal.
    after
        Relaxed.
    lattice
        Lattice constant in Å to which strain is relative.
    """
    inside = before.get_tags() == 1
    places = before.positions[inside]
    away = np.linalg.norm(places[:, None] - places[None], axis=-1)
    built = np.sqrt(2) * np.min(away[away > 0])  # fcc neighbours are a / sqrt(2) apart
    found = {}
    for layer in np.unique(before.arrays["layer"][inside]):
        own = before.arrays["layer"] == layer
        if own.sum() < 4:
            continue
        start, end = (one.positions[own, :2] - one.positions[own, :2].mean(0) for one in (before, after))
        change = np.linalg.lstsq(start, end, rcond=None)[0].T
        left = end - start @ change.T
        relative = change * built / lattice - np.eye(2)
        strain = np.array([relative[0, 0], relative[1, 1], (relative[0, 1] + relative[1, 0]) / 2])
        found[int(layer)] = strain, float(np.sqrt((left**2).sum(1).mean())), int(own.sum())
    return found
