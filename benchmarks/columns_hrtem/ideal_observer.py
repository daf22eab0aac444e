"""How many columns an ideal observer counts right, who knows the optics, and every atom that is not in the column."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.atoms.column_structures import draw_structure
from particlespy_ml.simulation.atoms.projected import GHOST
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

WITHIN = 15.0  # Å of the middle, where columns are taken from


def ideal_observer(
    recipe: ColumnWaveRecipe,
    symbol: str,
    highest: int,
    lenses: dict[Hashable, list[Optics]],
    doses: tuple[float, ...],
    structures: int,
    per_structure: int,
    draws: int = 400,
    seed: int = 9,
) -> dict[tuple, float]:
    """Return the share of columns whose number of atoms is told, by the key of a lens and the dose of all its images.

    Atoms are taken off and put onto the upper end of the column.

    Parameters
    ----------
    recipe
        Of the structures.
    symbol, highest
        Of the columns in question, and the largest number of atoms that is thought of.
    lenses
        Optics of each image of a series.
    doses
        In e/Å², of all images of a series together.
    structures, per_structure
        How many structures, and columns of each.
    draws
        Images drawn of each column.
    seed
        Seed.
    """
    rng = np.random.default_rng(seed)
    right: dict[tuple, list[float]] = {(key, dose): [] for key in lenses for dose in doses}
    for index in range(structures):
        atoms, told = draw_structure(recipe, np.random.default_rng([seed, index]))
        real = atoms.symbols != GHOST
        positions = atoms.positions + [recipe.edge / 2, recipe.edge / 2, 0]
        middle = np.hypot(*atoms.places.T) < WITHIN
        columns = np.flatnonzero((atoms.kinds == symbol) & (atoms.heights > 0) & middle)
        spacing = told["lattice_constant"] / np.sqrt(2)
        for column in rng.choice(columns, min(per_structure, len(columns)), replace=False):
            changed = (_with_height(atoms, positions, real, column, n, spacing) for n in range(1, highest + 1))
            settings = {"sampling": 0.14, "slice_thickness": 2.0, "pixels": 256}
            waves = [simulate_exit_wave(*one, recipe.edge, **settings) for one in changed]
            true = int(np.clip(atoms.heights[column], 1, highest)) - 1
            for key, series in lenses.items():
                shown = [np.stack([image_intensity(wave, recipe.edge, lens) for wave in waves]) for lens in series]
                for dose in doses:
                    share = told_right(np.stack(shown, 1), true, dose / len(series), recipe.edge, draws, rng)
                    right[key, dose].append(share)
    return {key: float(np.mean(values)) for key, values in right.items()}


def told_right(shown: np.ndarray, true: int, dose: float, edge: float, draws: int, rng) -> float:
    """Share of series drawn from one of some expected series, shape (n, images, pixels, pixels), told for its own.

    Where counts are many the logarithms of the likelihoods are normal, and so few numbers stand for an image.
    """
    area = (edge / shown.shape[-1]) ** 2
    away = ((shown - shown[true]) / np.sqrt(shown[true])).reshape(len(shown), -1) * np.sqrt(dose * area)
    shared = away @ away.T
    values, vectors = np.linalg.eigh(shared)
    noise = rng.normal(size=(draws, len(shown))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    likelihood = noise - 0.5 * np.diag(shared)
    return float((likelihood.argmax(1) == true).mean())


def _with_height(atoms, positions, real, column: int, height: int, spacing: float):
    """Symbols and positions of the atoms with another number of them in one column."""
    own = np.flatnonzero(real & (atoms.column == column))
    own = own[np.argsort(positions[own, 2])]
    gone = own[height:]
    keep = real.copy()
    keep[gone] = False
    top = positions[own[-1]]
    more = [top + [0, 0, spacing * (k + 1)] for k in range(height - len(own))]
    symbols = np.concatenate([atoms.symbols[keep], np.full(len(more), atoms.symbols[own[-1]])])
    return symbols, np.concatenate([positions[keep], np.array(more).reshape(-1, 3)])
