"""The modulation transfer of a camera, its gain and the dose, from the noise of one image."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from particlespy_ml.quality.noise_spectrum import NoiseSpectrum, blocks_of, lattice_free, noise_spectrum, quiet_blocks
from particlespy_ml.quality.raw_counts import check_raw

NAMES = ("floor", "half_width", "exponent")
_BOUNDS = ((0.0, 0.6), (0.05, 3.0), (0.8, 4.0))  # of the three, wider than any camera
_STARTS = ((0.05, 0.25, 2.0), (0.15, 0.5, 2.0), (0.02, 0.9, 2.0), (0.1, 0.4, 1.2), (0.05, 1.5, 1.5))
WHITE = 0.7  # of the transfer at .9 of the Nyquist frequency beside that of low frequencies: no camera is better
# counts of rings allow for what neighbouring rings share, which does not scatter them: over two bins a factor of 1.44
_OF_RINGS = np.sqrt(1.944 / 1.44)
MISFIT = 2.0  # of the scatter of rings about the fit, over that of noise


@dataclass(frozen=True)
class MTF:
    """Modulation transfer ``floor + (1 - floor) / (1 + (q / half_width) ** exponent)``, with q over Nyquist's.

    Parameters
    ----------
    floor, half_width, exponent
        Of the transfer. The half width is a fraction of the Nyquist frequency.
    errors
        Their standard errors, in this order.
    gain
        Counts that one electron makes.
    gain_error
        Its standard error.
    dose
        Electrons per pixel, the mean over the image; NaN where the offset of the counts cannot be right.
    dose_error
        Its standard error.
    misfit
        Root mean square deviation of the noise spectrum from the fit, over what noise explains: about 1 for a fit.
    masked
        Share of the frequencies that were left out as those of lattices.
    blocks
        Share of the image that was used.
    covariance
        Of the logarithm of the noise at zero frequency and the three parameters, shape (4, 4).

    Examples
    --------
    >>> from particlespy_ml.quality.mtf import MTF
    >>> round(float(MTF(0.07, 0.196, 2.29).transfer(0.196)), 3)
    0.535
    """

    floor: float
    half_width: float
    exponent: float
    errors: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gain: float = 1.0
    gain_error: float = 0.0
    dose: float = float("nan")
    dose_error: float = float("nan")
    misfit: float = float("nan")
    masked: float = 0.0
    blocks: float = 1.0
    covariance: np.ndarray = field(default_factory=lambda: np.zeros((4, 4)), repr=False, compare=False)

    def transfer(self, frequency):
        """Return the transfer at frequencies over that of Nyquist: 1 at zero.

        Parameters
        ----------
        frequency
            A number or an array; 1 is half a cycle per pixel.
        """
        return transfer(frequency, self.floor, self.half_width, self.exponent)

    def transfer_error(self, frequency) -> np.ndarray:
        """Return the standard error of the transfer at frequencies over that of Nyquist."""
        frequency = np.atleast_1d(np.asarray(frequency, float))
        gradient = _gradient(frequency, np.array([0.0, self.floor, self.half_width, self.exponent]))[:, 1:]
        slopes = gradient * self.transfer(frequency)[:, None] / 2  # of the logarithm of the square
        return np.sqrt(np.einsum("ni,ij,nj->n", slopes, self.covariance[1:, 1:], slopes))


def transfer(frequency, floor: float, half_width: float, exponent: float):
    """Return ``floor + (1 - floor) / (1 + (q / half_width) ** exponent)``.

    Parameters
    ----------
    frequency
        q, over the Nyquist frequency.
    floor, half_width, exponent
        Of the transfer.
    """
    return floor + (1 - floor) / (1 + (np.abs(frequency) / half_width) ** exponent)


def estimate_mtf(
    image: np.ndarray,
    *,
    offset: float = 0.0,
    block: int = 128,
    mask: np.ndarray | None = None,
    highest: float = 0.95,
) -> MTF:
    """Estimate the modulation transfer of a camera, its gain and the dose, from the noise of an image.

    Where the detective quantum efficiency is flat, shot noise has passed the camera as the image has: its power is
    gain² x dose x MTF². The image is cut into blocks, of which those are used that hold least beside noise; the
    frequencies of lattices are masked; and the power of the rest is fitted by maximum likelihood. Of several frames of
    the same view their differences are taken, which hold no specimen.

    Parameters
    ----------
    image
        Raw counts, shape (rows, columns), or frames of one view, shape (frames, rows, columns).
    offset
        Counts without a beam. Gain and dose need it; the transfer does not.
    block
        Edge of the blocks in pixels.
    mask
        Where to look, shape (rows, columns), such as a region of vacuum; blocks that are not within it are left out.
    highest
        Highest frequency that is fitted, over that of Nyquist.

    Returns
    -------
    MTF

    Raises
    ------
    TypeError
        If the image is not real.
    ValueError
        If the image is too small, or its noise cannot tell: that of counted, normalised, 8-bit, filtered or resampled
        images. The message says which.

    Warns
    -----
    UserWarning
        If the noise is not described by such a transfer, or the mean of the image is not above its offset.

    Notes
    -----
    Readout noise is part of the floor. What an amorphous film shows raises the spectrum at low frequencies, which makes
    the dose too low: blocks of film are left out where they can be told from vacuum, alone or with those about them.
    Where no block is free of film, give several frames of one view, or ``mask`` for a region of vacuum.

    References
    ----------
    R. R. Meyer and A. I. Kirkland, Ultramicroscopy 75, 23 (1998), for noise as the input of a camera. P. Whittle, Ark.
    Mat. 2, 423 (1953), for the likelihood of a spectrum.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import fft
    >>> from particlespy_ml.quality.mtf import estimate_mtf, transfer
    >>> electrons = np.random.default_rng(0).poisson(30.0, (512, 512))
    >>> q = 2 * np.hypot(fft.fftfreq(512)[:, None], fft.rfftfreq(512))
    >>> image = 50 * fft.irfft2(fft.rfft2(electrons) * transfer(q, 0.07, 0.3, 2.0))
    >>> found = estimate_mtf(image)
    >>> bool(abs(found.transfer(0.5) - 0.31623529) < 0.02), bool(abs(found.dose / 30 - 1) < 0.05)
    (True, True)
    """
    frames = _frames(image, block)
    check_raw(frames)
    parts, level, places = blocks_of(frames, block, mask)
    chosen = quiet_blocks(parts, level, places)
    spectrum = noise_spectrum(parts[chosen], highest)
    spectrum, masked = lattice_free(spectrum)
    parameters, covariance = fit_spectrum(spectrum)
    power, floor, half_width, exponent = np.exp(parameters[0]), *parameters[1:]
    _refuse_white(transfer(0.9, floor, half_width, exponent))
    misfit = _misfit(spectrum, parameters)
    if misfit > MISFIT:
        warnings.warn(
            f"The noise is not that of a camera with one transfer: its spectrum scatters {misfit:.1f} times as much "
            "about the fit as noise explains. Something of the specimen is in every block: give mask= for a region of "
            "vacuum, or several frames of one view.",
            UserWarning,
            stacklevel=2,
        )
    mean = float(np.mean(level[chosen])) - offset
    gain, dose = power / mean, mean**2 / power
    relative = np.sqrt(covariance[0, 0])
    if not mean > 0:
        gain = dose = float("nan")
        warnings.warn(
            f"The mean of the image is {mean:.3g} above its offset of {offset:.3g}: gain and dose cannot be told. Give "
            "offset=, the counts without a beam, or an image whose background was not subtracted.",
            UserWarning,
            stacklevel=2,
        )
    overall = (float(np.mean(frames)) - offset) / mean  # dose of the image beside that of the blocks
    return MTF(
        float(floor),
        float(half_width),
        float(exponent),
        tuple(float(one) for one in np.sqrt(np.diag(covariance))[1:]),
        float(gain),
        float(gain * relative),
        float(dose * overall),
        float(dose * overall * relative),
        float(misfit),
        masked,
        float(chosen.mean()),
        covariance,
    )


def _frames(image: np.ndarray, block: int) -> np.ndarray:
    frames = np.asarray(image)
    if frames.dtype.kind not in "iuf":
        raise TypeError(f"An image of {frames.dtype}; expected real counts.")
    frames = frames[None] if frames.ndim == 2 else frames
    if frames.ndim != 3 or min(frames.shape[1:], default=0) < block or block < 32:
        raise ValueError(
            f"An image of shape {np.shape(image)} and block={block}; expected (rows, columns), or frames of them, at "
            "least as large as a block, and a block of 32 pixels or more."
        )
    if not np.isfinite(frames).all():
        raise ValueError("The image has pixels that are not finite; crop them, or replace them by their neighbours.")
    return frames


def fit_spectrum(spectrum: NoiseSpectrum) -> tuple[np.ndarray, np.ndarray]:
    """Fit the square of a transfer to a spectrum by maximum likelihood.

    Parameters
    ----------
    spectrum
        Power in rings, each the mean of so many independent frequencies.

    Returns
    -------
    parameters
        Logarithm of the power at zero frequency, floor, half width, exponent.
    covariance
        Shape (4, 4), widened where the fit does not describe the spectrum.
    """
    q, power, count = spectrum.frequency, spectrum.power, spectrum.count
    scale = power[:3].mean()

    def cost(values):
        logarithm = values[0] + 2 * np.log(np.maximum(transfer(q, *values[1:]), 1e-6))
        ratio = power / scale * np.exp(-logarithm)
        slope = (count * (1 - ratio)) @ _gradient(q, values)
        return float(np.sum(count * (ratio + logarithm))) / count.sum(), slope / count.sum()

    bounds = ((-3.0, 3.0), *_BOUNDS)
    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8}
    tries = [
        minimize(cost, (0.1, *start), jac=True, bounds=bounds, method="L-BFGS-B", options=options) for start in _STARTS
    ]
    values = min(tries, key=lambda one: one.fun).x
    gradient = _gradient(q, values)
    information = (gradient * count[:, None]).T @ gradient
    covariance = np.linalg.pinv(information, hermitian=True)
    found = np.array([values[0] + np.log(scale), *values[1:]])
    return found, covariance * max(1.0, _misfit(spectrum, found)) ** 2


def _gradient(q: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Derivatives of the logarithm of the power by the four parameters, shape (n, 4)."""
    floor, width, exponent = values[1:]
    ratio = (np.maximum(q, 1e-9) / width) ** exponent
    share = 1 / (1 + ratio)
    whole = floor + (1 - floor) * share
    slope = -(1 - floor) * share**2 * ratio  # by the logarithm of the ratio
    by_exponent = slope * np.log(np.maximum(q, 1e-9) / width)
    return np.stack(
        [
            np.ones_like(q),
            2 * (1 - share) / whole,
            -2 * slope * exponent / width / whole,
            2 * by_exponent / whole,
        ],
        axis=1,
    )


def _misfit(spectrum: NoiseSpectrum, parameters: np.ndarray) -> float:
    model = np.exp(parameters[0]) * transfer(spectrum.frequency, *parameters[1:]) ** 2
    deviation = (spectrum.power / model - 1) * np.sqrt(spectrum.count)
    return float(_OF_RINGS * np.sqrt(np.mean(deviation**2)))


def _refuse_white(at_nyquist: float) -> None:
    if at_nyquist > WHITE:
        raise ValueError(
            f"The noise is white: its amplitude at .9 of the Nyquist frequency is {at_nyquist:.2f} of that at low "
            "frequencies. It is that of a counting detector, of counts multiplied by a gain reference, or was added "
            "after the camera, and says nothing of the transfer. Use an integrating camera's raw image, or an edge."
        )
