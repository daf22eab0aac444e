"""Projected thickness of supports: films, fractal carbon, packed spheres, platelets, holes and edges against vacuum."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

KINDS = ("none", "film", "fractal", "spheres", "platelets", "slope")
_FEWEST = 8  # spheres of an aggregate
_TRIES = 8


def random_field(shape: tuple[int, int], exponent: float, rng: np.random.Generator, longest: float = np.inf):
    """Return a Gaussian random field of zero mean and unit variance.

    Parameters
    ----------
    shape
        Rows and columns.
    exponent
        The power spectrum falls as the frequency to minus this; 0 is white, 3 a rough surface.
    rng
        Random generator.
    longest
        Wavelengths in pixels above this have no more power than those of this.

    Examples
    --------
    >>> import numpy as np
    >>> field = random_field((64, 64), 3.0, np.random.default_rng(0))
    >>> bool(abs(field.mean()) < 1e-6), round(float(field.std()), 3)
    (True, 1.0)
    """
    rows, columns = (2 * n for n in shape)  # a field has no period
    frequency = np.hypot(fft.fftfreq(rows)[:, None], fft.rfftfreq(columns)[None])
    floor = max(1 / longest, 1 / max(rows, columns))
    spectrum = fft.rfft2(rng.normal(size=(rows, columns)).astype(np.float32))
    field = fft.irfft2(spectrum * np.maximum(frequency, floor) ** (-exponent / 2), (rows, columns))
    field = field[: shape[0], : shape[1]]
    field = field - field.mean()
    return (field / max(float(field.std()), 1e-12)).astype(np.float32)


def draw_support(
    kind: str, shape: tuple[int, int], rng: np.random.Generator, smallest: float = 20.0, coarser: float = 1.0
) -> np.ndarray:
    """Draw the thickness of a support relative to its mean where it is; 0 where there is vacuum.

    Parameters
    ----------
    kind
        One of `KINDS`; "none" is a flat film without texture, "slope" one whose thickness grows across the view.
    shape
        Rows and columns.
    rng
        Random generator.
    smallest
        Radius in pixels of the smallest spheres that a support is made of, and of two thirds of the smallest flakes: a
        sphere or a flake like a particle is one.
    coarser
        Everything is so many times smaller, as in a view with pixels so many times larger.
    """
    if kind == "none":
        thickness = np.ones(shape, np.float32)
    elif kind == "film":
        thickness = 1 + rng.uniform(0.02, 0.3) * random_field(
            shape, rng.uniform(1.0, 3.0), rng, rng.uniform(4, 80) / coarser
        )
    elif kind == "slope":
        rows, columns = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in shape)
        thickness = 1 + rng.uniform(-0.9, 0.9) * rows[:, None] + rng.uniform(-0.9, 0.9) * columns
        thickness = thickness + 0.3 * random_field(shape, 3.5, rng)
    elif kind == "fractal":
        thickness = random_field(shape, rng.uniform(2.2, 3.8), rng, rng.uniform(30, 400) / coarser) + rng.uniform(
            -0.6, 1.5
        )
        thickness = np.maximum(thickness, 0) ** rng.uniform(0.5, 1.2)
    elif kind == "spheres":
        thickness = _packed_spheres(shape, rng, smallest, coarser)
    else:
        thickness = _platelets(shape, rng, smallest, coarser)
    if rng.random() < 0.6 and kind != "none":  # grains of the support
        grain = random_field(shape, rng.uniform(0.5, 3.0), rng, rng.uniform(3, 40) / coarser)
        thickness = thickness * np.maximum(1 + rng.uniform(0.02, 0.25) * grain, 0)
    if rng.random() < 0.25:
        thickness = thickness * _half_plane(shape, rng)
    if rng.random() < 0.12:
        thickness = thickness * ~_holes(shape, rng, coarser)
    thickness = np.maximum(thickness, 0)
    seen = thickness > 0
    return (thickness / max(float(thickness[seen].mean()), 1e-6) if seen.any() else thickness).astype(np.float32)


def _packed_spheres(shape: tuple[int, int], rng: np.random.Generator, smallest: float, coarser: float) -> np.ndarray:
    """Thickness of an aggregate of spheres that touch or grew together, full or hollow."""
    radius = float(np.exp(rng.uniform(*np.log((smallest, max(120.0, 2 * smallest)))))) / coarser
    spread, wall = rng.uniform(0.02, 0.35), rng.uniform(0.15, 0.7) if rng.random() < 0.25 else 1.0
    number = int(np.clip(rng.uniform(0.3, 3.0) * np.prod(shape) / (np.pi * radius**2), _FEWEST, 150 * coarser))
    places = _grown(shape, radius, number, rng)
    thickness = np.zeros(shape, np.float32)
    for row, column in places:
        own = radius * np.exp(spread * rng.normal())
        r0, r1 = max(int(row - own), 0), min(int(row + own) + 2, shape[0])
        c0, c1 = max(int(column - own), 0), min(int(column + own) + 2, shape[1])
        if r0 >= r1 or c0 >= c1:
            continue
        square = (np.arange(r0, r1)[:, None] - row) ** 2 + (np.arange(c0, c1) - column) ** 2
        shell = np.sqrt(np.maximum(own**2 - square, 0))
        if wall < 1:
            shell = shell - 0.9 * np.sqrt(np.maximum((own * (1 - wall)) ** 2 - square, 0))
        thickness[r0:r1, c0:c1] += shell
    return thickness


def _grown(shape: tuple[int, int], radius: float, number: int, rng: np.random.Generator) -> np.ndarray:
    """Middles of spheres of which each touches others: branched chains, as of silica and of carbon blacks.

    A sphere with fewer than two neighbours is left out: alone, or at the end of a chain, it would be a particle.
    """
    places: list[np.ndarray] = []
    while len(places) < number:
        chain = [rng.uniform((0, 0), shape)]
        for _ in range(min(max(int(rng.geometric(0.03)), _FEWEST), number + _FEWEST) - 1):
            for _ in range(_TRIES):  # each beside one that is there, in space
                parent = chain[-1] if rng.random() < 0.5 else chain[rng.integers(len(chain))]
                direction = rng.normal(size=3)
                direction *= rng.uniform(1.3, 2.0) * radius / np.linalg.norm(direction)
                near = parent + direction[:2]
                if ((near > -2 * radius) & (near < np.array(shape) + 2 * radius)).all():
                    chain.append(near)
                    break
        places += chain
    found = np.array(places)
    near = np.hypot(*(found[:, None] - found[None]).transpose(2, 0, 1)) < 2.2 * radius
    return found[near.sum(1) > 2]


def _platelets(shape: tuple[int, int], rng: np.random.Generator, smallest: float, coarser: float) -> np.ndarray:
    """Thickness of flakes that lie on each other."""
    thickness = np.zeros(shape, np.float32)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    places: list[np.ndarray] = []
    longest = max(130.0, 3 * smallest)
    for _ in range(int(rng.integers(3, 12) * coarser)):
        size = float(np.exp(rng.uniform(*np.log((1.5 * smallest, longest))))) / coarser
        if places:  # on one that is there: alone it would be a particle
            place = places[rng.integers(len(places))] + rng.normal(scale=0.5 * size, size=2)
        else:
            place = rng.uniform((0, 0), shape)
        places.append(place)
        inside = np.ones(shape, bool)
        sides = int(rng.integers(3, 8))
        for angle in rng.uniform(0, 2 * np.pi) + (np.arange(sides) + rng.uniform(-0.3, 0.3, sides)) * 2 * np.pi / sides:
            away = (rows - place[0]) * np.sin(angle) + (columns - place[1]) * np.cos(angle)
            inside &= away < size * rng.uniform(0.6, 1.0)
        thickness += inside * np.float32(rng.uniform(0.3, 1.2))
    return ndi.gaussian_filter(thickness, rng.uniform(0, 1.5))


def _half_plane(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """One on one side of a rough edge, zero on the other."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    away = (rows - shape[0] / 2) * np.sin(angle) + (columns - shape[1] / 2) * np.cos(angle)
    rough = rng.uniform(0, 15) * random_field(shape, 3.0, rng)
    return away + rough > rng.uniform(-0.4, 0.3) * min(shape)


def _holes(shape: tuple[int, int], rng: np.random.Generator, coarser: float) -> np.ndarray:
    """Where a film has round holes."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    holes = np.zeros(shape, bool)
    for _ in range(rng.integers(1, 4)):
        row, column, radius = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(10, 60) / coarser
        holes |= np.hypot(rows - row, columns - column) < radius
    return holes
