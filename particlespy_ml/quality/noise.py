"""How the noise of a HAADF image grows with its signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel: ``floor + gain * signal``.

    Parameters
    ----------
    gain
        Variance for each unit of signal: one for an image in electrons, one over the electrons that fall on a pixel
        for an image in fractions of the beam.
    floor
        Variance without signal.
    """

    gain: float
    floor: float

    @classmethod
    def of_dose(cls, electrons_per_pixel: float, floor: float = 0.0) -> Noise:
        """Return the shot noise of an image in fractions of the beam."""
        if not electrons_per_pixel > 0:
            raise ValueError(f"electrons_per_pixel={electrons_per_pixel}; expected a number above zero.")
        return cls(1 / electrons_per_pixel, floor)

    def variance(self, signal: np.ndarray, smallest: float) -> np.ndarray:
        """Return the variance at a noise-free signal, of which less than *smallest* counts as so much.

        Where the model says zero a weight would be infinite, and the fit would turn on the tails of its Gaussians.
        """
        return self.floor + self.gain * np.maximum(signal, smallest)


def estimate_noise(residual: np.ndarray, signal: np.ndarray, iterations: int = 6) -> Noise:
    """Fit the noise model to squared residuals by iterated weighted least squares, both terms at least zero.

    Parameters
    ----------
    residual, signal
        Image minus model, and model, of the pixels of a fit; what the model misses counts as noise.
    iterations
        Rounds of weighting.
    """
    square = residual.ravel() ** 2
    signal = np.maximum(signal.ravel(), 0)
    if not square.any():
        return Noise(0.0, 0.0)
    mean = square.mean()
    variance = np.full(square.shape, mean)
    noise = Noise(0.0, float(mean))
    for _ in range(iterations):
        weight = 1 / variance**2
        total, first, second = weight.sum(), (weight * signal).sum(), (weight * signal**2).sum()
        right, right_first = (weight * square).sum(), (weight * square * signal).sum()
        determinant = total * second - first**2
        gain = (total * right_first - first * right) / determinant if determinant > 0 else 0.0
        floor = (right - gain * first) / total
        if gain < 0:
            gain, floor = 0.0, right / total
        elif floor < 0:
            gain, floor = (right_first / second if second > 0 else 0.0), 0.0
        noise = Noise(float(gain), float(floor))
        variance = np.maximum(noise.floor + noise.gain * signal, 0.02 * mean)
    return noise
