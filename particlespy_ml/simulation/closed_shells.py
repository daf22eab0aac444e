"""Particles of a few known sizes: closed shells of each isomer with imperfect surfaces, and glassy ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.settings import from_table
from particlespy_ml.simulation.structures import (
    ISOMERS,
    amorphous,
    closed_shell,
    displace,
    random_rotation,
    remove_surface_atoms,
)

if TYPE_CHECKING:
    from ase import Atoms

_PARTS = ("templates", "training", "validation", "test")


@dataclass(frozen=True)
class ClosedShellRecipe:
    """What particles a sample has, where its sizes are known.

    Parameters
    ----------
    symbol
        Chemical symbol of an fcc metal.
    n_atoms
        Numbers of atoms of the closed shells.
    removed
        Range of the share of the surface atoms that is missing.
    disorder
        Range of the static displacement of the atoms in Å, rms along each axis.
    glasses
        Glassy templates of each size.
    step
        Distance of the orientations of the templates in degrees; glassy ones have steps of 36 degrees.
    blur
        Standard deviation in Å of an atom in the templates: probe, thermal motion, source and static disorder.
    saturation
        See `particlespy_ml._incoherent.incoherent_haadf`.
    seed
        Seed of all that is drawn.
    """

    symbol: str = "Au"
    n_atoms: tuple[int, ...] = (147, 309, 561)
    removed: tuple[float, float] = (0.0, 0.12)
    disorder: tuple[float, float] = (0.0, 0.28)
    glasses: int = 4
    step: float = 5.0
    blur: float = 0.55
    saturation: float = 0.03
    seed: int = 2028

    @classmethod
    def from_dict(cls, values: dict) -> ClosedShellRecipe:
        """Make a recipe from a mapping such as the ``[simulation]`` table of a recipe file."""
        return from_table(cls, values, "simulation")


def template_models(recipe: ClosedShellRecipe) -> tuple[list[np.ndarray], list[int], list[int]]:
    """Return ideal models, one of each isomer and size and several glassy ones.

    Returns
    -------
    models
        Positions in Å about the middle, each of shape (atoms, 3).
    groups
        Index of the group of each model; a group is a class and a size.
    group_classes
        Index into `ISOMERS` of each group.
    """
    rng = np.random.default_rng([recipe.seed, _PARTS.index("templates")])
    models, groups, group_classes = [], [], []
    for label, kind in enumerate(ISOMERS):
        for n_atoms in recipe.n_atoms:
            for _ in range(recipe.glasses if kind == "amorphous" else 1):
                models.append(_centred(_whole(kind, n_atoms, recipe.symbol, rng)))
                groups.append(len(group_classes))
            group_classes.append(label)
    return models, groups, group_classes


def draw_closed_shells(recipe: ClosedShellRecipe, count: int, part: str) -> list[tuple[np.ndarray, int]]:
    """Draw particles of all isomers and sizes in turn, in random orientations.

    Parameters
    ----------
    recipe
        What particles there are.
    count
        How many to draw.
    part
        "training", "validation" or "test": each has particles of its own.

    Returns
    -------
    list of (numpy.ndarray, int)
        Positions in Å about the middle, shape (atoms, 3), and index into `ISOMERS`.
    """
    drawn = []
    for number in range(count):
        rng = np.random.default_rng([recipe.seed, _PARTS.index(part), number])
        label, n_atoms = number % len(ISOMERS), recipe.n_atoms[number // len(ISOMERS) % len(recipe.n_atoms)]
        atoms = random_rotation(_whole(ISOMERS[label], n_atoms, recipe.symbol, rng), rng)
        atoms = remove_surface_atoms(atoms, rng.uniform(*recipe.removed), rng)
        drawn.append((_centred(displace(atoms, rng.uniform(*recipe.disorder), rng)), label))
    return drawn


def _whole(kind: str, n_atoms: int, symbol: str, rng: np.random.Generator) -> Atoms:
    return amorphous(n_atoms, symbol, rng) if kind == "amorphous" else closed_shell(kind, n_atoms, symbol)


def _centred(atoms: Atoms) -> np.ndarray:
    return atoms.positions - (atoms.positions.max(0) + atoms.positions.min(0)) / 2
