"""Integrated intensity of particles: the light of each above its background, its skirt included, with an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

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
# In pixels, the skirt for which there is room in the first window.
EXPECTED = 8
# In equivalent radii beyond twice that: how far a skirt is looked for.
FARTHEST = 6.0
MIN_RING_PIXELS = 12
# An octant of the ring is left out where it is this many standard errors off, such as by a particle that was not found.
OUTLYING = 4.0
# A plane is fitted where the ring surrounds the particle, so that its value in the middle has at most this many times
# the variance of the mean.
MAX_INFLATION = 3.0
# Pixels of a particle of whose differences few reach beyond its edge.
LARGE = 400
# The fourth difference along both axes has 70**2 times the variance of white noise, of the pixels about it in these
# shares along each axis.
_DIFFERENCE_GAIN = 70.0**2
_DIFFERENCE_WEIGHTS = np.array([1, 16, 36, 16, 1]) / 70

LIGHT = np.dtype([(name, "f8") for name in ("intensity", "intensity_error", "background")])
# Sums of one particle: light above the background (above zero without one), background at its centroid, pixels with the
# skirt; of the ring see `_Level`; pixels without the skirt; and see `_Surroundings.noise`.
_FOUND = np.dtype(
    [(name, "f8") for name in ("light", "background", "pixels", "inflation", "variance", "scatter", "freedom")]
    + [(name, "f8") for name in ("size", "rough", "rough_free", "height")]
)


@dataclass
class _Level:
    """A background: a plane about the particle's centroid, and how well it is known.

    ``inflation`` is the variance of the value in the middle over the variance of a pixel.
    """

    plane: np.ndarray
    inflation: float
    variance: float
    scatter: float
    freedom: int


class _Surroundings:
    """The pixels about one particle: which are its own, which are free and nearest to it, and how far off they are."""

    def __init__(self, image, covered, known, box, mask, sampling, margin: float):
        reach = [int(np.ceil(margin / size)) for size in sampling]
        window = tuple(
            slice(max(b.start - r, 0), min(b.stop + r, n)) for b, r, n in zip(box, reach, covered.shape, strict=True)
        )
        self.margin = margin
        self.is_frame = all(w == slice(0, n) for w, n in zip(window, covered.shape, strict=True))
        self._covered, self._window = covered, window
        self.own = own = np.zeros([w.stop - w.start for w in window], bool)
        own[tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, window, strict=True))] = mask
        other = covered[window] & ~own
        distance = ndi.distance_transform_edt(~own, sampling=sampling)
        self.share = None  # of a pixel's light: half where two particles are as near
        if other.any():
            apart = ndi.distance_transform_edt(~other, sampling=sampling)
            self.share = np.where(distance < apart, 1.0, np.where(distance == apart, 0.5, 0.0))
            distance = np.minimum(distance, apart)
        self.ring = np.ceil(distance - 1e-9).astype(np.intp)  # 0 on particles, 1 next to them
        self.free = ~(own | other) if known is None else ~(own | other) & known[window]
        self.mine = self.free if self.share is None else self.free & (self.share > 0)
        self.pixels = np.array(image[window], float)
        inside = np.nonzero(own)
        self.size = len(inside[0])
        self.radius = np.sqrt(self.size * sampling[0] * sampling[1] / np.pi)
        self.rows = np.arange(own.shape[0])[:, None] - inside[0].mean()
        self.columns = np.arange(own.shape[1])[None, :] - inside[1].mean()
        self.variance = 0.0
        self.level = self._flatten()

    def fit_level(self, chosen: np.ndarray) -> _Level:
        """Fit a background to some pixels."""
        rows, columns = np.nonzero(chosen)
        return fit_level(self.rows[rows, 0], self.columns[0, columns], self.pixels[rows, columns])

    def _flatten(self) -> float:
        """Subtract a background of the outer free pixels, so that no slope looks like a skirt; return its level."""
        outer = self.mine & (self.ring > self.margin / 2)
        if np.count_nonzero(outer) < MIN_RING_PIXELS:
            outer = self.free
        if np.count_nonzero(outer) < MIN_RING_PIXELS:
            return 0.0
        rows, columns = self.rows[:, 0], self.columns[0]
        weights = outer.astype(float)
        along, across = weights.sum(1), weights.sum(0)
        count = along.sum()
        self.pixels -= (level := float((weights * self.pixels).sum() / count))
        values = weights * self.pixels
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
        self.pixels -= plane[0] + plane[1] * self.rows + plane[2] * self.columns
        self.variance = float((weights * self.pixels**2).sum() / count)
        return level + float(plane[0])

    def weights(self, chosen: np.ndarray) -> np.ndarray | None:
        """Shares of some pixels; None where all are whole."""
        return None if self.share is None else self.share[chosen]

    def profile(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels and sum of the pixels in rings of the width of a pixel about the outline."""
        mine = self.mine & (self.ring <= self.margin)
        weights, values, length = self.weights(mine), self.pixels[mine], int(self.margin) + 1
        rings = self.ring[mine]
        sums = np.bincount(rings, values if weights is None else values * weights, length)
        return np.bincount(rings, weights, length)[1:].astype(float), sums[1:]

    def sees_ring(self, skirt: int) -> bool:
        """Whether the window holds at least half the width of the ring, and all particles that are near to it."""
        width = max(RING * (self.radius + skirt), 3)
        return self.is_frame or self._last_ring(skirt) >= skirt + np.ceil(width / 2)

    def _last_ring(self, skirt: int) -> float:
        """Last ring whose pixels are not nearer to particles outside of the window than a skirt is wide."""
        wider = tuple(slice(max(w.start - skirt, 0), w.stop + skirt) for w in self._window)
        hidden = np.count_nonzero(self._covered[wider]) - np.count_nonzero(self._covered[self._window])
        return self.margin - skirt * (hidden > 0)

    def find_ring(self, skirt: int) -> tuple[np.ndarray, int]:
        """Return the pixels of the background, and the width of the skirt that they leave."""
        last = min(skirt + max(RING * (self.radius + skirt), 3), self._last_ring(skirt))
        for ring in (self.mine & (self.ring > skirt) & (self.ring <= last), self.free & (self.ring > skirt)):
            if np.count_nonzero(ring) >= MIN_RING_PIXELS:
                return ring, skirt
        # nothing is free that far off: what is farthest
        rings = np.sort(self.ring[self.free])
        if len(rings) < MIN_RING_PIXELS:
            return np.zeros_like(self.free), 0
        nearest = int(rings[-MIN_RING_PIXELS])
        return self.free & (self.ring >= nearest), nearest - 1

    def noise(self, level: float, skirt: int) -> tuple[float, float, float]:
        """Variance of white noise on and off the particle, and the height above a level that goes with the former.

        From differences that no structure of several pixels survives; NaN where there are too few pixels.
        """
        rows, columns = (
            slice(max(index.min() - skirt - 8, 0), index.max() + skirt + 9) for index in np.nonzero(self.own)
        )
        pixels, own, ring = (part[rows, columns] for part in (self.pixels - level, self.own, self.ring))
        rough = np.diff(np.diff(pixels, 4, axis=0), 4, axis=1) ** 2 / _DIFFERENCE_GAIN
        free = (self.free[rows, columns] & (ring > max(skirt, 2)))[2:-2, 2:-2]
        inner = own[2:-2, 2:-2]
        if not inner.any() or not free.any():
            return np.nan, np.nan, np.nan
        for axis in (0, 1) if self.size < LARGE else ():
            pixels = ndi.correlate1d(pixels, _DIFFERENCE_WEIGHTS, axis)
        height = pixels[2:-2, 2:-2][inner].mean()
        return float(rough[inner].mean()), float(rough[free].mean()), float(height)


