"""Atomic models of metal nanoparticles, as ASE atoms."""

from __future__ import annotations

from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.simulation.atoms.neighbours import identify_isomer

if TYPE_CHECKING:
    from ase import Atoms

ISOMERS = ("icosahedron", "decahedron", "cuboctahedron", "amorphous")


def lattice_constant(symbol: str) -> float:
    """Return the lattice constant of an fcc element in Å (from ASE).

    Raises
    ------
    ValueError
        If the element is not fcc in its reference state.
    """
    from ase.data import atomic_numbers, reference_states

    if symbol not in atomic_numbers:
        raise ValueError(f"{symbol!r} is no chemical element.")
    state = reference_states[atomic_numbers[symbol]]
    if not state or state["symmetry"] != "fcc":
        raise ValueError(f"{symbol!r} is not an fcc element; expected one such as Au, Ag, Cu, Pd or Pt.")
    return state["a"]


_ASE_LOCK = RLock()  # ASE's makers of clusters keep what they work on in themselves, and are none for threads


@lru_cache
def _families() -> dict[str, list[tuple[int, tuple]]]:
    """Atom counts and ASE arguments of the closed-shell members of each family."""
    from ase.cluster import Decahedron, Icosahedron, Octahedron

    members: dict[str, list[tuple[int, tuple]]] = {name: [] for name in ISOMERS[:3]}
    for shells in range(3, 10):
        members["icosahedron"].append((len(Icosahedron("Au", shells)), (shells,)))
    for p in range(2, 9):  # p, q: edges of the {100} faces; r: depth of the Marks re-entrance
        for q in range(1, 8):
            for r in range(0, 3):
                aspect = (2 * (p - 1) + 2 * r) / max(q + p - 1, 1)
                if p + q > 3 and 0.6 < aspect < 2.2:
                    members["decahedron"].append((len(Decahedron("Au", p, q, r)), (p, q, r)))
    for length in range(4, 16):  # cutoff (length - 1) / 2 is the cuboctahedron, 0 the octahedron
        for cutoff in range(max(1, (length - 1) // 4), (length - 1) // 2 + 1):
            members["cuboctahedron"].append((len(Octahedron("Au", length, cutoff)), (length, cutoff)))
    return {name: sorted(rows) for name, rows in members.items()}


def closed_shell(kind: str, n_atoms: int, symbol: str = "Au", rng: np.random.Generator | None = None) -> Atoms:
    """Return the closed-shell particle of one isomer with about the given number of atoms.

    Icosahedra are Mackay icosahedra, decahedra those of Ino and Marks, cuboctahedra are cuboctahedra and
    truncated octahedra, that is, fcc single crystals.

    Parameters
    ----------
    kind
        "icosahedron", "decahedron" or "cuboctahedron".
    n_atoms
        Number of atoms wanted. The closest member is taken or, with *rng*, one of the members within 25 %.
    symbol
        An fcc element.
    rng
        Random generator that chooses among the members of about this size.

    References
    ----------
    L. D. Marks and L. Peng, J. Phys.: Condens. Matter 28, 053001 (2016).
    """
    from ase.cluster import Decahedron, Icosahedron, Octahedron

    makers = {"icosahedron": Icosahedron, "decahedron": Decahedron, "cuboctahedron": Octahedron}
    if kind not in makers:
        raise ValueError(f"Unknown closed-shell isomer {kind!r}; expected one of {sorted(makers)}.")
    with _ASE_LOCK:
        rows = _families()[kind]
        distance = [abs(np.log(n / n_atoms)) for n, _ in rows]
        near = [row for row, d in zip(rows, distance, strict=True) if d < 0.25]
        chosen = near[rng.integers(len(near))] if near and rng is not None else rows[int(np.argmin(distance))]
        return _build(makers[kind], chosen[1], symbol).copy()


@lru_cache(maxsize=128)  # ASE takes a tenth of a second for some of them
def _build(maker, arguments: tuple, symbol: str) -> Atoms:
    return _bare(maker(symbol, *arguments, latticeconstant=lattice_constant(symbol)))


def amorphous(n_atoms: int, symbol: str = "Au", rng: np.random.Generator | None = None, max_steps: int = 120) -> Atoms:
    """Return a glassy particle: random packing in a sphere, quenched with the EMT potential.

    Parameters
    ----------
    n_atoms
        Number of atoms.
    symbol
        An fcc element. The quench uses gold (known to EMT), scaled to the element's lattice constant.
    rng
        Random generator.
    max_steps
        Upper limit of quench steps.
    """
    from ase import Atoms
    from ase.optimize import FIRE

    from particlespy_ml.crystals.effective_medium import EffectiveMedium

    rng = rng if rng is not None else np.random.default_rng()
    a = lattice_constant("Au")
    radius = (3 * n_atoms * a**3 / 4 / (4 * np.pi) * 1.03) ** (1 / 3)
    axes = rng.uniform(0.88, 1.12, 3)
    points = _random_packing(n_atoms, radius, 0.8 * a / np.sqrt(2), rng) * (axes / np.prod(axes) ** (1 / 3))
    atoms = Atoms("Au" * n_atoms, positions=points, calculator=EffectiveMedium())
    FIRE(atoms, logfile=None, maxstep=0.25).run(fmax=0.3, steps=max_steps)
    positions = atoms.positions * (lattice_constant(symbol) / a)
    return Atoms([symbol] * n_atoms, positions=positions - positions.mean(0))


def molten(
    n_atoms: int, symbol: str = "Au", rng: np.random.Generator | None = None, temperature: float = 1400
) -> Atoms:
    """Return a snapshot of a liquid particle: a loose packing after Langevin dynamics with the EMT potential.

    Parameters
    ----------
    n_atoms
        Number of atoms.
    symbol
        An fcc element. The dynamics are those of gold, scaled to the element's lattice constant.
    rng
        Random generator.
    temperature
        Temperature in K; gold melts at 1337 K, and small particles lower.
    """
    from ase import Atoms, units
    from ase.md.langevin import Langevin

    from particlespy_ml.crystals.effective_medium import EffectiveMedium

    rng = rng if rng is not None else np.random.default_rng()
    atoms = amorphous(n_atoms, "Au", rng, max_steps=30)
    atoms.calc = EffectiveMedium()
    momentum = np.sqrt(atoms.get_masses() * units.kB * temperature)[:, None]
    atoms.set_momenta(momentum * rng.normal(size=(n_atoms, 3)))
    Langevin(atoms, 4 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, fixcm=False, rng=rng).run(60)
    positions = atoms.positions * (lattice_constant(symbol) / lattice_constant("Au"))
    return Atoms([symbol] * n_atoms, positions=positions - positions.mean(0))


def _random_packing(n: int, radius: float, min_distance: float, rng: np.random.Generator) -> np.ndarray:
    """Points in a sphere, pushed apart until neighbours keep their distance (a soft-sphere packing)."""
    directions = rng.normal(size=(n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = directions * (radius * rng.random((n, 1)) ** (1 / 3))
    for _ in range(200):
        pairs = cKDTree(points).query_pairs(min_distance, output_type="ndarray")
        if not len(pairs):
            break
        vector = points[pairs[:, 1]] - points[pairs[:, 0]]
        length = np.linalg.norm(vector, axis=1, keepdims=True)
        push = 0.3 * (min_distance - length) * vector / np.maximum(length, 1e-9)
        np.add.at(points, pairs[:, 1], push)
        np.add.at(points, pairs[:, 0], -push)
        distance = np.linalg.norm(points, axis=1, keepdims=True)
        points *= np.minimum(1, radius / np.maximum(distance, 1e-9))
    return points


def coordination_numbers(positions: np.ndarray, cutoff: float) -> np.ndarray:
    """Return the number of neighbours of every atom within *cutoff* (Å), shape (n,)."""
    tree = cKDTree(positions)
    return np.asarray(tree.query_ball_point(positions, cutoff, return_length=True)) - 1


def neighbour_cutoff(symbol: str) -> float:
    """Return the distance in Å half-way between the first and the second neighbour shell of an fcc element."""
    return lattice_constant(symbol) * (1 / np.sqrt(2) + 1) / 2


def remove_surface_atoms(atoms: Atoms, fraction: float, rng: np.random.Generator) -> Atoms:
    """Remove a fraction of the surface atoms (coordination below 10), weakly bound ones first.

    An atom of coordination c is removed with a weight exp(-c), so corners and edges go before faces.
    """
    coordination = coordination_numbers(atoms.positions, neighbour_cutoff(atoms[0].symbol))
    surface = np.flatnonzero(coordination < 10)
    count = int(round(fraction * len(surface)))
    weights = np.exp(-coordination[surface].astype(float))
    gone = rng.choice(surface, size=count, replace=False, p=weights / weights.sum()) if count else []
    return atoms[np.setdiff1d(np.arange(len(atoms)), gone)]


def keep_nearest(atoms: Atoms, n_atoms: int, rng: np.random.Generator, offset: float = 0.25) -> Atoms:
    """Keep the *n_atoms* atoms nearest to a point beside the centre: a particle whose outer shell is unfinished.

    The point lies at a random direction, up to *offset* times the radius of the particle from its centre.
    """
    if n_atoms >= len(atoms):
        return atoms.copy()
    centred = atoms.positions - atoms.positions.mean(0)
    direction = rng.normal(size=3)
    radius = np.linalg.norm(centred, axis=1).max()
    point = direction / np.linalg.norm(direction) * radius * offset * rng.random()
    distance = np.linalg.norm(centred - point, axis=1)
    return atoms[np.sort(np.argsort(distance, kind="stable")[:n_atoms])]


def add_surface_atoms(atoms: Atoms, count: int, rng: np.random.Generator) -> Atoms:
    """Add atoms, one after another, at the hollow surface sites with the most neighbours.

    A site is where an atom at nearest-neighbour distance touches three or more surface atoms and overlaps none.
    """
    symbol = atoms[0].symbol
    d = lattice_constant(symbol) / np.sqrt(2)
    positions = atoms.positions.copy()
    for _ in range(count):
        tree = cKDTree(positions)
        surface = np.flatnonzero(coordination_numbers(positions, neighbour_cutoff(symbol)) < 10)
        trials = _three_atom_sites(positions[rng.choice(surface, size=min(24, len(surface)), replace=False)], tree, d)
        if not len(trials):
            break
        neighbours = np.asarray(tree.query_ball_point(trials, 1.15 * d, return_length=True)).astype(float)
        positions = np.vstack([positions, trials[np.argmax(neighbours + 0.9 * rng.random(len(trials)))]])
    from ase import Atoms

    return Atoms([symbol] * len(positions), positions=positions)


def _three_atom_sites(starts: np.ndarray, tree: cKDTree, d: float) -> np.ndarray:
    """Points at distance d from three mutual neighbours, on the free side."""
    sites = []
    for start in starts:
        near = tree.data[tree.query_ball_point(start, 1.15 * d)]
        near = near[np.linalg.norm(near - start, axis=1) > 0.1]
        for i in range(len(near)):
            for j in range(i):
                u, v = near[i] - start, near[j] - start
                if abs(np.linalg.norm(u - v) - d) > 0.15 * d:
                    continue
                normal = np.cross(u, v)
                normal /= np.linalg.norm(normal)
                foot = start + (u + v) / 3
                height = np.sqrt(max(d**2 - np.sum(((u + v) / 3) ** 2), 0))
                sites.extend((foot + height * normal, foot - height * normal))
    sites = np.array(sites).reshape(-1, 3)
    distance, _ = tree.query(sites) if len(sites) else (np.empty(0), None)
    return sites[distance > 0.9 * d]


def random_rotation(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Return the atoms in an orientation drawn uniformly from all orientations."""
    return rotate(atoms, Rotation.random(rng=rng))


_GOLDEN = (1 + np.sqrt(5)) / 2
# directions in the frame in which ASE builds the particles; others follow by symmetry
SYMMETRY_AXES = {
    "icosahedron": ((0.0, 1.0, _GOLDEN), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
    "decahedron": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "cuboctahedron": ((0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
}


def near_axis_rotation(kind: str, rng: np.random.Generator, spread: float = 6.0) -> Rotation:
    """Draw a rotation that brings a symmetry axis of an isomer close to the beam.

    Parameters
    ----------
    kind
        An isomer. The axes are the five-, three- and two-fold ones of icosahedra, the five-fold and both two-fold ones
        of decahedra, <001>, <011> and <111> of fcc; amorphous particles have none and get any orientation.
    rng
        Random generator.
    spread
        Standard deviation of the tilt about each of two axes, in degrees.
    """
    axes = SYMMETRY_AXES.get(kind)
    if axes is None:
        return Rotation.random(rng=rng)
    axis = np.array(axes[rng.integers(len(axes))])
    to_beam, _ = Rotation.align_vectors([[0, 0, 1]], [axis / np.linalg.norm(axis)])
    turn = Rotation.from_euler("z", rng.uniform(0, 360), degrees=True)
    tilt = Rotation.from_rotvec(np.append(np.radians(rng.normal(scale=spread, size=2)), 0))
    return tilt * turn * to_beam


def rotate(atoms: Atoms, rotation: Rotation) -> Atoms:
    """Return the atoms rotated about their centre of mass, which becomes the origin."""
    turned = atoms.copy()
    turned.positions = rotation.apply(atoms.positions - atoms.positions.mean(0))
    return turned


def displace(atoms: Atoms, rms: float, rng: np.random.Generator) -> Atoms:
    """Return the atoms with independent Gaussian displacements of *rms* Å along each axis."""
    moved = atoms.copy()
    moved.positions = atoms.positions + rng.normal(scale=rms, size=atoms.positions.shape)
    return moved


def draw_isomer(kind: str, n_atoms: int, rng: np.random.Generator, symbol: str = "Au") -> Atoms:
    """Draw a particle as it may be met on a support: an isomer with an imperfect surface.

    Half of the particles have an unfinished outer shell, so that size says nothing about the isomer. Particles lose
    up to 15 % of their surface atoms or gain up to 10 % in surface sites. The result is checked by common-neighbour
    analysis and drawn again where it is another isomer (a small glassy particle may be an icosahedron). Then every atom
    gets a static displacement, mostly up to 0.15 Å and in a quarter of the particles up to 0.28 Å (rms along each
    axis), and the lattice is stretched by up to 2 %. A quarter of the amorphous particles are liquid.

    Parameters
    ----------
    kind
        One of `ISOMERS`.
    n_atoms
        Number of atoms, about.
    rng
        Random generator.
    symbol
        An fcc element.
    """
    if kind not in ISOMERS:
        raise ValueError(f"Unknown isomer {kind!r}; expected one of {ISOMERS}.")
    for _ in range(20):
        atoms = _draw_surface(_draw_body(kind, n_atoms, rng, symbol), kind, rng)
        if identify_isomer(atoms.positions, neighbour_cutoff(symbol)) == kind:
            break
    else:
        raise RuntimeError(f"No {kind} of about {n_atoms} atoms passed the common-neighbour check in 20 draws.")
    atoms.positions *= rng.uniform(0.98, 1.02)
    return displace(atoms, rng.uniform(0, 0.15) if rng.random() < 0.75 else rng.uniform(0.15, 0.28), rng)


def _draw_body(kind: str, n_atoms: int, rng: np.random.Generator, symbol: str) -> Atoms:
    if kind == "amorphous":
        if rng.random() < 0.25:
            return molten(n_atoms, symbol, rng, temperature=rng.uniform(1000, 1600))
        return amorphous(n_atoms, symbol, rng, max_steps=int(rng.integers(25, 150)))
    if rng.random() < 0.5:
        sizes = [n for n, _ in _families()[kind] if n >= n_atoms]
        if not sizes:
            raise ValueError(f"n_atoms={n_atoms}; the largest {kind} known has {_families()[kind][-1][0]} atoms.")
        return keep_nearest(closed_shell(kind, sizes[0], symbol), n_atoms, rng)
    return closed_shell(kind, n_atoms, symbol, rng)


def _draw_surface(atoms: Atoms, kind: str, rng: np.random.Generator) -> Atoms:
    surface = rng.random()
    if surface < 0.55:
        return remove_surface_atoms(atoms, rng.uniform(0, 0.15), rng)
    if surface < 0.8 and kind != "amorphous":
        n_surface = np.sum(coordination_numbers(atoms.positions, neighbour_cutoff(atoms[0].symbol)) < 10)
        return add_surface_atoms(atoms, int(rng.integers(0, max(2, int(0.1 * n_surface)))), rng)
    return atoms


def _bare(cluster: Atoms) -> Atoms:
    """Plain atoms about the origin, without the cell and the cluster bookkeeping."""
    from ase import Atoms

    return Atoms(cluster.get_chemical_symbols(), positions=cluster.positions - cluster.positions.mean(0))
