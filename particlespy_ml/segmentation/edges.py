"""How the contrast of particles falls off across their outlines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

# In radii of a particle: the rim of background around it, and the distances at which its contrast is averaged.
RIM = (0.25, 0.7)
DISTANCES = np.arange(-0.6, 0.64, 0.04)
# Contrast over noise times radius in pixels, from which a particle counts.
MIN_SIGNAL = 12
# Width of a steep edge in radii: a projected sphere has 0.26, a block 0.
STEEP = 0.2


@dataclass(frozen=True)
class Surroundings:
    """A particle and the background around it.

    Parameters
    ----------
    number
        Label of the particle.
    box
        Slices of the image.
    own, free
        Pixels of the particle, and those that belong to it or to the background, shape of the box.
    distance
        Distance from the outline in nm, negative inside, shape of the box.
    radius
        Radius in nm of a circle of the same area.
    """

    number: int
    box: tuple[slice, slice]
    own: np.ndarray
    free: np.ndarray
    distance: np.ndarray
    radius: float

    def contrast(self, image: np.ndarray) -> tuple[float, float, float] | None:
        """Level and noise of the background around the particle, and contrast of its inner half; None without a rim.

        Parameters
        ----------
        image
            Shape of the box.
        """
        rim = self.free & (self.distance > RIM[0] * self.radius) & (self.distance < RIM[1] * self.radius)
        if np.count_nonzero(rim) < 10:
            return None
        level = float(np.median(image[rim]))
        noise = 1.4826 * float(np.median(np.abs(image[rim] - level)))
        return level, noise, float(np.median(image[self.own & (self.distance < 0.5 * self.distance.min())])) - level


def particle_surroundings(
    labels: np.ndarray, pixel_size: tuple[float, float], margin: float = RIM[1]
) -> Iterator[Surroundings]:
    """Yield each particle with what surrounds it.

    Parameters
    ----------
    labels
        Particles, 0 for the background, shape (rows, columns).
    pixel_size
        Rows and columns in nm.
    margin
        How much of the surroundings, in radii of the particle.
    """
    half = min(pixel_size) / 2
    for number, box in enumerate(ndi.find_objects(labels), start=1):
        if box is None:
            continue
        radius = float(np.sqrt(np.count_nonzero(labels[box] == number) * np.prod(pixel_size) / np.pi))
        around = [int(np.ceil(margin * radius / size)) + 2 for size in pixel_size]
        box = tuple(slice(max(0, s.start - n), s.stop + n) for s, n in zip(box, around, strict=True))
        own = labels[box] == number
        inside = ndi.distance_transform_edt(own, sampling=pixel_size)
        outside = ndi.distance_transform_edt(~own, sampling=pixel_size)
        yield Surroundings(
            number, box, own, own | (labels[box] == 0), np.where(own, half - inside, outside - half), radius
        )


def mean_edge(image: np.ndarray, labels: np.ndarray, pixel_size: tuple[float, float]) -> np.ndarray | None:
    """Contrast of the particles of an image against the distance from their outlines, averaged over all of them.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    labels : numpy.ndarray
        Particles, 0 for the background, shape of `image`.
    pixel_size : tuple of float
        Rows and columns in nm.

    Returns
    -------
    numpy.ndarray or None
        Contrast relative to that of the inner half of each particle, at `DISTANCES`, which are in radii and negative
        inside. Particles weigh as much as they stand out. None if none stands out of the noise.
    """
    total, weights = np.zeros(len(DISTANCES)), 0.0
    step = DISTANCES[1] - DISTANCES[0]
    for particle in particle_surroundings(labels, pixel_size):
        crop = np.asarray(image[particle.box], np.float32)
        measured = particle.contrast(crop)
        if measured is None:
            continue
        level, noise, contrast = measured
        signal = abs(contrast) * particle.radius / np.sqrt(np.prod(pixel_size))
        if not signal > MIN_SIGNAL * noise:
            continue
        weight = min(signal / noise, 10 * MIN_SIGNAL) if noise else 10 * MIN_SIGNAL
        bins = np.rint((particle.distance / particle.radius - DISTANCES[0]) / step).astype(int)
        at = particle.free & (bins >= 0) & (bins < len(DISTANCES))
        count = np.bincount(bins[at], minlength=len(DISTANCES))
        profile = np.bincount(bins[at], (crop[at] - level) / contrast, len(DISTANCES))[count > 0] / count[count > 0]
        total += weight * np.interp(DISTANCES, DISTANCES[count > 0], profile)
        weights += weight
    return ndi.gaussian_filter1d(total / weights, 1) if weights else None


def crossing(edge: np.ndarray, level: float, first: bool = False) -> float | None:
    """Distance in radii at which a mean edge falls below a level for the last or the first time; None if never."""
    falls = np.flatnonzero((edge[:-1] >= level) & (edge[1:] < level))
    if not len(falls):
        return None
    at = falls[0 if first else -1]
    share = (edge[at] - level) / (edge[at] - edge[at + 1])
    return float(DISTANCES[at] + share * (DISTANCES[at + 1] - DISTANCES[at]))


def edge_width(edge: np.ndarray) -> float | None:
    """Distance in radii over which a mean edge falls from three quarters of the contrast to one quarter.

    An edge that rises again on its way, as fringes and noise make it, counts in its whole width.

    Returns
    -------
    float or None
        0.26 for projected spheres, 0 for blocks, and more where the image is blurred. None if it does not fall so far.
    """
    high, low = crossing(edge, 0.75, first=True), crossing(edge, 0.25)
    return None if high is None or low is None else max(0.0, low - high)


def has_steep_edges(image: np.ndarray, labels: np.ndarray, pixel_size: tuple[float, float]) -> bool:
    """Whether the contrast of the particles ends at a step rather than thins out as that of a sphere does.

    Parameters
    ----------
    image, labels, pixel_size
        As for `mean_edge`.

    Examples
    --------
    >>> import numpy as np
    >>> distance = np.hypot(*np.mgrid[-40:41, -40:41])
    >>> labels = (distance < 30).astype(int)
    >>> has_steep_edges(np.sqrt(np.clip(1 - (distance / 30) ** 2, 0, None)), labels, (0.1, 0.1))
    False
    >>> has_steep_edges((distance < 29).astype(float), labels, (0.1, 0.1))
    True
    """
    edge = mean_edge(image, labels, pixel_size)
    width = None if edge is None else edge_width(edge)
    return width is not None and width < STEEP
