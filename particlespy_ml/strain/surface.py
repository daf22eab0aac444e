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
    corners = places[mesh.simplices]
    wide = circumradii(corners) > WIDEST * gap
    outside = _joined_to_outside(mesh.neighbors, wide)
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
