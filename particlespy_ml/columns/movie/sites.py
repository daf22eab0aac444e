"""Sites of columns in a movie: found in its mean image, and in those of its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.columns.movie.facets import Surroundings, surroundings
from particlespy_ml.columns.movie.motion import Motion
from particlespy_ml.columns.movie.pool import Pooled
from particlespy_ml.crystals.plane_lattice import fit_lattice

APART = 0.75  # of the distance between neighbours: nearer columns of a part are of a site that is known, or of none


@dataclass(frozen=True)
class ImageColumns:
    """Columns of one image: places in pixels (n, 2), standard errors along each axis (n,), and what stands for them.

    ``quality`` is a probability or a significance, shape (n,).
    """

    places: np.ndarray
    errors: np.ndarray
    quality: np.ndarray

    def chosen(self, which) -> ImageColumns:
        """Some of the columns."""
        return ImageColumns(self.places[which], self.errors[which], self.quality[which])

    def joined(self, other: ImageColumns) -> ImageColumns:
        """Columns of both."""
        both = ((self.places, other.places), (self.errors, other.errors), (self.quality, other.quality))
        return ImageColumns(*map(np.concatenate, both))


@dataclass(frozen=True)
class Sites:
    """Sites of a movie.

    Parameters
    ----------
    columns
        Where they are in the mean image.
    pooled
        Whether each was found in the mean of all frames; the others are of parts of the movie alone.
    indices
        On the lattice, shape (n, 2); zeros where there is none.
    around
        What surrounds them; the sites of parts alone are not counted as there.
    motion
        Of the frames.
    """

    columns: ImageColumns
    pooled: np.ndarray
    indices: np.ndarray
    around: Surroundings
    motion: Motion

    def __len__(self) -> int:
        return len(self.pooled)


def pooled_sites(pooled: Pooled, motion: Motion, find) -> Sites:
    """Return the sites of a movie: columns of the mean image, and those that only means of parts of it show.

    Parameters
    ----------
    pooled
        Mean images.
    motion
        Of the frames.
    find
        A function of a mean image, the pixels that are known and the number of its frames, to `ImageColumns`.
    """
    columns = find(pooled.mean, pooled.known, pooled.frames)
    count, parts = len(columns.places), len(pooled.parts)
    if count > 1:
        near = float(np.median(cKDTree(columns.places).query(columns.places, 2)[0][:, 1]))
        for image in pooled.parts if parts > 1 else ():
            more = find(image, pooled.known, pooled.frames // parts)
            away, _ = cKDTree(columns.places).query(more.places) if len(more.places) else (np.zeros(0), None)
            columns = columns.joined(more.chosen(away > APART * near))
    seen = np.arange(len(columns.places)) < count
    lattice = fit_lattice(columns.places)
    indices = np.zeros((len(seen), 2), int) if lattice is None else lattice.indices
    return Sites(columns, seen, indices, surroundings(columns.places, seen), motion)
