"""What a frame shows at each site of a lattice, in a few numbers: matched filters of columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from particlespy_ml.columns.movie.pixels import brightness

WIDTHS = (0.12, 0.2, 0.34)  # of the distance between neighbours: standard deviations of round kernels
ROUND = len(WIDTHS)  # number of round kernels, before the two slopes
SLOPE_WIDTH = 0.2  # of that of the two kernels that see a column move, one of the widths
REACH = 0.9  # of that distance: radius of the patch around a site
RIDGE = 1e-4
FOLLOW = 9  # frames over which the beam varies, where the mean of a frame does not tell
SAMPLES = 12  # of that distance: pixels in which the overlap of kernels is computed


@dataclass(frozen=True)
class Rigid:
    """A turn and a shift of places (row, column): ``shift + matrix @ place``."""

    matrix: np.ndarray
    shift: np.ndarray

    @classmethod
    def between(cls, places: np.ndarray, others: np.ndarray) -> Rigid:
        """Return the turn and shift that take places to others by least squares, shape (n, 2) each.

        References
        ----------
        W. Kabsch, Acta Cryst. A 32, 922 (1976).

        Examples
        --------
        >>> import numpy as np
        >>> from particlespy_ml.dynamics.site_features import Rigid
        >>> places = np.array([(0, 0), (0, 2), (3, 0.0)])
        >>> Rigid.between(places, places[:, ::-1] * [1, -1] + 5)(places[:1]).round(6).tolist()
        [[5.0, 5.0]]
        """
        one, other = places.mean(0), others.mean(0)
        u, _, v = np.linalg.svd((others - other).T @ (places - one))
        matrix = u @ np.diag([1, np.linalg.det(u @ v)]) @ v
        return cls(matrix, other - matrix @ one)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Return where places lie, shape (n, 2)."""
        return self.shift + places @ self.matrix.T


def kernels(offsets: np.ndarray, near: float) -> np.ndarray:
    """Return kernels at offsets from a site: round ones of three widths, and two slopes; zero in the mean.

    Parameters
    ----------
    offsets
        Rows and columns in pixels, shape (..., P, 2); those beyond `REACH` do not count.
    near
        Distance between neighbours in pixels.

    Returns
    -------
    numpy.ndarray
        Shape (..., P, 5), each of which has the norm 1 over P.
    """
    square = (offsets[..., 0] ** 2 + offsets[..., 1] ** 2) / near**2
    inside = (square <= REACH**2).astype(offsets.dtype)
    total = inside.sum(-1, keepdims=True)
    found = [np.exp(-0.5 / width**2 * square) for width in WIDTHS]
    slope = found[WIDTHS.index(SLOPE_WIDTH)]
    found += [offsets[..., axis] * slope for axis in (0, 1)]
    for values in found:
        values *= inside
        values -= inside * (values.sum(-1, keepdims=True) / total)
        values /= np.sqrt((values * values).sum(-1, keepdims=True))
    return np.stack(found, -1)


def frame_features(frame: np.ndarray, places: np.ndarray, turned: np.ndarray, near: float) -> np.ndarray:
    """Return what a frame shows at sites, shape (n, 5); NaN for sites cut by the border or what was not recorded.

    Nothing is interpolated: the kernels are made where the sites lie between pixels.

    Parameters
    ----------
    frame
        Shape (rows, columns).
    places
        Sites in pixels, shape (n, 2).
    turned
        Turn of the lattice in the frame, shape (2, 2), so that the kernels turn with it.
    near
        Distance between neighbours in pixels.
    """
    half = int(np.ceil(REACH * near))
    axis = np.arange(-half, half + 1)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    grid = grid[(grid**2).sum(1) <= (half + 1) ** 2]
    whole = np.rint(places).astype(int)
    inside = ((whole >= half) & (whole < np.array(frame.shape) - half)).all(1)
    out = np.full((len(places), ROUND + 2), np.nan)
    if not inside.any():
        return out
    at = whole[inside][:, None] + grid
    patches = np.asarray(frame[at[..., 0], at[..., 1]], np.float32)
    offsets = ((at - places[inside][:, None]) @ turned).astype(np.float32)
    out[inside] = (patches[:, None] @ kernels(offsets, near))[:, 0]
    return out


