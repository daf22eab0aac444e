"""From an exit wave to the intensity in the image plane: aberrations and partial coherence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft


@dataclass(frozen=True)
class Optics:
    """What an objective lens does to a wave. Lengths are in Å, angles in mrad or radians as stated.

    Parameters
    ----------
    energy
        Beam energy in eV.
    defocus
        Defocus; positive is underfocus, as in abTEM.
    astigmatism
        Two-fold astigmatism.
    astigmatism_angle
        Its direction in radians.
    spherical_aberration
        Third-order spherical aberration.
    fifth_order
        Fifth-order spherical aberration.
    coma, coma_angle
        Axial coma (C21 in abTEM), and its direction in radians.
    threefold, threefold_angle
        Three-fold astigmatism (C23 in abTEM), and its direction in radians.
    focal_spread
        Spread of the defocus by the spread of energy and the ripple of the lens: where a Gaussian falls to 1/e.
    beam_semiangle
        Spread of the directions of illumination in mrad: where a Gaussian falls to 1/e.
    aperture
        Radius of the objective aperture in 1/Å; none where it is infinite.
    deflection
        Standard deviation of the image's shift during the exposure in Å: vibration, and noise of the lenses.
    """

    energy: float = 300e3
    defocus: float = 0.0
    astigmatism: float = 0.0
    astigmatism_angle: float = 0.0
    spherical_aberration: float = 0.0
    fifth_order: float = 0.0
    coma: float = 0.0
    coma_angle: float = 0.0
    threefold: float = 0.0
    threefold_angle: float = 0.0
    focal_spread: float = 50.0
    beam_semiangle: float = 0.0
    aperture: float = np.inf
    deflection: float = 0.0


def wavelength(energy: float) -> float:
    """Return the relativistic wavelength in Å of electrons of some energy in eV.

    Examples
    --------
    >>> round(wavelength(300e3), 5)
    0.01969
    """
    rest = 510998.95  # eV
    return 12.398419843320e3 / np.sqrt(energy * (2 * rest + energy))


def transfer_function(optics: Optics, pixels: int | tuple[int, int], edge: float | tuple[float, float]) -> np.ndarray:
    """Return the complex transfer function of a wave, in the order of `numpy.fft.fft2`.

    Partial coherence is by envelopes (the quasi-coherent approximation), which holds while the unscattered beam is the
    strongest.

    Parameters
    ----------
    optics
        The lens.
    pixels, edge
        Pixels along each edge of the field, and its edge in Å; two of each where they differ along y and x.

    Returns
    -------
    numpy.ndarray
        Shape (pixels, pixels), complex64. Rows are along y.

    References
    ----------
    E. J. Kirkland, Advanced Computing in Electron Microscopy, 2nd ed., Springer (2010), ch. 3.
    """
    (rows, columns), (height, width) = np.broadcast_to(pixels, 2), np.broadcast_to(edge, 2)
    ky = fft.fftfreq(rows, height / rows).astype(np.float32)[:, None]
    kx = fft.fftfreq(columns, width / columns).astype(np.float32)[None]
    k2 = kx**2 + ky**2
    length = wavelength(optics.energy)
    direction = np.float32(optics.astigmatism_angle)
    # cos(2 (angle - direction)) times k², without the angle
    twofold = np.cos(2 * direction) * (kx**2 - ky**2) + np.sin(2 * direction) * 2 * kx * ky
    chi = (
        np.pi
        * length
        * (0.5 * length**2 * optics.spherical_aberration * k2**2 - optics.defocus * k2 + optics.astigmatism * twofold)
    )
    if optics.fifth_order:
        chi = chi + np.pi / 3 * length**5 * optics.fifth_order * k2**3
    if optics.coma:
        along = np.cos(np.float32(optics.coma_angle)) * kx + np.sin(np.float32(optics.coma_angle)) * ky
        chi = chi + 2 * np.pi / 3 * length**2 * optics.coma * k2 * along
    if optics.threefold:
        # cos(3 (angle - direction)) times k³, without the angle
        cube = (kx + 1j * ky) ** 3 * np.exp(-3j * optics.threefold_angle)
        chi = chi + 2 * np.pi / 3 * length**2 * optics.threefold * cube.real.astype(np.float32)
    # gradient of the phase error over k, which the spread of directions blurs; astigmatism is small beside the rest
    slope2 = (2 * np.pi) ** 2 * k2 * (length**2 * optics.spherical_aberration * k2 - optics.defocus) ** 2
    damping = (0.5 * np.pi * length * optics.focal_spread * k2) ** 2
    damping = damping + (0.5e-3 * optics.beam_semiangle) ** 2 * slope2
    amplitude = np.exp(-damping)
    if np.isfinite(optics.aperture):
        amplitude[k2 > optics.aperture**2] = 0
    transfer = np.empty(k2.shape, np.complex64)
    np.multiply(amplitude, np.cos(chi), out=transfer.real)
    np.multiply(amplitude, -np.sin(chi), out=transfer.imag)
    return transfer


def image_intensity(wave: np.ndarray, edge: float | tuple[float, float], optics: Optics) -> np.ndarray:
    """Return the intensity in the image plane, with twice the pixels of the wave so that nothing is aliased.

    Parameters
    ----------
    wave
        Exit wave of a field, taken as periodic, shape (rows, columns).
    edge
        Edge of the field in Å; two where they differ along y and x.
    optics
        The lens.

    Returns
    -------
    numpy.ndarray
        Intensity, shape (2 rows, 2 columns), float32; 1 is that of the empty beam.
    """
    shape = wave.shape
    spectrum = fft.fft2(wave.astype(np.complex64)) * transfer_function(optics, shape, edge)
    padded = np.zeros((2 * shape[0], 2 * shape[1]), np.complex64)
    ends = [(slice(0, (n + 1) // 2), slice(-(n // 2), None)) for n in shape]
    for rows in ends[0]:
        for columns in ends[1]:
            padded[rows, columns] = spectrum[rows, columns]
    image = fft.ifft2(padded) * 4
    intensity = image.real**2 + image.imag**2
    if not optics.deflection:
        return intensity
    (rows, columns), (height, width) = intensity.shape, np.broadcast_to(edge, 2)
    k2 = fft.fftfreq(rows, height / rows)[:, None] ** 2 + fft.rfftfreq(columns, width / columns) ** 2
    envelope = np.exp(-2 * (np.pi * optics.deflection) ** 2 * k2).astype(np.float32)
    return fft.irfft2(fft.rfft2(intensity) * envelope, s=intensity.shape)
