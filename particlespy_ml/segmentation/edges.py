"""How the contrast of particles falls off across their outlines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.segmentation.grid import as_float

# In radii of a particle: the rim of background around it, and the distances at which its contrast is averaged.
RIM = (0.25, 0.7)
DISTANCES = np.arange(-0.6, 0.64, 0.04)
# Contrast over noise times radius in pixels, from which a particle counts.
MIN_SIGNAL = 12
# Width of a steep edge in radii: a projected sphere has 0.26, a block 0.
STEEP = 0.2
# How many draws with repetition, and how many of these must be steep.
DRAWS, MOST = 100, 0.75
ENOUGH = 200  # particles whose edges say whether those of a frame are steep


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

    @property
    def breadth(self) -> float:
        """Radius in nm; for elongated particles 1.25 of the largest distance from the outline, if that is less."""
        return min(self.radius, -1.25 * float(self.distance.min()))

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
    labels: np.ndarray, pixel_size: tuple[float, float], margin: float = RIM[1], every: int = 1
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
    every
        Take one particle of so many.
    """
    labels, half = np.asarray(labels, np.int32), min(pixel_size) / 2
    for number, box in enumerate(ndi.find_objects(labels), start=1):
        if box is None or number % every:
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


def edge_profiles(
    image: np.ndarray, labels: np.ndarray, pixel_size: tuple[float, float], sectors: int = 1, every: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Contrast of each particle that stands out of the noise against the distance from its outline.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns).
    labels : numpy.ndarray
        Particles, 0 for the background, shape of `image`.
    pixel_size : tuple of float
        Rows and columns in nm.
    sectors : int
        Into how many sectors about its middle each particle is divided.
    every : int
        Take one particle of so many.

    Returns
    -------
    weights, profiles : numpy.ndarray
        How much each sector's particle stands out, shape (n,), and its contrast relative to that of the inner half of
        the particle, at `DISTANCES`, which are in radii (`Surroundings.breadth`) and negative inside, shape
        (n, len(DISTANCES)).
    """
    weights, profiles = [], []
    step, count = DISTANCES[1] - DISTANCES[0], len(DISTANCES)
    for particle in particle_surroundings(labels, pixel_size, every=every):
        crop = as_float(image[particle.box])
        measured = particle.contrast(crop)
        if measured is None:
            continue
        level, noise, contrast = measured
        signal = abs(contrast) * particle.radius / np.sqrt(np.prod(pixel_size))
        if not signal > MIN_SIGNAL * noise:
            continue
        bins = np.rint((particle.distance / particle.breadth - DISTANCES[0]) / step).astype(int)
        at = particle.free & (bins >= 0) & (bins < count)
        middle = ndi.center_of_mass(particle.own)
        y, x = (index - place for index, place in zip(np.nonzero(at), middle, strict=True))
        angle = np.arctan2(y * pixel_size[0], x * pixel_size[1])
        places = ((angle / (2 * np.pi) + 0.5) * sectors).astype(int) % sectors * count + bins[at]
        pixels = np.bincount(places, minlength=sectors * count).reshape(sectors, count)
        total = np.bincount(places, (crop[at] - level) / contrast, sectors * count)
        for sums, numbers in zip(total.reshape(sectors, count), pixels, strict=True):
            filled = numbers > 0
            if np.count_nonzero(filled) >= count / 3:
                profiles.append(np.interp(DISTANCES, DISTANCES[filled], sums[filled] / numbers[filled]))
                weights.append(min(signal / noise, 10 * MIN_SIGNAL) if noise else 10 * MIN_SIGNAL)
    return np.array(weights), np.reshape(profiles, (-1, count))


def mean_edge(image: np.ndarray, labels: np.ndarray, pixel_size: tuple[float, float]) -> np.ndarray | None:
    """Contrast of the particles of an image against the distance from their outlines, averaged over all of them.

    Parameters
    ----------
    image, labels, pixel_size
        As for `edge_profiles`.

    Returns
    -------
    numpy.ndarray or None
        Contrast relative to that of the inner half of each particle, at `DISTANCES`. Particles weigh as much as they
        stand out. None if none stands out of the noise.
    """
    weights, profiles = edge_profiles(image, labels, pixel_size)
    return _smooth_mean(weights, profiles) if len(weights) else None


def _smooth_mean(weights: np.ndarray, profiles: np.ndarray) -> np.ndarray:
    return ndi.gaussian_filter1d(np.average(profiles, axis=0, weights=weights), 1)


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

    Their mean edge has to be steep in most of many draws, with repetition, of the quadrants of all particles, so that
    neither fringes nor noise make the edges of a few spheres steep [bootstrap]_. Of more than `ENOUGH` particles some
    are looked at, spread evenly over the frame.

    Parameters
    ----------
    image, labels, pixel_size
        As for `edge_profiles`.

    References
    ----------
    .. [bootstrap] B. Efron, "Bootstrap methods: another look at the jackknife," Ann. Stat. 7, 1 (1979).
       https://doi.org/10.1214/aos/1176344552

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
    every = max(1, int(np.max(labels, initial=0)) // ENOUGH)
    weights, profiles = edge_profiles(image, labels, pixel_size, sectors=4, every=every)
    if not len(weights):
        return False
    rng = np.random.default_rng(0)
    steep = 0
    for _ in range(DRAWS):
        drawn = rng.integers(len(weights), size=len(weights))
        width = edge_width(_smooth_mean(weights[drawn], profiles[drawn]))
        steep += width is not None and width < STEEP
    return steep > MOST * DRAWS
