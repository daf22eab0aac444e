"""Supports of oxide crystals as microscopes meet them: flakes with edges, steps and grains, and small crystals."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.crystals.crystal import Crystal
from particlespy_ml.simulation.atoms.support_slabs import support_crystal

# Lattice constants in Å at room temperature, rounded, and the places u of oxygen.
SPINEL = (8.09, 0.262)  # a and u of MgAl2O4: S. A. T. Redfern et al., Am. Mineral. 84, 299 (1999)
ZINCITE = (3.2495, 5.2069, 0.3825)  # a, c and u: S. C. Abrahams, J. L. Bernstein, Acta Cryst. B 25, 1233 (1969)
TITANATE = 3.905  # a of SrTiO3 in Å: Y. A. Abramov et al., Acta Cryst. B 51, 942 (1995)
# a, c, z of aluminium, x of oxygen: J. Lewis, D. Schwarzenbach, H. D. Flack, Acta Cryst. A 38, 733 (1982)
CORUNDUM = (4.757, 12.988, 0.3522, 0.3063)
CUPRITE = 4.2696  # a of Cu2O in Å: A. Kirfel and K. Eichhorn, Acta Cryst. A 46, 271 (1990)
_ZONE_AXES = ((0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))
_METALS = tuple("Mg Al Si Ti V Mn Fe Co Ni Cu Zn Sr Y Zr Nb Ba La Ce W".split())
_STRETCH = 0.12  # largest relative change of each axis of a crystal that does not exist
_CLEARANCE = 1.6  # Å, atoms of a later flake nearer than this to an earlier one make room


def flakes(
    material: str, edge: float, thickness: tuple[float, float], rng: np.random.Generator, changed: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return flakes of an oxide over a part of a periodic field, all of them on the plane z = 0.

    One to three flakes with straight edges, up to three steps on each of their faces, along a zone axis (half of them,
    up to 3 degrees off) or in any orientation; besides, up to four crystals of 1 to 5 nm. Where two meet there is a
    grain boundary.

    Parameters
    ----------
    material
        "SrTiO3", "MgAl2O4", "ZnO", "Al2O3" (corundum), "Cu2O", or what `support_crystal` knows, such as "CeO2",
        "TiO2-anatase" and "c-ZrO2".
    edge
        Edge of the field in Å.
    thickness
        Range of the thickness of the flakes in Å.
    rng
        Random generator.
    changed
        Of a crystal that does not exist: see `changed_crystal`.

    Returns
    -------
    symbols, positions
        Shape (n,) and (n, 3), in Å.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.atoms.crystal_supports import flakes
    >>> symbols, positions = flakes("MgO", 50.0, (8.0, 12.0), np.random.default_rng(0))
    >>> sorted(set(symbols.tolist())), bool(positions[:, 2].min() >= 0)
    (['Mg', 'O'], True)
    """
    crystal = changed_crystal(oxide(material), rng) if changed else oxide(material)
    sizes = list(rng.uniform(0.25, 0.62, rng.choice((1, 2, 3), p=(0.55, 0.3, 0.15))) * edge)
    sizes += list(np.exp(rng.uniform(np.log(5.0), np.log(25.0), rng.integers(0, 5))))
    symbols, positions = [], []
    for number, radius in enumerate(sizes):
        height = rng.uniform(*thickness) if number < 3 and radius > 25 else radius * rng.uniform(0.7, 1.8)
        own, points = _flake(crystal, min(radius, 0.49 * edge), height, rng)
        points[:, :2] += rng.random(2) * edge
        if positions:
            kept = ~_near(points, np.concatenate(positions), edge)
            own, points = own[kept], points[kept]
        symbols.append(own)
        positions.append(points)
    return np.concatenate(symbols), np.concatenate(positions)


