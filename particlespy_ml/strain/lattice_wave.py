"""The wave of one reflection in an image: its amplitude, its phase, how the phase grows, and the errors of these.

An image is multiplied by exp(-2 pi i g r) and blurred by a Gaussian, which is a Gaussian mask at g in Fourier space.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy import fft
from scipy.ndimage import correlate1d

TAPER = 1.5  # lattice spacings over which frames fade to zero at the border, so that the border is no edge at g
MARGIN = 2.0  # standard deviations of the blur: nearer to the border too little of the lattice is seen
LEAST_MOVE = 0.2  # of the columns seen, over that of the place: at the end of a half plane .36
REACH = 5.0  # standard deviations of a Gaussian that are summed


@dataclass(frozen=True)
class LatticeWave:
    """One reflection in real space.

    Parameters
    ----------
    wave
        Complex amplitude: the image holds ``2 Re(wave exp(2 pi i g r))``, r from the middle of the frame; shape (rows,
        columns).
    gradient
        Of the phase along x and y, in radians per length, shape (2, rows, columns).
    covariance
        Of the gradient, for white noise of variance 1: the entries xx, yy and xy, shape (3, rows, columns).
    wave_variance
        Of the wave, the real and the imaginary part together, for white noise of variance 1; shape (rows, columns).
    """

    wave: np.ndarray
    gradient: np.ndarray
    covariance: np.ndarray
    wave_variance: np.ndarray


def lattice_wave(
    frame: np.ndarray, steps: tuple[float, float], g: np.ndarray, sigma: float, taper: float, column: float = 0.0
) -> LatticeWave:
    """Return the wave of a reflection at every pixel, and how its phase grows.

    The gradient is that of the complex wave, Im(grad H / H): the phase is never unwrapped. Frames fade to zero over
    *taper* at their border and zeros follow, so that nothing comes in from the opposite side. What is then missing
    under the Gaussian is made up for: the wave is divided by the weight that is left, and the gradient by the variance
    of the places that is left, which is exact for a homogeneous lattice.

    Columns of standard deviation c are blurred to Gaussians of s² = sigma² + c², each with a phase of its own that
    falls by 2 pi g c² / s² per length: in a crystal these cancel, at its surface they do not. A mask centred on
    g (1 + c² / sigma²) makes up for it. The phase is then the mean of those of the columns with the Gaussian's weights,
    whose middle at a surface moves less than the place at which it is taken: by the matrix 1 + s² grad grad log |H|, by
    the inverse of which the gradient is multiplied.

    Parameters
    ----------
    frame
        Shape (rows, columns).
    steps
        Pixel size along rows and columns.
    g
        Reflection (x, y), per length.
    sigma
        Standard deviation of the blur, a length; the mask in Fourier space has 1 / (2 pi sigma).
    taper
        A length.
    column
        Standard deviation c of the columns in the image, a length.

    Returns
    -------
    LatticeWave

    References
    ----------
    M. J. Hÿtch, E. Snoeck and R. Kilaas, Ultramicroscopy 74, 131 (1998).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.lattice_wave import lattice_wave
    >>> x = np.arange(80.0)
    >>> image = np.tile(np.cos(2 * np.pi * 0.102 * x), (80, 1))
    >>> found = lattice_wave(image, (1.0, 1.0), np.array([0.1, 0.0]), 10.0, 15.0)
    >>> float((found.gradient[0, 40, 40] / (2 * np.pi)).round(5)), float(abs(found.wave[40, 40]).round(2))
    (0.002, 0.5)
    """
    shape = frame.shape
    middles = [step * (np.arange(n) - (n - 1) / 2) for n, step in zip(shape, steps, strict=True)]
    windows = [fade(n, step, taper) for n, step in zip(shape, steps, strict=True)]
    weight = windows[0][:, None] * windows[1]
    carriers = [np.exp(-2j * np.pi * k * at) * w for k, at, w in zip(g[::-1], middles, windows, strict=True)]
    level = np.sum(frame * weight) / weight.sum()
    padded = [fft.next_fast_len(n + int(np.ceil(REACH * sigma / step))) for n, step in zip(shape, steps, strict=True)]
    spectrum = fft.fft2((frame - level) * carriers[0][:, None] * carriers[1], padded)
    along = [fft.fftfreq(n, step) for n, step in zip(padded, steps, strict=True)]
    shift = np.asarray(g, float) * column**2 / sigma**2  # of the mask
    for k, edge, by in zip(along, (np.s_[:, None], np.s_[None, :]), shift[::-1], strict=True):
        spectrum *= np.exp(2 * (np.pi * sigma) ** 2 * k[edge] * (2 * by - k[edge]))
    inside = np.s_[: shape[0], : shape[1]]
    wave = fft.ifft2(spectrum)[inside]
    slope_x = fft.ifft2(spectrum * (2j * np.pi * along[1]))[inside]
    slope_y = fft.ifft2(spectrum * (2j * np.pi * along[0][:, None]))[inside]
    moments = [_moments(w, step, sigma) for w, step in zip(windows, steps, strict=True)]
    safe = np.where(wave == 0, 1, wave)
    kappa = np.stack([slope_x / safe, slope_y / safe])
    gain = np.broadcast_arrays(1 / moments[1].variance, 1 / moments[0].variance[:, None])
    of_mask = 2 * np.pi * shift[:, None, None]
    power = np.abs(safe) ** 2 * np.exp(-((2 * np.pi * sigma) ** 2) * (shift @ shift))
    covariance, variance = _noise(power, kappa - 1j * of_mask, gain, *moments)
    variance = variance * np.exp((2 * np.pi * sigma) ** 2 * (shift @ shift))
    total = moments[0].weight[:, None] * moments[1].weight
    # at the border the frame ends, not the crystal
    gradient = kappa.imag * np.stack(gain) + of_mask * (1 - np.stack(gain))
    if column:
        ways = [2j * np.pi * along[1][None, :], 2j * np.pi * along[0][:, None]]
        curved = [
            fft.ifft2(spectrum * one * other)[inside] / safe for one, other in combinations_with_replacement(ways, 2)
        ]
        bend = (np.stack(curved)[[0, 2, 1]] - np.stack([kappa[0] ** 2, kappa[1] ** 2, kappa[0] * kappa[1]])).real
        bend[:2] -= (1 / np.stack(gain) - 1) / sigma**2
        gradient, covariance = _from_columns(gradient, covariance, bend * (sigma**2 + column**2))
    return LatticeWave(wave / total, gradient, covariance, variance / total**2)


def _from_columns(gradient, covariance, bend) -> tuple[np.ndarray, np.ndarray]:
    """Gradient between the columns themselves, and its covariance; NaN where hardly more than one column is seen.

    The matrix 1 + bend takes places to middles of the columns that are seen; entries are xx, yy and xy.
    """
    xx, yy, xy = 1 + bend[0], 1 + bend[1], bend[2]
    determinant = xx * yy - xy**2
    smallest = (xx + yy) / 2 - np.sqrt((xx - yy) ** 2 / 4 + xy**2)
    determinant = np.where(smallest > LEAST_MOVE, determinant, np.nan)
    a, b, c = yy / determinant, xx / determinant, -xy / determinant
    x, y = gradient
    cxx, cyy, cxy = covariance
    return np.stack([a * x + c * y, c * x + b * y]), np.stack(
        [
            a**2 * cxx + 2 * a * c * cxy + c**2 * cyy,
            c**2 * cxx + 2 * b * c * cxy + b**2 * cyy,
            a * c * cxx + (a * b + c**2) * cxy + b * c * cyy,
        ]
    )


def fade(count: int, step: float, taper: float) -> np.ndarray:
    """Return a window of one inside that fades to zero as a raised cosine over a length at either end."""
    inwards = step * (np.minimum(np.arange(count), np.arange(count)[::-1]) + 0.5)
    return np.sin(np.pi / 2 * np.clip(inwards / taper, 0, 1)) ** 2 if taper > 0 else np.ones(count)


@dataclass(frozen=True)
class _Moments:
    """Along one axis: what a window leaves under the Gaussian w, and under its square, with u = (r' - r) / sigma².

    The weight, the variance of the places over sigma², and the sums of w², u w² and u² w² times the window squared, of
    which a step is one part of the noise of a pixel.
    """

    weight: np.ndarray
    variance: np.ndarray
    square: np.ndarray
    first: np.ndarray
    second: np.ndarray


def _moments(window: np.ndarray, step: float, sigma: float) -> _Moments:
    half = int(np.ceil(REACH * sigma / step))
    at = step * np.arange(-half, half + 1)
    kernel = step * np.exp(-(at**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    u = at / sigma**2

    def total(values, weights):
        return correlate1d(values, weights, mode="constant")

    weight = np.maximum(total(window, kernel), 1e-6)
    mean = total(window, kernel * at) / weight
    spread = total(window, kernel * at**2) / weight - mean**2
    squares = [total(window**2, kernel**2 * u**power) for power in range(3)]
    return _Moments(weight, np.maximum(spread / sigma**2, 1e-3), *squares)


def _noise(power, kappa, gain, rows: _Moments, columns: _Moments) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of the gradient (xx, yy, xy) and variance of the wave, for white noise of variance 1.

    Linear in the noise: d(grad H / H) = (d grad H - kappa dH) / H, of which half of the power is imaginary.
    """
    none = rows.square[:, None] * columns.square
    x, y = rows.square[:, None] * columns.first, rows.first[:, None] * columns.square
    xx, yy = rows.square[:, None] * columns.second, rows.second[:, None] * columns.square
    xy = rows.first[:, None] * columns.first
    kx, ky = kappa
    covariance = np.stack(
        [
            gain[0] ** 2 * (xx - 2 * kx.real * x + np.abs(kx) ** 2 * none),
            gain[1] ** 2 * (yy - 2 * ky.real * y + np.abs(ky) ** 2 * none),
            gain[0] * gain[1] * (xy - kx.real * y - ky.real * x + (kx * ky.conj()).real * none),
        ]
    )
    return covariance / (2 * power), none


def within_margin(shape: tuple[int, int], steps: tuple[float, float], sigma: float) -> np.ndarray:
    """Return where enough of the lattice around a pixel is seen: `MARGIN` standard deviations from the border."""
    inner = [
        step * (np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5) >= MARGIN * sigma
        for n, step in zip(shape, steps, strict=True)
    ]
    return inner[0][:, None] & inner[1]


def equal_width(neighbours: np.ndarray, basis: np.ndarray) -> float:
    """Return the width at which geometric phase analysis averages as an affine map of neighbours does.

    Equal is what noise does: with errors of columns that are independent and alike, both give strains of one standard
    deviation. Least squares over neighbours at r gives sd / sqrt(sum x²); a Gaussian of standard deviation s gives
    sd sqrt(A / 8 pi) / s², with A the area of a column.

    Parameters
    ----------
    neighbours
        Places of the neighbours of a column, without the column, shape (n, 2).
    basis
        Lattice vectors, shape (2, 2).

    Returns
    -------
    float
        As ``width`` of `geometric_phase`, in shortest lattice vectors.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain import equal_width
    >>> eight = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
    >>> round(equal_width(np.array(eight), np.eye(2)), 3)
    0.699
    """
    from particlespy_ml.crystals.plane_lattice import reduce_basis

    basis = reduce_basis(np.asarray(basis, float))
    spread = np.sum(np.asarray(neighbours, float) ** 2) / 2
    area = abs(np.linalg.det(basis))
    return float((area * spread / (8 * np.pi)) ** 0.25 / np.linalg.norm(basis, axis=1).min())
