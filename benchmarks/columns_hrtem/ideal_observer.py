"""How many columns an ideal observer counts right, who knows the optics, and where every atom is or would be.

Beside them one who does not know the lens, and asks whether all columns have one atom more or less; for one who does
not know where the atoms of the column are see `benchmarks.columns_hrtem.moving_atoms`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import norm

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
            changed = (with_height(atoms, positions, real, column, n, spacing) for n in range(1, highest + 1))
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


def with_height(atoms, positions, real, column: int, height: int, spacing: float):
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


# what a lens may be in training, and by how much its parameters are scaled
LENS_RANGES = {
    "spherical_aberration": (-2.2e5, -5e4),
    "fifth_order": (0.0, 5e7),
    "focal_spread": (15.0, 45.0),
    "deflection": (0.0, 0.35),
}


def observer_of_any_lens(
    recipe: ColumnWaveRecipe,
    symbol: str,
    lens: list[Optics],
    doses: tuple[float, ...],
    structures: int,
    *,
    reach: float = 60.0,
    seed: int = 9,
) -> dict[float, float]:
    """Return the share of structures told from those with one atom more, or less, in all columns, by dose.

    For each of the two the lens is sought with which it looks most like the true one: what is then left, whitened by
    the noise, is the distance of two normal distributions.

    Parameters
    ----------
    recipe, symbol, doses, structures, seed
        As of `ideal_observer`.
    lens
        Optics of each image of a series. Defoci are free of each other within *reach*, the rest is that of all images,
        within `LENS_RANGES`.
    reach
        Largest change of a defocus in Å.
    """
    right: dict[float, list[float]] = {dose: [] for dose in doses}
    for index in range(structures):
        atoms, told = draw_structure(recipe, np.random.default_rng([seed, index]))
        real = atoms.symbols != GHOST
        positions = atoms.positions + [recipe.edge / 2, recipe.edge / 2, 0]
        spacing = told["lattice_constant"] / np.sqrt(2)
        settings = {"sampling": 0.16, "slice_thickness": 2.0, "pixels": 256}
        waves = [
            simulate_exit_wave(*_all_changed(atoms, positions, real, symbol, change, spacing), recipe.edge, **settings)
            for change in (0, 1, -1)
        ]
        away = [distance_of_best_lens(waves[0], wave, recipe.edge, lens, reach) for wave in waves[1:]]
        for dose in doses:
            wrong = sum(norm.sf(np.sqrt(dose / len(lens)) * one / 2) for one in away)
            right[dose].append(1 - min(wrong, 1))
    return {dose: float(np.mean(values)) for dose, values in right.items()}


def _all_changed(atoms, positions, real, symbol: str, change: int, spacing: float):
    """Symbols and positions with so many atoms more at the upper end of all columns of a kind."""
    keep, more = real.copy(), []
    for column in np.flatnonzero((atoms.kinds == symbol) & (atoms.heights > 0)):
        own = np.flatnonzero(real & (atoms.column == column))
        own = own[np.argsort(positions[own, 2])]
        if change < 0:
            keep[own[len(own) + change :]] = False
        more += [positions[own[-1]] + [0, 0, spacing * (k + 1)] for k in range(change)]
    symbols = np.concatenate([atoms.symbols[keep], np.full(len(more), symbol)])
    return symbols, np.concatenate([positions[keep], np.array(more).reshape(-1, 3)])


def distance_of_best_lens(true: np.ndarray, other: np.ndarray, edge: float, lens: list[Optics], reach: float) -> float:
    """Distance of two series in standard deviations of a dose of one in each image, by the lens that makes it least."""
    names = list(LENS_RANGES)
    low = np.array([-reach] * len(lens) + [LENS_RANGES[name][0] for name in names])
    high = np.array([reach] * len(lens) + [LENS_RANGES[name][1] for name in names])
    start = np.array([0.0] * len(lens) + [getattr(lens[0], name) for name in names])
    scale = high - low
    shown = np.stack([image_intensity(true, edge, one) for one in lens])
    weight = edge / shown.shape[-1] / np.sqrt(shown)

    def residual(scaled: np.ndarray) -> np.ndarray:
        values = scaled * scale
        shared = dict(zip(names, values[len(lens) :], strict=True))
        series = [
            image_intensity(other, edge, replace(one, defocus=one.defocus + step, **shared))
            for one, step in zip(lens, values, strict=False)
        ]
        return ((np.stack(series) - shown) * weight).ravel()

    starts = [start + np.r_[np.full(len(lens), step), np.zeros(len(names))] for step in (-15.0, 15.0)]
    found = [
        least_squares(residual, one / scale, bounds=(low / scale, high / scale), diff_step=1e-3, max_nfev=12)
        for one in starts
    ]
    return float(np.sqrt(2 * min(one.cost for one in found)))
