"""Sites of a movie frame by frame: columns found in each frame and linked, and thresholds at known places."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

from benchmarks.surface.movies import Movie

REACH = 0.7  # Å: a column is at most so far from its site


def occupied(columns: list[np.ndarray], movie: Movie, sites: np.ndarray) -> np.ndarray:
    """Whether each frame has a column at each site, shape (n, frames); the true motion is given.

    Parameters
    ----------
    columns
        Rows and columns in pixels of what was found in each frame.
    movie
        The movie.
    sites
        In the particle's own frame, in pixels, shape (n, 2).
    """
    out = np.zeros((len(sites), len(columns)), bool)
    for number, places in enumerate(columns):
        if len(places):
            away, _ = cKDTree(places).query(movie.in_frame(sites, number))
            out[:, number] = away * movie.pixel < REACH
    return out


def atomap_columns(frames: np.ndarray, pixel: float, threshold: float) -> list[np.ndarray]:
    """Columns of each frame by atomap's finder, after a Gaussian filter of half an ångström."""
    from atomap.atom_finding_refining import get_atom_positions
    from hyperspy.signals import Signal2D

    found = []
    for frame in frames:
        smooth = ndi.gaussian_filter(np.asarray(frame, float), 0.5 / pixel)
        places = get_atom_positions(
            Signal2D(smooth - smooth.min()), separation=round(1.5 / pixel), threshold_rel=threshold, pca=False
        )
        found.append(np.asarray(places, float).reshape(-1, 2)[:, ::-1])
    return found


def trackpy_columns(frames: np.ndarray, pixel: float, share: float) -> list[np.ndarray]:
    """Columns of each frame by trackpy: features of 1.6 Å whose mass is above a share of the median."""
    import trackpy

    diameter = int(1.6 / pixel) // 2 * 2 + 1
    found = [trackpy.locate(frame, diameter, preprocess=True, engine="python") for frame in frames]
    middle = np.median(np.concatenate([one["mass"] for one in found if len(one)] or [[0.0]]))
    return [one.loc[one["mass"] > share * middle, ["y", "x"]].to_numpy() for one in found]


def thresholded(frames: np.ndarray, movie: Movie, sites: np.ndarray) -> np.ndarray:
    """Whether the smoothed frame is bright at each site, shape (n, frames); places and motion are given.

    The threshold of each site is halfway between the means of the brighter and of the fainter of two groups (Otsu).
    """
    from skimage.filters import threshold_otsu

    values = np.zeros((len(sites), len(frames)))
    for number, frame in enumerate(frames):
        smooth = ndi.gaussian_filter(np.asarray(frame, float), 0.5 / movie.pixel)
        values[:, number] = ndi.map_coordinates(smooth, movie.in_frame(sites, number).T, order=1)
    return values > np.array([threshold_otsu(one) for one in values])[:, None]


def rates_of(states: np.ndarray, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """Occupancy and events over the duration of states, shape (n, frames)."""
    return states.mean(1), (np.diff(states.astype(int), axis=1) != 0).sum(1) / duration
