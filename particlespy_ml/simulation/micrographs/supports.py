"""Projected thickness of supports: films, fractal carbon, packed spheres, platelets, holes and edges against vacuum."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

KINDS = ("none", "film", "fractal", "spheres", "platelets", "slope")


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
        Radius in pixels of the smallest spheres that a support is made of: a sphere like a particle is one.
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
        thickness = _platelets(shape, rng, coarser)
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
    number = int(np.clip(rng.uniform(0.3, 3.0) * np.prod(shape) / (np.pi * radius**2), 4, 150 * coarser))
    pad = radius
    places = [rng.uniform([-pad, -pad], [shape[0] + pad, shape[1] + pad])]
    for _ in range(number - 1):  # each beside one that is there, in space
        direction = rng.normal(size=3)
        direction *= rng.uniform(1.3, 2.0) * radius / np.linalg.norm(direction)
        near = places[rng.integers(len(places))] + direction[:2]
        if rng.random() < 0.03 or not ((near > -2 * pad) & (near < np.array(shape) + 2 * pad)).all():
            near = rng.uniform([-pad, -pad], [shape[0] + pad, shape[1] + pad])
            # another aggregate reaches into the view from its nearest border: a lone sphere within would be a particle
            to_border = np.stack([near, np.array(shape) - near])
            side, axis = np.unravel_index(np.argmin(to_border), (2, 2))
            near[axis] = side * shape[axis]
        places.append(near)
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


def _platelets(shape: tuple[int, int], rng: np.random.Generator, coarser: float) -> np.ndarray:
    """Thickness of flakes that lie on each other."""
    thickness = np.zeros(shape, np.float32)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for _ in range(int(rng.integers(2, 12) * coarser)):
        row, column = rng.uniform(-20, shape[0] + 20), rng.uniform(-20, shape[1] + 20)
        size = float(np.exp(rng.uniform(*np.log((20, 130))))) / coarser
        inside = np.ones(shape, bool)
        first = rng.uniform(0, 2 * np.pi)
        for angle in first + np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8))):
            away = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
            inside &= away < size * rng.uniform(0.4, 1.0)
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
