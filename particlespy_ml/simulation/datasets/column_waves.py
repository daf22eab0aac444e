"""A library of exit waves whose columns are known, and one of exit waves of films to combine them with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.column_recipe import ColumnWaveRecipe
from particlespy_ml.simulation.atoms.column_structures import draw_structure
from particlespy_ml.simulation.atoms.packing import amorphous_film
from particlespy_ml.simulation.atoms.projected import GHOST, Projected
from particlespy_ml.simulation.datasets.store import entry_indices, load_entry, simulate_entries
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

FILMS = "films"  # folder of the films within that of a library
_CLEARANCE = 1.9  # Å, film atoms nearer than this to another atom make room


@dataclass(frozen=True)
class ColumnField:
    """An exit wave and the columns in it.

    Parameters
    ----------
    wave
        Exit wave, shape (pixels, pixels), complex64, rows along y.
    places
        x and y of each column in Å, shape (n, 2). The field is periodic.
    heights
        Number of atoms of each column, shape (n,).
    kinds
        Kind of each column, an index into the recipe's kinds, shape (n,).
    parameters
        What was simulated: ``edge`` (Å), ``energy`` (eV), ``tilt`` (degrees), ``film`` and more.
    index
        Number of the field in its library.
    """

    wave: np.ndarray
    places: np.ndarray
    heights: np.ndarray
    kinds: np.ndarray
    parameters: dict = field(repr=False)
    index: int = -1


@dataclass(frozen=True)
class Film:
    """Exit waves of a film alone.

    Parameters
    ----------
    waves
        One for each of the energies, shape (energies, pixels, pixels), complex64.
    energies
        Beam energies in eV.
    thickness, edge
        Thickness, and edge of the periodic field, in Å.
    """

    waves: np.ndarray
    energies: tuple[float, ...]
    thickness: float
    edge: float

    def wave(self, energy: float) -> np.ndarray:
        """Return the exit wave of a beam energy."""
        return self.waves[self.energies.index(energy)]


def simulate_column_field(recipe: ColumnWaveRecipe, index: int) -> dict:
    """Simulate field *index* of the library; `load_column_field` reads what is returned."""
    rng = np.random.default_rng([recipe.seed, index])
    energy = float(rng.choice(recipe.energies))
    atoms, told = draw_structure(recipe, rng)
    middle = recipe.edge / 2 + rng.uniform(-3, 3, 2)
    thermal_rms = rng.uniform(*recipe.thermal_rms)
    atoms = atoms.moved(atoms.positions + [*middle, 0] + rng.normal(scale=thermal_rms, size=atoms.positions.shape))
    held_out = recipe.is_held_out(index)
    real = atoms.symbols != GHOST
    film, symbols, positions = None, atoms.symbols[real], atoms.positions[real]
    if held_out and rng.random() < recipe.held_out_films:
        film = {"film": str(rng.choice(recipe.films)), "film_thickness": float(rng.uniform(*recipe.film_thicknesses))}
        support = _film_beside(atoms, film["film"], film["film_thickness"], recipe.edge, rng)
        symbols = np.concatenate([symbols, np.full(len(support), film["film"])])
        positions = np.concatenate([positions, support])
    sampling = recipe.held_out_sampling if held_out else recipe.sampling
    wave = simulate_exit_wave(
        symbols,
        positions,
        recipe.edge,
        energy=energy,
        sampling=sampling,
        slice_thickness=recipe.slice_thickness,
        pixels=recipe.pixels,
    )
    parameters = {"edge": recipe.edge, "energy": energy, "thermal_rms": thermal_rms, "sampling": sampling, **told}
    parameters = {**parameters, **(film or {"film": "", "film_thickness": 0.0}), "recipe": asdict(recipe)}
    return {
        "wave": _packed(wave),
        "places": atoms.places.astype(np.float32),
        "heights": atoms.heights.astype(np.int16),
        "kinds": _kind_numbers(atoms.kinds, recipe).astype(np.int8),
        "parameters": json.dumps(parameters),
    }


def simulate_film(recipe: ColumnWaveRecipe, index: int) -> dict:
    """Simulate film *index*; `load_film` reads what is returned."""
    rng = np.random.default_rng([recipe.seed, index, 1])
    symbol, thickness = str(rng.choice(recipe.films)), float(rng.uniform(*recipe.film_thicknesses))
    positions = amorphous_film(symbol, recipe.edge, thickness, rng)
    energies = sorted(set(recipe.energies))
    settings = {"sampling": recipe.sampling, "slice_thickness": recipe.slice_thickness, "pixels": recipe.pixels}
    symbols = [symbol] * len(positions)
    waves = [simulate_exit_wave(symbols, positions, recipe.edge, energy=one, **settings) for one in energies]
    parameters = {"film": symbol, "thickness": thickness, "energies": energies, "edge": recipe.edge}
    return {"waves": np.stack([_packed(wave) for wave in waves]), "parameters": json.dumps(parameters)}


def simulate_column_waves(
    folder: str | Path,
    count: int,
    recipe: ColumnWaveRecipe | None = None,
    workers: int | None = None,
    show_progressbar: bool = True,
    held_out_only: bool = False,
) -> list[Path]:
    """Make the films, and the fields 0 to *count* - 1, that the folder lacks; see `simulate_entries`.

    With *held_out_only*, only those of them that are held out.
    """
    recipe = recipe or ColumnWaveRecipe()

    def wanted(number: int) -> list[int]:
        return [index for index in range(number) if recipe.is_held_out(index) or not held_out_only]

    simulate_entries(Path(folder) / FILMS, wanted(recipe.film_count), recipe, simulate_film, workers, show_progressbar)
    return simulate_entries(folder, wanted(count), recipe, simulate_column_field, workers, show_progressbar)


def load_column_field(folder: str | Path, index: int) -> ColumnField:
    """Load a field of a library."""
    entry = load_entry(folder, index)
    return ColumnField(
        _unpacked(entry["wave"]),
        entry["places"].astype(float),
        entry["heights"].astype(int),
        entry["kinds"].astype(int),
        entry["parameters"],
        index,
    )


def load_film(folder: str | Path, index: int) -> Film:
    """Load a film of a library."""
    entry = load_entry(Path(folder) / FILMS, index)
    told = entry["parameters"]
    waves = np.stack([_unpacked(wave) for wave in entry["waves"]])
    return Film(waves, tuple(told["energies"]), told["thickness"], told["edge"])


def film_indices(folder: str | Path, recipe: ColumnWaveRecipe, held_out: bool) -> list[int]:
    """Numbers of the films that a library has, those held out or the others."""
    return [index for index in entry_indices(Path(folder) / FILMS) if recipe.is_held_out(index) == held_out]


def _film_beside(atoms: Projected, symbol: str, thickness: float, edge: float, rng) -> np.ndarray:
    """Positions of a film before or behind the atoms, shape (n, 3), with room for them where they touch."""
    film = amorphous_film(symbol, edge, thickness, rng)
    low, high = atoms.positions[:, 2].min(), atoms.positions[:, 2].max()
    depth = rng.uniform(-1.5, 1.5)  # Å by which the particle sinks in, or stands off
    film[:, 2] += (high - depth) if rng.random() < 0.5 else (low + depth - thickness)
    distance, _ = cKDTree(atoms.positions).query(film, distance_upper_bound=_CLEARANCE)
    return film[~np.isfinite(distance)]


def _kind_numbers(kinds: np.ndarray, recipe: ColumnWaveRecipe) -> np.ndarray:
    """Kinds as indices into those of the recipe; where the recipe has one alone, all are of it."""
    if len(recipe.kinds) == 1:
        return np.zeros(len(kinds), int)
    return np.array([recipe.kinds.index(kind) for kind in kinds], int)


def _packed(wave: np.ndarray) -> np.ndarray:
    return np.stack([wave.real, wave.imag]).astype(np.float16)


def _unpacked(wave: np.ndarray) -> np.ndarray:
    parts = wave.astype(np.float32)
    return (parts[0] + 1j * parts[1]).astype(np.complex64)