def changed_crystal(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """Return a crystal like another one that does not exist: other lengths of its axes, other metals.

    What a network learns from crystals like these is no list of materials.

    Parameters
    ----------
    crystal
        An oxide.
    rng
        Random generator.

    References
    ----------
    J. Tobin et al., Proc. IROS 2017, 23, of training on simulations that are varied beyond what is real.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.atoms.crystal_supports import changed_crystal, oxide
    >>> changed = changed_crystal(oxide("MgO"), np.random.default_rng(0))
    >>> len(changed.symbols), "Mg" in changed.symbols
    (8, False)
    """
    metals = sorted(set(crystal.symbols) - {"O"})
    others = dict(zip(metals, rng.choice(_METALS, len(metals), replace=False).tolist(), strict=True))
    cell = crystal.cell * (1 + _STRETCH * rng.uniform(-1, 1, 3))[:, None]
    symbols = [others.get(symbol, symbol) for symbol in crystal.symbols]
    return Crystal(f"changed {crystal.name}", cell, symbols, crystal.places)


def _flake(crystal: Crystal, radius: float, height: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A flake about the origin with its lower side near z = 0: polygon of a radius, with steps above and below."""
    symbols, points = _block(crystal, np.hypot(radius, height / 2), _orientation(crystal, rng), rng)
    points[:, 2] += height / 2
    inside = np.abs(points[:, :2]).max(1) < radius
    for _ in range(rng.integers(3, 8)):
        angle = rng.uniform(0, 2 * np.pi)
        inside &= points[:, :2] @ (np.cos(angle), np.sin(angle)) < radius * rng.uniform(0.45, 1.0)
    low, high = np.zeros(len(points)), np.full(len(points), height)
    for surface, sign in ((low, 1), (high, -1)):
        for _ in range(rng.integers(0, 4)):
            angle = rng.uniform(0, 2 * np.pi)
            beyond = points[:, :2] @ (np.cos(angle), np.sin(angle)) > radius * rng.uniform(-0.5, 0.8)
            surface[beyond] += sign * rng.uniform(2.0, 0.3 * height + 2.0)
    inside &= (points[:, 2] >= low) & (points[:, 2] <= high)
    return symbols[inside], points[inside]


def _orientation(crystal: Crystal, rng: np.random.Generator) -> Rotation:
    """Rotation of the crystal: a zone axis along z within 3 degrees, or any."""
    if rng.random() < 0.5:
        return Rotation.random(rng=rng)
    axis = np.array(_ZONE_AXES[rng.integers(len(_ZONE_AXES))]) @ crystal.cell
    onto, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [axis / np.linalg.norm(axis)])
    tilt = Rotation.from_rotvec([*(np.radians(3.0) * rng.uniform(-1, 1, 2) / np.sqrt(2)), 0.0])
    return tilt * Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)) * onto


def _block(crystal: Crystal, radius: float, turn: Rotation, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Atoms within a box about a random point that holds a sphere of a radius, turned."""
    heights = 1 / np.linalg.norm(np.linalg.inv(crystal.cell), axis=0)
    spans = [np.arange(-n, n + 1) for n in np.ceil(radius * np.sqrt(2) / heights).astype(int) + 1]
    cells = np.stack(np.meshgrid(*spans, indexing="ij"), -1).reshape(-1, 1, 3)
    points = ((cells + np.array(crystal.places) + rng.random(3)).reshape(-1, 3)) @ crystal.cell
    within = (points**2).sum(1) <= 2 * radius**2
    return np.tile(np.array(crystal.symbols), len(cells))[within], turn.apply(points[within])


def _near(points: np.ndarray, others: np.ndarray, edge: float) -> np.ndarray:
    """Whether points are nearer to others than the clearance; the field is periodic along x and y."""
    low = min(points[:, 2].min(initial=0), others[:, 2].min(initial=0)) - 1
    box = [edge, edge, 2e3]
    own, other = (np.column_stack([p[:, :2] % edge % edge, p[:, 2] - low]) for p in (points, others))
    distance, _ = cKDTree(other, boxsize=box).query(own, distance_upper_bound=_CLEARANCE)
    return np.isfinite(distance)


@lru_cache(maxsize=16)
def oxide(material: str) -> Crystal:
    """Return the crystal of an oxide.

    Parameters
    ----------
    material
        As of `flakes`.

    Raises
    ------
    ValueError
        If the material is unknown.
    """
    from ase.spacegroup import crystal

    if material == "SrTiO3":
        places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
        atoms = crystal(("Sr", "Ti", "O"), places, spacegroup=221, cellpar=[TITANATE] * 3 + [90] * 3)
    elif material == "MgAl2O4":
        a, u = SPINEL
        places = [(0.125, 0.125, 0.125), (0.5, 0.5, 0.5), (u, u, u)]
        atoms = crystal(("Mg", "Al", "O"), places, spacegroup=227, setting=2, cellpar=[a] * 3 + [90] * 3)
    elif material == "Al2O3":
        a, c, z, x = CORUNDUM
        atoms = crystal(("Al", "O"), [(0, 0, z), (x, 0, 0.25)], spacegroup=167, cellpar=[a, a, c, 90, 90, 120])
    elif material == "Cu2O":
        places = [(0.25, 0.25, 0.25), (0, 0, 0)]
        atoms = crystal(("Cu", "O"), places, spacegroup=224, cellpar=[CUPRITE] * 3 + [90] * 3)
    elif material == "ZnO":
        a, c, u = ZINCITE
        places = [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, u)]
        atoms = crystal(("Zn", "O"), places, spacegroup=186, cellpar=[a, a, c, 90, 90, 120])
    else:
        return support_crystal(material)
    return Crystal.from_atoms(atoms, material)
