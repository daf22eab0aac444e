"""Deformation of what surrounds a column: affine maps, strain, rotation, and their standard errors.

Places are (x, y) as the axes of the image run: x to the right, y down. An affine map A takes the template to the column
and its neighbours, and A = P U: first the turn U, by an angle from x towards y, then the strain P - 1 along x and y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.strain.polar import left_polar

NAMES = ("exx", "eyy", "exy", "rotation", "planar")


@dataclass(frozen=True)
class AffineMaps:
    """Least-squares affine maps from templates to places.

    The map has a shift of its own: the column is one of the points, as uncertain as its neighbours.

    Parameters
    ----------
    matrices
        A of each column, shape (n, 2, 2).
    weights
        ``A[a, b]`` is the sum over points of ``weights[:, b]`` times coordinate *a* of the point, shape (n, k, 2).
    residuals
        Distances that the map leaves, shape (n, k).
    leverages
        How much of each point the map follows, from 0 to 1, shape (n, k).
    squares
        Sum of the squares of the residuals, shape (n,).
    freedom
        Number of coordinates less that of the parameters, shape (n,).
    """

    matrices: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray
    leverages: np.ndarray
    squares: np.ndarray
    freedom: np.ndarray


def affine_maps(points: np.ndarray, template: np.ndarray, known: np.ndarray) -> AffineMaps:
    """Fit affine maps to many columns at once.

    Parameters
    ----------
    points
        The column and its neighbours, (x, y), shape (n, k, 2).
    template
        Where the template has them, shape (n, k, 2).
    known
        Which points there are, shape (n, k): three at least, on no line.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.deformation import affine_maps
    >>> square = np.array([[[0, 0], [1, 0], [0, 1], [1, 1.0]]])
    >>> affine_maps(square * [2, 3] + 1, square, np.ones((1, 4), bool)).matrices[0].round(9).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    number = known.sum(1)
    centred, moved = (_centred(places, known, number) for places in (template, points))
    x, y = centred[..., 0], centred[..., 1]
    xx, xy, yy = (x * x).sum(1), (x * y).sum(1), (y * y).sum(1)
    determinant = xx * yy - xy**2
    determinant[~(determinant > 1e-9 * (xx + yy) ** 2)] = np.nan  # on a line
    xx, xy, yy = ((one / determinant)[:, None] for one in (xx, xy, yy))
    weights = np.stack([yy * x - xy * y, xx * y - xy * x], -1)
    matrices = np.swapaxes(moved, 1, 2) @ weights
    left = moved - centred @ np.swapaxes(matrices, 1, 2)
    squares = (left**2).sum(2)
    leverages = np.where(known, (centred * weights).sum(2) + 1 / np.maximum(number, 1)[:, None], 0)
    return AffineMaps(matrices, weights, np.sqrt(squares), leverages, squares.sum(1), 2 * number - 6)


def _centred(places: np.ndarray, known: np.ndarray, number: np.ndarray) -> np.ndarray:
    kept = np.where(known[..., None], places, 0.0)
    middle = kept.sum(1) / np.maximum(number, 1)[:, None]
    return np.where(known[..., None], kept - middle[:, None], 0.0)


@dataclass(frozen=True)
class Polar:
    """Left polar decomposition A = P U, and its derivatives.

    Parameters
    ----------
    stretch
        P: xx, yy and xy, shape (n, 3).
    angle
        Of U in radians from x towards y, shape (n,).
    gradients
        Derivatives of xx, yy, xy, the angle, and the mean of xx and yy by A, shape (n, 5, 2, 2).
    """

    stretch: np.ndarray
    angle: np.ndarray
    gradients: np.ndarray

    @classmethod
    def of(cls, matrices: np.ndarray) -> Polar:
        """Decompose matrices of positive determinant, shape (n, 2, 2).

        Examples
        --------
        >>> import numpy as np
        >>> from particlespy_ml.strain.deformation import Polar
        >>> found = Polar.of(np.array([[[0.0, -1.1], [1.0, 0.0]]]))
        >>> found.stretch[0, :2].round(9).tolist(), found.gradients.shape
        ([1.1, 1.0], (1, 5, 2, 2))
        """
        strain, angle = left_polar(matrices)
        xx, yy, xy = strain[:, 0, 0] + 1, strain[:, 1, 1] + 1, strain[:, 0, 1]
        cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
        # of the angle by a, b, c, d: its tangent is (c - b) / (a + d), and both are the trace of P times sin and cos
        turn = np.stack([-sin, -cos, cos, -sin], -1) / (xx + yy)[:, None]
        of_xx = np.stack([cos, -sin, zero, zero], -1) - xy[:, None] * turn
        of_yy = np.stack([zero, zero, sin, cos], -1) + xy[:, None] * turn
        of_xy = np.stack([sin, cos, zero, zero], -1) + xx[:, None] * turn
        gradients = np.stack([of_xx, of_yy, of_xy, turn, (of_xx + of_yy) / 2], 1).reshape(-1, 5, 2, 2)
        return cls(np.stack([xx, yy, xy], -1), angle, gradients)


