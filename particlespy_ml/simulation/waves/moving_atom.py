"""What an atom that moves does to a wave on the average: a phase, blurred, and an absorption."""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.interpolate import make_interp_spline

from particlespy_ml.simulation.recording.optics import wavelength

_EDGE = 16.0  # Å, of the field of an atom
_PIXELS = 512  # along it: the potential near the nucleus is steep
_REST = 510998.95  # eV, of an electron


def interaction(energy: float) -> float:
    """Return the phase in radians that electrons gain for each volt and ångström of projected potential.

    Examples
    --------
    >>> round(interaction(300e3), 7)
    0.0006526
    """
    return 2 * np.pi / (wavelength(energy) * energy) * (_REST + energy) / (2 * _REST + energy)


def phase_of_moving_atom(symbol: str, frequency: np.ndarray, energy: float, mean_square: float) -> np.ndarray:
    """Return the Fourier transform of the phase of an atom, complex where the wave loses what motion scatters.

    The mean of exp(i φ) over the places of the atom is exp(i φ'): φ' is the blurred phase, and its imaginary part what
    is scattered away from the mean wave. Atoms of a column that move independently of each other add theirs.

    Parameters
    ----------
    symbol
        Chemical symbol.
    frequency
        Spatial frequencies in 1/Å, of any shape.
    energy
        Beam energy in eV.
    mean_square
        Mean square of the displacement along each axis in Å².

    Returns
    -------
    numpy.ndarray
        Complex, in rad Å², of the shape of the frequencies: divided by the area of a pixel and summed over the atoms of
        a slice with their phase factors, it is the discrete transform of the phase φ of a transmission exp(i φ).

    References
    ----------
    C. R. Hall and P. B. Hirsch, Proc. R. Soc. Lond. A 286, 158 (1965). E. J. Kirkland, Advanced Computing in Electron
    Microscopy, 2nd ed., Springer (2010).
    """
    from abtem.parametrizations import KirklandParametrization

    axis = fft.fftfreq(_PIXELS, _EDGE / _PIXELS)
    k2 = axis[:, None] ** 2 + axis**2
    area = (_EDGE / _PIXELS) ** 2
    scattering = np.asarray(KirklandParametrization().projected_scattering_factor(symbol)(k2), float)
    still = fft.ifft2(interaction(energy) * scattering / area).real
    mean = fft.ifft2(fft.fft2(np.exp(1j * still)) * np.exp(-2 * np.pi**2 * mean_square * k2))
    spectrum = fft.fft2(np.angle(mean) - 1j * np.log(np.abs(mean)))[0, : _PIXELS // 2] * area
    known = make_interp_spline(axis[: _PIXELS // 2], spectrum, k=3)
    frequency = np.asarray(frequency, float)
    return known(np.minimum(frequency, axis[_PIXELS // 2 - 1]))
