"""How many columns one counts right who knows the optics and all other atoms, but not where those of the column are.

Atoms move, and every image shows them as they lie: columns of six and seven atoms look alike more often than their mean
images do.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from benchmarks.columns_hrtem.ideal_observer import WITHIN, with_height
from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.atoms.column_structures import draw_structure
from particlespy_ml.simulation.atoms.projected import GHOST
from particlespy_ml.simulation.recording.optics import Optics, image_intensity
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

BOX = 22.0  # Å, edge of what is seen about a column
_PIXELS = 88
_KEPT = 10  # principal components of images
_NOISY = 20  # images of each displacement


def observer_of_moving_atoms(
    recipe: ColumnWaveRecipe,
    symbol: str,
    highest: int,
    lenses: dict[Hashable, list[Optics]],
    doses: tuple[float, ...],
    motion: float,
    structures: int,
    per_structure: int,
    draws: int = 120,
    seed: int = 9,
) -> dict[tuple, float]:
    """Return the share of columns whose number of atoms is told, by the key of a lens and the dose of all its images.

    Only one atom more or less is thought of, so that whoever thinks of all numbers is right less often.

    Parameters
    ----------
    recipe, symbol, highest, lenses, doses, structures, per_structure, seed
        As of `benchmarks.columns_hrtem.ideal_observer.ideal_observer`.
    motion
        Root mean square of the displacement of an atom of the column along each axis in Å, from motion and disorder.
    draws
        Displacements drawn of each number of atoms.
    """
    rng = np.random.default_rng(seed)
    right: dict[tuple, list[float]] = {(key, dose): [] for key in lenses for dose in doses}
    for index in range(structures):
        atoms, told = draw_structure(recipe, np.random.default_rng([seed, index]))
        real = atoms.symbols != GHOST
        middle = np.hypot(*atoms.places.T) < WITHIN
        columns = np.flatnonzero((atoms.kinds == symbol) & (atoms.heights > 0) & middle)
        spacing = told["lattice_constant"] / np.sqrt(2)
        for column in rng.choice(columns, min(per_structure, len(columns)), replace=False):
            positions = atoms.positions - [*atoms.places[column], 0] + [BOX / 2, BOX / 2, 0]
            near = real & (np.abs(positions[:, :2] - BOX / 2).max(1) < BOX / 2 - 1)
            true = int(np.clip(atoms.heights[column], 1, highest))
            numbers = [n for n in (true, true - 1, true + 1) if 0 < n <= highest]
            waves = [
                _waves(*with_height(atoms, positions, near, column, n, spacing), motion, draws, rng) for n in numbers
            ]
            for key, series in lenses.items():
                seen = [np.stack([_series(wave, series) for wave in own]) for own in waves]
                light = np.sqrt(np.mean(seen[0], axis=0))
                for dose in doses:
                    scale = np.sqrt(dose / len(series)) * BOX / seen[0].shape[-1] / light
                    right[key, dose].append(told_right_of_draws([one * scale for one in seen], rng))
    return {key: float(np.mean(values)) for key, values in right.items()}


def told_right_of_draws(hypotheses: list[np.ndarray], rng: np.random.Generator) -> float:
    """Share of noisy draws from the first of some distributions that are told for its own.

    Half of the draws tell means and covariances of their principal components, by which the others, with white noise of
    one added, are told.

    Parameters
    ----------
    hypotheses
        Draws of each without noise, shape (draws, ...).
    rng
        Random generator.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarks.columns_hrtem.moving_atoms import told_right_of_draws
    >>> far = [np.zeros((40, 3)), np.full((40, 3), 50.0)]
    >>> told_right_of_draws(far, np.random.default_rng(0))
    1.0
    """
    flat = [one.reshape(len(one), -1) for one in hypotheses]
    halves = [np.array_split(rng.permutation(len(one)), 2) for one in flat]
    share = []
    for turn in (0, 1):
        known = [one[half[turn]] for one, half in zip(flat, halves, strict=True)]
        middle = np.concatenate(known).mean(0)
        axes = np.linalg.svd(np.concatenate(known) - middle, full_matrices=False)[2][:_KEPT]
        projected = [(one - middle) @ axes.T for one in known]
        own = [np.cov(one.T).reshape(len(axes), -1) for one in projected]
        # covariances of few draws are drawn halfway to that of all
        spreads = [np.eye(len(axes)) + (one + np.mean(own, axis=0)) / 2 for one in own]
        tried = np.repeat((flat[0][halves[0][1 - turn]] - middle) @ axes.T, _NOISY, axis=0)
        tried = tried + rng.normal(size=tried.shape)
        likelihood = [
            -np.einsum("na,na->n", tried - one.mean(0), np.linalg.solve(spread, (tried - one.mean(0)).T).T) / 2
            - np.linalg.slogdet(spread)[1] / 2
            for one, spread in zip(projected, spreads, strict=True)
        ]
        share.append((np.argmax(likelihood, 0) == 0).mean())
    return float(np.mean(share))


def _waves(symbols, placed, motion: float, draws: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Exit waves of a column, and what is about it, whose atoms were displaced."""
    own = np.flatnonzero(np.hypot(*(placed[:, :2] - BOX / 2).T) < 0.8)
    waves = []
    for _ in range(draws):
        moved = placed.copy()
        moved[own] += rng.normal(scale=motion, size=(len(own), 3))
        waves.append(simulate_exit_wave(symbols, moved, BOX, sampling=0.14, slice_thickness=2.0, pixels=_PIXELS))
    return waves


def _series(wave: np.ndarray, lens: list[Optics]) -> np.ndarray:
    """Images about the column, shape (images, pixels, pixels)."""
    return np.stack([image_intensity(wave, BOX, one)[::2, ::2] for one in lens])
