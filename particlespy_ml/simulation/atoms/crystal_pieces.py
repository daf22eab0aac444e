"""Pieces of any crystal, and of sheets, from a file: rough, with vacancies that are told as such."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.crystals.crystal import Crystal, as_crystal
from particlespy_ml.crystals.directions import direction
from particlespy_ml.simulation.atoms.projected import GHOST, Projected, project

if TYPE_CHECKING:
    from ase import Atoms

_ROUGH_OVER = 4.0  # Å, along the outline of a piece


def crystal_piece(
    source: str,
    zone_axis: str,
    width: float,
    thickness: float,
    rng: np.random.Generator,
    *,
    kinds: tuple[str, ...],
    vacancies: float = 0.03,
    strain: float = 0.0,
) -> Projected:
    """Return a piece of a crystal with a zone axis along the beam, and a rough outline.

    Parameters
    ----------
    source
        A file that ASE reads, or a name that `particlespy_ml.crystals.crystal` knows. A structure that is not periodic
        along its third vector is a sheet: it is one cell thick, and seen along that vector.
    zone_axis
        Such as "<110>" or "[001]".
    width, thickness
        Extent across and along the beam in Å; the thickness of a sheet is its own.
    rng
        Random generator.
    kinds
        Kinds of columns. "S vacancy" among them are columns of sulfur, in sheets, that lack one atom or all.
    vacancies
        Share of the atoms that are missing.
    strain
        Relative change of all lengths.
    """
    atoms = _source(source)
    is_sheet = not atoms.pbc[2]
    crystal = Crystal.from_atoms(_in_a_box(atoms) if is_sheet else atoms)
    along = np.array(direction("[001]" if is_sheet else zone_axis, crystal)) @ crystal.cell
    symbols, points = _points(crystal, along, width, np.inf if is_sheet else thickness, is_sheet, rng)
    placed = project(symbols, points * (1 + strain))
    missing = rng.random(len(symbols)) < vacancies
    return _without(placed, missing, kinds)


@lru_cache(maxsize=8)
def _source(source: str) -> Atoms:
    if Path(source).suffix:
        from ase.io import read

        if not Path(source).is_file():
            raise ValueError(f"There is no structure file {source!r}.")
        return read(source)
    return as_crystal(source).to_atoms()


def _in_a_box(sheet: Atoms) -> Atoms:
    """A sheet with a cell vector across it."""
    boxed = sheet.copy()
    boxed.center(vacuum=6.0, axis=2)
    return boxed


def _points(crystal: Crystal, along: np.ndarray, width: float, thickness: float, is_sheet: bool, rng):
    """Symbols and places of the atoms in a rough disc about a random point, z along the beam."""
    beam = along / np.linalg.norm(along)
    across = np.cross(beam, np.eye(3)[np.argmin(np.abs(beam))])
    across /= np.linalg.norm(across)
    frame = np.stack([across, np.cross(beam, across), beam])
    reach = 0.5 * np.hypot(1.3 * width, 0 if is_sheet else thickness) + np.linalg.norm(crystal.cell, axis=1).max()
    # as many cells along each vector as a sphere of this radius needs
    heights = 1 / np.linalg.norm(np.linalg.inv(crystal.cell), axis=0)
    counts = np.ceil(reach / heights).astype(int) + 1
    spans = [np.arange(-n, n + 1) for n in counts]
    if is_sheet:
        spans[2] = np.zeros(1, int)
    cells = np.stack(np.meshgrid(*spans, indexing="ij"), -1).reshape(-1, 1, 3)
    start = rng.random(3) * (1, 1, 0 if is_sheet else 1)
    points = ((cells + np.array(crystal.places)).reshape(-1, 3) + start) @ crystal.cell @ frame.T
    symbols = np.tile(np.array(crystal.symbols), len(cells))
    points[:, 2] -= points[:, 2].mean() if is_sheet else 0
    angle = np.arctan2(points[:, 1], points[:, 0])
    inside = np.hypot(points[:, 0], points[:, 1]) < _outline(angle, width / 2, rng)
    inside &= np.abs(points[:, 2]) <= thickness / 2
    return symbols[inside], points[inside]


def _outline(angle: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Distance of a rough outline from the middle, at some angles."""
    rough = ndi.gaussian_filter1d(rng.normal(size=360), _ROUGH_OVER / radius * 57.3, mode="wrap")
    return radius * (1 + 0.12 * (rough / max(rough.std(), 1e-9))[(np.degrees(angle) % 360).astype(int) % 360])


def _without(atoms: Projected, missing: np.ndarray, kinds: tuple[str, ...]) -> Projected:
    """Atoms without some; columns that lack atoms are vacancies where the kinds have such.

    Columns that lack all of their atoms stay as vacancies, by an atom that scatters nothing.
    """
    whole = atoms.heights
    lacking = np.bincount(atoms.column[missing], minlength=len(atoms.kinds))
    told = np.array([f"{kind} vacancy" for kind in atoms.kinds], dtype="U32")
    is_vacancy = (lacking > 0) & np.isin(told, kinds)
    names = np.where(is_vacancy, told, atoms.kinds.astype("U32"))
    symbols, keep = atoms.symbols.astype("U2"), ~missing
    for number in np.flatnonzero(is_vacancy & (lacking == whole)):
        first = np.flatnonzero(atoms.column == number)[0]
        symbols[first], keep[first] = GHOST, True
    used, column = np.unique(atoms.column[keep], return_inverse=True)
    return Projected(symbols[keep], atoms.positions[keep], column, names[used])
