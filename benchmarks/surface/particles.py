"""Gold particles along <110> with surface sites that may hold a column or not, and their exit waves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.simulation.atoms.changing_surface import changing_surface, displaced_columns
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

EDGE, PIXELS, SAMPLING = 44.0, 176, 0.2  # Å, pixels and Å of the waves and of the potential


@dataclass(frozen=True)
class ChangingParticle:
    """A particle whose surface sites may be full or empty.

    Parameters
    ----------
    wave
        Exit wave with all of the changing sites empty, shape (pixels, pixels).
    changes
        Of each group of sites, how the wave changes where its sites are full: for a site alone shape (1, pixels,
        pixels), for a pair the first full, the second, and both, shape (3, pixels, pixels).
    groups
        Numbers of the sites of each group.
    pairs
        What each group is: "alone", "exchanging" or "independent".
    places, heights
        Of the changing sites, x and y in Å and number of atoms, shapes (n, 2) and (n,).
    stable, stable_heights
        Of the other columns.
    """

    wave: np.ndarray
    changes: list[np.ndarray]
    groups: list[tuple[int, ...]]
    pairs: list[str]
    places: np.ndarray
    heights: np.ndarray
    stable: np.ndarray
    stable_heights: np.ndarray

    def exit_wave(self, states: np.ndarray) -> np.ndarray:
        """Return the wave where some sites are full, shape (n,) of zeros and ones: changes of groups add up."""
        wave = self.wave.copy()
        for group, change in zip(self.groups, self.changes, strict=True):
            code = sum(int(states[site]) << bit for bit, site in enumerate(group))
            if code:
                wave += change[code - 1]
        return wave


def multislice(parts: list[np.ndarray]) -> np.ndarray:
    """Exit wave of atoms given from the middle of the field in Å."""
    atoms = np.concatenate(parts) + [EDGE / 2, EDGE / 2, 0]
    return simulate_exit_wave(["Au"] * len(atoms), atoms, EDGE, sampling=SAMPLING, slice_thickness=2.5, pixels=PIXELS)


def changing_particle(seed: int, folder: str | Path) -> ChangingParticle:
    """Return a particle with its exit waves, which are simulated where the folder lacks them."""
    atoms, own, groups, kinds = changing_surface(seed)
    path = Path(folder) / f"waves_{seed}.npz"
    if not path.exists():
        base = multislice([atoms])
        waves = [base]
        for group in groups:
            for code in range(1, 2 ** len(group)):
                full = [own[site] for bit, site in enumerate(group) if code >> bit & 1]
                waves.append(multislice([atoms, *full]) - base)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside, open(beside, "wb") as file:
            np.savez(file, waves=np.array(waves, np.complex64))
    waves = np.load(path)["waves"]
    ends = np.cumsum([1, *(2 ** len(group) - 1 for group in groups)])
    places = np.array([one[0, :2] for one in own]) + EDGE / 2
    stable, heights = displaced_columns(atoms)
    changes = [waves[start:end] for start, end in zip(ends[:-1], ends[1:], strict=True)]
    return ChangingParticle(
        waves[0], changes, groups, kinds, places, np.array([len(one) for one in own]), stable + EDGE / 2, heights
    )


def additivity(seed: int, folder: str | Path, count: int = 3) -> list[tuple[int, float]]:
    """Compare sums of changes with full multislice of some configurations.

    Returns
    -------
    list of (number of full sites, error of the wave over the change of the wave, both rms)
    """
    particle = changing_particle(seed, folder)
    atoms, own, groups, _ = changing_surface(seed)
    rng = np.random.default_rng([seed, 23])
    found = []
    for _ in range(count):
        states = rng.random(len(own)) < 0.5
        full = multislice([atoms, *(one for one, on in zip(own, states, strict=True) if on)])
        error, change = full - particle.exit_wave(states), full - particle.wave
        found.append((int(states.sum()), float(np.sqrt((np.abs(error) ** 2).sum() / (np.abs(change) ** 2).sum()))))
    return found
