"""Integrated intensity of particles: the light of each above its background, its skirt included, with an error."""

from __future__ import annotations

import numpy as np

from particlespy_ml.particles.light_cells import Cells
from particlespy_ml.particles.light_surroundings import MIN_RING_CELLS, RING, Particles, Surroundings

# A skirt ends at this many mean distances of its light from the outline: at 3.1 widths of a Gaussian blur of a straight
# edge, at 3.0 widths beyond the half maximum of a Gaussian spot, and where 1 % is left of one that falls exponentially.
REACH = 5.0
# In standard errors: the light outside of the outline that tells how wide a particle's skirt is. If it is less, that of
# all particles of the frame together tells.
SIGNIFICANT, TOGETHER = 8.0, 3.0
# In equivalent radii: the skirt where not even that tells, at least three pixels.
DEFAULT_SKIRT = 1.0
# In cells, the skirt for which there is room in the first window.
EXPECTED = 5
# In equivalent radii beyond twice that: how far a skirt is looked for.
FARTHEST = 6.0

LIGHT = np.dtype([(name, "f8") for name in ("intensity", "intensity_error", "background")])
# Sums of one particle: light above the background (above zero without one), background at its centroid, pixels with the
# skirt; of the ring see `Levels`; pixels without the skirt; and white noise and height, see `Surroundings`.
_FOUND = np.dtype(
    [(name, "f8") for name in ("light", "background", "pixels", "inflation", "variance", "scatter", "freedom")]
    + [(name, "f8") for name in ("size", "rough", "rough_free", "height")]
)


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
    one = counts[None], sums[None], np.array([len(counts)]), np.array([variance])
    (width,), (wider,) = skirt_widths(*one, significant)
    return int(width), bool(wider)


def skirt_widths(counts, sums, lengths, variance, significant: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what `skirt_width` does of many profiles, one a row, of which so many rings were seen."""
    longest = counts.shape[1]
    width = np.arange(1, longest + 1)
    end = width + np.maximum(2, (width + 1) // 2)
    width, end = width[end <= longest], end[end <= longest]
    if not len(width):
        return np.zeros(len(counts), int), np.ones(len(counts), bool)
    middle = np.arange(longest) + 0.5
    totals = np.zeros((4, len(counts), longest + 1))
    np.cumsum([counts, sums, sums * middle, counts * middle], axis=2, out=totals[:, :, 1:])
    pixels, light, moment, lever = totals
    inside, beyond = pixels[:, width], pixels[:, end] - pixels[:, width]
    level = (light[:, end] - light[:, width]) / np.maximum(beyond, 1)
    outside = light[:, width] - inside * level
    error = np.sqrt(variance[:, None] * (inside + inside**2 / np.maximum(beyond, 1)))
    rounding = 1e-9 * np.abs(sums).max(axis=1, keepdims=True)
    seen = end <= lengths[:, None]
    told = seen & (beyond >= MIN_RING_CELLS) & (np.abs(outside) > significant * error + rounding)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = REACH * (moment[:, width] - lever[:, width] * level) / outside
    enough = told & (reach > 0) & (width >= reach)
    found, last, row = enough.any(1), np.count_nonzero(seen, axis=1) - 1, np.arange(len(counts))
    wider = ~found & ((last < 0) | told[row, last])
    return np.where(found, width[enough.argmax(1)], 0), wider


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
    sizes, centres = _sizes_and_centres(masks)
    cells = [Cells.for_particle(size, sampling) for size in sizes]
    particles = Particles(image, covered, known, boxes, masks, cells, sizes, centres)
    found = np.zeros(len(boxes), _FOUND)
    radii = [cell.radius_of(size) for cell, size in zip(cells, sizes, strict=True)]
    farthest = [np.ceil(FARTHEST * radius) + 2 * EXPECTED for radius in radii]
    margins = {number: _margin(radius, EXPECTED) for number, radius in enumerate(radii)}
    profiles, unknown = {}, {}
    left = list(margins)
    while left:
        narrow = []
        for around in particles.surroundings(left, margins):
            narrow += _measure_those_told(around, radii, farthest, margins, profiles, unknown, found)
        left = narrow
    for pixels in {cells[number].pixels for number in unknown}:
        alike = [number for number, cell in enumerate(cells) if cell.pixels == pixels]
        common = _common_skirt(profiles, alike, unknown, farthest, particles)
        skirts = {n: common or max(3, round(DEFAULT_SKIRT * radii[n])) for n in sorted(unknown.keys() & alike)}
        room = {number: _margin(radii[number], skirt) + skirt for number, skirt in skirts.items()}
        for around in particles.surroundings(list(skirts), room):
            widths = np.array([skirts[number] for number in around.numbers])
            around.measure(np.arange(len(widths)), widths, found)
    return _with_errors(found, image, covered, known)


def _sizes_and_centres(masks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of masks, and rows and columns of their centroids."""
    sizes, centres = np.zeros(len(masks), int), np.zeros((len(masks), 2))
    for number, mask in enumerate(masks):
        rows, columns = (np.add.reduce(mask, axis, dtype=np.intp) for axis in (1, 0))
        sizes[number] = size = rows.sum()
        centres[number] = rows @ np.arange(len(rows)) / size, columns @ np.arange(len(columns)) / size
    return sizes, centres


def _measure_those_told(around: Surroundings, radii, farthest, margins, profiles, unknown, found) -> list[int]:
    """Measure particles whose light tells how wide their skirts are; return those whose windows are too narrow.

    Those whose light tells nothing are added to *unknown* with their margins, and margins grow where need be.
    """
    seen, skirts, narrow = [], [], []
    counts, sums = around.profiles()
    lengths = around.margins.astype(int)
    widths, whether_wider = skirt_widths(counts, sums, lengths, around.variance, SIGNIFICANT)
    for place, number in enumerate(around.numbers):
        margin, skirt, wider = margins[number], int(widths[place]), whether_wider[place]
        whole = margin >= farthest[number] or around.is_frame(place)
        if not whole and (wider or not around.sees_ring(place, skirt)):
            needed = 2 * margin if wider else _margin(radii[number], skirt) + skirt
            margins[number] = min(max(needed, margin + 1), farthest[number])
            narrow.append(number)
            continue
        profiles[number] = counts[place, : lengths[place]], sums[place, : lengths[place]], around.variance[place]
        if skirt:
            seen.append(place)
            skirts.append(skirt)
        else:
            unknown[number] = margin
    around.measure(np.array(seen, int), np.array(skirts, int), found)
    return narrow


def _margin(radius: float, skirt: int) -> float:
    """Room for a skirt and a ring."""
    return np.ceil(skirt + max(RING * (radius + skirt), 3))


def _common_skirt(profiles: dict, alike: list[int], unknown: dict[int, float], farthest, particles: Particles) -> int:
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
        growing = [number for number in sorted(unknown.keys() & alike) if unknown[number] < farthest[number]]
        if not growing:
            return 0
        for number in growing:
            unknown[number] = min(2 * unknown[number], farthest[number])
        for around in particles.surroundings(growing, unknown):
            counts, sums = around.profiles()
            for place, number in enumerate(around.numbers):
                length = int(around.margins[place])
                profiles[number] = counts[place, :length], sums[place, :length], around.variance[place]


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
