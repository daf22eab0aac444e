"""What lies about particles: which pixels are free, how far off they are, and what light they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.particles.light_cells import Cells
from particlespy_ml.particles.light_level import Levels, fit_levels

# In equivalent radii: the width of the ring, which has about as many pixels as the particle with its skirt.
RING = 0.4
MIN_RING_CELLS = 12
# Pixels of a particle of whose differences few reach beyond its edge.
LARGE = 400
# The fourth difference along both axes has 70**2 times the variance of white noise, of the pixels about it in these
# shares along each axis.
_DIFFERENCE_GAIN = 70.0**2
_DIFFERENCE_WEIGHTS = np.array([1, 16, 36, 16, 1]) / 70
# Cells that are worked on at once, and how many more it may be for windows of unlike shapes.
AT_ONCE, WASTE = 2**19, 2


@dataclass(frozen=True)
class Particles:
    """The particles of a frame.

    Parameters
    ----------
    image
        Frame, shape (rows, columns), real.
    covered
        Pixels of any particle.
    known
        Pixels that were recorded; None for all.
    boxes, masks
        Bounding box of each particle as two slices, and its pixels in it.
    cells
        What surrounds each is seen in these.
    """

    image: np.ndarray
    covered: np.ndarray
    known: np.ndarray | None
    boxes: list[tuple[slice, slice]]
    masks: list[np.ndarray]
    cells: list[Cells]

    def window(self, number: int, margin: float) -> tuple[slice, slice]:
        """Box of a particle with some cells about it."""
        cells = self.cells[number]
        return tuple(
            slice(max(b.start - int(np.ceil(margin * n / size)), 0), min(b.stop + int(np.ceil(margin * n / size)), end))
            for b, n, size, end in zip(self.boxes[number], cells.pixels, cells.size, self.covered.shape, strict=True)
        )

    def surroundings(self, numbers: list[int], margins: dict[int, float]) -> Iterator[Surroundings]:
        """What surrounds some particles, those of like windows and cells at a time."""
        windows = {number: self.window(number, margins[number]) for number in numbers}
        shapes = {
            number: tuple(-(-(w.stop - w.start) // n) for w, n in zip(window, self.cells[number].pixels, strict=True))
            for number, window in windows.items()
        }
        group: list[int] = []
        total, shape = 0, (0, 0)
        for number in sorted(numbers, key=lambda number: (self.cells[number].size, max(shapes[number]), number)):
            wider = tuple(map(max, shape, shapes[number]))
            padded, own = (len(group) + 1) * wider[0] * wider[1], shapes[number][0] * shapes[number][1]
            alike = group and self.cells[group[0]].size == self.cells[number].size
            if group and not (alike and padded <= min(AT_ONCE, WASTE * (total + own))):
                yield Surroundings(self, group, [windows[n] for n in group], shape, [margins[n] for n in group])
                group, total, wider = [], 0, shapes[number]
            group.append(number)
            total, shape = total + own, wider
        if group:
            yield Surroundings(self, group, [windows[n] for n in group], shape, [margins[n] for n in group])


class Surroundings:
    """The cells about particles: which are their own, which are free and nearest to them, and how far off they are.

    Cells are pixels, or blocks of them about large particles; distances are in cells. Arrays hold one particle after
    the other, in windows as large as that of the largest, whose cells beyond its own window are not free.
    """

    def __init__(self, particles: Particles, numbers, windows, shape: tuple[int, int], margins):
        self.numbers, self.margins = numbers, np.array(margins, float)
        self._particles, self._windows = particles, windows
        self._cells = [particles.cells[number] for number in numbers]
        self._images, self._inner = [], []
        count = len(numbers)
        self.own, other = np.zeros((2, count, *shape), bool)
        self.counts, self.sums = np.zeros((2, count, *shape))
        self.rows, self.columns = np.zeros((count, shape[0])), np.zeros((count, shape[1]))
        for place in range(count):
            self._see(place, other)
        self.size = np.array([np.count_nonzero(particles.masks[number]) for number in numbers])
        self.area = np.array([cells.area for cells in self._cells])
        self.radius = np.array([c.radius_of(size) for c, size in zip(self._cells, self.size, strict=True)])
        self._measure_distances(other)
        self.variance = np.zeros(count)
        self.plane = self._flatten()

    def _see(self, place: int, other: np.ndarray) -> None:
        """Sum the pixels of one window over its cells."""
        particles, cells, number = self._particles, self._cells[place], self.numbers[place]
        window, box, mask = self._windows[place], particles.boxes[number], particles.masks[number]
        inner = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, window, strict=True))
        covered = particles.covered[window]
        # whole cells; what lies beyond the frame is not usable
        seen = tuple(slice(0, length) for length in covered.shape)
        shape = [-(-length // n) * n for length, n in zip(covered.shape, cells.pixels, strict=True)]
        image, light = np.zeros((2, *shape))
        own, beside, usable = np.zeros((3, *shape), bool)
        image[seen] = particles.image[window]
        own[inner] = mask
        np.greater(covered, own[seen], out=beside[seen])
        np.logical_not(beside[seen], out=usable[seen])
        if particles.known is not None:
            usable[seen] &= particles.known[window]
            usable |= own
        np.multiply(image, usable, out=light)
        inside = np.s_[place, : own.shape[0] // cells.pixels[0], : own.shape[1] // cells.pixels[1]]
        self.own[inside], other[inside] = cells.sum(own), cells.sum(beside)
        self.counts[inside] = cells.sum(usable.astype(np.int32))
        self.sums[inside] = cells.sum(light)
        for centres, axis in ((self.rows, 0), (self.columns, 1)):
            along = np.count_nonzero(mask, axis=1 - axis)
            n, middle = cells.pixels[axis], (along @ np.arange(len(along))) / along.sum()
            # whole numbers first: far from a corner of the frame no rounding may decide between octants
            centres[place] = np.arange(centres.shape[1]) * n + (n - 1) / 2 - inner[axis].start - middle
        self._images.append(image)
        self._inner.append(inner)

    def _measure_distances(self, other: np.ndarray) -> None:
        """How far off cells are, and which are free and whose."""
        size = self._cells[0].size
        # no particle is as near to the cells of another window as one of their own
        sampling = (4 * sum(n * s for n, s in zip(self.own.shape[1:], size, strict=True)), *size)
        distance = ndi.distance_transform_edt(~self.own, sampling=sampling)
        other &= ~self.own
        self.share = None  # of a cell's light: half where two particles are as near
        if other.any():
            apart = ndi.distance_transform_edt(~other, sampling=sampling)
            self.share = np.where(distance < apart, 1.0, np.where(distance == apart, 0.5, 0.0))
            distance = np.minimum(distance, apart)
        self.ring = np.ceil(distance - 1e-9).astype(np.intp)  # 0 on particles, 1 next to them
        self.free = ~(self.own | other) & (self.counts == self.area[:, None, None])
        self.mine = self.free if self.share is None else self.free & (self.share > 0)

    def _flatten(self) -> np.ndarray:
        """Subtract a background of the outer free cells, so that no slope looks like a skirt; return its planes."""
        outer = self.mine & (self.ring > self.margins[:, None, None] / 2)
        few = np.count_nonzero(outer, axis=(1, 2)) < MIN_RING_CELLS
        outer[few] = self.free[few]
        rows, columns, area = self.rows, self.columns, self.area
        weights = outer.astype(float)
        along, across = weights.sum(2), weights.sum(1)
        count = along.sum(1)
        seen = count >= MIN_RING_CELLS
        many = np.maximum(count, 1)
        level = np.einsum("nij,nij->n", weights, self.sums) / many / area
        values = weights * (self.sums / area[:, None, None] - level[:, None, None])
        down, right = values.sum(2), values.sum(1)
        sums = np.stack([down.sum(1), (down * rows).sum(1), (right * columns).sum(1)], axis=1)
        normal = np.empty((len(rows), 3, 3))
        normal[:, 0, 0] = count
        normal[:, 0, 1] = normal[:, 1, 0] = (along * rows).sum(1)
        normal[:, 0, 2] = normal[:, 2, 0] = (across * columns).sum(1)
        normal[:, 1, 1], normal[:, 2, 2] = (along * rows**2).sum(1), (across * columns**2).sum(1)
        normal[:, 1, 2] = normal[:, 2, 1] = ((weights @ columns[:, :, None])[:, :, 0] * rows).sum(1)
        plane = (np.linalg.pinv(normal, rcond=1e-9) @ sums[:, :, None])[:, :, 0]
        plane[:, 0] += level
        plane[~seen] = 0
        tilted = plane[:, 0, None, None] + (plane[:, 1, None] * rows)[:, :, None]
        self.sums -= self.counts * (tilted + (plane[:, 2, None] * columns)[:, None])
        self.variance = np.where(seen, np.einsum("nij,nij->n", weights, self.sums**2) / many / area, 0.0)
        return plane

    def profiles(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pixels and sum of the pixels in rings of the width of a cell about each outline."""
        chosen = self.mine & (self.ring <= self.margins[:, None, None])
        owner = np.nonzero(chosen)[0]
        share = None if self.share is None else self.share[chosen]
        length = int(self.margins.max()) + 1
        bins, total = owner * length + self.ring[chosen], len(self.numbers) * length
        light = self.sums[chosen] if share is None else share * self.sums[chosen]
        sums = np.bincount(bins, light, total).reshape(-1, length)
        pixels = np.bincount(bins, share, total).reshape(-1, length) * self.area[:, None].astype(float)
        ends = self.margins.astype(int) + 1
        return [(pixels[place, 1:end], sums[place, 1:end]) for place, end in enumerate(ends)]

    def is_frame(self, place: int) -> bool:
        """Whether a window is the whole frame."""
        shape = self._particles.covered.shape
        return all(w == slice(0, n) for w, n in zip(self._windows[place], shape, strict=True))

    def sees_ring(self, place: int, skirt: int) -> bool:
        """Whether a window holds at least half the width of the ring, and all particles that are near to it."""
        width = max(RING * (self.radius[place] + skirt), 3)
        return self.is_frame(place) or self._last_ring(place, skirt) >= skirt + np.ceil(width / 2)

    def _last_ring(self, place: int, skirt: int) -> float:
        """Last ring whose pixels are not nearer to particles outside of the window than a skirt is wide."""
        window, covered = self._windows[place], self._particles.covered
        wider = tuple(
            slice(max(w.start - skirt * n, 0), w.stop + skirt * n)
            for w, n in zip(window, self._cells[place].pixels, strict=True)
        )
        hidden = np.count_nonzero(covered[wider]) - np.count_nonzero(covered[window])
        return self.margins[place] - skirt * (hidden > 0)

    def _find_rings(self, places: np.ndarray, skirts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells of the background of each, and the widths of the skirts that they leave."""
        pairs = zip(places, skirts, strict=True)
        last = np.array(
            [min(skirt + max(RING * (self.radius[p] + skirt), 3), self._last_ring(p, skirt)) for p, skirt in pairs]
        )
        beyond = self.ring[places] > skirts[:, None, None]
        rings, skirts = self.mine[places] & beyond & (self.ring[places] <= last[:, None, None]), skirts.copy()
        for k in np.flatnonzero(np.count_nonzero(rings, axis=(1, 2)) < MIN_RING_CELLS):
            free, ring = self.free[places[k]], self.ring[places[k]]
            rings[k] = free & beyond[k]
            if np.count_nonzero(rings[k]) >= MIN_RING_CELLS:
                continue
            # nothing is free that far off: what is farthest
            farthest = np.sort(ring[free])
            if len(farthest) < MIN_RING_CELLS:
                rings[k], skirts[k] = False, 0
            else:
                nearest = int(farthest[-MIN_RING_CELLS])
                rings[k], skirts[k] = free & (ring >= nearest), nearest - 1
        return rings, skirts

    def _fit_levels(self, places: np.ndarray, rings: np.ndarray) -> Levels:
        """Fit a background to some cells of each."""
        owner, rows, columns = np.nonzero(rings)
        which, area = places[owner], self.area[places]
        values = self.sums[which, rows, columns] / self.area[which]
        levels = fit_levels(owner, len(places), self.rows[which, rows], self.columns[which, columns], values)
        levels.inflation /= area
        levels.variance *= area
        levels.scatter *= area
        return levels

    def measure(self, places: np.ndarray, skirts: np.ndarray, found: np.ndarray) -> None:
        """Fill in the sums of some particles of known skirts, see `particlespy_ml.particles.light`."""
        rings, skirts = self._find_rings(places, skirts)
        alone = ~rings.any((1, 2))
        for place in places[alone]:
            row = found[self.numbers[place]]
            light = self._images[place][self._inner[place]][self._particles.masks[self.numbers[place]]].sum()
            row["light"], row["pixels"], row["size"] = light, self.size[place], self.size[place]
            for name in ("background", "inflation", "variance", "rough", "rough_free", "height"):
                row[name] = np.nan
        places, rings, skirts = places[~alone], rings[~alone], skirts[~alone]
        if not len(places):
            return
        levels = self._fit_levels(places, rings)
        weights = (self.own[places] | self.mine[places] & (self.ring[places] <= skirts[:, None, None])).astype(float)
        if self.share is not None:
            weights *= self.share[places]
        pixels = weights * self.counts[places]
        moments = (
            pixels.sum((1, 2)),
            (pixels.sum(2) * self.rows[places]).sum(1),
            (pixels.sum(1) * self.columns[places]).sum(1),
        )
        rows = found[[self.numbers[place] for place in places]]
        rows["light"] = np.einsum("nij,nij->n", weights, self.sums[places])
        rows["light"] -= (levels.plane * np.stack(moments, 1)).sum(1)
        rows["background"] = self.plane[places, 0] + levels.plane[:, 0]
        rows["pixels"], rows["size"] = moments[0], self.size[places]
        for name in ("inflation", "variance", "scatter", "freedom"):
            rows[name] = getattr(levels, name)
        for row, place, ring, skirt in zip(rows, places, rings, skirts, strict=True):
            row["rough"], row["rough_free"], row["height"] = self._noise(place, ring, int(skirt))
        found[[self.numbers[place] for place in places]] = rows

    def _noise(self, place: int, ring: np.ndarray, skirt: int) -> tuple[float, float, float]:
        """Variance of white noise on and off the particle, and the height that goes with the former.

        From differences of pixels that no structure of several pixels survives; NaN where there are too few.
        """
        image, inner, cells = self._images[place], self._inner[place], self._cells[place]
        rows, columns = (
            slice(max(side.start - skirt * n - 8, 0), min(side.stop + skirt * n + 8, end))
            for side, n, end in zip(inner, cells.pixels, image.shape, strict=True)
        )
        own = np.zeros(image.shape, bool)
        own[inner] = self._particles.masks[self.numbers[place]]
        own = np.flatnonzero(own[rows, columns][2:-2, 2:-2])
        seen = np.s_[: image.shape[0] // cells.pixels[0], : image.shape[1] // cells.pixels[1]]
        free = np.flatnonzero(cells.spread(ring[seen])[rows, columns][2:-2, 2:-2])
        if not len(own) or not len(free):
            return np.nan, np.nan, np.nan
        pixels = image[rows, columns].astype(float)
        rough = np.diff(np.diff(pixels, 4, axis=0), 4, axis=1).ravel()
        level = pixels[2:-2, 2:-2].ravel()[free].mean()
        for axis in (0, 1) if self.size[place] < LARGE else ():
            pixels = ndi.correlate1d(pixels, _DIFFERENCE_WEIGHTS, axis)
        height = pixels[2:-2, 2:-2].ravel()[own].mean() - level
        on, off = (float((rough[chosen] ** 2).mean() / _DIFFERENCE_GAIN) for chosen in (own, free))
        return on, off, float(height)
