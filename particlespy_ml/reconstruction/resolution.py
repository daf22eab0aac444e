"""Fourier shell correlation and the resolution that it tells."""

from __future__ import annotations

import numpy as np
from scipy import fft


def shell_numbers(box: int, ndim: int = 3) -> np.ndarray:
    """Return the shell of each coefficient of a Fourier transform as of `scipy.fft.fftn`, in units of 1 / box."""
    axis = fft.fftfreq(box) * box
    return np.rint(np.sqrt(sum(np.square(g) for g in np.meshgrid(*(axis,) * ndim, indexing="ij", sparse=True)))).astype(
        int
    )


def fourier_shell_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the correlation of two volumes (or images) in shells of spatial frequency.

    Parameters
    ----------
    first, second
        Same shape, with one box edge along all axes.

    Returns
    -------
    numpy.ndarray
        Correlation in the shells 0, 1, ... box // 2, in units of 1 / box.

    References
    ----------
    G. Harauz and M. van Heel, Optik 73, 146 (1986).

    Examples
    --------
    >>> volume = np.random.default_rng(0).normal(size=(16, 16, 16))
    >>> bool(np.allclose(fourier_shell_correlation(volume, 3 * volume), 1))
    True
    """
    shells = shell_numbers(first.shape[0], first.ndim).ravel()
    one, two = fft.fftn(first).ravel(), fft.fftn(second).ravel()
    product = np.bincount(shells, (one * two.conj()).real)
    power = np.bincount(shells, np.abs(one) ** 2) * np.bincount(shells, np.abs(two) ** 2)
    values = np.divide(product, np.sqrt(power), out=np.zeros_like(product), where=power > 0)
    return values[: first.shape[0] // 2 + 1]


def resolution_radius(correlation: np.ndarray, criterion: float = 0.143) -> float:
    """Return the shell, interpolated, where a correlation first falls below a criterion; the last one if it never does.

    References
    ----------
    P. B. Rosenthal and R. Henderson, J. Mol. Biol. 333, 721 (2003): 0.143 for two halves of the data.
    """
    below = np.flatnonzero(correlation[1:] < criterion) + 1
    if not len(below):
        return float(len(correlation) - 1)
    last = below[0]
    high, low = correlation[last - 1], correlation[last]
    return float(last - 1 + (high - criterion) / (high - low)) if high > low else float(last)


def corrected_for_mask(first: np.ndarray, second: np.ndarray, mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the correlation of two half maps behind a mask without what the mask alone adds.

    Beyond the shell where the correlation of the unmasked maps falls below 0.8 the phases are also made random, alike
    in both maps no more, and masked: what is then left is the mask's, and is taken out.

    Parameters
    ----------
    first, second
        Half maps that no mask was laid on, shape (box, box, box).
    mask
        Soft mask, same shape.
    seed
        Seed of the phases.

    References
    ----------
    S. Chen et al., Ultramicroscopy 135, 24 (2013).
    """
    masked = fourier_shell_correlation(first * mask, second * mask)
    start = int(resolution_radius(fourier_shell_correlation(first, second), 0.8)) + 2
    if start >= len(masked):
        return masked
    rng = np.random.default_rng(seed)
    by_chance = fourier_shell_correlation(*(_random_phases(half, start, rng) * mask for half in (first, second)))
    corrected = masked.copy()
    corrected[start:] = (masked[start:] - by_chance[start:]) / np.maximum(1 - by_chance[start:], 1e-3)
    return corrected


def _random_phases(volume: np.ndarray, start: int, rng: np.random.Generator) -> np.ndarray:
    box = volume.shape[0]
    spectrum = fft.fftn(volume)
    noise = fft.fftn(rng.normal(size=volume.shape))  # its phases are those of a real volume
    far = shell_numbers(box) >= start
    spectrum[far] = np.abs(spectrum[far]) * np.exp(1j * np.angle(noise[far]))
    return fft.ifftn(spectrum).real


def signal_weight(correlation: np.ndarray) -> np.ndarray:
    """Return by how much each shell of the mean of two half maps is weighted: the estimated correlation with the truth.

    References
    ----------
    P. B. Rosenthal and R. Henderson, J. Mol. Biol. 333, 721 (2003).
    """
    kept = np.clip(correlation, 0, 1)
    return np.sqrt(2 * kept / (1 + kept))