def fit_level(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> _Level:
    """Fit a plane to the means of octants about the origin; octants that do not fit are left out.

    Means of many pixels are fitted rather than pixels, since they scatter like Gaussians at any dose, and as much as
    noise of neighbouring pixels that goes together, or an uneven support, makes them.
    """
    octant = (rows > 0) + 2 * (columns > 0) + 4 * (np.abs(rows) > np.abs(columns))
    sums = [np.bincount(octant, weights, 8) for weights in (None, rows, columns, values, values * values)]
    present = sums[0] > 0
    counts, row, column, mean, square = (part[present] for part in sums)
    row, column, mean = row / counts, column / counts, mean / counts
    total = counts.sum()
    variance = max((square - counts * mean**2).sum(), 0.0) / max(total - len(counts), 1)
    while True:
        plane, inflation, terms = _weighted_plane(row, column, mean, counts)
        off = np.sqrt(counts) * (mean - plane[0] - plane[1] * row - plane[2] * column)
        freedom = len(counts) - terms
        if freedom < 2:
            break
        size = np.abs(off)
        worst = size.argmax()
        usual = max(np.sqrt(variance), 1.4826 * np.sort(size)[len(size) // 2])
        # sums of like numbers are rounded
        if size[worst] <= OUTLYING * usual + 1e-9 * np.sqrt(counts[worst]) * np.abs(mean).max():
            break
        row, column, mean, counts = (np.delete(part, worst) for part in (row, column, mean, counts))
    return _Level(plane, inflation, variance, float((off**2).sum()), freedom)


def _weighted_plane(row, column, mean, counts) -> tuple[np.ndarray, float, int]:
    """Plane, variance of its value at the origin over that of a pixel, and number of its terms."""
    total = counts.sum()
    level = (np.array([(counts * mean).sum() / total, 0.0, 0.0]), 1 / total, 1)
    if len(counts) < 5:
        return level
    design = np.stack([np.ones_like(row), row, column], axis=1)
    normal = (design * counts[:, None]).T @ design
    try:
        inverse = np.linalg.inv(normal)
    except np.linalg.LinAlgError:
        return level
    if not 0 < inverse[0, 0] * total <= MAX_INFLATION:
        return level
    return inverse @ (design * counts[:, None]).T @ mean, inverse[0, 0], 3


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
    known = beyond >= MIN_RING_PIXELS
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
        One row for each particle: ``intensity``, ``intensity_error`` and ``background``, that at the centroid.
    """
    # of two sizes that differ by rounding no fractions, which would put pixels in other rings
    sampling = tuple(round(size / min(scale), 9) for size in scale)
    radii = [np.sqrt(np.count_nonzero(mask) * sampling[0] * sampling[1] / np.pi) for mask in masks]
    farthest = [np.ceil(FARTHEST * radius) + 2 * EXPECTED for radius in radii]
    found = np.zeros(len(boxes), _FOUND)

    def surroundings(number: int, margin: float) -> _Surroundings:
        return _Surroundings(image, covered, known, boxes[number], masks[number], sampling, margin)

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
    common = _common_skirt(profiles, unknown, farthest, surroundings) if unknown else 0
    for number in unknown:
        skirt = common or max(3, round(DEFAULT_SKIRT * radii[number]))
        around = surroundings(number, _margin(radii[number], skirt) + skirt)
        found[number] = _measure(around, skirt)
    return _with_errors(found, image, covered, known)


def _margin(radius: float, skirt: int) -> float:
    """Room for a skirt and a ring."""
    return np.ceil(skirt + max(RING * (radius + skirt), 3))


def _common_skirt(profiles: list[tuple], unknown: dict[int, float], farthest: list[float], surroundings) -> int:
    """Width of the skirt that the light about all particles together tells; 0 if it tells none."""
    while True:
        longest = max(len(counts) for counts, _, _ in profiles)
        counts, sums = (sum(np.pad(part[n], (0, longest - len(part[n]))) for part in profiles) for n in (0, 1))
        variance = float(np.mean([part[2] for part in profiles]))
        skirt, wider = skirt_width(counts, sums, variance, TOGETHER)
        if not wider:
            return skirt
        grown = False
        for number, margin in unknown.items():
            if margin < farthest[number]:
                unknown[number] = min(2 * margin, farthest[number])
                around = surroundings(number, unknown[number])
                profiles[number] = (*around.profile(), around.variance)
                grown |= not around.is_frame
        if not grown:
            return 0


def _measure(around: _Surroundings, skirt: int) -> tuple:
    """Sums of one particle, see `_FOUND`."""
    ring, skirt = around.find_ring(skirt)
    own = around.pixels[around.own]
    if not ring.any():
        return (own.sum(), np.nan, around.size, np.nan, np.nan, 0.0, 0, around.size, np.nan, np.nan, np.nan)
    level = around.fit_level(ring)
    near = np.nonzero(around.mine & (around.ring <= skirt))
    share = np.ones(len(near[0])) if around.share is None else around.share[near]
    pixels = around.size + share.sum()
    # the centroid of the particle is the origin, and only its skirt may lie aside of it
    moments = (pixels, share @ around.rows[near[0], 0], share @ around.columns[0, near[1]])
    light = own.sum() + share @ around.pixels[near] - level.plane @ moments
    background = around.level + level.plane[0]
    noise = around.noise(level.plane[0], skirt)
    traits = (level.inflation, level.variance, level.scatter, level.freedom, around.size, *noise)
    return (light, background, pixels, *traits)


def _with_errors(found: np.ndarray, image, covered, known) -> np.ndarray:
    """Rows with standard errors; noise that the particles of a frame have in common is taken of all of them."""
    rows = np.zeros(len(found), LIGHT)
    rows["background"] = found["background"]
    lost = np.isnan(found["background"])
    if lost.any():
        free = image[~covered if known is None else ~covered & known]
        rows["background"][lost] = np.median(free.astype(float)) if free.size else float(image.min())
    rows["intensity"] = found["light"] - np.where(lost, rows["background"] * found["pixels"], 0)
    noisy = found["variance"] > 0
    factor = (found["scatter"][noisy] / found["variance"][noisy]).sum() / max(found["freedom"][noisy].sum(), 1)
    level = found["variance"] * (found["pixels"] + found["pixels"] ** 2 * found["inflation"])
    variance = level + np.maximum(_gain(found) * rows["intensity"], -0.9 * level)
    rows["intensity_error"] = np.sqrt(max(factor, 1) * variance)
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
