"""Strain and rotation of deformations of the plane."""

from __future__ import annotations

import numpy as np


def left_polar(deformation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split deformations A = P U of the plane into a strain P - 1 and the rotation U that comes before it.

    Closed form for any finite strain and rotation: the angle of U is that which makes A U^T symmetric.

    Parameters
    ----------
    deformation
        Deformation gradients in (x, y), shape (..., 2, 2), of positive determinant.

    Returns
    -------
    strain : numpy.ndarray
        P - 1, symmetric, shape (..., 2, 2).
    rotation : numpy.ndarray
        In radians from x towards y, shape (...).

    References
    ----------
    N. J. Higham, SIAM J. Sci. Stat. Comput. 7, 1160 (1986).

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.polar import left_polar
    >>> turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> strain, rotation = left_polar(np.diag([1.02, 0.99]) @ turn)
    >>> np.diag(strain).round(6).tolist(), float(np.rad2deg(rotation))
    ([0.02, -0.01], 90.0)
    """
    a = np.asarray(deformation, float)
    rotation = np.arctan2(a[..., 1, 0] - a[..., 0, 1], a[..., 0, 0] + a[..., 1, 1])
    c, s = np.cos(rotation), np.sin(rotation)
    back = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], -2)
    return a @ back - np.eye(2), rotation
