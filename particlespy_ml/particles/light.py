"""Integrated intensity of particles: the light of each above its background, its skirt included, with an error."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.particles.light_cells import Cells
from particlespy_ml.particles.light_level import Level, fit_level

# A skirt ends at this many mean distances of its light from the outline: at 3.1 widths of a Gaussian blur of a straight
# edge, at 3.0 widths beyond the half maximum of a Gaussian spot, and where 1 % is left of one that falls exponentially.
REACH = 5.0
# In standard errors: the light outside of the outline that tells how wide a particle's skirt is. If it is less, that of
# all particles of the frame together tells.
SIGNIFICANT, TOGETHER = 8.0, 3.0
# In equivalent radii: the skirt where not even that tells, at least three pixels; and the width of the ring, which has
# about as many pixels as the particle with its skirt.
DEFAULT_SKIRT = 1.0
RING = 0.4
# In cells, the skirt for which there is room in the first window.
EXPECTED = 5
# In equivalent radii beyond twice that: how far a skirt is looked for.
FARTHEST = 6.0
MIN_RING_CELLS = 12
# Pixels of a particle of whose differences few reach beyond its edge.
LARGE = 400
# The fourth difference along both axes has 70**2 times the variance of white noise, of the pixels about it in these
# shares along each axis.
_DIFFERENCE_GAIN = 70.0**2
_DIFFERENCE_WEIGHTS = np.array([1, 16, 36, 16, 1]) / 70

LIGHT = np.dtype([(name, "f8") for name in ("intensity", "intensity_error", "background")])
# Sums of one particle: light above the background (above zero without one), background at its centroid, pixels with the
# skirt; of the ring see `Level`; pixels without the skirt; and see `_Surroundings.noise`.
_FOUND = np.dtype(
    [(name, "f8") for name in ("light", "background", "pixels", "inflation", "variance", "scatter", "freedom")]
    + [(name, "f8") for name in ("size", "rough", "rough_free", "height")]
)


class _Surroundings:
    """The cells about one particle: which are its own, which are free and nearest to it, and how far off they are.

    Cells are pixels, or blocks of them about large particles; distances are in cells.
    """

    def __init__(self, image, covered, known, box, mask, cells: Cells, margin: float):
        window = tuple(
            slice(max(b.start - int(np.ceil(margin * n / size)), 0), min(b.stop + int(np.ceil(margin * n / size)), end))
            for b, n, size, end in zip(box, cells.pixels, cells.size, covered.shape, strict=True)
        )
        self.margin, self.cells = margin, cells
        self.is_frame = all(w == slice(0, n) for w, n in zip(window, covered.shape, strict=True))
        self._covered, self._window = covered, window
        seen = tuple(slice(0, w.stop - w.start) for w in window)
        # whole cells; what lies beyond the frame is not usable
        shape = [-(-side.stop // n) * n for side, n in zip(seen, cells.pixels, strict=True)]
        self.image, self.mask, other, usable = (np.zeros(shape, kind) for kind in (float, bool, bool, bool))
        self.image[seen] = image[window]
        inner = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, window, strict=True))
        self.mask[inner] = mask
        other[seen] = covered[window]
        other &= ~self.mask
        usable[seen] = True if known is None else known[window]
        usable[other] = False
        usable |= self.mask
        self.own = cells.sum(self.mask)
        self.counts = cells.sum(usable.astype(np.int32))
        self.sums = cells.sum(self.image * usable)
        other = cells.sum(other)
        distance = ndi.distance_transform_edt(~self.own, sampling=cells.size)
        self.share = None  # of a cell's light: half where two particles are as near
        other &= ~self.own
        if other.any():
            apart = ndi.distance_transform_edt(~other, sampling=cells.size)
            self.share = np.where(distance < apart, 1.0, np.where(distance == apart, 0.5, 0.0))
            distance = np.minimum(distance, apart)
        self.ring = np.ceil(distance - 1e-9).astype(np.intp)  # 0 on particles, 1 next to them
        self.free = ~(self.own | other) & (self.counts == cells.area)
        self.mine = self.free if self.share is None else self.free & (self.share > 0)
        self.size = np.count_nonzero(mask)
        rows, columns = np.nonzero(mask)
        self.rows, self.columns = (
            (np.arange(count) * n + (n - 1) / 2 - start - place.mean())
            for count, n, start, place in zip(
                self.own.shape, cells.pixels, (inner[0].start, inner[1].start), (rows, columns), strict=True
            )
        )
        self.radius = cells.radius_of(self.size)
        self.variance = 0.0
        self.plane = self._flatten()

    def fit_level(self, chosen: np.ndarray) -> Level:
        """Fit a background to some cells."""
        rows, columns = np.nonzero(chosen)
        level = fit_level(self.rows[rows], self.columns[columns], self.sums[rows, columns] / self.cells.area)
        level.inflation /= self.cells.area
        level.variance *= self.cells.area
        level.scatter *= self.cells.area
        return level

    def _flatten(self) -> np.ndarray:
        """Subtract a background of the outer free cells, so that no slope looks like a skirt; return its plane."""
        outer = self.mine & (self.ring > self.margin / 2)
        if np.count_nonzero(outer) < MIN_RING_CELLS:
            outer = self.free
        if np.count_nonzero(outer) < MIN_RING_CELLS:
            return np.zeros(3)
        rows, columns, area = self.rows, self.columns, self.cells.area
        weights = outer.astype(float)
        along, across = weights.sum(1), weights.sum(0)
        count = along.sum()
        level = (weights * self.sums).sum() / count / area
        values = weights * (self.sums / area - level)
        sums = np.array([values.sum(), values.sum(1) @ rows, values.sum(0) @ columns])
        between = along @ rows, across @ columns, rows @ weights @ columns
        normal = np.array(
            [
                [count, between[0], between[1]],
                [between[0], along @ rows**2, between[2]],
                [between[1], between[2], across @ columns**2],
            ]
        )
        plane = np.linalg.lstsq(normal, sums, rcond=1e-9)[0]
        plane[0] += level
        self.sums -= self.counts * (plane[0] + plane[1] * rows[:, None] + plane[2] * columns)
        self.variance = float((weights * self.sums**2).sum() / count / area)
        return plane

    def profile(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels and sum of the pixels in rings of the width of a cell about the outline."""
        mine = self.mine & (self.ring <= self.margin)
        share = None if self.share is None else self.share[mine]
        rings, length = self.ring[mine], int(self.margin) + 1
        sums = np.bincount(rings, self.sums[mine] if share is None else share * self.sums[mine], length)
        return self.cells.area * np.bincount(rings, share, length)[1:].astype(float), sums[1:]

    def sees_ring(self, skirt: int) -> bool:
        """Whether the window holds at least half the width of the ring, and all particles that are near to it."""
        width = max(RING * (self.radius + skirt), 3)
        return self.is_frame or self._last_ring(skirt) >= skirt + np.ceil(width / 2)

    def _last_ring(self, skirt: int) -> float:
        """Last ring whose pixels are not nearer to particles outside of the window than a skirt is wide."""
        wider = tuple(
            slice(max(w.start - skirt * n, 0), w.stop + skirt * n)
            for w, n in zip(self._window, self.cells.pixels, strict=True)
        )
        hidden = np.count_nonzero(self._covered[wider]) - np.count_nonzero(self._covered[self._window])
        return self.margin - skirt * (hidden > 0)

    def find_ring(self, skirt: int) -> tuple[np.ndarray, int]:
        """Return the pixels of the background, and the width of the skirt that they leave."""
        last = min(skirt + max(RING * (self.radius + skirt), 3), self._last_ring(skirt))
        for ring in (self.mine & (self.ring > skirt) & (self.ring <= last), self.free & (self.ring > skirt)):
            if np.count_nonzero(ring) >= MIN_RING_CELLS:
                return ring, skirt
        # nothing is free that far off: what is farthest
        rings = np.sort(self.ring[self.free])
        if len(rings) < MIN_RING_CELLS:
            return np.zeros_like(self.free), 0
        nearest = int(rings[-MIN_RING_CELLS])
        return self.free & (self.ring >= nearest), nearest - 1

    def noise(self, ring: np.ndarray, skirt: int) -> tuple[float, float, float]:
        """Variance of white noise on and off the particle, and the height that goes with the former.

        From differences of pixels that no structure of several pixels survives; NaN where there are too few.
        """
        rows, columns = (
            slice(max(int(index.min()) - skirt * n - 8, 0), int(index.max()) + skirt * n + 9)
            for index, n in zip(np.nonzero(self.mask), self.cells.pixels, strict=True)
        )
        pixels, own = self.image[rows, columns], self.mask[rows, columns][2:-2, 2:-2]
        free = self.cells.spread(ring)[rows, columns][2:-2, 2:-2]
        if not own.any() or not free.any():
            return np.nan, np.nan, np.nan
        rough = np.diff(np.diff(pixels, 4, axis=0), 4, axis=1) ** 2 / _DIFFERENCE_GAIN
        level = pixels[2:-2, 2:-2][free].mean()
        for axis in (0, 1) if self.size < LARGE else ():
            pixels = ndi.correlate1d(pixels, _DIFFERENCE_WEIGHTS, axis)
        height = pixels[2:-2, 2:-2][own].mean() - level
        return float(rough[own].mean()), float(rough[free].mean()), float(height)


