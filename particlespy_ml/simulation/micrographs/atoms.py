"""Projected atoms of crystals that fill bodies, as images of atomic resolution show them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

_BASIS = np.array([(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)])  # of face-centred cubic crystals
_ZONES = ((0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))


def projected_atoms(
    thickness: np.ndarray, middle: np.ndarray, lattice_constant: float, frame: np.ndarray, blur: float
) -> np.ndarray:
    """Return the blurred projection of the atoms of a face-centred cubic crystal that fills a body.

    The body is taken to be as thick above the plane through its middle as below. The sum over all pixels is that of the
    thickness; what blurs beyond the edge of the map is lost.

    Parameters
    ----------
    thickness
        Along the beam, in pixels, shape (rows, columns).
    middle
        Row and column of an atom.
    lattice_constant
        In pixels.
    frame
        Rows are the directions of the cubic axes as (column, row, beam), shape (3, 3).
    blur
        Standard deviation in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> rows = projected_atoms(np.full((33, 33), 16.0), (16, 16), 8.0, np.eye(3), 0.6)
    >>> np.flatnonzero(rows[16] > 0.4 * rows.max()).tolist()  # columns along <001> are half a lattice constant apart
    [0, 4, 8, 12, 16, 20, 24, 28, 32]
    """
    shape = np.array(thickness.shape)
    reach = np.array([*np.maximum(middle, shape - middle)[::-1], float(thickness.max()) / 2])
    most = int(np.linalg.norm(reach) / lattice_constant) + 1
    cells = np.stack(np.meshgrid(*[np.arange(-most, most + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    x, y, z = ((cells[:, None] + _BASIS).reshape(-1, 3) @ frame * lattice_constant).T
    row, column = y + middle[0], x + middle[1]
    r, c = np.rint(row).astype(int), np.rint(column).astype(int)
    inside = (r >= 0) & (c >= 0) & (r < shape[0]) & (c < shape[1])
    inside[inside] = np.abs(z[inside]) < thickness[r[inside], c[inside]] / 2
    row, column = row[inside], column[inside]
    seen = np.zeros(shape + 1)
    r, c = np.floor(row).astype(int), np.floor(column).astype(int)
    for down in (0, 1):  # each atom lies between four pixels
        for right in (0, 1):
            share = np.abs(1 - down - (row - r)) * np.abs(1 - right - (column - c))
            within = (r + down >= 0) & (c + right >= 0)
            np.add.at(seen, (r[within] + down, c[within] + right), share[within])
    seen = ndi.gaussian_filter(seen[:-1, :-1], blur)
    return seen * (thickness.sum() / max(float(seen.sum()), 1e-9))


def draw_orientation(rng: np.random.Generator) -> np.ndarray:
    """Draw the directions of the cubic axes: near a zone axis, or any; rows as `projected_atoms` takes them."""
    if rng.random() < 0.4:
        frame, upper = np.linalg.qr(rng.normal(size=(3, 3)))
        return frame * np.sign(np.diag(upper))
    beam = np.array(_ZONES[rng.integers(len(_ZONES))], float)
    beam = beam / np.linalg.norm(beam) + rng.normal(scale=0.03, size=3)
    beam /= np.linalg.norm(beam)
    across = rng.normal(size=3)
    across -= across @ beam * beam
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(beam, across), beam], 1)
