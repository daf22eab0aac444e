"""A library of exit waves of particles on amorphous films, with the masks and classes of the particles."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY
from particlespy_ml.simulation.atoms.field import (
    PlacedParticle,
    draw_field,
    draw_field_on_crystals,
    particle_masks,
    place_particles,
)
from particlespy_ml.simulation.datasets.store import load_entry, simulate_entries
from particlespy_ml.simulation.settings import from_table
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

RELAXED_ATOMS = 1000
_STEPS = 12  # of relaxation
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
    crystals, held_out_crystals
        Oxides of crystalline supports, of fields to train on and of those held out, see
        `particlespy_ml.simulation.atoms.crystal_supports.flakes`.
    crystal_share
        Share of the fields whose support is such a crystal.
    crystal_thickness
        Range of their thickness in Å.
    changed_share
        Share of the crystals to train on that do not exist, see
        `particlespy_ml.simulation.atoms.crystal_supports.changed_crystal`.
    bare_share
        Share of the crystals to train on without any particles, before or behind which training puts other fields, see
        `particlespy_ml.simulation.recording.stacked`.
    large_share
        Share of the fields that hold one or two large particles.
    large_edge, large_diameters, large_sampling
        Edge of such a field, the range of the diameters and the sampling of its potential, in Å.
    varied
        Share of the fields made by other rules: potentials of Lobato and Van Dyck, slices of 1.2 to 4 Å, and particles
        of up to `RELAXED_ATOMS` atoms relaxed in part by effective medium theory.
    seed
        Seed of the library. Field *i* depends on the seed and on *i* alone.

    References
    ----------
    I. Lobato and D. Van Dyck, Acta Cryst. A 70, 636 (2014); K. W. Jacobsen, P. Stoltze and J. K. Nørskov, Surf. Sci.
    366, 394 (1996).
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
    crystals: tuple[str, ...] = ()
    held_out_crystals: tuple[str, ...] = ()
    crystal_share: float = 0.0
    crystal_thickness: tuple[float, float] = (10.0, 50.0)
    changed_share: float = 0.0
    bare_share: float = 0.0
    large_share: float = 0.0
    large_edge: float = 176.0
    large_diameters: tuple[float, float] = (60.0, 130.0)
    large_sampling: float = 0.2
    varied: float = 0.0
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
    drawn = _draw_conditions(recipe, index)
    edge, pixels = drawn["edge"], round(recipe.pixels * drawn["edge"] / recipe.edge)
    particles, support_symbols, support = _draw_atoms(recipe, drawn)
    rng = drawn.pop("rng")
    if drawn["varied"]:
        particles = [_relaxed(particle, recipe.symbol) for particle in particles]
    symbols = [*support_symbols, *[recipe.symbol] * sum(len(particle.positions) for particle in particles)]
    positions = np.concatenate([support, *(particle.positions for particle in particles)])
    thermal_rms = rng.uniform(*recipe.thermal_rms)
    wave = simulate_exit_wave(
        symbols,
        positions + rng.normal(scale=thermal_rms, size=positions.shape),
        edge,
        energy=drawn["energy"],
        sampling=drawn["sampling"],
        slice_thickness=drawn["slice_thickness"],
        parametrization="lobato" if drawn["varied"] else "kirkland",
        pixels=pixels,
    )
    parameters = {
        **{name: value for name, value in drawn.items() if name not in ("count", "diameters")},
        "thermal_rms": thermal_rms,
        "kinds": [particle.kind for particle in particles],
        "sides": [particle.side for particle in particles],
        "atoms": [len(particle.positions) for particle in particles],
        "recipe": asdict(recipe),
    }
    return {
        "wave": np.stack([wave.real, wave.imag]).astype(np.float16),
        "masks": np.packbits(particle_masks(particles, edge, pixels), axis=-1),
        "labels": np.array([particle.crystallinity for particle in particles], np.int8),
        "diameters": np.array([particle.diameter for particle in particles], np.float32),
        "parameters": json.dumps(parameters),
    }


def draw_particles(recipe: ExitWaveRecipe, index: int) -> list[PlacedParticle]:
    """Draw the particles of field *index* again, with their atoms, before any are relaxed."""
    drawn = _draw_conditions(recipe, index)
    if drawn["crystalline"]:
        return _draw_atoms(recipe, drawn)[0]
    told = (drawn[name] for name in ("edge", "count", "diameters", "thickness", "rng"))
    return place_particles(*told, recipe.symbol)


def _draw_conditions(recipe: ExitWaveRecipe, index: int) -> dict:
    """What is drawn of a field before its particles are, and the generator that draws these."""
    rng = np.random.default_rng([recipe.seed, index])
    film, energy = str(rng.choice(recipe.films)), float(rng.choice(recipe.energies))
    thickness = rng.uniform(*recipe.thickness)
    count = int(rng.integers(recipe.particles[0], recipe.particles[1] + 1))
    # drawn apart, so that the other fields of a library do not depend on these shares
    other = np.random.default_rng([recipe.seed, index, 1])
    crystalline, large, varied = other.random(3) < (recipe.crystal_share, recipe.large_share, recipe.varied)
    held_out = recipe.is_held_out(index)
    if crystalline:
        film = str(other.choice(recipe.held_out_crystals if held_out else recipe.crystals))
    sampling = recipe.held_out_sampling if held_out else recipe.sampling
    apart = np.random.default_rng([recipe.seed, index, 2])
    to_train = bool(crystalline) and not held_out
    changed, bare = (to_train and apart.random() < share for share in (recipe.changed_share, recipe.bare_share))
    if large:
        count = int(other.integers(1, 3))
    return {
        "edge": recipe.large_edge if large else recipe.edge,
        "energy": energy,
        "film": film,
        "crystalline": bool(crystalline),
        "changed": changed,
        "bare": bare,
        "thickness": thickness,
        "count": 0 if bare else count,
        "diameters": recipe.large_diameters if large else recipe.diameters,
        "sampling": recipe.large_sampling if large else sampling,
        "slice_thickness": float(other.uniform(1.2, 4.0)) if varied else recipe.slice_thickness,
        "varied": bool(varied),
        "rng": rng,
    }


def _draw_atoms(recipe: ExitWaveRecipe, drawn: dict) -> tuple[list[PlacedParticle], np.ndarray, np.ndarray]:
    """Particles, and symbols and positions of the support."""
    edge, count, diameters, film, rng = (drawn[name] for name in ("edge", "count", "diameters", "film", "rng"))
    if drawn["crystalline"]:
        told = (edge, count, diameters, film, recipe.crystal_thickness, rng, recipe.symbol)
        return draw_field_on_crystals(*told, changed=drawn["changed"])
    particles, support = draw_field(edge, count, diameters, film, drawn["thickness"], rng, recipe.symbol)
    return particles, np.full(len(support), film), support


def _relaxed(particle: PlacedParticle, symbol: str) -> PlacedParticle:
    """A particle after some steps towards its energy's minimum, where it is small and its metal is known."""
    from ase import Atoms
    from ase.calculators.emt import EMT, parameters
    from ase.optimize import FIRE

    if symbol not in parameters or len(particle.positions) > RELAXED_ATOMS:
        return particle
    atoms = Atoms([symbol] * len(particle.positions), positions=particle.positions, calculator=EMT())
    FIRE(atoms, logfile=None, maxstep=0.1).run(fmax=0.1, steps=_STEPS)
    return replace(particle, positions=atoms.positions)


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
