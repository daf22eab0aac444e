"""The noise of an image as a spectrum: of blocks without specimen, and without the frequencies of lattices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy import ndimage as ndi
from scipy.spatial import cKDTree
from scipy.stats import gamma

LOWEST = 0.04  # over the Nyquist frequency: below lies the unevenness of the illumination
# Hann's window makes neighbouring frequencies alike: squares of their correlations along one axis, 1 + 2 (4/9 + 1/36)
_ALIKE = 1 + 2 * (4 / 9 + 1 / 36)
_PEAK = 1e-3  # of the noise's own frequencies, that is of the mean of the blocks, would be taken for lattices
_ROUNDS = 6
_QUIETEST = 0.2  # of the blocks are looked at first
_FEWEST = 0.05  # of the blocks must be without lattice, or those with one are looked at
_SIGMAS = 2.5
_REACHES = (0.0, 0.72, 1.6, 3.2)  # blocks about each one whose mean tells faint films from vacuum
_BANDS = (LOWEST, 0.12, 0.25, 0.5, 0.8)  # over the Nyquist frequency


@dataclass(frozen=True)
class NoiseSpectrum:
    """Power of noise by frequency.

    Parameters
    ----------
    frequency
        Over that of Nyquist, mean of each ring, shape (n,).
    power
        Mean power of each ring, so that the mean over all frequencies is the variance, shape (n,).
    count
        Number of independent frequencies of each ring.
    plane
        Mean power of the blocks in the plane of frequencies, in the order of `numpy.fft.rfft2`.
    used
        Which frequencies of the plane are in rings.
    radius
        Frequencies of the plane, over that of Nyquist.
    blocks
        Number of blocks, counted as independent.
    """

    frequency: np.ndarray
    power: np.ndarray
    count: np.ndarray
    plane: np.ndarray
    used: np.ndarray
    radius: np.ndarray
    blocks: float


def blocks_of(frames: np.ndarray, edge: int, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the power of blocks, their means and their places.

    Parameters
    ----------
    frames
        Shape (frames, rows, columns). Of several, the differences of neighbours over √2 are taken.
    edge
        Of the blocks in pixels; they overlap by a half.
    mask
        Where to look, shape (rows, columns), or None.

    Returns
    -------
    power
        Shape (blocks, edge, edge / 2 + 1), such that its mean over all frequencies is the variance of white noise.
    mean
        Of each block, shape (blocks,).
    places
        Row and column of each over the edge, shape (blocks, 2).
    """
    whole = frames.astype(float)
    noise = np.diff(whole, axis=0) / np.sqrt(2) if len(whole) > 1 else whole
    counts = [max(1, round(2 * (n - edge) / edge) + 1) for n in whole.shape[1:]]
    starts = [np.linspace(0, n - edge, count).astype(int) for n, count in zip(whole.shape[1:], counts, strict=True)]
    window = np.hanning(edge + 1)[:-1]
    window = np.outer(window, window)
    window /= np.sqrt(np.sum(window**2))
    axis = np.linspace(-1, 1, edge)
    powers, means, places = [], [], []
    for row in starts[0]:
        for column in starts[1]:
            view = np.s_[row : row + edge, column : column + edge]
            if mask is not None and not np.asarray(mask, bool)[view].all():
                continue
            for number, frame in enumerate(noise):
                part = _without_plane(frame[view], axis)
                powers.append(np.abs(fft.rfft2(part * window)) ** 2)
                means.append(whole[number : number + 2][(slice(None), *view)].mean())
                places.append((row / edge, column / edge))
    if not powers:
        raise ValueError(f"The mask holds no block of {edge} x {edge} pixels; give a larger one, or a smaller block.")
    return np.array(powers), np.array(means), np.array(places)


