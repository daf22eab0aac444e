"""Two reflections of an image: the strongest, or those near given vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import fft, ndimage

FEWEST_PERIODS = 5.0  # across the frame: longer ones are shapes of particles, not lattices
FEWEST_PIXELS = 2.1  # a period
LEAST_SINE = 0.3  # of the angle between two reflections that are not collinear
CHANCE = 1e-2  # of noise alone to have a reflection
RING = 4  # bins that a ring is wide: the median of a thinner one sees the reflections of a fine lattice
SHORT_LIST = 0.1  # least power times g², on which the error of a strain depends, over the largest
MOST_TRIED = 12  # reflections, of those that may be of several grains
CAPTURE = 0.15  # of the length of a given vector: how far from it its reflection may be


@dataclass(frozen=True)
class Spectrum:
    """Power of a frame under a Hann window, in the half of Fourier space with x >= 0.

    Parameters
    ----------
    power
        Shape (rows, columns // 2 + 1); white noise has its variance on average.
    x, y
        Frequencies, shapes (columns // 2 + 1,) and (rows, 1).
    ring
        Median of the power at each radius, shape of `power`.
    floor
        Power that rounding leaves.
    """

    power: np.ndarray
    x: np.ndarray
    y: np.ndarray
    ring: np.ndarray
    floor: float

    @property
    def bins(self) -> np.ndarray:
        """Width of a bin along x and y."""
        return np.array([self.x[1], self.y[1, 0]])

    @property
    def least(self) -> np.ndarray:
        """Power that noise has by `CHANCE` alone, shape of `power`; that of noise is distributed exponentially."""
        return self.ring * np.log(self.power.size / CHANCE) / np.log(2) + self.floor


def spectrum_of(frame: np.ndarray, steps: tuple[float, float]) -> Spectrum:
    """Return the power spectrum of a frame; *steps* are the pixel sizes along rows and columns."""
    frame = np.asarray(frame, float)
    windows = [np.hanning(n + 2)[1:-1] for n in frame.shape]
    weight = windows[0][:, None] * windows[1]
    level = np.sum(frame * weight) / weight.sum()
    power = np.abs(fft.rfft2((frame - level) * weight)) ** 2 / np.sum(weight**2)
    y, x = fft.fftfreq(frame.shape[0], steps[0])[:, None], fft.rfftfreq(frame.shape[1], steps[1])
    width = RING * max(x[1], y[1, 0])
    rings = (np.hypot(x, y) / width).astype(int)
    rings = np.minimum(rings, int(min(x[-1], np.abs(y).max()) / width))  # beyond are the corners
    medians = ndimage.median(power, rings, np.arange(rings.max() + 1))
    floor = frame.size * (1e-13 * float(np.abs(frame).max())) ** 2
    return Spectrum(power, x, y, np.asarray(medians)[rings], floor)


def noise_level(spectrum: Spectrum, beyond: float) -> float:
    """Return the standard deviation of white noise, from the median of the power above a frequency.

    The lattice has a few strong reflections there, and the median does not see them.
    """
    outside = np.hypot(spectrum.x, spectrum.y) > min(beyond, 0.8 * spectrum.x[-1])
    return float(np.sqrt(np.median(spectrum.power[outside]) / np.log(2)))


class OfOneGrain(Protocol):
    """Tells where reflections are seen; `particlespy_ml.strain.phase_maps.Whereabouts` is one."""

    def in_region(self, g: np.ndarray) -> bool:
        """Whether a reflection is seen where it should be."""

    def together(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Whether reflections are seen at the same places."""


def find_reflections(
    spectrum: Spectrum, given: tuple[np.ndarray | None, ...] = (None, None), where: OfOneGrain | None = None
) -> np.ndarray:
    """Return two reflections that are not collinear, shape (2, 2), rows (x, y).

    Found by themselves, the first is the one nearer to the x axis, with x above zero, and the second lies from it
    towards y by less than 180 degrees. Given ones keep their order and sign.

    Parameters
    ----------
    spectrum
        As from `spectrum_of`.
    given
        Vectors (x, y) near which reflections are looked for; None for the strongest.
    where
        Reflections found by themselves are of one grain by this.

    Raises
    ------
    ValueError
        If there are no such reflections.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.find_reflections import find_reflections, spectrum_of
    >>> y, x = np.mgrid[:96, :96]
    >>> image = np.cos(2 * np.pi * x / 8.2) + np.cos(2 * np.pi * y / 9.1)
    >>> (1 / np.diag(find_reflections(spectrum_of(image, (1.0, 1.0))))).round(1).tolist()
    [8.2, 9.1]
    """
    fixed = [None if g is None else _near(spectrum, g, f"g{n}") for n, g in enumerate(given, 1)]
    if all(g is not None for g in fixed):
        found = np.stack(fixed)
        if _sine(*found) < LEAST_SINE:
            raise ValueError(
                f"g1={tuple(given[0])} and g2={tuple(given[1])} are collinear, or nearly so; expected two "
                "reflections of different directions."
            )
        return found
    places, power = _candidates(spectrum)
    known = next((g for g in fixed if g is not None), None)
    if known is not None:
        keep = _sine(known, places) >= LEAST_SINE
        second = _strongest(places[keep], power[keep], _beside(where, known))
        if second is None:
            raise ValueError(_nothing("one reflection alone was found that is not collinear with the given one", 0))
        second = refined(spectrum, second)
        return np.stack([known, second] if fixed[0] is not None else [second, known])
    first = _strongest(places, power, None if where is None else where.in_region)
    keep = np.zeros(len(places), bool) if first is None else _sine(first, places) >= LEAST_SINE
    second = _strongest(places[keep], power[keep], _beside(where, first))
    if second is None:
        raise ValueError(_nothing("", 0 if first is None else 1))
    return _in_order(refined(spectrum, first), refined(spectrum, second))


def _nothing(reason: str, number: int) -> str:
    reason = reason or ("fringes of one direction alone were found" if number else "no reflection stands out of noise")
    return (
        f"The image shows no lattice of two directions: {reason}. Expected lattice fringes of {FEWEST_PIXELS:g} pixels "
        f"or more and of {FEWEST_PERIODS:g} periods or more across the frame; crop the image to the crystal, or give "
        "g1= and g2=."
    )


def _sine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Sine of the angle between vectors, without its sign."""
    cross = one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
    return np.abs(cross) / (np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1))


def _in_order(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The vector nearer to the x axis first, with x above zero; the other from it towards y."""
    one, other = sorted((one, other), key=lambda g: round(abs(g[1]) / np.linalg.norm(g), 9))
    one = one if one[0] > 0 else -one
    return np.stack([one, other if one[0] * other[1] > one[1] * other[0] else -other])


def _limits(spectrum: Spectrum) -> tuple[float, np.ndarray]:
    """Shortest and, along x and y, highest frequency of a lattice."""
    highest = np.array([spectrum.x[-1], np.abs(spectrum.y).max()]) * 2 / FEWEST_PIXELS
    return FEWEST_PERIODS * float(spectrum.bins.max()), highest


def _candidates(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Maxima of the power that are no noise: places, shape (n, 2), and powers."""
    shortest, highest = _limits(spectrum)
    radius = np.hypot(spectrum.x, spectrum.y)
    allowed = (radius >= shortest) & (spectrum.x <= highest[0]) & (np.abs(spectrum.y) <= highest[1])
    # a column of bins is mirrored at x = 0, where both halves of Fourier space meet
    near = ndimage.maximum_filter(spectrum.power, size=5, mode=("wrap", "nearest"))
    peaks = allowed & (spectrum.power == near) & (spectrum.power > spectrum.least)
    rows, columns = np.nonzero(peaks)
    return np.column_stack([spectrum.x[columns], spectrum.y[rows, 0]]), spectrum.power[rows, columns]


def _strongest(places: np.ndarray, power: np.ndarray, wanted=None) -> np.ndarray | None:
    """The strongest reflection, of those that tell strains well, which what comes of a particle's outline does not.

    Of equals the shorter one: in HRTEM images sums of reflections may be as strong as these. Those that are not
    *wanted* are left out, unless all of the strongest are: then there is no telling.
    """
    if not len(places):
        return None
    square = np.sum(places**2, 1)
    left, best = np.ones(len(places), bool), None
    for _ in range(min(MOST_TRIED, len(places))):
        worth = np.where(left, power * square, 0)
        number = int(np.argmax(np.where(left & (worth >= SHORT_LIST * worth.max()), power / square, 0)))
        best = number if best is None else best
        if wanted is None or wanted(places[number]):
            return places[number]
        left[number] = False
    return places[best]


def _beside(where: OfOneGrain | None, first: np.ndarray | None):
    """Whether a reflection is seen where the first is."""
    return None if where is None or first is None else (lambda g: where.together(first, g))


def _near(spectrum: Spectrum, g: np.ndarray, name: str) -> np.ndarray:
    """The reflection near a given vector."""
    shortest, highest = _limits(spectrum)
    length = np.linalg.norm(g)
    if length < shortest or (np.abs(g) > highest).any():
        raise ValueError(
            f"{name}={tuple(map(float, g))} is out of range: expected a length of {shortest:.4g} or more, "
            f"{FEWEST_PERIODS:g} periods across the frame, and at most {highest[0]:.4g} along x and {highest[1]:.4g} "
            "along y."
        )
    sign = -1 if g[0] < 0 else 1
    reach = max(CAPTURE * length, 1.5 * spectrum.bins.max())
    away = np.hypot(spectrum.x - sign * g[0], spectrum.y - sign * g[1])
    inside = np.where(away <= reach, spectrum.power, 0)
    row, column = np.unravel_index(np.argmax(inside), inside.shape)
    if not spectrum.power[row, column] > spectrum.least[row, column]:
        raise ValueError(
            f"The image has no reflection near {name}={tuple(map(float, g))}: nothing stands out of the noise within "
            f"{reach:.3g} of it."
        )
    return sign * refined(spectrum, np.array([spectrum.x[column], spectrum.y[row, 0]]))


def refined(spectrum: Spectrum, g: np.ndarray, rounds: int = 20) -> np.ndarray:
    """Return the middle of the power of a reflection: its centroid under a Gaussian that moves with it.

    Parameters
    ----------
    spectrum
        As from `spectrum_of`.
    g
        Within a bin or two of the reflection.
    rounds
        Most steps of the iteration.
    """
    width = max(0.05 * float(np.linalg.norm(g)), 1.5 * float(spectrum.bins.max()))
    span = np.ceil(4 * width / spectrum.bins).astype(int)
    start = np.rint(g / spectrum.bins).astype(int)
    rows = start[1] + np.arange(-span[1], span[1] + 1)
    columns = start[0] + np.arange(-span[0], span[0] + 1)
    # bins beyond x = 0 are those of the opposite vector
    wrapped = np.where(columns < 0, -rows[:, None], rows[:, None]) % len(spectrum.power)
    across = np.minimum(np.abs(columns), spectrum.power.shape[1] - 1)
    power = np.maximum(spectrum.power[wrapped, across] - spectrum.ring[wrapped, across] / np.log(2), 0)
    x, y = columns * spectrum.bins[0], rows[:, None] * spectrum.bins[1]
    place = np.array(g, float)
    for _ in range(rounds):
        weight = power * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * width**2))
        total = weight.sum()
        if not total > 0:
            break
        moved = np.array([np.sum(weight * x), np.sum(weight * y)]) / total - place
        place = place + moved
        if np.abs(moved).max() < 1e-9 * spectrum.bins.min():
            break
    return place
