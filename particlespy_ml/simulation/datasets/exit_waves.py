"""A library of exit waves of particles on amorphous films, with the masks and classes of the particles."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.atoms.field import PlacedParticle, draw_field, particle_masks, place_particles
from particlespy_ml.simulation.datasets.store import load_entry, simulate_entries
from particlespy_ml.simulation.settings import from_table
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

OUTLINE_DEPTH = 1.0  # Å: a particle is seen to its outermost atoms and little beyond, not to the end of their radii


@dataclass(frozen=True)
class ExitWaveRecipe:
    """What is drawn for each field of the library. Ranges are (low, high); one draw each, uniform.

    Parameters
    ----------
    symbol
        An fcc element.
    edge
        Edge of the periodic field in Å.
    pixels
        Pixels along each edge of the waves and masks kept.
    diameters
        Range of the particles' diameters in Å, drawn uniformly in its logarithm.
    particles
        Range of the number of particles wanted; the field may have room for fewer.
    films
        Materials of the film, "C" or "Si", one of which is chosen.
    thickness
        Range of the thickness of the film in Å.
    energies
        Beam energies in eV, one of which is chosen.
    thermal_rms
        Range of the thermal displacement along each axis in Å. An exit wave has one configuration.
    sampling
        Sampling of the potential in Å.
    slice_thickness
        Thickness of the slices of the multislice calculation in Å.
    held_out_every
        One in so many fields is held out for validation and test, never for training.
    held_out_sampling
        Sampling of the potential in fields held out in Å.
    seed
        Seed of the library. Field *i* depends on the seed and on *i* alone.
    """

    symbol: str = "Au"
    edge: float = 120.0
    pixels: int = 270
    diameters: tuple[float, float] = (10.0, 60.0)
    particles: tuple[int, int] = (1, 11)
    films: tuple[str, ...] = ("C", "Si")
    thickness: tuple[float, float] = (10.0, 30.0)
    energies: tuple[float, ...] = (300e3, 300e3, 300e3, 200e3, 80e3)
    thermal_rms: tuple[float, float] = (0.05, 0.10)
    sampling: float = 0.15
    slice_thickness: float = 2.5
    held_out_every: int = 5
    held_out_sampling: float = 0.125
    seed: int = 2027

    @classmethod
    def from_dict(cls, values: dict) -> ExitWaveRecipe:
        """Make a recipe from a mapping such as the ``[simulation]`` table of a recipe file."""
        return from_table(cls, values, "simulation")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of particles."""
        return CRYSTALLINITY

    def is_held_out(self, index: int) -> bool:
        """Whether field *index* is kept from training."""
        return index % self.held_out_every == self.held_out_every - 1


@dataclass(frozen=True)
class Field:
    """An exit wave and what is in it.

    Parameters
    ----------
    wave
        Exit wave, shape (pixels, pixels), complex64.
    masks
        Area that each particle covers, shape (n, pixels, pixels), bool.
    labels
        Class of each particle, shape (n,).
    kinds
        Kind of each particle, such as "twin".
    diameters
        Diameter of each particle in Å.
    parameters
        What was simulated: ``edge`` (Å), ``energy`` (eV), ``film``, ``thickness`` (Å) and more.
    index
        Number of the field in its library.
    """

    wave: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    kinds: tuple[str, ...]
    diameters: np.ndarray
    parameters: dict
    index: int = -1

    @cached_property
    def label_map(self) -> np.ndarray:
        """Number of the particle plus one at each pixel, 0 for none; the smaller one where two overlap."""
        return _label_map(self.masks)

    @cached_property
    def outline_map(self) -> np.ndarray:
        """The same within the outlines that are seen: those of the masks less `OUTLINE_DEPTH`."""
        depth = OUTLINE_DEPTH / self.parameters["edge"] * len(self.wave)
        rim = int(np.ceil(depth)) + 1
        inner = np.empty_like(self.masks)
        for own, mask in zip(inner, self.masks, strict=True):
            distance = ndi.distance_transform_edt(np.pad(mask, rim, mode="wrap"))
            own[:] = distance[rim:-rim, rim:-rim] > depth
        return _label_map(inner)


