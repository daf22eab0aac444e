"""The significance of each column of a fit."""

from __future__ import annotations

import numpy as np

from particlespy_ml.columns.fit.gaussians import ColumnFit, typical_volume
from particlespy_ml.columns.fit.solver import SMALLEST_SIGNAL
from particlespy_ml.columns.search.detection import poisson_significance

PART = 256  # columns that are looked at together
REACH = 3.0  # widths: what lies farther away says nothing of a column


def column_significance(image: np.ndarray, fit: ColumnFit) -> np.ndarray:
    """Return the significance of each column of a fit: the signed root of its likelihood ratio.

    The column's volume is taken over its error without the column, that is with the noise of what lies around and below
    it, and with the uncertainty that neighbours add.
    """
    variance, cubed = null_noise(fit)
    least = least_variance(fit)
    information, third, full = np.empty((3, len(fit.widths)))
    half = int(np.ceil(REACH * fit.widths.max()))
    offsets = np.arange(-half, half + 1)
    inside = np.pad(np.ones(np.shape(image), bool), half)
    variance, cubed = (np.pad(part, half, mode="edge") for part in (variance, cubed))
    nearest = np.clip(np.rint(fit.positions).astype(int), 0, np.array(np.shape(image)) - 1)
    for start in range(0, len(nearest), PART):
        part = slice(start, start + PART)
        rows, columns = (nearest[part, axis, None] + offsets for axis in (0, 1))
        vectors = []
        for axis, places in enumerate((rows, columns)):
            u = (places - fit.positions[part, axis, None]) / fit.widths[part, None]
            vectors.append(np.exp(-0.5 * u**2) / (np.sqrt(2 * np.pi) * fit.widths[part, None]))
        where = (rows[:, :, None] + half) * inside.shape[1] + columns[:, None, :] + half
        shape = vectors[0][:, :, None] * vectors[1][:, None, :] * inside.take(where)
        seen = variance.take(where)
        without = np.maximum(seen - fit.noise.gain * np.maximum(fit.volumes[part], 0)[:, None, None] * shape, least)
        share = shape / without
        information[part] = np.einsum("nij,nij->n", shape, share)
        full[part] = np.sum(shape * shape / seen, axis=(1, 2))
        skewed = np.minimum(cubed.take(where), fit.noise.gain * without)
        third[part] = np.einsum("nij,nij->n", share * share, share * skewed)
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
