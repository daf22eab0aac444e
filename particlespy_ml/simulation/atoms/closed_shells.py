"""Particles of a few known sizes: closed shells with imperfect surfaces, glassy ones, and some that are neither."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.simulation.atoms.out_of_range import OUT_OF_RANGE, draw_out_of_range
from particlespy_ml.simulation.atoms.structures import (
    ISOMERS,
    amorphous,
    closed_shell,
    displace,
    random_rotation,
    remove_surface_atoms,
)
from particlespy_ml.simulation.settings import from_table

if TYPE_CHECKING:
    from ase import Atoms

NONE_OF_THESE = (*OUT_OF_RANGE, "cut")
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
    others
        Share of the particles that are none of the isomers: those of `OUT_OF_RANGE`, and isomers of which a part is
        cut off.
    glasses
        Glassy templates of each size.
    step
        Distance of the orientations of the templates in degrees; glassy ones have steps of 36 degrees.
    blur
        Standard deviation in Å of an atom in the templates: probe, thermal motion, source and static disorder.
    saturation
        See `particlespy_ml.models.incoherent.incoherent_haadf`.
    seed
        Seed of all that is drawn.
    """

    symbol: str = "Au"
    n_atoms: tuple[int, ...] = (147, 309, 561)
    removed: tuple[float, float] = (0.0, 0.12)
    disorder: tuple[float, float] = (0.0, 0.28)
    others: float = 0.2
    glasses: int = 4
    step: float = 5.0
    blur: float = 0.55
    saturation: float = 0.03
    seed: int = 2028

    def __post_init__(self):
        if not self.n_atoms or self.glasses < 1 or not 0 <= self.others < 1:
            raise ValueError(
                "Expected at least one size in n_atoms, glasses of at least 1 and others from 0 to below 1, not "
                f"n_atoms={self.n_atoms}, glasses={self.glasses}, others={self.others}."
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Isomers and, if there are others, "other"."""
        return (*ISOMERS, "other") if self.others else tuple(ISOMERS)

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
    models, groups, group_classes = _template_models(recipe)
    return [model.copy() for model in models], groups.copy(), group_classes.copy()


@lru_cache(maxsize=4)  # glassy ones take seconds
def _template_models(recipe: ClosedShellRecipe) -> tuple[list[np.ndarray], list[int], list[int]]:
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
    """Draw particles of all isomers and sizes in turn, in random orientations, and then the others.

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
        Positions in Å about the middle, shape (atoms, 3), and index into the classes of the recipe.
    """
    drawn = []
    isomers = round(count * (1 - recipe.others))
    for number in range(count):
        rng = np.random.default_rng([recipe.seed, _PARTS.index(part), number])
        if number >= isomers:
            drawn.append((_centred(_draw_other(recipe, number - isomers, rng)), len(ISOMERS)))
            continue
        label, n_atoms = number % len(ISOMERS), recipe.n_atoms[number // len(ISOMERS) % len(recipe.n_atoms)]
        drawn.append((_centred(_draw_isomer(recipe, ISOMERS[label], n_atoms, rng)), label))
    return drawn


def _draw_isomer(recipe: ClosedShellRecipe, kind: str, n_atoms: int, rng: np.random.Generator) -> Atoms:
    atoms = random_rotation(_whole(kind, n_atoms, recipe.symbol, rng), rng)
    atoms = remove_surface_atoms(atoms, rng.uniform(*recipe.removed), rng)
    return displace(atoms, rng.uniform(*recipe.disorder), rng)


def _draw_other(recipe: ClosedShellRecipe, number: int, rng: np.random.Generator) -> Atoms:
    """None of the isomers; one that is cut lacks a third to two thirds of its width."""
    kind, n_atoms = NONE_OF_THESE[number % len(NONE_OF_THESE)], int(rng.choice(recipe.n_atoms))
    if kind != "cut":
        return draw_out_of_range(kind, n_atoms, rng, recipe.symbol)
    atoms = _draw_isomer(recipe, str(rng.choice(ISOMERS)), n_atoms, rng)
    along = atoms.positions[:, 0]
    return atoms[along > np.quantile(along, rng.uniform(1 / 3, 2 / 3))]


def _whole(kind: str, n_atoms: int, symbol: str, rng: np.random.Generator) -> Atoms:
    if kind == "amorphous":
        return amorphous(n_atoms, symbol, rng)
    atoms = closed_shell(kind, n_atoms, symbol)
    if abs(len(atoms) / n_atoms - 1) > 0.1:
        raise ValueError(
            f"There is no {kind} of about {n_atoms} atoms, the nearest has {len(atoms)}; expected closed shells that "
            "all isomers have, such as 55, 147, 309, 561, 923 or 1415."
        )
    return atoms


def _centred(atoms: Atoms) -> np.ndarray:
    return atoms.positions - (atoms.positions.max(0) + atoms.positions.min(0)) / 2
