"""A library of simulated HAADF images of isomers on disk: made once, resumable, redone by one command."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.datasets.store import entry_indices, load_entry, simulate_entries
from particlespy_ml.simulation.settings import from_table

if TYPE_CHECKING:
    from ase import Atoms

OTHER = "other"  # the class of what is none of the isomers


@dataclass(frozen=True)
class IsomerLibraryRecipe:
    """What is drawn for each simulation of the library. Ranges are (low, high); one draw each, uniform.

    Parameters
    ----------
    symbol
        An fcc element.
    classes
        Isomers, taken in turn, and "other" for models that are none of them
        (`particlespy_ml.simulation.atoms.out_of_range`).
    n_atoms
        Range of the number of atoms, drawn uniformly in its logarithm.
    energies
        Beam energies in eV, one of which is chosen.
    semiangle
        Range of the convergence semi-angle in mrad.
    defocus
        Range of the defocus in Å.
    thermal_rms
        Range of the thermal displacement along each axis in Å.
    slice_thickness
        Thickness of the slices of the multislice calculation in Å.
    near_axis
        Share of the training images in which a symmetry axis of the isomer is close to the beam. Images held out have
        random orientations.
    held_out_every
        One in so many rounds of the classes is held out for validation and test, never for training.
    held_out_phonons
        Frozen-phonon configurations averaged in images held out; training images have one.
    seed
        Seed of the library. Simulation *i* depends on the seed and on *i* alone.
    """

    symbol: str = "Au"
    classes: tuple[str, ...] = ("icosahedron", "decahedron", "cuboctahedron", "amorphous", OTHER)
    n_atoms: tuple[int, int] = (55, 1415)
    energies: tuple[float, ...] = (200e3, 200e3, 300e3, 120e3)
    semiangle: tuple[float, float] = (18.0, 28.0)
    defocus: tuple[float, float] = (-15.0, 25.0)
    thermal_rms: tuple[float, float] = (0.05, 0.11)
    slice_thickness: float = 3.0
    near_axis: float = 0.2
    held_out_every: int = 5
    held_out_phonons: int = 2
    seed: int = 2026

    @classmethod
    def from_dict(cls, values: dict) -> IsomerLibraryRecipe:
        """Make a recipe from a mapping such as the ``[simulation]`` table of a recipe file."""
        return from_table(cls, values, "simulation")

    @property
    def isomers(self) -> tuple[str, ...]:
        """The classes without "other", which is the last one where there is one."""
        return tuple(name for name in self.classes if name != OTHER)

    def __post_init__(self):
        if OTHER in self.classes[:-1]:
            raise ValueError(f"{OTHER!r} must be the last of the classes, not one of {self.classes[:-1]}.")

    def is_held_out(self, index: int) -> bool:
        """Whether simulation *index* is kept from training."""
        return (index // len(self.classes)) % self.held_out_every == self.held_out_every - 1


def draw_model(kind: str, n_atoms: int, rng: np.random.Generator, symbol: str = "Au") -> Atoms:
    """Draw an isomer or, for the class "other", a model of one of the kinds that are none.

    Isomers are in the frame of their lattice; the others lie as they do on a film, with the beam along z.
    """
    from particlespy_ml.simulation.atoms.out_of_range import OUT_OF_RANGE, draw_out_of_range
    from particlespy_ml.simulation.atoms.structures import draw_isomer

    if kind == OTHER:
        return draw_out_of_range(str(rng.choice(OUT_OF_RANGE)), n_atoms, rng, symbol)
    return draw_isomer(kind, n_atoms, rng, symbol)


def simulate_isomer(recipe: IsomerLibraryRecipe, index: int) -> dict:
    """Simulate entry *index* of the library.

    Returns
    -------
    dict
        ``images`` (annuli, rows, columns) float32, ``positions`` (n_atoms, 3) in Å with the image's origin,
        ``label`` (index into the recipe's classes) and ``parameters`` (JSON).
    """
    from particlespy_ml.simulation.atoms.structures import near_axis_rotation, random_rotation, rotate
    from particlespy_ml.simulation.waves.haadf import HAADFMicroscope, simulate_haadf

    rng = np.random.default_rng([recipe.seed, index])
    label = index % len(recipe.classes)
    n_atoms = int(np.exp(rng.uniform(*np.log(recipe.n_atoms))))
    kind, held_out = recipe.classes[label], recipe.is_held_out(index)
    atoms = draw_model(kind, n_atoms, rng, recipe.symbol)
    near_axis = kind != OTHER and not held_out and rng.random() < recipe.near_axis
    if near_axis:
        atoms = rotate(atoms, near_axis_rotation(kind, rng))
    elif kind != OTHER:
        atoms = random_rotation(atoms, rng)
    microscope = HAADFMicroscope(
        energy=float(rng.choice(recipe.energies)),
        semiangle=rng.uniform(*recipe.semiangle),
        defocus=rng.uniform(*recipe.defocus),
    )
    images, parameters = simulate_haadf(
        atoms,
        microscope,
        thermal_rms=rng.uniform(*recipe.thermal_rms),
        frozen_phonons=recipe.held_out_phonons if held_out else 1,
        slice_thickness=recipe.slice_thickness,
        seed=index,
    )
    edge = images.shape[-1] * parameters["scan_step"]
    middle = (atoms.positions.max(0) + atoms.positions.min(0)) / 2
    return {
        "images": images,
        "positions": (atoms.positions - middle + edge / 2).astype(np.float32),
        "label": np.int64(label),
        "parameters": json.dumps({**parameters, "index": index, "class": kind, "near_axis": bool(near_axis)}),
    }


def simulate_library(
    folder: str | Path,
    count: int,
    recipe: IsomerLibraryRecipe | None = None,
    workers: int | None = None,
    show_progressbar: bool = True,
    held_out_only: bool = False,
) -> list[Path]:
    """Make the entries 0 to *count* - 1 that the folder lacks; see `simulate_entries`.

    With *held_out_only*, only those of them that are held out, for a larger validation and test.
    """
    recipe = recipe or IsomerLibraryRecipe()
    wanted = [index for index in range(count) if recipe.is_held_out(index) or not held_out_only]
    return simulate_entries(folder, wanted, recipe, simulate_isomer, workers, show_progressbar)


def load_entries(folder: str | Path, indices: Iterable[int] | None = None) -> list[dict]:
    """Load entries (all that are there by default); each has its ``index`` and its parameters as a dictionary."""
    entries = [load_entry(folder, index) for index in (entry_indices(folder) if indices is None else indices)]
    return [{**entry, "label": int(entry["label"])} for entry in entries]