def skirt_width(counts: np.ndarray, sums: np.ndarray, variance: float, significant: float) -> tuple[int, bool]:
    """Return how many rings about an outline hold a particle's light; 0 if it does not tell.

    As for Kron's radius, the width is `REACH` times the mean distance of the light outside of the outline. The light
    is that above the rings that follow, half as many, and the width the smallest that is as large as what it gives.

    Parameters
    ----------
    counts, sums
        Pixels and sum of the pixels of each ring of the width of a pixel.
    variance
        Variance of a pixel.
    significant
        Light outside of the outline in standard errors that tells something.

    Returns
    -------
    width : int
    wider : bool
        Whether there is light outside of the outline, but its end is not in these rings.

    References
    ----------
    R. G. Kron, Astrophysical Journal Supplement 43, 305 (1980).
    """
    width = np.arange(1, len(counts) + 1)
    end = width + np.maximum(2, (width + 1) // 2)
    width, end = width[end <= len(counts)], end[end <= len(counts)]
    if not len(width):
        return 0, True
    pixels, light, moment, lever = (
        np.concatenate([[0.0], np.cumsum(part)])
        for part in (counts, sums, sums * (np.arange(len(counts)) + 0.5), counts * (np.arange(len(counts)) + 0.5))
    )
    beyond = pixels[end] - pixels[width]
    known = beyond >= MIN_RING_CELLS
    level = (light[end] - light[width]) / np.maximum(beyond, 1)
    outside = light[width] - pixels[width] * level
    error = np.sqrt(variance * (pixels[width] + pixels[width] ** 2 / np.maximum(beyond, 1)))
    rounding = 1e-9 * np.abs(sums).max(initial=0)
    told = known & (np.abs(outside) > significant * error + rounding)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = REACH * (moment[width] - lever[width] * level) / outside
    enough = told & (reach > 0) & (width >= reach)
    if enough.any():
        return int(width[enough.argmax()]), False
    return 0, bool(told[-1])


def measure_light(image, covered, boxes, masks, scale, known=None) -> np.ndarray:
    """Measure the light of particles above their background, with that of their skirts.

    Parameters
    ----------
    image
        Frame, shape (rows, columns), real.
    covered
        Pixels of any particle, booleans of the same shape.
    boxes
        Bounding box of each particle, as two slices.
    masks
        Pixels of each particle in its box. They may overlap.
    scale
        Size of a pixel along rows and columns.
    known
        Pixels that were recorded; all by default.

    Returns
    -------
    numpy.ndarray
        One row for each particle: ``intensity``, ``intensity_error`` and ``background``, that at the centroid. Without
        a background near the particle, the median of the frame's free pixels is taken, the darkest pixel where there is
        none: the error is then what those pixels scatter by, for every pixel of the particle, or infinite.
    """
    # of two sizes that differ by rounding no fractions, which would put pixels in other rings
    sampling = tuple(round(size / min(scale), 9) for size in scale)
    cells = [Cells.for_particle(np.count_nonzero(mask), sampling) for mask in masks]
    found = np.zeros(len(boxes), _FOUND)

    def surroundings(number: int, margin: float) -> _Surroundings:
        return _Surroundings(image, covered, known, boxes[number], masks[number], cells[number], margin)

    radii = [cell.radius_of(np.count_nonzero(mask)) for cell, mask in zip(cells, masks, strict=True)]
    farthest = [np.ceil(FARTHEST * radius) + 2 * EXPECTED for radius in radii]
    profiles, unknown = [], {}
    for number, radius in enumerate(radii):
        margin = _margin(radius, EXPECTED)
        while True:
            around = surroundings(number, margin)
            profile = around.profile()
            skirt, wider = skirt_width(*profile, around.variance, SIGNIFICANT)
            if margin >= farthest[number] or around.is_frame or not wider and around.sees_ring(skirt):
                break
            needed = 2 * margin if wider else _margin(radius, skirt) + skirt
            margin = min(max(needed, margin + 1), farthest[number])
        profiles.append((*profile, around.variance))
        if skirt:
            found[number] = _measure(around, skirt)
        else:
            unknown[number] = margin
    for pixels in {cells[number].pixels for number in unknown}:
        alike = [number for number, cell in enumerate(cells) if cell.pixels == pixels]
        common = _common_skirt(profiles, alike, unknown, farthest, surroundings)
        for number in unknown.keys() & alike:
            skirt = common or max(3, round(DEFAULT_SKIRT * radii[number]))
            found[number] = _measure(surroundings(number, _margin(radii[number], skirt) + skirt), skirt)
    return _with_errors(found, image, covered, known)


def _margin(radius: float, skirt: int) -> float:
    """Room for a skirt and a ring."""
    return np.ceil(skirt + max(RING * (radius + skirt), 3))


def _common_skirt(profiles: list[tuple], alike: list[int], unknown: dict[int, float], farthest, surroundings) -> int:
    """Width of the skirt that the light about all particles of like cells together tells; 0 if it tells none."""
    while True:
        longest = max(len(profiles[number][0]) for number in alike)
        counts, sums = np.zeros((2, longest))
        for number in alike:
            counts[: len(profiles[number][0])] += profiles[number][0]
            sums[: len(profiles[number][1])] += profiles[number][1]
        variance = float(np.mean([profiles[number][2] for number in alike]))
        skirt, wider = skirt_width(counts, sums, variance, TOGETHER)
        if not wider:
            return skirt
        grown = False
        for number in unknown.keys() & alike:
            if unknown[number] < farthest[number]:
                unknown[number] = min(2 * unknown[number], farthest[number])
                around = surroundings(number, unknown[number])
                profiles[number] = (*around.profile(), around.variance)
                grown = True
        if not grown:
            return 0


def _measure(around: _Surroundings, skirt: int) -> tuple:
    """Sums of one particle, see `_FOUND`."""
    ring, skirt = around.find_ring(skirt)
    if not ring.any():
        light = around.image[around.mask].sum()
        return (light, np.nan, around.size, np.nan, np.nan, 0.0, 0, around.size, np.nan, np.nan, np.nan)
    level = around.fit_level(ring)
    rows, columns = np.nonzero(around.own | around.mine & (around.ring <= skirt))
    share = np.ones(len(rows)) if around.share is None else around.share[rows, columns]
    pixels = share * around.counts[rows, columns]
    moments = (pixels.sum(), pixels @ around.rows[rows], pixels @ around.columns[columns])
    light = share @ around.sums[rows, columns] - level.plane @ moments
    background = around.plane[0] + level.plane[0]
    traits = (level.inflation, level.variance, level.scatter, level.freedom, around.size, *around.noise(ring, skirt))
    return (light, background, moments[0], *traits)


def _with_errors(found: np.ndarray, image, covered, known) -> np.ndarray:
    """Rows with standard errors; noise that the particles of a frame have in common is taken of all of them."""
    rows = np.zeros(len(found), LIGHT)
    rows["background"] = found["background"]
    noisy = found["variance"] > 0
    factor = (found["scatter"][noisy] / found["variance"][noisy]).sum() / max(found["freedom"][noisy].sum(), 1)
    level = found["variance"] * (found["pixels"] + found["pixels"] ** 2 * found["inflation"])
    variance = level + np.maximum(_gain(found) * found["light"], -0.9 * level)
    rows["intensity"], rows["intensity_error"] = found["light"], np.sqrt(max(factor, 1) * variance)
    lost = np.isnan(found["background"])
    if lost.any():
        free = image[~covered if known is None else ~covered & known].astype(float)
        rows["background"][lost] = np.median(free) if free.size else float(image.min())
        rows["intensity"][lost] -= (rows["background"] * found["pixels"])[lost]
        # by how much the background of one place is off that of another
        rows["intensity_error"][lost] = found["pixels"][lost] * free.std() if free.size else np.inf
    return rows


def _gain(found: np.ndarray) -> float:
    """Increase of the variance of a pixel with its light, as counted electrons have it."""
    known = found[(found["rough"] > 0) & (found["rough_free"] >= 0)]
    weight = known["size"] / known["rough"] ** 2
    above = (weight * known["height"] * (known["rough"] - known["rough_free"])).sum()
    gain = max(above / max((weight * known["height"] ** 2).sum(), 1e-300), 0.0)
    # where noise of neighbouring pixels goes together, differences of them hold less than all of it
    white = known["rough_free"].sum()
    return gain * known["variance"].sum() / white if white > 0 else gain
