"""Atomic models that are none of the isomers, so that a network learns what it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from ase import Atoms

OUT_OF_RANGE = ("wrong_scale", "single_atoms", "rod", "overlapping", "other_crystal")


def draw_out_of_range(kind: str, n_atoms: int, rng: np.random.Generator, symbol: str = "Au") -> Atoms:
    """Draw a model that a classifier of isomers should refuse.

    Parameters
    ----------
    kind
        One of `OUT_OF_RANGE`: an isomer whose pixel size is wrong by a factor of 1.35 to 2, atoms scattered over a
        film, an fcc rod more than twice as long as wide, two isomers one over the other, or a ball of another crystal.
    n_atoms
        Number of atoms, about.
    rng
        Random generator.
    symbol
        An fcc element; another crystal has its distance of neighbours, within 12 %.

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    makers = dict(zip(OUT_OF_RANGE, (_wrong_scale, _single_atoms, _rod, _overlapping, _other_crystal), strict=True))
    if kind not in makers:
        raise ValueError(f"Unknown kind {kind!r}; expected one of {OUT_OF_RANGE}.")
    return makers[kind](n_atoms, rng, symbol)


def _any_isomer(n_atoms: int, rng: np.random.Generator, symbol: str) -> Atoms:
    from particlespy_ml.simulation.atoms.structures import ISOMERS, draw_isomer, random_rotation

    kind = str(rng.choice(ISOMERS, p=(0.3, 0.3, 0.3, 0.1)))
    return random_rotation(draw_isomer(kind, n_atoms, rng, symbol), rng)


def _wrong_scale(n_atoms: int, rng: np.random.Generator, symbol: str) -> Atoms:
    factor = rng.uniform(1.35, 2.0)
    if rng.random() < 0.5:
        return _scaled(_any_isomer(int(np.clip(n_atoms, 147, 1415)), rng, symbol), 1 / factor)
    return _scaled(_any_isomer(min(n_atoms, 400), rng, symbol), factor)


def _scaled(atoms: Atoms, factor: float) -> Atoms:
    atoms.positions *= factor
    return atoms


def _single_atoms(n_atoms: int, rng: np.random.Generator, symbol: str) -> Atoms:
    """Atoms on a film of some roughness, none closer than neighbours are; some of them in pairs."""
    from ase import Atoms

    radius, spacing = rng.uniform(7, 20), rng.uniform(2.8, 7)
    wanted = int(np.clip(0.5 * (radius / spacing) ** 2 * np.pi, 1, n_atoms))
    points: list[np.ndarray] = []
    for _ in range(20 * wanted):
        point = np.append(rng.uniform(-radius, radius, 2), rng.normal(scale=2))
        if np.hypot(*point[:2]) < radius and all(np.linalg.norm(point - other) > 2.6 for other in points):
            points.append(point)
        if len(points) == wanted:
            break
    return Atoms([symbol] * len(points), positions=np.array(points) - np.mean(points, axis=0))


def _rod(n_atoms: int, rng: np.random.Generator, symbol: str) -> Atoms:
    """Cylinder with round ends of an fcc crystal that lies on the film, its axis along <001>, <011> or <111>."""
    from particlespy_ml.simulation.atoms.structures import lattice_constant

    a = lattice_constant(symbol)
    aspect = rng.uniform(2.1, 3.5)
    volume = float(np.clip(n_atoms, 150, 450)) * a**3 / 4
    radius = (volume / (np.pi * 2 * (aspect - 1 / 3))) ** (1 / 3)
    points = _lattice(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * a / 2, np.zeros((1, 3)), aspect * radius + a, rng)
    axis = np.array([(0, 0, 1), (0, 1, 1), (1, 1, 1)][rng.integers(3)], dtype=float)
    axis /= np.linalg.norm(axis)
    along = points @ axis
    nearest = np.clip(along, -(aspect - 1) * radius, (aspect - 1) * radius)
    points = points[np.linalg.norm(points - nearest[:, None] * axis, axis=1) < radius]
    flat, _ = Rotation.align_vectors([[1, 0, rng.normal(scale=0.15)]], [axis])
    roll = Rotation.from_rotvec(np.array([1.0, 0, 0]) * rng.uniform(0, 2 * np.pi))
    return _finished((roll * flat).apply(points), rng, symbol)


def _overlapping(n_atoms: int, rng: np.random.Generator, symbol: str) -> Atoms:
    """Two isomers, one above the other and aside by a part of their radii."""
    sizes = np.clip([n_atoms, n_atoms * rng.uniform(0.4, 2.5)], 55, 400).astype(int)
    first, second = (_any_isomer(int(size), rng, symbol) for size in sizes)
    radii = [np.linalg.norm(atoms.positions[:, :2], axis=1).max() for atoms in (first, second)]
    angle = rng.uniform(0, 2 * np.pi)
    aside = sum(radii) * rng.uniform(0.35, 0.8)
    above = first.positions[:, 2].max() - second.positions[:, 2].min() + 2.5
    second.positions += (aside * np.cos(angle), aside * np.sin(angle), above)
    pair = first + second
    pair.positions -= pair.positions.mean(0)
    return pair


def _other_crystal(n_atoms: int, rng: np.random.Generator, symbol: str) -> Atoms:
    """Ellipsoid of a bcc, simple cubic or diamond crystal, near a low-index axis half of the time."""
    from particlespy_ml.simulation.atoms.structures import lattice_constant

    d = lattice_constant(symbol) / np.sqrt(2) * rng.uniform(0.88, 1.12)
    kind = rng.integers(3)
    if kind == 0:
        cell, basis = d / np.sqrt(3) * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]), np.zeros((1, 3))
    elif kind == 1:
        cell, basis = d * np.eye(3), np.zeros((1, 3))
    else:
        a = 4 * d / np.sqrt(3)
        cell = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
        basis = np.array([[0, 0, 0], [a / 4, a / 4, a / 4]])
    per_atom = abs(np.linalg.det(cell)) / len(basis)
    axes = rng.uniform(0.85, 1.15, 3)
    radius = (3 * n_atoms * per_atom / (4 * np.pi * np.prod(axes))) ** (1 / 3)
    points = _lattice(cell, basis, 1.2 * radius + d, rng)
    points = points[np.linalg.norm(points / axes, axis=1) < radius]
    turn = Rotation.random(rng=rng)
    if rng.random() < 0.5:
        axis = np.array([(0, 0, 1), (0, 1, 1), (1, 1, 1)][rng.integers(3)], dtype=float)
        turn = Rotation.from_rotvec(np.append(np.radians(rng.normal(scale=6, size=2)), 0))
        turn = turn * Rotation.align_vectors([[0, 0, 1]], [axis / np.linalg.norm(axis)])[0]
    return _finished(turn.apply(points), rng, symbol)


def _lattice(cell: np.ndarray, basis: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Points of a crystal within *radius* of a random origin."""
    reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int) + 1
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(-1, 3)
    points = ((grid + rng.random(3)) @ cell)[:, None] + basis
    points = points.reshape(-1, 3)
    return points[np.linalg.norm(points, axis=1) < radius]


def _finished(points: np.ndarray, rng: np.random.Generator, symbol: str) -> Atoms:
    from ase import Atoms

    moved = points + rng.normal(scale=rng.uniform(0, 0.15), size=points.shape)
    return Atoms([symbol] * len(points), positions=moved - moved.mean(0))
