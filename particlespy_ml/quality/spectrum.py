"""The power spectrum of an image: on its frequencies, around rings, and the floor of its noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

TILE, TILES = 1024, 2  # pixels along an edge of what is transformed, and how many of them along each axis at most
SPOT = 60.0  # times the median around its ring, from which a pixel of a spectrum, with its neighbours, is a spot
LEAST_SPOT = 1e-5  # of the largest power
SECTORS = 12  # of half a turn; a spectrum is the same on the other half


@dataclass(frozen=True)
class Spectrum:
    """Power of an image at every frequency of a half plane.

    Parameters
    ----------
    power : numpy.ndarray
        Shape (n, m // 2 + 1), so that white noise of variance v has the power v.
    along, across : numpy.ndarray
        Frequencies of rows and of columns of *power*, in 1/nm.
    twice : numpy.ndarray
        How often each column counts: 2 where the other half plane has it too.
    nyquist : float
        The lower of the two Nyquist frequencies.
    """

    power: np.ndarray
    along: np.ndarray
    across: np.ndarray
    twice: np.ndarray
    nyquist: float

    @property
    def frequency(self) -> np.ndarray:
        """Frequency of every pixel in 1/nm."""
        return _plane(*self._of_plane).frequency

    @property
    def ring(self) -> np.ndarray:
        """Number of the ring of every pixel: its frequency in steps."""
        return _plane(*self._of_plane).ring

    @property
    def _of_plane(self) -> tuple:
        return np.asarray(self.along, float).tobytes(), np.asarray(self.across, float).tobytes(), self.step

    @property
    def step(self) -> float:
        """The coarser of the two distances of neighbouring frequencies."""
        return float(max(self.along[1], self.across[1]))

    @cached_property
    def _noise(self) -> float:
        wanted = (self.frequency >= 35 / 40 * self.nyquist) & (self.frequency < 46 / 40 * self.nyquist)
        if not wanted.any():
            return 0.0
        ring = (self.frequency[wanted] / self.nyquist * 40).astype(int)
        twice = np.broadcast_to(self.twice, wanted.shape)[wanted]
        total = np.bincount(ring, self.power[wanted] * twice)
        count = np.bincount(ring, twice)
        return float(np.median(total[count > 0] / count[count > 0]))

    def noise(self) -> float:
        """Power of white noise: the median over thin rings about the Nyquist frequency, where an image has least.

        Noise that was filtered, or blurred by a camera, has less there than elsewhere: what it has elsewhere counts as
        image.
        """
        return self._noise

    def rings(self, robust: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return frequencies of rings, the power on each, and the number of pixels of each.

        Parameters
        ----------
        robust
            Whether the power is the median of twelve sectors' means, which spots of a lattice leave as it is, and not
            the mean.
        """
        return self._robust_rings if robust else self._ring_means(1)

    @cached_property
    def _robust_rings(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._ring_means(SECTORS)

    def _ring_means(self, sectors: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        place = self.ring * sectors
        if sectors > 1:
            place += _plane(*self._of_plane).sector(sectors)
        rings = int(self.ring.max()) + 1
        weight = np.broadcast_to(self.twice, place.shape).ravel()
        place = place.ravel()
        total = np.bincount(place, self.power.ravel() * weight, rings * sectors).reshape(-1, sectors)
        count = np.bincount(place, weight, rings * sectors).reshape(-1, sectors)
        with np.errstate(invalid="ignore"):
            means = np.where(count > 0, total / count, np.nan)
        inside = np.arange(len(means)) * self.step <= self.nyquist
        inside[0] = False
        return np.flatnonzero(inside) * self.step, np.nanmedian(means[inside], axis=1), count[inside].sum(1) / 2

    @cached_property
    def _spacing(self) -> float:
        frequency, ring = self.frequency, self.ring
        smooth = ndi.uniform_filter(self.power, 3, mode=("wrap", "nearest"))
        inside = (frequency > 12 * self.step) & (frequency < 0.95 * self.nyquist)
        if not inside.any():
            return float("nan")
        rings, power, _ = self.rings()
        around = np.full(ring.max() + 1, np.inf)
        around[np.round(rings / self.step).astype(int)] = np.maximum(power, self.noise() * 1e-3 + 1e-300)
        inside &= smooth > LEAST_SPOT * smooth.max()  # else the tails of an edge, where there is no noise
        strength = np.where(inside, smooth / around[ring], 0)
        place = np.unravel_index(np.argmax(strength), strength.shape)
        return float(1 / frequency[place]) if strength[place] > SPOT else float("nan")


@dataclass(frozen=True)
class _Plane:
    """Frequency of every pixel of a half plane, its ring and its sector: the same for all images of one size."""

    along: np.ndarray
    across: np.ndarray
    step: float

    @cached_property
    def frequency(self) -> np.ndarray:
        return _not_to_change(np.hypot(self.along[:, None], self.across))

    @cached_property
    def ring(self) -> np.ndarray:
        return _not_to_change(np.round(self.frequency / self.step).astype(np.int32))

    @cached_property
    def _angle(self) -> np.ndarray:
        return ((np.arctan2(self.along[:, None], self.across) % np.pi) / np.pi).astype(np.float32)

    def sector(self, sectors: int) -> np.ndarray:
        """Number of the part of half a turn that a pixel lies in."""
        return np.minimum((self._angle * sectors).astype(np.int32), sectors - 1)


def _not_to_change(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


@lru_cache(2)
def _plane(along: bytes, across: bytes, step: float) -> _Plane:
    return _Plane(np.frombuffer(along), np.frombuffer(across), step)


def power_spectrum(image: np.ndarray, pixel_size: tuple[float, float]) -> Spectrum:
    """Return the power spectrum of an image, the mean over tiles where it is large.

    Each tile is less its mean, and falls to zero at its edges as a Hann window does (P. D. Welch, IEEE Trans. Audio
    Electroacoust. 15, 70 (1967)).

    Parameters
    ----------
    image : numpy.ndarray
        Shape (rows, columns), at least 16 each. Pixels that are not finite count as the mean.
    pixel_size : tuple of float
        Rows and columns in nm.

    Raises
    ------
    ValueError
        If the image is smaller, or the pixel size is not above zero.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(scale=3, size=(128, 128))
    >>> round(power_spectrum(noise, (0.1, 0.1)).noise())
    9
    """
    image = np.asarray(image)
    if image.ndim != 2 or min(image.shape) < 16 or np.iscomplexobj(image):
        raise ValueError(f"Expected a real image of 16 x 16 pixels or more, not {image.dtype} of shape {image.shape}.")
    size = np.asarray(pixel_size, float)
    if size.shape != (2,) or not np.all(np.isfinite(size) & (size > 0)):
        raise ValueError(f"pixel_size={pixel_size!r}; expected two lengths in nm above zero: rows and columns.")
    shape = tuple(min(edge, TILE) for edge in image.shape)
    starts = [
        np.unique(np.linspace(0, n - m, TILES if n > m else 1).astype(int))
        for n, m in zip(image.shape, shape, strict=True)
    ]
    window = [np.hanning(edge).astype(np.float32) for edge in shape]
    total, count = 0.0, 0
    for row in starts[0]:
        for column in starts[1]:
            tile = np.array(image[row : row + shape[0], column : column + shape[1]], float)
            known = np.isfinite(tile)
            if not known.any():
                continue
            mean = tile[known].mean()
            tile = np.where(known, tile - mean, 0).astype(np.float32)
            tile *= window[0][:, None]
            tile *= window[1]
            wave = fft.rfft2(tile)
            total = total + (wave.real.astype(float) ** 2 + wave.imag.astype(float) ** 2)
            count += 1
    along, across = fft.fftfreq(shape[0], size[0]), fft.rfftfreq(shape[1], size[1])
    if not count:
        total, count = np.zeros((len(along), len(across))), 1
    twice = np.full(len(across), 2.0)
    twice[0] = 1
    if shape[1] % 2 == 0:
        twice[-1] = 1
    power = total / (count * (window[0].astype(float) ** 2).sum() * (window[1].astype(float) ** 2).sum())
    return Spectrum(power, along, across, twice, float(0.5 / size.max()))


def strongest_spacing(spectrum: Spectrum) -> float:
    """Return the spacing in nm of the strongest spot of a lattice in a spectrum; NaN where there is none.

    A spot is a pixel that, averaged with its neighbours, has 60 times the median power around its ring, and 1e-5 of the
    largest of all, at less than a twelfth of the image's width.
    """
    return spectrum._spacing
