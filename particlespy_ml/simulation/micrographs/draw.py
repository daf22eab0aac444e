"""Micrographs of particles on supports, by thickness: what is there, and where each particle is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.simulation.micrographs.atoms import draw_orientation, projected_atoms
from particlespy_ml.simulation.micrographs.bodies import draw_body
from particlespy_ml.simulation.micrographs.clarity import VISIBLE, clarity_of
from particlespy_ml.simulation.micrographs.recipe import MicrographRecipe
from particlespy_ml.simulation.micrographs.record import record_micrograph
from particlespy_ml.simulation.micrographs.supports import draw_support

_HIDDEN = 0.5  # share of a particle that must be in sight
_TRIES = 6
_MOST_CELLS = 20  # of a crystal along an edge, of which the atoms are drawn
_MOST, _MOST_IN_SIGMA = 0.95, 1.96  # a quantile of a normal deviate's size, and what it is in standard deviations


@dataclass(frozen=True)
class Micrograph:
    """An image and its truth.

    Parameters
    ----------
    image
        Shape (rows, columns), float32.
    labels
        Particles, each a number of its own; where two lie over each other the thicker one has the pixel.
    diameters
        Of each label in pixels, of the circle of its area, those hidden or cut included.
    support
        Thickness of the support relative to its mean, 0 in vacuum.
    inverted
        Whether particles are darker than what surrounds them.
    clarity
        Of each label; see `particlespy_ml.simulation.micrographs.clarity.clarity_of`. Infinite by default.
    """

    image: np.ndarray
    labels: np.ndarray
    diameters: np.ndarray
    support: np.ndarray
    inverted: bool = False
    clarity: np.ndarray | None = None

    def __post_init__(self):
        if self.clarity is None:
            object.__setattr__(self, "clarity", np.full(len(self.diameters), np.inf))

    @property
    def visible(self) -> np.ndarray:
        """Of each label, whether it can be seen with certainty."""
        return self.clarity >= VISIBLE


def draw_micrograph(recipe: MicrographRecipe, shape: tuple[int, int], rng: np.random.Generator) -> Micrograph:
    """Draw a micrograph.

    Parameters
    ----------
    recipe
        What is drawn.
    shape
        Rows and columns.
    rng
        Random generator.

    Examples
    --------
    >>> import numpy as np
    >>> seen = draw_micrograph(MicrographRecipe(empty=0, inverted=0), (96, 96), np.random.default_rng(2))
    >>> seen.image.shape, bool(seen.labels.max() > 0)
    ((96, 96), True)
    """
    sizes = recipe.large[1:] if rng.random() < recipe.large[0] else recipe.diameter
    median = float(np.exp(rng.uniform(*np.log(sizes))))
    smallest = max(20.0, 1.5 * min(median, 60.0))
    coarser = 1.0
    if recipe.coarser[0] and rng.random() < recipe.coarser[0]:
        coarser = float(np.exp(rng.uniform(0, np.log(recipe.coarser[1]))))
    median /= coarser
    support = draw_support(_choose(recipe.supports, rng), shape, rng, smallest, coarser)
    if rng.random() < recipe.mixed:
        other = draw_support(_choose(recipe.supports, rng), shape, rng, smallest, coarser)
        support = support + rng.uniform(0.2, 1.0) * other
    empty = rng.random() < recipe.empty
    lattice = _lattice_constant(median, rng) if rng.random() < recipe.atoms else 0.0
    heights, owner, areas, levels = _lay_particles(recipe, support, 0 if empty else median, lattice, rng)
    heights, levels = heights / median, levels / median
    if rng.random() < recipe.saturation[0]:
        strength = rng.uniform(*recipe.saturation[1:])
        heights, levels = ((1 - np.exp(-strength * one)) / (1 - np.exp(-strength)) for one in (heights, levels))
    if rng.random() < recipe.fringes and not lattice:
        heights = heights * _fringes(shape, median, rng)
    contrast = max(_texture(support, median), 0.02) * float(np.exp(rng.uniform(*np.log(recipe.contrast))))
    signal = support + contrast * heights
    seen = record_micrograph(signal, contrast, median, recipe, rng)
    labels, diameters, kept = _in_sight(owner, areas)
    clarity = clarity_of(contrast * levels[kept], diameters, labels, support, seen.noise, seen.shared)
    labels, left = _shifted(labels, seen.shift)
    diameters, clarity = diameters[left], clarity[left]
    inverted = bool(rng.random() < recipe.inverted)
    return Micrograph(-seen.image if inverted else seen.image, labels, diameters, support, inverted, clarity)


def _texture(support: np.ndarray, diameter: float) -> float:
    """What a support shows at the size of the particles: the standard deviation where it shows most.

    Much of a view may be vacuum, and particles must be told from the support, not from the vacuum.
    """
    size = min(max(diameter, 3.0), 60.0, min(support.shape) / 4)
    fine = ndi.gaussian_filter(support, size / 6)
    return float(np.quantile(np.abs(fine - ndi.gaussian_filter(fine, size, truncate=3.0)), _MOST)) / _MOST_IN_SIGMA


def _choose(weighted: tuple, rng: np.random.Generator) -> str:
    names, weights = zip(*weighted, strict=True)
    return str(rng.choice(names, p=np.array(weights, float) / sum(weights)))


def _lattice_constant(median: float, rng: np.random.Generator) -> float:
    """In pixels: of 1 to 6 nm if it is 0.4 nm; 0 where its columns could not be told."""
    low, high = max(median / 16, 5.0), median / 2.5
    return float(np.exp(rng.uniform(np.log(low), np.log(high)))) if high > low else 0.0


def _lay_particles(recipe: MicrographRecipe, support: np.ndarray, median: float, lattice: float, rng) -> tuple:
    """Thickness of all particles, which of them is the thickest at each pixel, and area and mean thickness of each.

    With a lattice constant, in pixels, the thickness is that of atoms.
    """
    shape = support.shape
    total, thickest = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    owner = np.zeros(shape, np.int32)
    areas, levels = [0.0], [0.0]
    if not median:
        return total, owner, np.array(areas), np.array(levels)
    spread, kind = rng.uniform(*recipe.spread), _choose(recipe.bodies, rng)
    second = median * float(np.exp(rng.uniform(-1.6, 1.6))) if rng.random() < recipe.two_sizes else median
    wanted = float(np.exp(rng.uniform(*np.log(recipe.coverage)))) * np.prod(shape)
    bright, overlap = rng.uniform(0, recipe.individual), rng.uniform(*recipe.overlap) * (rng.random() < 0.6)
    flocks = rng.uniform(0, 1, (rng.integers(1, 5), 2)) * shape if rng.random() < 0.25 else None
    allowed = support > 0.15 if rng.random() < recipe.on_support else np.ones(shape, bool)
    covered = 0.0
    while covered < wanted and len(areas) <= recipe.most:
        size = (median if rng.random() < 0.5 else second) * float(np.exp(spread * rng.normal()))
        size = float(np.clip(size, min(3.0, median), 400.0))
        body, middle = draw_body(kind if rng.random() < 0.85 else _choose(recipe.bodies, rng), size, rng)
        area = float((body > 0).sum())
        covered += max(area, 1.0)
        place = _place(body, middle, owner, allowed, flocks, overlap, rng)
        if place is None or area < (6 if median >= 3 else 1):
            continue
        inside, cut = place
        level = np.float32(np.exp(bright * rng.normal()))
        own = body[cut].astype(np.float32) * level
        shown = own
        if lattice and size < _MOST_CELLS * lattice:
            blur = lattice * rng.uniform(0.08, 0.2)
            shown = projected_atoms(body, middle, lattice, draw_orientation(rng), blur)[cut] * level
        total[inside] += shown
        mine = own > thickest[inside]
        thickest[inside] = np.where(mine, own, thickest[inside])
        owner[inside] = np.where(mine, len(areas), owner[inside])
        areas.append(area)
        levels.append(float(own[own > 0].mean()) if (own > 0).any() else 0.0)
    return total, owner, np.array(areas), np.array(levels)


def _place(body, middle, owner, allowed, flocks, overlap: float, rng):
    """Where a body goes, and which part of it is in view, as slices; None where there is no room."""
    shape = owner.shape
    outline = body > 0
    for _ in range(_TRIES):
        if flocks is None:
            centre = rng.uniform(-0.02, 1.02, 2) * shape
        else:
            centre = flocks[rng.integers(len(flocks))] + rng.normal(scale=0.12 * min(shape), size=2)
        start = np.rint(centre - middle).astype(int)
        low, high = np.maximum(start, 0), np.minimum(start + body.shape, shape)
        if (high <= low).any():
            continue
        inside = np.s_[low[0] : high[0], low[1] : high[1]]
        cut = np.s_[low[0] - start[0] : high[0] - start[0], low[1] - start[1] : high[1] - start[1]]
        own = outline[cut]
        pixels = own.sum()
        if pixels < max(min(4, outline.sum()), 1) or not allowed[inside][own].mean() > 0.5:
            continue
        if (owner[inside][own] > 0).mean() > overlap:
            continue
        return inside, cut
    return None


def _in_sight(owner: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels 1 to n of particles that are not mostly hidden behind others, their diameters, and which they are."""
    counts = np.bincount(owner.ravel(), minlength=len(areas))
    edges = np.unique(np.concatenate([owner[0], owner[-1], owner[:, 0], owner[:, -1]]))
    cut = np.zeros(len(areas), bool)
    cut[edges] = True
    seen = np.where(cut, counts > np.minimum(3, _HIDDEN * areas), counts > _HIDDEN * areas)
    seen[0] = False
    number = np.cumsum(seen) * seen
    return number.astype(np.int32)[owner], 2 * np.sqrt(areas[seen] / np.pi), np.flatnonzero(seen)


def _shifted(labels: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels whose rows moved to the right by so many pixels, and which of them are left, of which numbers 1 to n."""
    columns = np.arange(labels.shape[1])[None] - np.rint(shift).astype(int)[:, None]
    moved = np.take_along_axis(labels, np.clip(columns, 0, labels.shape[1] - 1), 1)
    left = np.bincount(moved.ravel(), minlength=labels.max() + 1) > 0
    left[0] = False
    return (np.cumsum(left) * left).astype(np.int32)[moved], np.flatnonzero(left[1:])


def _fringes(shape: tuple[int, int], median: float, rng: np.random.Generator) -> np.ndarray:
    """Modulation by lattice fringes or columns."""
    # planes are 0.19 to 0.24 nm apart: a particle of 1 nm shows four or five
    period = rng.uniform(2.5, np.clip(median / 4.5, 3.0, 22.0))
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    result = np.ones(shape, np.float32)
    first = rng.uniform(0, np.pi)
    for angle in first + np.array([0, rng.uniform(0.9, 2.2)])[: rng.integers(1, 3)]:
        wave = np.sin(2 * np.pi * (rows * np.sin(angle) + columns * np.cos(angle)) / period)
        result = result * (1 + rng.uniform(0.1, 0.7) * wave)
    return result
