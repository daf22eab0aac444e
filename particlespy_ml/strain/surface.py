"""Columns at the rim of a particle, and which way is out."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, QhullError

from particlespy_ml.strain.templates import circumradii

WIDEST = 1.35  # radii of the circles that fit between the columns of a crystal: a wider gap is outside


def outward_normals(places: np.ndarray, gap: float) -> np.ndarray:
    """Return the unit normal of the surface at each column of the rim, NaN inside, shape (n, 2).

    The outside is what a disk reaches from far away without meeting a column; a vacancy is inside. The normal is the
    mean of those of the two parts of the rim that meet in the column, weighed by their lengths.

    Parameters
    ----------
    places
        Finite, (x, y), shape (n, 2).
    gap
        Radius of the largest circle that fits between columns inside; the disk is a third larger.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.surface import outward_normals
    >>> places = np.array([(x, y) for y in range(3) for x in range(3)])
    >>> outward_normals(places, 0.71)[[1, 4]].round(2).tolist()
    [[0.0, -1.0], [nan, nan]]
    """
    normals = np.full((len(places), 2), np.nan)
    if len(places) < 3 or not np.isfinite(gap):
        return normals
    try:
        mesh = Delaunay(places)
    except QhullError:  # all on one line
        return normals
    outside = _outside(mesh, gap)
    # edges of triangles inside, of which the other side is outside
    across = np.append(outside, True)[mesh.neighbors] & ~outside[:, None]
    triangle, corner = np.nonzero(across)
    ends = mesh.simplices[triangle[:, None], (corner[:, None] + (1, 2)) % 3]
    edge = places[ends[:, 1]] - places[ends[:, 0]]
    normal = np.column_stack([edge[:, 1], -edge[:, 0]])
    inwards = places[mesh.simplices[triangle, corner]] - places[ends[:, 0]]
    normal *= -np.sign((normal * inwards).sum(1))[:, None]
    total = np.zeros((len(places), 2))
    for end in ends.T:
        np.add.at(total, end, normal)
    rim = np.unique(ends)
    size = np.linalg.norm(total[rim], axis=1)
    known = size > 1e-9 * gap
    normals[rim[known]] = total[rim[known]] / size[known, None]
    return normals


def normal_strain(rows: np.ndarray) -> np.ndarray:
    """Return the strain along the surface normal of columns at the rim, NaN inside, shape (n,).

    Parameters
    ----------
    rows
        Structured array with ``exx``, ``eyy``, ``exy``, ``normal_x`` and ``normal_y``.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.surface import normal_strain
    >>> rows = np.zeros(1, [(name, float) for name in ("exx", "eyy", "exy", "normal_x", "normal_y")])
    >>> rows["exy"], rows["normal_x"], rows["normal_y"] = 0.01, 0.5**0.5, 0.5**0.5
    >>> normal_strain(rows).round(6).tolist()
    [0.01]
    """
    x, y = rows["normal_x"], rows["normal_y"]
    return x**2 * rows["exx"] + y**2 * rows["eyy"] + 2 * x * y * rows["exy"]


def inner_mesh(places: np.ndarray, gap: float) -> np.ndarray:
    """Return triangles between the columns of particles, as numbers of three columns each, shape (m, 3).

    There are none where `outward_normals` has the outside.

    Parameters
    ----------
    places, gap
        See `outward_normals`.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.strain.surface import inner_mesh
    >>> square = np.array([(0, 0), (1, 0), (0, 1), (1, 1.0)])
    >>> len(inner_mesh(np.vstack([square, square + [9, 0]]), 0.71))
    4
    """
    if len(places) < 3 or not np.isfinite(gap):
        return np.zeros((0, 3), int)
    try:
        mesh = Delaunay(places)
    except QhullError:  # all on one line
        return np.zeros((0, 3), int)
    return mesh.simplices[~_outside(mesh, gap)]


def _outside(mesh: Delaunay, gap: float) -> np.ndarray:
    wide = circumradii(mesh.points[mesh.simplices]) > WIDEST * gap
    return _joined_to_outside(mesh.neighbors, wide)


def _joined_to_outside(neighbours: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Whether each triangle is wide, and joined to the outside by others that are."""
    count = len(wide)
    triangle, side = np.nonzero((neighbours >= 0) & wide[:, None])
    other = neighbours[triangle, side]
    both = wide[other]
    at_hull = np.flatnonzero(wide & (neighbours < 0).any(1))
    rows = np.concatenate([triangle[both], at_hull])
    columns = np.concatenate([other[both], np.full(len(at_hull), count)])
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(count + 1, count + 1))
    labels = connected_components(graph, directed=False)[1]
    return wide & (labels[:count] == labels[count])
