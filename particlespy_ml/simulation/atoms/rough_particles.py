"""Rough fcc particles on a zone axis: facets, steps, vacancies, twins and atoms off the lattice."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.projected import Projected, project

# x, y and the direction of the beam in the crystal
FRAMES = {
    "<110>": ((0, 0, 1), (1, -1, 0), (1, 1, 0)),
    "<001>": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "<111>": ((1, -1, 0), (1, 1, -2), (1, 1, 1)),
}
_TWIN = np.array([1.0, -1.0, 1.0]) / np.sqrt(3)  # a {111} plane that holds the beam along <110>
_FACETS = {"111": (1, 1, 1), "100": (1, 0, 0), "110": (1, 1, 0)}


def rough_particle(
    symbol: str,
    lattice_constant: float,
    zone_axis: str,
    width: float,
    thickness: float,
    rng: np.random.Generator,
    *,
    roughness: float = 0.5,
    vacancies: float = 0.01,
    twin: bool = False,
) -> Projected:
    """Return a particle with a zone axis along the beam.

    Random planes of low indices cut it out of the crystal; atoms are then taken from its surface and added to it one by
    one, with probabilities that grow with exp(±N / T) of their number N of neighbours, T falling from 10 to 2.

    Parameters
    ----------
    symbol
        An fcc element.
    lattice_constant
        In Å.
    zone_axis
        "<110>", "<001>" or "<111>".
    width, thickness
        About the extent of the particle across and along the beam in Å.
    rng
        Random generator.
    roughness
        Number of atoms taken and added, relative to that of the surface.
    vacancies
        Share of the atoms that are missing.
    twin
        Whether there is a twin plane along the beam, for "<110>" alone.

    Returns
    -------
    Projected
        Atoms about the origin, with their columns.

    References
    ----------
    J. Madsen et al., Adv. Theory Simul. 1, 1800037 (2018).
    """
    points = _crystal_points(lattice_constant, 0.75 * max(width, thickness) + 2 * lattice_constant, rng)
    if twin:
        points = _twinned(points, lattice_constant, rng)
    frame = np.array(FRAMES[zone_axis], float)
    frame /= np.linalg.norm(frame, axis=1, keepdims=True)
    inside = np.ones(len(points), bool)
    for family, ratio in (("111", 1.0), ("100", rng.uniform(0.85, 1.3)), ("110", rng.uniform(0.95, 1.4))):
        for normal in _directions(_FACETS[family]):
            inside &= points @ normal <= 0.47 * width * ratio * rng.uniform(0.8, 1.15)
    along = points @ frame[2]
    low = -rng.uniform(0.3, 0.7) * thickness
    inside &= (along >= low) & (along <= low + thickness)
    inside = _roughen(points, inside, 0.85 * lattice_constant, roughness, rng)
    inside &= rng.random(len(points)) >= vacancies
    placed = points[inside] @ frame.T
    return project(np.full(len(placed), symbol), placed)


def adatoms(particle: Projected, symbol: str, count: int, rng: np.random.Generator, far: float = 10.0) -> Projected:
    """Return single atoms, a few of them two above each other, beside a particle and off its lattice.

    They are 2.2 Å to *far* from the nearest column in projection.
    """
    places = particle.places
    tree = cKDTree(places) if len(places) else None
    found, above = [], []
    for _ in range(50 * count):
        if len(found) == count:
            break
        if tree is None:
            place = rng.uniform(-far, far, 2)
        else:
            angle = rng.uniform(0, 2 * np.pi)
            place = places[rng.integers(len(places))] + rng.uniform(2.2, far) * np.array([np.cos(angle), np.sin(angle)])
            if tree.query(place)[0] < 2.2:
                continue
        if all(np.hypot(*(place - other[:2])) > 2.2 for other in found):
            found.append(np.array([*place, rng.uniform(-5, 5)]))
            above.append(1 + (rng.random() < 0.2))
    atoms = [atom + [0, 0, 2.9 * level] for atom, count in zip(found, above, strict=True) for level in range(count)]
    return project(np.full(len(atoms), symbol), np.array(atoms).reshape(-1, 3))


def _crystal_points(a: float, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Points of the fcc lattice about a random point of its cell, the middle of the particle."""
    count = int(np.ceil(radius / a)) + 1
    cells = np.stack(np.meshgrid(*[np.arange(-count, count + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    points = a * ((cells + basis).reshape(-1, 3) + rng.random(3))
    return points[np.linalg.norm(points, axis=1) <= radius]


def _twinned(points: np.ndarray, a: float, rng: np.random.Generator) -> np.ndarray:
    """Points of which those beyond a {111} plane are the mirror image of those before it."""
    spacing = a / np.sqrt(3)
    height = points @ _TWIN
    plane = height[np.argmin(np.abs(height - rng.uniform(-2.5, 2.5) * spacing))]
    below = points[height <= plane + 0.1 * spacing]
    depth = plane - below @ _TWIN
    mirrored = below[depth > 0.5 * spacing] + 2 * np.outer(depth[depth > 0.5 * spacing], _TWIN)
    return np.concatenate([below, mirrored])


def _roughen(
    points: np.ndarray, inside: np.ndarray, cutoff: float, roughness: float, rng: np.random.Generator
) -> np.ndarray:
    """Take atoms from the surface of a particle and add others, one by one."""
    pairs = cKDTree(points).query_pairs(cutoff, output_type="ndarray")
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    starts = np.searchsorted(both[:, 0], np.arange(len(points) + 1))
    inside = inside.copy()
    count = np.bincount(both[:, 0], inside[both[:, 1]], minlength=len(points)).astype(int)
    n_surface = int((inside & (count < 10)).sum())
    steps = int(roughness * rng.random() * n_surface)
    takes = rng.random(steps) < rng.uniform(0.3, 0.7)
    for step, take in enumerate(takes):
        temperature = 10 - 8 * step / max(steps - 1, 1)
        candidates = np.flatnonzero(inside & (count < 10) if take else ~inside & (count > 2))
        if not len(candidates):
            continue
        weight = np.exp((-1 if take else 1) * count[candidates] / temperature)
        chosen = candidates[np.searchsorted(np.cumsum(weight), rng.random() * weight.sum())]
        inside[chosen] = not take
        count[both[starts[chosen] : starts[chosen + 1], 1]] += -1 if take else 1
    return inside & (count > 1)


def _directions(indices: tuple[int, int, int]) -> np.ndarray:
    """Unit vectors of all directions of a family, shape (n, 3)."""
    from itertools import permutations, product

    vectors = {
        tuple(np.multiply(order, signs)) for order in permutations(indices) for signs in product((-1, 1), repeat=3)
    }
    return np.array(sorted(vectors), float) / np.linalg.norm(indices)
