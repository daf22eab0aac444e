"""Gold particles along <110> with surface sites that may hold a column or not, and their exit waves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.core.files import replacing
from particlespy_ml.simulation.waves.exit_wave import simulate_exit_wave

A = 4.08  # Å
EDGE, PIXELS, SAMPLING = 44.0, 176, 0.2  # Å, pixels and Å of the waves and of the potential
APART = 6.0  # Å between sites whose changes of the wave are added
NEIGHBOURS = 3.2  # Å in projection
_FRAME = np.array([(0, 0, 1), (1, -1, 0), (1, 1, 0)], float)
FRAME = _FRAME / np.linalg.norm(_FRAME, axis=1, keepdims=True)


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


def draw_particle(seed: int) -> tuple[np.ndarray, list[np.ndarray], list[tuple[int, ...]], list[str]]:
    """Return the atoms that stay, those of each changing site, groups of sites and what each is; in Å from the middle.

    Truncated octahedra with random facets. Changing sites are columns of the rim, whose atoms are taken from the
    particle, and places beside it, which hold 1 to 4 atoms when they are full.
    """
    rng = np.random.default_rng([seed, 22])
    count = 9
    cells = np.stack(np.meshgrid(*[np.arange(-count, count + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    crystal = A * ((cells + basis).reshape(-1, 3) + rng.random(3))
    width = rng.uniform(22, 28)
    inside = np.ones(len(crystal), bool)
    for normal in product((1, -1), repeat=3):
        inside &= crystal @ np.array(normal) / np.sqrt(3) <= 0.47 * width * rng.uniform(0.9, 1.1)
    for axis, sign in product(range(3), (1, -1)):
        inside &= sign * crystal[:, axis] <= 0.5 * width * rng.uniform(0.95, 1.15)
    points = crystal @ FRAME.T
    inside &= np.abs(points[:, 2]) <= rng.uniform(9, 12)
    columns = _columns(points[np.hypot(*points[:, :2].T) < 0.5 * EDGE - 2])
    filled = np.array([inside_of(points[inside], place) for place in columns])
    tree = cKDTree(columns)
    around = np.array([filled[near].astype(bool).sum() for near in tree.query_ball_point(columns, NEIGHBOURS)])
    rim = np.flatnonzero((filled > 1) & (filled <= 5) & (around <= 5))
    beside = np.flatnonzero((filled == 0) & (around >= 2))
    atoms, wanted, taken = points[inside], {}, []
    groups, kinds, sites = [], [], []

    def add(chosen, kind):
        groups.append(tuple(range(len(sites), len(sites) + len(chosen))))
        kinds.append(kind)
        sites.extend(chosen)
        taken.extend(columns[c] for c in chosen)

    def free(*chosen):
        return all(np.hypot(*(columns[c] - other)) > APART for c in chosen for other in taken)

    for kind in ("exchanging", "independent"):
        for one, other in rng.permutation(cKDTree(columns[beside]).query_pairs(NEIGHBOURS, output_type="ndarray")):
            if free(beside[one], beside[other]):
                height = int(rng.integers(2, 4))
                wanted[beside[one]] = wanted[beside[other]] = height
                add((beside[one], beside[other]), kind)
                break
    for site in rng.permutation(np.concatenate([rim, beside])):
        if free(site):
            wanted[site] = int(filled[site] or rng.choice([1, 2, 3, 4], p=[0.1, 0.3, 0.3, 0.3]))
            add((site,), "alone")
    own = []
    for site in sites:
        along = np.sort(points[np.hypot(*(points[:, :2] - columns[site]).T) < 0.3][:, 2])
        if filled[site]:
            along = atoms[np.hypot(*(atoms[:, :2] - columns[site]).T) < 0.3][:, 2]
            atoms = atoms[np.hypot(*(atoms[:, :2] - columns[site]).T) >= 0.3]
        else:
            along = along[np.argsort(np.abs(along), kind="stable")[: wanted[site]]]
        own.append(np.column_stack([np.tile(columns[site], (len(along), 1)), along]))
    atoms = atoms + rng.normal(scale=0.05, size=atoms.shape)
    # slices lie from the first to the last atom, which have to be the same in all configurations
    along = np.concatenate(own)[:, 2]
    if along.min() < atoms[:, 2].min() or along.max() > atoms[:, 2].max():
        raise RuntimeError(f"Changing sites of particle {seed} reach beyond it along the beam; take another seed.")
    return atoms, own, groups, kinds


def inside_of(atoms: np.ndarray, place: np.ndarray) -> int:
    """Number of atoms at a place in projection."""
    return int((np.hypot(*(atoms[:, :2] - place).T) < 0.3).sum())


def _columns(points: np.ndarray) -> np.ndarray:
    rounded = np.unique(np.round(points[:, :2], 3), axis=0)
    kept: list[np.ndarray] = []
    for place in rounded:
        if not kept or np.hypot(*(np.array(kept) - place).T).min() > 0.3:
            kept.append(place)
    return np.array(kept)


def multislice(parts: list[np.ndarray]) -> np.ndarray:
    """Exit wave of atoms given from the middle of the field in Å."""
    atoms = np.concatenate(parts) + [EDGE / 2, EDGE / 2, 0]
    return simulate_exit_wave(["Au"] * len(atoms), atoms, EDGE, sampling=SAMPLING, slice_thickness=2.5, pixels=PIXELS)


def changing_particle(seed: int, folder: str | Path) -> ChangingParticle:
    """Return a particle with its exit waves, which are simulated where the folder lacks them."""
    atoms, own, groups, kinds = draw_particle(seed)
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
    stable = _stable(atoms)
    heights = np.array([inside_near(atoms, place) for place in stable])
    changes = [waves[start:end] for start, end in zip(ends[:-1], ends[1:], strict=True)]
    return ChangingParticle(
        waves[0], changes, groups, kinds, places, np.array([len(one) for one in own]), stable + EDGE / 2, heights
    )


def _stable(atoms: np.ndarray) -> np.ndarray:
    """Places of the columns of atoms that are a little displaced."""
    from particlespy_ml.simulation.atoms.projected import project

    return project(np.full(len(atoms), "Au"), atoms, tolerance=0.8).places


def inside_near(atoms: np.ndarray, place: np.ndarray) -> int:
    """Number of displaced atoms at a place in projection."""
    return int((np.hypot(*(atoms[:, :2] - place).T) < 0.8).sum())


def additivity(seed: int, folder: str | Path, count: int = 3) -> list[tuple[int, float]]:
    """Compare sums of changes with full multislice of some configurations.

    Returns
    -------
    list of (number of full sites, error of the wave over the change of the wave, both rms)
    """
    particle = changing_particle(seed, folder)
    atoms, own, groups, _ = draw_particle(seed)
    rng = np.random.default_rng([seed, 23])
    found = []
    for _ in range(count):
        states = rng.random(len(own)) < 0.5
        full = multislice([atoms, *(one for one, on in zip(own, states, strict=True) if on)])
        error, change = full - particle.exit_wave(states), full - particle.wave
        found.append((int(states.sum()), float(np.sqrt((np.abs(error) ** 2).sum() / (np.abs(change) ** 2).sum()))))
    return found
