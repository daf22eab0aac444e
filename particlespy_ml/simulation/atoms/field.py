"""Fields of view: several particles of known class on both sides of an amorphous film, with their masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

from particlespy_ml.simulation.atoms.crystal_supports import flakes
from particlespy_ml.simulation.atoms.crystallinity import CRYSTALLINITY, KINDS, draw_particle
from particlespy_ml.simulation.atoms.packing import amorphous_film

ATOM_RADIUS = 1.5  # Å, of the disk that an atom covers in a mask
_CLEARANCE = 1.9  # Å, film atoms nearer than this to a metal atom make room


@dataclass(frozen=True)
class PlacedParticle:
    """A particle of a field.

    Parameters
    ----------
    kind
        One of the `KINDS`.
    positions
        Positions in Å, shape (n, 3). Along x and y the field is periodic and positions may lie beyond its edges.
    domains
        Domain of each atom, shape (n,).
    side
        -1 on the side of the film where the beam enters, 1 on the other.
    """

    kind: str
    positions: np.ndarray
    domains: np.ndarray
    side: int

    @property
    def crystallinity(self) -> int:
        """Index of the class in `CRYSTALLINITY`."""
        return next(number for number, name in enumerate(CRYSTALLINITY) if self.kind in KINDS[name])

    @property
    def diameter(self) -> float:
        """Diameter in Å of the circle of the same area as the box about the particle would give an ellipse."""
        extent = np.ptp(self.positions[:, :2], axis=0) + 2 * ATOM_RADIUS
        return float(np.sqrt(extent[0] * extent[1]))


def draw_field(
    edge: float,
    count: int,
    diameters: tuple[float, float],
    film: str,
    thickness: float,
    rng: np.random.Generator,
    symbol: str = "Au",
    touching: float = 0.25,
    overlapping: float = 0.08,
    max_coverage: float = 0.4,
) -> tuple[list[PlacedParticle], np.ndarray]:
    """Draw particles on a film.

    Parameters
    ----------
    edge
        Edge of the periodic field in Å.
    count
        Number of particles wanted; fewer where they do not fit.
    diameters
        Range of diameters in Å, drawn uniformly in their logarithm.
    film
        "C" or "Si".
    thickness
        Thickness of the film in Å.
    rng
        Random generator.
    symbol
        An fcc element.
    touching
        Share of the particles, after the first, that touch an earlier one.
    overlapping
        Share that overlap an earlier one in projection, from the other side of the film.
    max_coverage
        Largest share of the field that particles cover.

    Returns
    -------
    particles, film_positions
        The particles, and the positions of the film's atoms in Å, shape (n, 3). The film lies between z = 0 and its
        thickness.
    """
    placed = place_particles(edge, count, diameters, thickness, rng, symbol, touching, overlapping, max_coverage)
    support = amorphous_film(film, edge, thickness, rng)
    return placed, support[~_in_the_way(support, placed, edge)]


def draw_field_on_crystals(
    edge: float,
    count: int,
    diameters: tuple[float, float],
    material: str,
    thickness: tuple[float, float],
    rng: np.random.Generator,
    symbol: str = "Au",
    film: float = 0.6,
    changed: bool = False,
) -> tuple[list[PlacedParticle], np.ndarray, np.ndarray]:
    """Draw particles on flakes of an oxide and at their edges.

    Parameters
    ----------
    edge, count, diameters, rng, symbol
        As of `draw_field`.
    material
        Of the flakes, see `particlespy_ml.simulation.atoms.crystal_supports.flakes`.
    thickness
        Range of their thickness in Å.
    film
        Share of the fields with a film of amorphous carbon of 5 to 20 Å below them.
    changed
        As of `particlespy_ml.simulation.atoms.crystal_supports.flakes`.

    Returns
    -------
    particles, symbols, positions
        The particles, and symbols and positions in Å of the atoms of flakes and film. Of particles that touch neither,
        a third is left in.
    """
    symbols, positions = flakes(material, edge, thickness, rng, changed)
    lying = []
    has_film = rng.random() < film
    for particle in place_particles(edge, count, diameters, 0.0, rng, symbol):
        rested = _rest_on(particle, positions, edge, rng)
        if rested is None and (has_film or rng.random() < 1 / 3):
            rested = particle
        if rested is not None:
            lying.append(rested)
    if has_film:
        depth = rng.uniform(5.0, 20.0)
        carbon = amorphous_film("C", edge, depth, rng) - (0, 0, depth + _CLEARANCE)
        symbols, positions = np.append(symbols, ["C"] * len(carbon)), np.concatenate([positions, carbon])
    kept = ~_in_the_way(positions, lying, edge)
    return lying, symbols[kept], positions[kept]


def _rest_on(
    particle: PlacedParticle, support: np.ndarray, edge: float, rng: np.random.Generator
) -> PlacedParticle | None:
    """A particle on what lies under its middle, or at the side of what lies under its rim; None above a hole."""
    points = particle.positions
    middle = (points[:, :2].max(0) + points[:, :2].min(0)) / 2
    away = support[:, :2] - middle
    distance = np.linalg.norm(away - edge * np.round(away / edge), axis=1)
    radius = particle.diameter / 2
    under, beside = support[distance < 0.5 * radius, 2], support[distance < radius, 2]
    if len(under) and rng.random() < 0.85:
        depth = rng.uniform(0, 0.12) * particle.diameter
        if particle.side < 0:
            move = np.quantile(under, 0.02) - 1.5 + depth - points[:, 2].max()
        else:
            move = np.quantile(under, 0.98) + 1.5 - depth - points[:, 2].min()
    elif len(beside):
        move = rng.uniform(beside.min(), beside.max() + 1e-9) - points[:, 2].mean()
    else:
        return None
    return replace(particle, positions=points + np.array([0, 0, move]))


def _in_the_way(support: np.ndarray, placed: list[PlacedParticle], edge: float) -> np.ndarray:
    """Whether atoms of a support are too close to a particle's, shape (n,)."""
    if not placed or not len(support):
        return np.zeros(len(support), bool)
    metal = np.concatenate([particle.positions for particle in placed])
    heights = metal[:, 2], support[:, 2]
    offset = min(one.min() for one in heights) - 10.0
    span = max(one.max() for one in heights) - offset + 10.0
    box = np.array([edge, edge, 2 * span])
    shifted = [np.column_stack([p[:, :2] % edge % edge, p[:, 2] - offset]) for p in (metal, support)]
    distance, _ = cKDTree(shifted[0], boxsize=box).query(shifted[1], distance_upper_bound=_CLEARANCE)
    return np.isfinite(distance)


