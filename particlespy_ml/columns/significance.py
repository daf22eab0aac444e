"""The significance of each column of a fit."""

from __future__ import annotations

import numpy as np

from particlespy_ml.columns.detection import poisson_significance
from particlespy_ml.columns.gaussians import ColumnFit, typical_volume
from particlespy_ml.columns.solver import SMALLEST_SIGNAL


def column_significance(image: np.ndarray, fit: ColumnFit) -> np.ndarray:
    """Return the significance of each column of a fit: the signed root of its likelihood ratio.

    The column's volume is taken over its error without the column, that is with the noise of what lies around and below
    it, and with the uncertainty that neighbours add.
    """
    variance, cubed = null_noise(fit)
    width = fit.widths
    information = np.empty(len(width))
    third = np.empty(len(width))
    full = np.empty(len(width))
    half = int(np.ceil(3.5 * width.max()))
    for k, (position, volume, s) in enumerate(zip(fit.positions, fit.volumes, width, strict=True)):
        low = np.maximum(np.rint(position).astype(int) - half, 0)
        high = np.minimum(np.rint(position).astype(int) + half + 1, image.shape)
        vectors = []
        for axis in (0, 1):
            u = (np.arange(low[axis], high[axis]) - position[axis]) / s
            vectors.append(np.exp(-0.5 * u**2) / (np.sqrt(2 * np.pi) * s))
        shape = np.outer(*vectors)
        where = (slice(low[0], high[0]), slice(low[1], high[1]))
        without = np.maximum(variance[where] - fit.noise.gain * max(volume, 0) * shape, least_variance(fit))
        information[k] = np.sum(shape**2 / without)
        full[k] = np.sum(shape**2 / variance[where])
        third[k] = np.sum(shape**3 / without**3 * np.minimum(cubed[where], fit.noise.gain * without))
    # what the neighbours and the background leave of the information
    left = np.clip(1 / np.maximum(fit.volume_errors**2 * full, 1e-300), 0, 1)
    deviate = fit.volumes * np.sqrt(information * left)
    return poisson_significance(deviate, third / information**1.5)


def null_noise(fit: ColumnFit) -> tuple[np.ndarray, np.ndarray]:
    """Return variance and third cumulant of every pixel under the model, each of the shape of the image."""
    signal = np.maximum(fit.model, 0)
    variance = np.maximum(fit.noise.floor + fit.noise.gain * signal, least_variance(fit))
    return variance, fit.noise.gain * np.minimum(fit.noise.gain * signal, variance)


def least_variance(fit: ColumnFit) -> float:
    """Return the variance that every pixel has at least: that of a small part of a column."""
    height = max(typical_volume(fit.volumes / (2 * np.pi * fit.widths**2)), 0)
    return max(fit.noise.floor + fit.noise.gain * SMALLEST_SIGNAL * height, 1e-12 * height**2, 1e-300)