def _without_plane(part: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """A block less the plane that fits it."""
    part = part - part.mean()
    norm = (axis**2).mean() * part.size
    return part - (part.sum(1) @ axis / norm) * axis[:, None] - (part.sum(0) @ axis / norm) * axis


def _radius(edge: int) -> np.ndarray:
    return 2 * np.hypot(fft.fftfreq(edge)[:, None], fft.rfftfreq(edge)[None])


def quiet_blocks(power: np.ndarray, mean: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return which blocks hold least beside noise, shape (blocks,).

    The power of noise grows with the mean of a block. Those are taken whose power over it is in every band of
    frequencies that of the quietest ones, or larger by no more than chance: films show at low frequencies, lattices at
    higher ones. Where hardly any block has no lattice, the medians of the bands count, which peaks leave as they are.

    Parameters
    ----------
    power, mean, places
        See `blocks_of`.
    """
    if len(power) < 4:
        return np.ones(len(power), bool)
    radius = _radius(power.shape[1])
    level = mean if (mean > 0).all() else np.ones_like(mean)
    bands = [(radius >= low) & (radius < high) for low, high in zip(_BANDS[:-1], _BANDS[1:], strict=True)]
    chances = np.array([_ALIKE / np.sqrt(band.sum()) for band in bands])  # standard deviations of a mean's logarithm
    tree = cKDTree(places)
    near = [tree.sparse_distance_matrix(tree, reach, output_type="coo_matrix") for reach in _REACHES]
    fewest = max(2, _FEWEST * len(power))
    for typical, factor in ((np.mean, 1.0), (np.median, 1.5)):
        loudness = np.array([np.log(typical(power[:, band], axis=1) / level) for band in bands])
        chosen = _quiet(loudness, factor * chances, near, fewest)
        if chosen.sum() >= fewest:
            return chosen
    loud = power[:, (radius > LOWEST) & (radius < 0.6)].mean(1) / level
    return loud <= np.quantile(loud, _QUIETEST)


def _quiet(loudness: np.ndarray, chances: np.ndarray, near: list, fewest: float) -> np.ndarray:
    """Which blocks belong to the lowest mode in every band, alone and in the mean with those near them.

    The wider the circle, the fainter a film may be; blocks that are out do not count in it.
    """
    chosen = np.ones(loudness.shape[1], bool)
    for number, pairs in enumerate(near):
        weight = chosen[pairs.col].astype(float)
        count = np.bincount(pairs.row, weight, len(chosen))
        # blocks that overlap by a half: about half as many are independent
        scale = 1 / np.sqrt(np.maximum(1.0, 0.5 * count[chosen]))
        quiet = chosen.copy()
        for values, chance in zip(loudness, chances, strict=True):
            mean = np.bincount(pairs.row, weight * values[pairs.col], len(chosen))[chosen] / count[chosen]
            quiet[chosen] &= _is_quiet(mean, chance * scale)
        if number and quiet.sum() < fewest:
            break
        chosen = quiet
    return chosen


def _is_quiet(loudness: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Which values belong to the lowest mode, that has some standard deviations."""
    if not len(loudness):
        return np.zeros(0, bool)
    centre = np.median(np.sort(loudness)[: max(2, int(np.ceil(_QUIETEST * len(loudness))))])
    for _ in range(20):
        taken = loudness < centre + _SIGMAS * chance
        centre, before = np.median(loudness[taken]), centre
        if abs(centre - before) < 1e-9:
            break
    return loudness < centre + _SIGMAS * chance


def noise_spectrum(power: np.ndarray, highest: float) -> NoiseSpectrum:
    """Return the spectrum of some blocks in rings up to a highest frequency, over that of Nyquist."""
    edge = power.shape[1]
    radius = _radius(edge)
    used = (radius > max(LOWEST, 3 / edge)) & (radius < highest)
    # a frequency and its opposite are one: those of the first and last column come twice
    used[edge // 2 + 1 :, [0, -1]] = False
    overlap = 0.9 if len(power) > 1 else 1.0  # blocks under Hann's window that overlap by a half are nearly independent
    return _rings(power.mean(0), used, radius, len(power) * overlap)


def _rings(plane: np.ndarray, used: np.ndarray, radius: np.ndarray, blocks: float) -> NoiseSpectrum:
    ring = np.floor(radius[used] * plane.shape[0] / 4).astype(int)
    number = np.bincount(ring)
    keep = number > 3
    frequency = np.bincount(ring, radius[used])[keep] / number[keep]
    mean = np.bincount(ring, plane[used])[keep] / number[keep]
    # two axes, of which a ring has one across and one along
    return NoiseSpectrum(frequency, mean, number[keep] * blocks / _ALIKE**2, plane, used, radius, blocks)


def lattice_free(spectrum: NoiseSpectrum) -> tuple[NoiseSpectrum, float]:
    """Return a spectrum without the frequencies that stand out of their rings, and the share of those.

    Parameters
    ----------
    spectrum
        Of an image that may show lattices.
    """
    plane, radius = spectrum.plane, spectrum.radius
    everything, used = spectrum.used, spectrum.used.copy()
    ring = np.floor(radius * plane.shape[0] / 4).astype(int)
    shape = max(spectrum.blocks, 1.0)
    # the mean of so many exponential variables that is exceeded by one in a thousand
    limit = gamma.isf(_PEAK, shape) / shape
    middle = gamma.median(shape) / shape
    for _ in range(_ROUNDS):
        numbers = np.unique(ring[used])
        typical, at = (ndi.median(of, np.where(used, ring, -1), numbers) for of in (plane / middle, radius))
        # within a ring the noise may fall by more than the mean of many blocks scatters
        level = np.exp(np.interp(radius, at, np.log(np.maximum(typical, np.finfo(float).tiny))))
        peaks = everything & np.isin(ring, numbers) & (plane > limit * level)
        # single frequencies are chance; peaks are as wide as the window makes them
        smooth = ndi.uniform_filter(np.where(peaks, 1.0, 0.0), 3, mode=("wrap", "nearest"))
        wide = ndi.binary_dilation(peaks & (smooth > 2.5 / 9), np.ones((3, 3)), iterations=2)
        left = everything & ~wide
        if left.sum() < 0.2 * everything.sum() or np.array_equal(left, used):
            break
        used = left
    clean = _rings(plane, used, radius, spectrum.blocks)
    return clean, float(1 - used.sum() / everything.sum())
