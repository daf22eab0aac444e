"""What single columns of atoms add to an image, and where it lies for columns between the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import map_coordinates, spline_filter
from scipy.spatial import cKDTree

FAINT = 0.003  # of the largest value of a profile: what lies beyond is left out
ORDER = 3  # of the splines between the pixels of a profile


@dataclass(frozen=True)
class ColumnProfiles:
    """What columns of some numbers of atoms add to an image, each alone.

    Parameters
    ----------
    arrays
        Complex: what is added to a wave of one in the image plane, behind the lens, whose square is the intensity
        (HRTEM). Real: what is added to the intensity (HAADF). Shape (k, m, m), rows along y; the column is at
        (m // 2, m // 2). Their edges are periodic, or empty.
    heights
        Numbers of atoms, ascending, shape (k,).
    step
        Distance between pixels of the profiles, in any unit of length.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns import ColumnProfiles
    >>> r2 = (np.arange(-20, 21)[:, None] ** 2 + np.arange(-20, 21) ** 2) * 0.1**2
    >>> profiles = ColumnProfiles(np.exp(-4 * r2)[None], [1], 0.1)
    >>> profiles.is_wave, profiles.reach(0.01)
    (False, 1.1)
    """

    arrays: np.ndarray
    heights: np.ndarray
    step: float

    def __post_init__(self):
        arrays, heights = np.asarray(self.arrays), np.asarray(self.heights, int)
        if arrays.ndim != 3 or arrays.shape[1] != arrays.shape[2] or heights.shape != (len(arrays),):
            raise ValueError(
                f"Profiles of shape {arrays.shape} for heights of shape {heights.shape}; expected (k, m, m) and (k,)."
            )
        if not np.isfinite(arrays).all() or not len(heights) or (np.diff(heights) <= 0).any() or not self.step > 0:
            raise ValueError("Expected finite profiles of ascending heights, one or more, and a step above zero.")
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "heights", heights)

    @property
    def is_wave(self) -> bool:
        """Whether the profiles are of waves, not of intensities."""
        return np.iscomplexobj(self.arrays)

    def reach(self, faint: float = FAINT) -> float:
        """Return the distance, in the unit of the step, beyond which all profiles are fainter than a share of the peak.

        Parameters
        ----------
        faint
            That share.
        """
        middle = self.arrays.shape[1] // 2
        across = np.arange(self.arrays.shape[1]) - middle
        distance = np.hypot(across[:, None], across)
        size = np.abs(self.arrays)
        bright = (size > faint * size.max((1, 2), keepdims=True)).any(0)
        return float(min(np.floor(distance[bright].max() + 1), middle) * self.step)

    def numbers(self, heights) -> np.ndarray:
        """Return which profile is nearest to each height, shape of the heights."""
        return np.abs(np.asarray(heights, float)[..., None] - self.heights).argmin(-1)


class ProfileSplines:
    """Splines through profiles and their derivatives, which are read at any place.

    Parameters
    ----------
    profiles
        See `ColumnProfiles`.
    pixel_size
        Of the image, in the unit of the profiles' step.
    """

    def __init__(self, profiles: ColumnProfiles, pixel_size: float):
        self.ratio = pixel_size / profiles.step
        self.middle = profiles.arrays.shape[1] // 2
        self.dtype = np.complex128 if profiles.is_wave else np.float64
        self.coefficients = [_with_slopes(one) for one in profiles.arrays]

    def read(self, which: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return profiles and their slopes at distances from their columns.

        Parameters
        ----------
        which
            Number of the profile of each column, shape (n,).
        rows, columns
            Distances from each column in pixels of the image, shape (n, a) and (n, b).

        Returns
        -------
        numpy.ndarray
            Value, and its derivatives by the row and the column in 1/pixel, shape (3, n, a, b).
        """
        result = np.empty((3, len(which), rows.shape[1], columns.shape[1]), self.dtype)
        for number in np.unique(which):
            own = np.flatnonzero(which == number)
            down = np.broadcast_to(rows[own][:, :, None], (len(own), *result.shape[2:]))
            across = np.broadcast_to(columns[own][:, None, :], down.shape)
            where = np.stack([down, across]) * self.ratio + self.middle
            for kind, parts in enumerate(self.coefficients[number]):
                values = [map_coordinates(one, where, order=ORDER, prefilter=False, cval=0.0) for one in parts]
                result[kind, own] = values[0] + 1j * values[1] if len(values) == 2 else values[0]
        result[1:] *= self.ratio
        return result


def _with_slopes(profile: np.ndarray) -> list[list[np.ndarray]]:
    """Spline coefficients of a profile and its derivatives by row and column, real and imaginary part of each."""
    turn = 2j * np.pi * fft.fftfreq(len(profile))
    if len(profile) % 2 == 0:
        turn[len(profile) // 2] = 0  # the slope of the fastest wave is unknown
    spectrum = fft.fft2(np.asarray(profile, complex))
    slopes = [fft.ifft2(spectrum * turn[:, None]), fft.ifft2(spectrum * turn)]
    parts = (lambda one: (one.real, one.imag)) if np.iscomplexobj(profile) else (lambda one: (one.real,))
    return [[spline_filter(part, ORDER) for part in parts(np.asarray(one, complex))] for one in (profile, *slopes)]


def columns_in_reach(positions: np.ndarray, reach: float) -> np.ndarray:
    """Return pairs of columns that are nearer to each other than a reach, each with itself, shape (pairs, 2).

    Parameters
    ----------
    positions
        Shape (n, 2).
    reach
        In their unit.

    Examples
    --------
    >>> from particlespy_ml.columns.fit.profiles import columns_in_reach
    >>> columns_in_reach([[0, 0], [0, 1], [0, 5.0]], 2).tolist()
    [[0, 0], [1, 1], [2, 2], [0, 1]]
    """
    pairs = cKDTree(positions).query_pairs(reach, output_type="ndarray")
    own = np.arange(len(positions))
    return np.concatenate([np.column_stack([own, own]), pairs])