@dataclass(frozen=True)
class Scale:
    """Lattice constants, and how they follow from the places.

    Parameters
    ----------
    values
        At each column, shape (n,).
    shares
        How much the mean stretch of each column adds to the constant, by constants, shape (groups, n); zero where it is
        given.
    group
        Which constant each column has, shape (n,).
    """

    values: np.ndarray
    shares: np.ndarray
    group: np.ndarray


def strain_and_errors(
    polar: Polar, weights: np.ndarray, numbers: np.ndarray, variances: np.ndarray, scale: Scale
) -> tuple[np.ndarray, np.ndarray]:
    """Return strain and rotation, and their standard errors by linear propagation.

    A place enters the map of its own column and those of its neighbours, and the lattice constant where that follows
    from the places: all is taken together, so that nothing counts twice.

    Parameters
    ----------
    polar
        Of the affine maps.
    weights
        See `AffineMaps`.
    numbers
        Which column each point is; any where there is none, with weights of zero, shape (n, k).
    variances
        Of x and y of all columns, shape (total, 2).
    scale
        Of the templates.

    Returns
    -------
    values, errors
        exx, eyy, exy, rotation in radians and planar, shape (n, 5) each.
    """
    constant = scale.values[:, None]
    values = np.column_stack([polar.stretch, polar.angle, polar.stretch[:, :2].mean(1)])
    slopes, lengths = polar.gradients.copy(), (0, 1, 2, 4)
    slopes[:, lengths] /= constant[:, :, None, None]
    by_scale = values / constant**2
    by_scale[:, 3] = 0
    noise = variances[numbers]
    own = np.zeros(values.shape)
    for axis in range(2):  # squares of the slopes by the places, summed over the points
        moments = _moments(weights, noise[..., axis])
        first, second = slopes[:, :, axis, 0], slopes[:, :, axis, 1]
        own += first**2 * moments[0] + second**2 * moments[2] + 2 * first * second * moments[1]
    for group, share in enumerate(scale.shares):
        members = np.flatnonzero(scale.group == group)
        if not share.any() or not len(members):
            continue
        mean = _slopes_of_constant(polar.gradients[:, 4], weights, numbers, share, len(variances))
        joint = (noise * mean[numbers])[members]
        both = sum(
            slopes[members][:, :, axis, b] * (weights[members, :, b] * joint[..., axis]).sum(1)[:, None]
            for axis in range(2)
            for b in range(2)
        )
        factor = by_scale[members]
        own[members] += factor**2 * (mean**2 * variances).sum() - 2 * factor * both
    values[:, lengths] /= constant
    values[:, (0, 1, 4)] -= 1
    return values, np.sqrt(np.maximum(own, 0))


def _moments(weights: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second = weights[..., 0], weights[..., 1]
    with_noise = first * noise
    return tuple(one.sum(1)[:, None] for one in (first * with_noise, second * with_noise, second**2 * noise))


def _slopes_of_constant(gradients, weights, numbers, share, total: int) -> np.ndarray:
    """Derivatives of a lattice constant, a weighted mean of stretches, by all places, shape (total, 2)."""
    used = np.flatnonzero(share)
    where = numbers[used].ravel()
    slopes = np.empty((total, 2))
    for axis in range(2):
        first, second = (gradients[used, axis, b] * share[used] for b in range(2))
        each = weights[used, :, 0] * first[:, None] + weights[used, :, 1] * second[:, None]
        slopes[:, axis] = np.bincount(where, each.ravel(), total)
    return slopes


def fold_angles(angles: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return angles in degrees between -180 and 180 over a fold, the upper end included.

    Parameters
    ----------
    angles
        In degrees, shape (n,).
    fold
        Numbers of turns that leave the template as it is, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.deformation import fold_angles
    >>> fold_angles(np.array([50.0, -30.0]), np.array([4, 6])).tolist()
    [-40.0, 30.0]
    """
    period = 360.0 / fold
    folded = angles - period * np.round(angles / period)
    return np.where(folded <= -period / 2 + 1e-9, folded + period, folded)


def unwrap_angles(angles: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return angles in degrees moved by whole periods so that they lie together, however many turns they came from.

    The circle is cut in the widest gap between the angles, so that no cut goes through a grain.

    Parameters
    ----------
    angles
        In degrees, shape (n,); those that are not finite stay so.
    fold
        Numbers of turns that leave the template as it is, shape (n,); angles are moved by 360 degrees over theirs.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.deformation import unwrap_angles
    >>> unwrap_angles(np.array([29.5, -29.5, 29.0]), np.array([6, 6, 6])).round(6).tolist()
    [29.5, 30.5, 29.0]
    """
    found = np.array(angles, float)
    for period in np.unique(360.0 / np.asarray(fold)):
        own = np.flatnonzero(np.isfinite(found) & np.isclose(360.0 / fold, period))
        if not len(own):
            continue
        ordered = np.sort(found[own] % period)
        gaps = np.diff(np.append(ordered, ordered[0] + period))
        start = ordered[(np.argmax(gaps) + 1) % len(ordered)]
        unwrapped = start + (found[own] - start + 1e-9) % period - 1e-9
        found[own] = unwrapped - period * np.round(np.median(unwrapped) / period)
    return found
