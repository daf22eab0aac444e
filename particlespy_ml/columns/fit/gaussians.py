"""What a fit of columns is made of: Gaussians, and the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.quality.noise import Noise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


STRIPE = 64  # rows that are made at a time
FARTHEST = 9.0  # widths: a Gaussian has fallen to 3e-18 of its height


@dataclass(frozen=True)
class ColumnFit:
    """Columns of a particle, as fitted.

    Parameters
    ----------
    positions
        Rows and columns in pixels, shape (n, 2).
    volumes
        Integrals of the Gaussians in units of the image times pixels, shape (n,).
    widths
        Standard deviations of the Gaussians in pixels, shape (n,); the same for all where the width is shared.
    position_errors, volume_errors, width_errors
        Standard errors from the Fisher information, in the shapes of what they are of.
    background
        Background at each column, shape (n,).
    region
        Pixels fitted, shape of the image.
    model
        Columns and background, shape of the image; only the background outside of the region.
    noise
        What the errors assume, for the pixels of the image.
    chi2
        Mean square of the residual over its expected variance; one for a fit within the noise.
    iterations
        Steps taken.
    converged
        Whether the last step was small.
    smooth
        Part of the model that is neither columns nor the fitted background, shape of the image; None where there is
        none. See `particlespy_ml.columns.search.artefacts.without_false_columns`.
    """

    positions: np.ndarray
    volumes: np.ndarray
    widths: np.ndarray
    position_errors: np.ndarray
    volume_errors: np.ndarray
    width_errors: np.ndarray
    background: np.ndarray
    region: np.ndarray
    model: np.ndarray
    noise: Noise
    chi2: float
    iterations: int
    converged: bool
    smooth: np.ndarray | None = None


def subset(fit: ColumnFit, which: np.ndarray) -> ColumnFit:
    """Return a fit with some of its columns; model and region stay."""
    names = ("positions", "volumes", "widths", "position_errors", "volume_errors", "width_errors", "background")
    return replace(fit, **{name: getattr(fit, name)[which] for name in names})


def typical_volume(volumes) -> float:
    """Return the median volume of columns, or 0.3 of those of the brighter ones where most are of empty places.

    Examples
    --------
    >>> from particlespy_ml.columns.fit.gaussians import typical_volume
    >>> typical_volume([4.0, 5.0, 6.0])
    5.0
    """
    return float(max(np.median(volumes), 0.3 * np.quantile(volumes, 0.9)))


def gaussian_columns(
    shape: tuple[int, int], positions: ArrayLike, volumes: ArrayLike, widths: ArrayLike, background: ArrayLike = 0.0
) -> np.ndarray:
    """Return the image of Gaussian columns.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    positions
        Rows and columns in pixels, shape (n, 2).
    volumes
        Integrals in units of the image times pixels, a number or shape (n,).
    widths
        Standard deviations in pixels, a number or shape (n,).
    background
        A number or an image.

    Examples
    --------
    >>> from particlespy_ml.columns.fit.refine import gaussian_columns
    >>> float(gaussian_columns((41, 41), [[20, 20]], 3.0, 2.5).sum().round(6))
    3.0
    """
    positions = np.asarray(positions, dtype=float).reshape(-1, 2)
    volumes, widths = (np.broadcast_to(np.asarray(v, float), len(positions)) for v in (volumes, widths))
    image = np.zeros(shape) + background
    if not len(positions):
        return image
    along = []
    for axis in (0, 1):
        distance = (np.arange(shape[axis]) - positions[:, axis, None]) / widths[:, None]
        along.append(np.exp(-0.5 * distance**2) / (np.sqrt(2 * np.pi) * widths[:, None]))
    reach = FARTHEST * widths
    for start in range(0, shape[0], STRIPE):  # a stripe of rows has to do with the columns near it alone
        stop = min(start + STRIPE, shape[0])
        near = (positions[:, 0] > start - reach) & (positions[:, 0] < stop + reach)
        image[start:stop] += (along[0][near, start:stop] * volumes[near, None]).T @ along[1][near]
    return image
