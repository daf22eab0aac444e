"""Gold particles along <110> whose surface sites may hold a column of atoms or not."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.projected import project

A = 4.08  # Å
APART = 6.0  # Å between sites that change on their own
NEIGHBOURS = 3.2  # Å in projection
REACH = 20.0  # Å from the middle
_FRAME = np.array([(0, 0, 1), (1, -1, 0), (1, 1, 0)], float)
FRAME = _FRAME / np.linalg.norm(_FRAME, axis=1, keepdims=True)


def changing_surface(
    seed: int, widths: tuple[float, float] = (22.0, 28.0), thicknesses: tuple[float, float] = (18.0, 24.0)
) -> tuple[np.ndarray, list[np.ndarray], list[tuple[int, ...]], list[str]]:
    """Return the atoms that stay, those of each changing site, groups of sites and what each is; in Å from the middle.

    Truncated octahedra with random facets. Changing sites are columns of the rim, whose atoms are taken from the
    particle, and places beside it, which hold 1 to 4 atoms when they are full. Groups are `APART`, so that the changes
    that they make to an exit wave add up.

    Parameters
    ----------
    seed
        Of all that is drawn.
    widths, thicknesses
        Of the particle across and along the beam in Å.

    Returns
    -------
    atoms
        Positions, shape (n, 3).
    sites
        Positions of the atoms of each changing site, shape (m, 3) each.
    groups
        Numbers of the sites of each group: one, or two neighbours.
    kinds
        "exchanging" for a pair of which one is full and the other empty, "independent" for another pair, or "alone".

    Raises
    ------
    RuntimeError
        If changing sites reach beyond the others along the beam, which happens for few seeds.
    """
    rng = np.random.default_rng([seed, 22])
    count = 9
    cells = np.stack(np.meshgrid(*[np.arange(-count, count + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    crystal = A * ((cells + basis).reshape(-1, 3) + rng.random(3))
    width = rng.uniform(*widths)
    inside = np.ones(len(crystal), bool)
    for normal in product((1, -1), repeat=3):
        inside &= crystal @ np.array(normal) / np.sqrt(3) <= 0.47 * width * rng.uniform(0.9, 1.1)
    for axis, sign in product(range(3), (1, -1)):
        inside &= sign * crystal[:, axis] <= 0.5 * width * rng.uniform(0.95, 1.15)
    points = crystal @ FRAME.T
    inside &= np.abs(points[:, 2]) <= 0.5 * rng.uniform(*thicknesses)
    columns = _columns(points[np.hypot(*points[:, :2].T) < REACH])
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


def displaced_columns(atoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of columns of slightly displaced atoms, x and y, and their numbers of atoms."""
    found = project(np.full(len(atoms), "Au"), atoms, tolerance=0.8)
    return found.places, found.heights


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
