"""Atomic models of monocrystalline, polycrystalline and amorphous particles, any size, any fcc metal."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from particlespy_ml.simulation.atoms.packing import pack_ellipsoid
from particlespy_ml.simulation.atoms.structures import lattice_constant

CRYSTALLINITY = ("monocrystalline", "polycrystalline", "amorphous")
KINDS = {
    "monocrystalline": ("sphere", "polyhedron"),
    "polycrystalline": ("two domains", "three domains", "twin", "decahedron", "icosahedron"),
    "amorphous": ("packing",),
}
MIN_MISORIENTATION = 10.0  # degrees; below, two domains are one with a small-angle boundary


def fcc_lattice(radius: float, symbol: str, rng: np.random.Generator) -> np.ndarray:
    """Return the fcc lattice points within a radius in Å of a random point of the cell, shape (n, 3)."""
    a = lattice_constant(symbol)
    count = int(np.ceil(radius / a)) + 1
    grid = np.stack(np.meshgrid(*[np.arange(-count, count + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    points = a * ((grid + basis).reshape(-1, 3) + rng.random(3))
    return points[np.linalg.norm(points, axis=1) <= radius]


def fcc_sphere(diameter: float, symbol: str, rng: np.random.Generator) -> np.ndarray:
    """Return an fcc single crystal cut to an ellipsoid that is nearly a sphere, in a random orientation."""
    semi = diameter / 2 * _ellipsoid_axes(rng)
    points = Rotation.random(rng=rng).apply(fcc_lattice(semi.max(), symbol, rng))
    return points[((points / semi) ** 2).sum(1) <= 1]


def fcc_polyhedron(diameter: float, symbol: str, rng: np.random.Generator) -> np.ndarray:
    """Return an fcc single crystal bounded by {111}, {100} and {110} facets, in a random orientation.

    The distances of the facets from the centre vary about those of Wulff's construction: the ratio of {100} to {111} is
    0.85 to 1.3 (1.15 in cuboctahedra's place for gold), and every facet is up to 8 % off.
    """
    ratios = (("111", 1.0), ("100", rng.uniform(0.85, 1.3)), ("110", rng.uniform(1.05, 1.4)))
    points = fcc_lattice(0.75 * diameter, symbol, rng)
    scale = 0.47 * diameter
    for family, ratio in ratios:
        for normal in _directions(family):
            points = points[points @ normal <= scale * ratio * rng.uniform(0.92, 1.08)]
    return Rotation.random(rng=rng).apply(points)


def stitched_domains(diameter: float, count: int, symbol: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the domains of a polycrystalline sphere: fcc spheres of random orientation, cut along planes and stitched.

    Each plane lies between the centre and half of the radius from it. The lattices of two domains differ by
    `MIN_MISORIENTATION` at least.

    Parameters
    ----------
    diameter
        Diameter in Å.
    count
        Number of domains, 2 or 3.
    symbol
        An fcc element.
    rng
        Random generator.

    References
    ----------
    N. Gumbiowski et al., Nanoscale Adv. 6, 4196 (2024).
    """
    semi = diameter / 2 * _ellipsoid_axes(rng)
    rotations = [Rotation.random(rng=rng)]
    while len(rotations) < count:
        trial = Rotation.random(rng=rng)
        if min(misorientation(trial, other) for other in rotations) >= MIN_MISORIENTATION:
            rotations.append(trial)
    planes = [_random_direction(rng) for _ in range(count - 1)]
    offsets = rng.uniform(0, 0.5, count - 1) * diameter / 2
    domains = []
    for number, rotation in enumerate(rotations):
        points = rotation.apply(fcc_lattice(semi.max(), symbol, rng))
        points = points[((points / semi) ** 2).sum(1) <= 1]
        for plane in range(min(number + 1, count - 1)):
            beyond = points @ planes[plane] > offsets[plane]
            points = points[beyond == (plane == number)]
        domains.append(points)
    return _without_overlaps(domains, 0.78 * lattice_constant(symbol) / np.sqrt(2))


def twinned_sphere(diameter: float, symbol: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the two domains of an fcc sphere with one (111) twin plane, up to half of the radius from its centre."""
    semi = diameter / 2 * _ellipsoid_axes(rng)
    a = lattice_constant(symbol)
    normal = np.ones(3) / np.sqrt(3)
    points = fcc_lattice(1.2 * semi.max(), symbol, rng)
    layers = np.round(points @ normal * np.sqrt(3) / a * 1.0 - (points[0] @ normal) * np.sqrt(3) / a).astype(int)
    wanted = (rng.uniform(0, 0.5) * diameter / 2 - points[0] @ normal) * np.sqrt(3) / a
    plane = round(wanted)
    height = points[0] @ normal + plane * a / np.sqrt(3)
    below = points[layers <= plane]
    mirrored = below[layers[layers <= plane] < plane]
    mirrored = mirrored - 2 * np.outer(mirrored @ normal - height, normal)
    turn = Rotation.random(rng=rng)
    domains = [turn.apply(part) for part in (below, mirrored)]
    return [part[((part / semi) ** 2).sum(1) <= 1] for part in domains]


def fivefold(kind: str, diameter: float, symbol: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the domains of a decahedron (5) or an icosahedron (20), whole or with an unfinished outer shell.

    Domains share the atoms of their twin planes: each atom is in one domain only.
    """
    from ase.cluster import Decahedron, Icosahedron

    a = lattice_constant(symbol)
    d = a / np.sqrt(2)
    if kind == "icosahedron":
        shells = max(2, round(diameter / 2 / (0.95 * d)) + 1)
        atoms = Icosahedron(symbol, shells + 1, latticeconstant=a)
        axes = _directions("icosahedron")
    else:
        p = max(2, round(diameter / 1.75 / d) + 1)
        q = max(1, round(rng.uniform(0.4, 1.0) * p))
        atoms = Decahedron(symbol, p, q, int(rng.integers(0, 2)), latticeconstant=a)
        angles = np.pi / 10 + 2 * np.pi / 5 * np.arange(5) + np.pi / 5  # ASE has a twin plane at 18 degrees from x
        axes = np.stack([np.cos(angles), np.sin(angles), np.zeros(5)], axis=1)
    points = atoms.positions - atoms.positions.mean(0)
    domain = np.argmax(points @ axes.T, axis=1)
    semi = diameter / 2 * _ellipsoid_axes(rng)
    centre = _random_direction(rng) * diameter / 2 * rng.uniform(0, 0.25)
    keep = (((points - centre) / semi) ** 2).sum(1) <= 1
    turn = Rotation.random(rng=rng)
    return [turn.apply(points[keep & (domain == number)]) for number in range(len(axes))]


def amorphous_packing(diameter: float, symbol: str, rng: np.random.Generator) -> np.ndarray:
    """Return an amorphous ellipsoid: random packing at 0.86 to 1 of the metal's density.

    The smallest distance is 0.86 to 0.93 of the nearest-neighbour distance (2.48 to 2.68 Å for gold).

    References
    ----------
    N. Gumbiowski et al., Nanoscale Adv. 6, 4196 (2024).
    """
    a = lattice_constant(symbol)
    semi = diameter / 2 * _ellipsoid_axes(rng)
    return pack_ellipsoid(tuple(semi), rng.uniform(0.86, 1.0) * 4 / a**3, rng.uniform(0.86, 0.93) * a / np.sqrt(2), rng)


def draw_particle(kind: str, diameter: float, symbol: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a particle of one of the `KINDS`, in a random orientation.

    Crystals have static disorder of up to 0.12 Å (rms along each axis).

    Parameters
    ----------
    kind
        "sphere", "polyhedron", "two domains", "three domains", "twin", "decahedron", "icosahedron" or "packing".
    diameter
        Diameter in Å, about.
    symbol
        An fcc element.
    rng
        Random generator.

    Returns
    -------
    positions, domains
        Positions in Å about the middle, shape (n, 3), and the domain of each atom, shape (n,).

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    if kind == "sphere":
        parts = [fcc_sphere(diameter, symbol, rng)]
    elif kind == "polyhedron":
        parts = [fcc_polyhedron(diameter, symbol, rng)]
    elif kind in ("two domains", "three domains"):
        parts = stitched_domains(diameter, 2 if kind == "two domains" else 3, symbol, rng)
    elif kind == "twin":
        parts = twinned_sphere(diameter, symbol, rng)
    elif kind in ("decahedron", "icosahedron"):
        parts = fivefold(kind, diameter, symbol, rng)
    elif kind == "packing":
        parts = [amorphous_packing(diameter, symbol, rng)]
    else:
        raise ValueError(
            f"Unknown kind {kind!r}; expected one of {[name for names in KINDS.values() for name in names]}."
        )
    positions = np.concatenate(parts)
    domains = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    if kind != "packing":
        positions = positions + rng.normal(scale=rng.uniform(0, 0.12), size=positions.shape)
    return positions - (positions.max(0) + positions.min(0)) / 2, domains


def misorientation(first: Rotation, second: Rotation) -> float:
    """Smallest angle in degrees between two cubic lattices, over the 24 rotations that leave one unchanged."""
    between = (first.inv() * second).as_quat()
    turns = Rotation.create_group("O").as_quat()
    return float(np.degrees(2 * np.arccos(np.clip(np.abs(turns @ between).max(), 0, 1))))


def _ellipsoid_axes(rng: np.random.Generator) -> np.ndarray:
    """Semi-axes of an ellipsoid of volume 1, up to 12 % off a sphere's."""
    axes = rng.uniform(0.88, 1.12, 3)
    return axes / np.prod(axes) ** (1 / 3)


def _random_direction(rng: np.random.Generator) -> np.ndarray:
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector)


def _directions(family: str) -> np.ndarray:
    """Unit vectors of all directions of a family; "icosahedron" gives the middles of its 20 faces."""
    if family == "icosahedron":
        golden = (1 + np.sqrt(5)) / 2
        vectors = [v for v in product((-1, 1), repeat=3)]
        for i, j in product((-1, 1), repeat=2):
            base = (0, i * golden, j / golden)
            vectors += [tuple(np.roll(base, shift)) for shift in range(3)]
    else:
        digits = [int(digit) for digit in family]
        vectors = {
            tuple(np.multiply(order, signs)) for order in permutations(digits) for signs in product((-1, 1), repeat=3)
        }
    vectors = np.array(sorted(vectors), dtype=float)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _without_overlaps(domains: list[np.ndarray], min_distance: float) -> list[np.ndarray]:
    """Domains without the atoms of a later one that are too close to an earlier one."""
    kept = [domains[0]]
    for points in domains[1:]:
        distance, _ = cKDTree(np.concatenate(kept)).query(points)
        kept.append(points[distance >= min_distance])
    return kept