def place_particles(
    edge: float,
    count: int,
    diameters: tuple[float, float],
    thickness: float,
    rng: np.random.Generator,
    symbol: str = "Au",
    touching: float = 0.25,
    overlapping: float = 0.08,
    max_coverage: float = 0.4,
) -> list[PlacedParticle]:
    """Draw the particles of a field; parameters as of `draw_field`, which draws the film after them."""
    placed: list[PlacedParticle] = []
    circles: list[tuple[np.ndarray, float, int]] = []
    for _ in range(count):
        diameter = float(np.exp(rng.uniform(*np.log(diameters))))
        if sum(np.pi * r**2 for _, r, _ in circles) + np.pi * diameter**2 / 4 > max_coverage * edge**2:
            continue
        spot = _find_spot(circles, diameter / 2, edge, rng, touching, overlapping)
        if spot is None:
            continue
        middle, side = spot
        label = CRYSTALLINITY[rng.integers(len(CRYSTALLINITY))]
        kind = str(rng.choice(KINDS[label]))
        positions, domains = draw_particle(kind, diameter, symbol, rng)
        # particles wet the film a little
        depth = rng.uniform(0, 0.12) * diameter
        if side < 0:
            height = -positions[:, 2].max() - 1.5 + depth
        else:
            height = thickness - positions[:, 2].min() + 1.5 - depth
        placed.append(PlacedParticle(kind, positions + np.array([*middle, height]), domains, side))
        circles.append((middle, diameter / 2, side))
    return placed


def _find_spot(circles, radius: float, edge: float, rng, touching: float, overlapping: float):
    """Middle and side of a particle of some radius, or None where no place was found."""
    side = int(rng.choice((-1, 1)))
    choice = rng.random() if circles else 1.0
    for _ in range(60):
        middle = rng.random(2) * edge
        neighbour = None
        if choice < touching + overlapping:
            neighbour = int(rng.integers(len(circles)))
            position, other, other_side = circles[neighbour]
            if choice < touching:
                side, distance = other_side, other + radius + rng.uniform(-0.5, 2.5)
            else:
                side, distance = -other_side, (other + radius) * rng.uniform(0.35, 0.95)
            angle = rng.uniform(0, 2 * np.pi)
            middle = (position + distance * np.array([np.cos(angle), np.sin(angle)])) % edge
        if _is_free(circles, middle, radius, edge, side, neighbour):
            return middle, side
    return None


def _is_free(circles, middle, radius: float, edge: float, side: int, neighbour: int | None) -> bool:
    for number, (position, other, other_side) in enumerate(circles):
        if number == neighbour:
            continue
        vector = position - middle
        vector -= edge * np.round(vector / edge)
        if np.hypot(*vector) < other + radius + (2.5 if side == other_side else 3.0):
            return False
    return True


def particle_masks(particles: list[PlacedParticle], edge: float, pixels: int) -> np.ndarray:
    """Return the area that each particle covers in projection, shape (n, pixels, pixels), bool, rows along y.

    Every atom covers a disk of `ATOM_RADIUS`; holes are filled. The field is periodic.
    """
    masks = np.zeros((len(particles), pixels, pixels), bool)
    step = edge / pixels
    reach = int(np.ceil(ATOM_RADIUS / step)) + 1
    offsets = np.arange(-reach, reach + 1)
    for mask, particle in zip(masks, particles, strict=True):
        low = np.floor(particle.positions[:, 1::-1].min(0) / step).astype(int) - reach - 2
        shape = np.ceil(particle.positions[:, 1::-1].max(0) / step).astype(int) + reach + 2 - low
        crop = np.zeros(shape, bool)
        at = particle.positions[:, 1::-1] / step - low
        near = np.round(at).astype(int)
        for dy in offsets:
            for dx in offsets:
                pixel = near + (dy, dx)
                inside = ((pixel - at) ** 2).sum(1) <= (ATOM_RADIUS / step) ** 2
                crop[pixel[inside, 0], pixel[inside, 1]] = True
        crop = ndi.binary_fill_holes(ndi.binary_closing(np.pad(crop, 2), iterations=2))[2:-2, 2:-2]
        rows, columns = np.nonzero(crop)
        mask[(rows + low[0]) % pixels, (columns + low[1]) % pixels] = True
    return masks