def _label_map(masks: np.ndarray) -> np.ndarray:
    labels = np.zeros(masks.shape[1:], np.int16)
    for number in np.argsort(-masks.sum((1, 2)), kind="stable"):
        labels[masks[number]] = number + 1
    return labels


def simulate_field(recipe: ExitWaveRecipe, index: int) -> dict:
    """Simulate field *index* of the library.

    Returns
    -------
    dict
        ``wave`` (2, pixels, pixels) float16, real and imaginary part; ``masks``, packed bits; ``labels`` and
        ``diameters`` of the particles; ``parameters`` (JSON). `load_field` reads it.
    """
    rng = np.random.default_rng([recipe.seed, index])
    drawn = _draw_conditions(recipe, rng)
    film, energy = drawn["film"], drawn["energy"]
    particles, support = draw_field(
        recipe.edge, drawn["count"], recipe.diameters, film, drawn["thickness"], rng, recipe.symbol
    )
    symbols = [film] * len(support) + [recipe.symbol] * sum(len(particle.positions) for particle in particles)
    positions = np.concatenate([support, *(particle.positions for particle in particles)])
    thermal_rms = rng.uniform(*recipe.thermal_rms)
    sampling = recipe.held_out_sampling if recipe.is_held_out(index) else recipe.sampling
    wave = simulate_exit_wave(
        symbols,
        positions + rng.normal(scale=thermal_rms, size=positions.shape),
        recipe.edge,
        energy=energy,
        sampling=sampling,
        slice_thickness=recipe.slice_thickness,
        pixels=recipe.pixels,
    )
    parameters = {
        "edge": recipe.edge,
        "energy": energy,
        "film": film,
        "thickness": drawn["thickness"],
        "thermal_rms": thermal_rms,
        "sampling": sampling,
        "kinds": [particle.kind for particle in particles],
        "sides": [particle.side for particle in particles],
        "atoms": [len(particle.positions) for particle in particles],
        "recipe": asdict(recipe),
    }
    return {
        "wave": np.stack([wave.real, wave.imag]).astype(np.float16),
        "masks": np.packbits(particle_masks(particles, recipe.edge, recipe.pixels), axis=-1),
        "labels": np.array([particle.crystallinity for particle in particles], np.int8),
        "diameters": np.array([particle.diameter for particle in particles], np.float32),
        "parameters": json.dumps(parameters),
    }


def draw_particles(recipe: ExitWaveRecipe, index: int) -> list[PlacedParticle]:
    """Draw the particles of field *index* again, with their atoms."""
    rng = np.random.default_rng([recipe.seed, index])
    drawn = _draw_conditions(recipe, rng)
    return place_particles(recipe.edge, drawn["count"], recipe.diameters, drawn["thickness"], rng, recipe.symbol)


def _draw_conditions(recipe: ExitWaveRecipe, rng: np.random.Generator) -> dict:
    """What is drawn of a field before its particles are."""
    film, energy = str(rng.choice(recipe.films)), float(rng.choice(recipe.energies))
    thickness = rng.uniform(*recipe.thickness)
    count = int(rng.integers(recipe.particles[0], recipe.particles[1] + 1))
    return {"film": film, "energy": energy, "thickness": thickness, "count": count}


def simulate_exit_waves(
    folder: str | Path,
    count: int,
    recipe: ExitWaveRecipe | None = None,
    workers: int | None = None,
    show_progressbar: bool = True,
    held_out_only: bool = False,
) -> list[Path]:
    """Make the fields 0 to *count* - 1 that the folder lacks; see `simulate_entries`.

    With *held_out_only*, only those of them that are held out.
    """
    recipe = recipe or ExitWaveRecipe()
    wanted = [index for index in range(count) if recipe.is_held_out(index) or not held_out_only]
    return simulate_entries(folder, wanted, recipe, simulate_field, workers, show_progressbar)


def load_field(folder: str | Path, index: int) -> Field:
    """Load a field of a library."""
    entry = load_entry(folder, index)
    wave = entry["wave"].astype(np.float32)
    pixels = wave.shape[-1]
    return Field(
        (wave[0] + 1j * wave[1]).astype(np.complex64),
        np.unpackbits(entry["masks"], axis=-1, count=pixels).astype(bool),
        entry["labels"].astype(int),
        tuple(entry["parameters"]["kinds"]),
        entry["diameters"],
        entry["parameters"],
        index,
    )