class Evidence(Protocol):
    """What tells of sites in a frame: a function of a frame, places in it and its motion.

    It returns *count* numbers for each place; they are *shared* where a change of one site is seen at its neighbours.
    """

    count: int
    shared: bool

    def __call__(self, frame: np.ndarray, places: np.ndarray, motion: Rigid) -> np.ndarray:
        """Return what a frame shows at places in it, shape (n, count)."""


@dataclass(frozen=True)
class Filters:
    """What the matched filters give, see `frame_features`; *near* is the distance between neighbours in pixels."""

    near: float
    count = ROUND + 2
    shared = True  # a change of one site is seen at its neighbours too
    scaled = True  # in proportion to the beam

    def __call__(self, frame: np.ndarray, places: np.ndarray, motion: Rigid) -> np.ndarray:
        """Return what a frame shows at places in it, shape (n, 5)."""
        return frame_features(frame, places, motion.matrix, self.near)


def movie_features(
    frames: Iterable[np.ndarray], places: np.ndarray, motions: list[Rigid | None], see: Evidence
) -> np.ndarray:
    """Return what each frame shows at each site, shape (sites, frames, q); NaN where it shows nothing.

    Filters are over the brightness of each frame, see `particlespy_ml.columns.movie.pixels.brightness`.

    Parameters
    ----------
    frames
        Each of shape (rows, columns), read once; NaN where nothing was recorded.
    places
        Sites in the mean image, in pixels, shape (n, 2).
    motions
        From the mean image to each frame; None for frames that are not used.
    see
        A function of a frame, places in it and its motion.
    """
    out = np.full((len(places), len(motions), see.count), np.nan, np.float32)
    means = np.full(len(motions), np.nan)
    for k, (frame, motion) in enumerate(zip(frames, motions, strict=True)):
        if motion is not None:
            out[:, k] = see(np.asarray(frame), motion(places), motion)
            means[k] = np.nanmean(frame, dtype=float)
    return out / brightness(_shown(out), means, FOLLOW)[:, None].astype(np.float32) if see.scaled else out


def _shown(features: np.ndarray) -> np.ndarray:
    """Slope of what frames show at all sites against their mean, shape (frames,)."""
    seen = np.isfinite(features).all(-1)
    filled = np.where(seen[..., None], features, 0).astype(float)
    mean = filled.sum(1) / np.maximum(seen.sum(1), 1)[:, None]
    square = seen.T @ (mean**2).sum(1)
    slope = np.einsum("stq,sq->t", filled, mean) / np.where(square > 0, square, 1)
    return np.where(square > 0, slope, np.nan) * np.sqrt((mean**2).sum(1).max())


def overlap(offset: np.ndarray, near: float) -> np.ndarray:
    """Return what the kernels of one site (rows) give for the shapes of another at an offset (columns), shape (5, 5).

    Shapes are the Gaussians and slopes of the kernels, neither cut off nor with a mean of zero, as columns are.
    """
    fine = near / SAMPLES
    axis = np.arange(-2 * SAMPLES, 2 * SAMPLES + 1) * fine
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2) + offset / 2
    square = ((grid - offset) ** 2).sum(-1) / near**2
    shapes = [np.exp(-0.5 / width**2 * square) for width in WIDTHS]
    shapes += [(grid - offset)[:, axis] / near * shapes[WIDTHS.index(SLOPE_WIDTH)] for axis in (0, 1)]
    return kernels(grid, near).T @ np.stack(shapes, -1)


def crosstalk(offset: np.ndarray, change: np.ndarray, near: float) -> np.ndarray:
    """Return by how much a change at one site changes what is seen at another, shape (5,).

    The change of the image is taken for a sum of the shapes of `overlap`.

    Parameters
    ----------
    offset
        From the other site to the one that changes, in pixels, shape (2,).
    change
        Of the features of the site that changes, shape (5,).
    near
        Distance between neighbours in pixels.
    """
    own = overlap(np.zeros(2), near)
    tie = RIDGE * np.trace(own.T @ own) / len(own) * np.eye(len(own))
    shape = np.linalg.solve(own.T @ own + tie, own.T @ change)
    return overlap(offset, near) @ shape
