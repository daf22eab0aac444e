"""Exit waves of two specimens, one of which lies behind the other."""

from __future__ import annotations

import numpy as np
from scipy import fft

from particlespy_ml.simulation.recording.optics import wavelength


def stack_waves(
    wave: np.ndarray, support: np.ndarray, edge: float, energy: float, distance: float, *, support_first: bool = False
) -> np.ndarray:
    """Return the wave behind two specimens of one periodic field.

    What each does to a plane wave multiplies, with free space between them: exact where the first one is thin, or so
    far that it makes no difference.

    Parameters
    ----------
    wave, support
        Exit waves of the two, shape (n, n), complex.
    edge
        Edge of the field in Å.
    energy
        Beam energy in eV.
    distance
        From the exit of the first to that of the second in Å, less the thickness of the second; below zero the first
        is the one behind.
    support_first
        Whether the beam meets the support first.

    Returns
    -------
    numpy.ndarray
        Shape (n, n), complex64.

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    E. J. Kirkland, Advanced Computing in Electron Microscopy, 2nd ed., Springer (2010), ch. 6.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.simulation.recording.stacked import stack_waves
    >>> vacuum, film = np.ones((32, 32)), np.full((32, 32), 1j)
    >>> complex(stack_waves(film, vacuum, 20.0, 300e3, 15.0)[0, 0])
    1j
    """
    if wave.shape != support.shape:
        raise ValueError(f"Waves of shapes {wave.shape} and {support.shape}; expected the same field for both.")
    first, second = (support, wave) if support_first else (wave, support)
    k2 = np.add.outer(*(fft.fftfreq(n, edge / n).astype(np.float32) ** 2 for n in wave.shape))
    fresnel = np.exp(np.complex64(-1j * np.pi * wavelength(energy) * distance) * k2)
    return (fft.ifft2(fft.fft2(first.astype(np.complex64)) * fresnel) * second).astype(np.complex64)


def on_any_support(
    wave: np.ndarray, supports: list[np.ndarray], edge: float, energy: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a wave before or behind one of some supports, moved, turned by quarters and mirrored at random.

    Parameters
    ----------
    wave, edge, energy
        As of `stack_waves`.
    supports
        Exit waves of supports; those of other shapes than the wave are left out, and with none the wave stays.
    rng
        Random generator.
    """
    fitting = [one for one in supports if one.shape == wave.shape]
    if not fitting:
        return wave
    support = np.rot90(fitting[rng.integers(len(fitting))], rng.integers(4))
    support = np.roll(support[:, :: rng.choice((-1, 1))], rng.integers(len(wave), size=2), axis=(0, 1))
    return stack_waves(wave, support, edge, energy, rng.uniform(0, 60), support_first=bool(rng.random() < 0.5))
