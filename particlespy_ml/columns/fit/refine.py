"""All columns of a particle fitted together: overlapping Gaussians on a smooth background.

The model is linear in the volumes and the background and non-linear in positions and widths; each step solves the
normal equations of all of them, whose non-linear part is the step of variable projection in Kaufman's approximation
(G. Golub and V. Pereyra, Inverse Problems 19, R1 (2003)). A Gaussian overlaps its neighbours only, so that the
normal matrix is sparse, and since a Gaussian is a product of a function of the row and one of the column, its elements
are sums over short vectors. Coordinates are pixels (row, column).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.columns.fit.background import Background
from particlespy_ml.columns.fit.equations import OUTSIDE
from particlespy_ml.columns.fit.gaussians import ColumnFit, gaussian_columns
from particlespy_ml.columns.fit.solver import SMALLEST_SIGNAL, Problem
from particlespy_ml.core.threads import one_blas_thread
from particlespy_ml.quality.noise import Noise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


__all__ = ["SMALLEST_SIGNAL", "ColumnFit", "first_width", "gaussian_columns", "measure_volumes", "refine_columns"]

FINEST = 1.9  # pixels a width: finer images are binned, since that keeps all that they say of the columns


@one_blas_thread()
def refine_columns(
    image: ArrayLike,
    positions: ArrayLike,
    width: float | None = None,
    *,
    shared_width: bool = True,
    background: int | Background = 1,
    noise: Noise | None = None,
    region: np.ndarray | None = None,
    known: np.ndarray | None = None,
    max_iterations: int = 40,
    tie: float | None = None,
    width_tie: float | None = None,
) -> ColumnFit:
    """Fit Gaussians at all columns of a particle, on a polynomial background, to an image.

    Parameters
    ----------
    image
        Shape (rows, columns).
    positions
        First positions in pixels, shape (n, 2), within about a width of the columns. Columns up to three widths outside
        of the image are fitted too, since their light falls into it.
    width
        First standard deviation in pixels; by default a fifth of the distance between neighbours.
    shared_width
        One width for all columns or one for each.
    background
        Degree of the polynomial of the background: 0 constant, 1 a plane, -1 no background; or a
        `particlespy_ml.columns.fit.background.Background`.
    noise
        Noise of the pixels; by default it is estimated from the residual.
    region
        Pixels to fit; by default those within 16 widths of a column.
    known
        Pixels that were recorded, to which the default region is limited; by default all.
    max_iterations
        Upper limit of steps.
    tie
        Standard deviation in pixels, along each axis, of columns from their first positions, which the fit weighs
        against the image; by default a width.
    width_tie
        Standard deviation in pixels of a shared width from the first one; by default nothing is known of it.

    Returns
    -------
    ColumnFit

    Raises
    ------
    ValueError
        If there are no positions, they lie outside of the image, or the image is not finite.

    References
    ----------
    A. De Backer et al., Ultramicroscopy 171, 104 (2016). R. A. Fisher's information as the bound of errors: A. van
    den Bos, Parameter Estimation for Scientists and Engineers (2007).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.fit.refine import gaussian_columns, refine_columns
    >>> truth = np.array([[20.3, 20.1], [20.0, 30.2], [29.6, 25.0]])
    >>> image = gaussian_columns((50, 50), truth, [50.0, 80.0, 20.0], 2.2, background=1.0)
    >>> fit = refine_columns(image, np.round(truth), width=2.0)
    >>> fit.volumes.round(2)
    array([50., 80., 20.])
    """
    image = np.asarray(image, dtype=float)
    start = np.array(positions, dtype=float).reshape(-1, 2)
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"Expected a two-dimensional image of finite numbers, not one of the shape {image.shape}.")
    if not len(start):
        raise ValueError("There are no columns to refine: expected positions of one or more, shape (n, 2).")
    width = float(width) if width else first_width(start)
    beyond = OUTSIDE * width
    if np.any(start < -beyond) or np.any(start > np.array(image.shape) - 1 + beyond):
        raise ValueError("Some positions lie outside of the image; expected rows and columns in pixels.")
    background = as_background(background)
    factor = max(1, int(width / FINEST))
    if factor > 1:
        options = {"shared_width": shared_width, "background": background, "noise": noise, "region": region}
        options |= {"known": known, "max_iterations": max_iterations, "tie": tie, "width_tie": width_tie}
        return _refine_binned(image, start, width, factor, **options)
    scale = _scale(image)
    problem = Problem(image / scale, width, shared_width, background, region, start, tie, width_tie, known)
    return _rescaled(problem.solve(_scaled_noise(noise, scale), max_iterations), scale)


def as_background(background: int | Background) -> Background:
    """Return the background of a degree, or the one that is given."""
    return background if isinstance(background, Background) else Background(int(background))


def _scale(image: np.ndarray) -> float:
    """What an image is divided by, so that all its parameters are of a similar size."""
    return max(float(np.std(image)), 1e-300)


def _scaled_noise(noise: Noise | None, scale: float) -> Noise | None:
    return None if noise is None else Noise(noise.gain / scale, noise.floor / scale**2)


def _rescaled(fit: ColumnFit, scale: float) -> ColumnFit:
    """A fit of an image times a scale."""
    names = ("volumes", "volume_errors", "background", "model")
    noise = Noise(fit.noise.gain * scale, fit.noise.floor * scale**2)
    return replace(fit, noise=noise, **{name: getattr(fit, name) * scale for name in names})


@one_blas_thread()
def measure_volumes(
    image: ArrayLike,
    positions: ArrayLike,
    widths: ArrayLike,
    *,
    background: int | Background = 1,
    noise: Noise | None = None,
    region: np.ndarray | None = None,
    known: np.ndarray | None = None,
    start: ColumnFit | None = None,
) -> ColumnFit:
    """Fit volumes and background alone, at positions and widths that are known, as from the sum of a series.

    Parameters
    ----------
    image
        Shape (rows, columns).
    positions
        In pixels, shape (n, 2).
    widths
        In pixels, a number or shape (n,).
    background, noise, region, known
        See `refine_columns`.
    start
        A fit of these columns, to this image or nearly so, from which the weights start: half of the work.

    Returns
    -------
    ColumnFit
        With errors of zero for positions and widths.

    Examples
    --------
    >>> from particlespy_ml.columns.fit.refine import gaussian_columns, measure_volumes
    >>> image = gaussian_columns((50, 50), [[20.3, 20.1], [20.0, 30.2]], [50.0, 80.0], 2.2)
    >>> measure_volumes(image, [[20.3, 20.1], [20.0, 30.2]], 2.2).volumes.round(2)
    array([50., 80.])
    """
    image = np.asarray(image, dtype=float)
    places = np.array(positions, dtype=float).reshape(-1, 2)
    if not len(places):
        raise ValueError("There are no columns to measure: expected positions of one or more, shape (n, 2).")
    widths = np.broadcast_to(np.asarray(widths, float), len(places)).copy()
    width, background = float(widths.mean()), as_background(background)
    factor = max(1, int(width / FINEST))
    if factor > 1:
        options = {"shared_width": True, "background": background, "noise": noise, "region": region, "known": known}
        return _refine_binned(image, places, width, factor, widths=widths, like=start, **options)
    scale = _scale(image)
    problem = Problem(image / scale, width, True, background, region, places, known=known)
    problem.widths = widths
    start = None if start is None else (start.volumes / scale, start.model / scale)
    return _rescaled(problem.solve_volumes(_scaled_noise(noise, scale), start), scale)


def first_width(positions: np.ndarray) -> float:
    """Return a first width in pixels from the distances between columns."""
    if len(positions) < 2:
        raise ValueError("A single column has no neighbour to tell its width from; give width= in pixels.")
    distance = cKDTree(positions).query(positions, 2)[0][:, 1]
    return float(max(0.2 * np.median(distance), 0.7))


def _refine_binned(
    image,
    start,
    width,
    factor,
    *,
    shared_width,
    background,
    noise,
    region,
    known,
    max_iterations=0,
    tie=None,
    width_tie=None,
    widths=None,
    like=None,
):
    """Refine on an image of bins of *factor* pixels, or measure where *widths* are known; the result is in pixels."""
    # the last rows that fill no bin are left out
    rows, columns = (n // factor * factor for n in image.shape)
    blocks = image[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor)
    small = blocks.mean((1, 3))
    scale = _scale(small)
    if like is not None:
        model = like.model[:rows, :columns].reshape(blocks.shape).mean((1, 3))
        like = like.volumes / factor**2 / scale, model / scale
    if region is not None:
        region = region[:rows, :columns].reshape(blocks.shape).mean((1, 3)) > 0.5
    if known is not None:
        known = known[:rows, :columns].reshape(blocks.shape).all((1, 3))
    noise = None if noise is None else Noise(noise.gain / factor**2, noise.floor / factor**2)
    wider = np.hypot(width, np.sqrt((factor**2 - 1) / 12)) / factor
    coarse = background.scaled(factor)
    tie = None if tie is None else tie / factor
    if width_tie is not None:
        width_tie = width_tie / factor * width / (wider * factor)  # of the width that bins make larger
    place = (start + 0.5) / factor - 0.5
    problem = Problem(small / scale, wider, shared_width, coarse, region, place, tie, width_tie, known)
    if widths is None:
        fit = problem.solve(_scaled_noise(noise, scale), max_iterations)
    else:
        problem.widths = np.hypot(widths, np.sqrt((factor**2 - 1) / 12)) / factor
        fit = problem.solve_volumes(_scaled_noise(noise, scale), like)
    fit = _rescaled(fit, scale)
    widths = np.sqrt(np.maximum((fit.widths * factor) ** 2 - (factor**2 - 1) / 12, 0.01))
    positions = (fit.positions + 0.5) * factor - 0.5
    volumes = fit.volumes * factor**2
    y, x = np.arange(image.shape[0]), np.arange(image.shape[1])
    smooth = scale * problem.background_at((y + 0.5) / factor - 0.5, (x + 0.5) / factor - 0.5)
    region = np.zeros(image.shape, bool)
    region[:rows, :columns] = np.kron(fit.region, np.ones((factor, factor), bool))
    return replace(
        fit,
        positions=positions,
        volumes=volumes,
        widths=widths,
        position_errors=fit.position_errors * factor,
        volume_errors=fit.volume_errors * factor**2,
        width_errors=fit.width_errors * factor**2 * fit.widths / widths,
        region=region,
        model=gaussian_columns(image.shape, positions, volumes, widths, smooth),
        noise=Noise(fit.noise.gain * factor**2, fit.noise.floor * factor**2),
    )
