"""Outlines: the pixels of a particle to a polygon of a fixed number of vertices, and back."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist
from skimage.draw import polygon2mask
from skimage.measure import find_contours

OUTLINE_POINTS = 64
# A bridge takes four vertices, and each piece a few to be told from a point.
MOST_PIECES = 8
# No pixel's centre lies on an edge between vertices that are multiples of half a pixel after a shift by these, so that
# no rounding decides whether it is inside.
_OFF_THE_LATTICE = (1.3e-3 * np.sqrt(2), 1.7e-3 * np.sqrt(3))


def trace_outline(
    mask: np.ndarray, points: int = OUTLINE_POINTS, contours: list[np.ndarray] | None = None
) -> tuple[np.ndarray, float]:
    """Return the outline of the filled region of a mask as a closed polygon.

    The outline runs half-way between the centres of the pixels inside and outside. Pixels that touch at corners
    belong together, and holes are filled. Where the mask is in several pieces the outline runs round one after the
    other, along bridges of no width that are passed twice, so that its inside is that of all pieces; of more
    than `MOST_PIECES` it is the convex hull. Where the contour has fewer vertices than asked for, its longest edges are
    divided. Where it has more, the polygon of those vertices whose triangles with their neighbours are largest is
    fitted to it; those farthest out along rows and columns are kept, so that the outline spans what the mask does.

    Parameters
    ----------
    mask
        Shape (rows, columns), with at least one pixel.
    points
        Number of vertices.
    contours
        Those of `outer_contours`, where they are known.

    Returns
    -------
    outline : numpy.ndarray
        Vertices (row, column) in pixels, shape (points, 2), the first not repeated.
    wrong : float
        About how many pixels of the filled mask are outside, and others inside.

    References
    ----------
    M. Visvalingam and J. D. Whyatt, "Line generalisation by repeated elimination of points", Cartographic Journal 30,
    46 (1993).

    Examples
    --------
    >>> import numpy as np
    >>> outline, wrong = trace_outline(np.eye(5, dtype=bool))  # a line along the diagonal
    >>> outline.min(), outline.max(), fill_outline(outline, (5, 5)).sum(), wrong
    (np.float64(-0.5), np.float64(4.5), np.int64(5), 0.0)
    """
    contours = outer_contours(mask) if contours is None else contours
    hull = len(contours) > MOST_PIECES
    if hull:
        together = np.concatenate(contours)
        contour = together[ConvexHull(together).vertices]
        kept = np.zeros(len(contour), bool)
    else:
        contour, kept = _bridge(contours)
    for axis in (0, 1):
        kept[contour[:, axis].argmin()] = kept[contour[:, axis].argmax()] = True
    contour, kept = _without_collinear(contour, kept)
    if len(contour) > points:
        outline, wrong = _simplify(contour, kept, points)
    else:
        outline, wrong = _subdivide(contour, points), 0.0
    return outline, abs(polygon_area(outline) - np.count_nonzero(mask)) if hull else wrong


def outer_contours(mask: np.ndarray) -> list[np.ndarray]:
    """Return the contours of the pieces of a mask, holes filled.

    Parameters
    ----------
    mask
        Shape (rows, columns).

    Returns
    -------
    list of numpy.ndarray
        Closed polygons of (row, column) half-way between pixels inside and outside, the first vertex not repeated.
    """
    padded = np.pad(mask, 1)
    contours = find_contours(padded.astype(np.float32), 0.5, fully_connected="high")
    if len(contours) > 1:
        padded = ndi.binary_fill_holes(padded)
        contours = find_contours(padded.astype(np.float32), 0.5, fully_connected="high")
    return [contour[:-1] - 1 for contour in contours]


def fill_outline(outline: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centres lie inside of a polygon.

    Parameters
    ----------
    outline
        Vertices (row, column) in pixels, shape (points, 2).
    shape
        Rows and columns of the mask.

    Returns
    -------
    numpy.ndarray
        Booleans.
    """
    # what came back from calibrated positions is rounded, since far from the origin it is off by 1e-8 pixels
    return polygon2mask(shape, np.round(outline, 6) + _OFF_THE_LATTICE)


def polygon_area(vertices: np.ndarray) -> float:
    """Return the area of a closed polygon of vertices (row, column), shape (points, 2)."""
    points = vertices[:, 0] + 1j * vertices[:, 1]
    return float(abs((points.conj() * np.roll(points, -1)).imag.sum()) / 2)


def _bridge(contours: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Join contours to one, always the nearest of those left; also whether a vertex must be kept for a bridge."""
    contours = sorted(contours, key=len)
    path = contours.pop()
    kept = np.zeros(len(path), bool)
    while contours:
        distances = [cdist(path, other) for other in contours]
        number = int(np.argmin([distance.min() for distance in distances]))
        other, distance = contours.pop(number), distances[number]
        start, end = np.unravel_index(distance.argmin(), distance.shape)
        loop = np.concatenate([np.roll(other, -end, axis=0), other[end : end + 1]])
        path = np.concatenate([path[: start + 1], loop, path[start:]])
        inner = np.zeros(len(loop), bool)
        inner[[0, -1]] = kept[start] = True
        kept = np.concatenate([kept[: start + 1], inner, kept[start:]])
    return path, kept


def _twice_areas(contour: np.ndarray) -> np.ndarray:
    """Twice the area of the triangle of each vertex with its neighbours."""
    points = contour[:, 0] + 1j * contour[:, 1]
    before = points - np.concatenate([points[-1:], points[:-1]])
    return np.abs((before.conj() * np.concatenate([before[1:], before[:1]])).imag)


def _without_collinear(contour: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    wanted = (_twice_areas(contour) > 0) | kept
    return contour[wanted], kept[wanted]


def _simplify(contour: np.ndarray, kept: np.ndarray, points: int) -> tuple[np.ndarray, float]:
    """Fit a polygon of fewer vertices, near those whose triangles with their neighbours are largest."""
    index = np.arange(len(contour))
    while len(index) > points:
        excess = len(index) - points
        area = _twice_areas(contour[index])
        area[kept[index]] = np.inf
        # of neighbours one alone may go at a time, or the other's triangle were another
        lowest = (area < np.concatenate([area[-1:], area[:-1]])) & (area <= np.concatenate([area[1:], area[:1]]))
        free = np.flatnonzero(lowest) if lowest.any() else np.array([area.argmin()])
        left = np.ones(len(index), bool)
        left[free[np.argsort(area[free], kind="stable")[: max(int(0.7 * excess), 1)]]] = False
        index = index[left]
    return _fit_polygon(contour, index, kept[index])


def _fit_polygon(contour: np.ndarray, index: np.ndarray, fixed: np.ndarray) -> tuple[np.ndarray, float]:
    """Move some vertices of a contour to where the polygon of them alone is nearest to it, in least squares.

    The steps of the pixels along slanted edges average out; polygons through the steps would cut thin particles.
    Also returns about how many pixels are on the wrong side of the polygon.
    """
    count, points = len(index), contour[:, 0] + 1j * contour[:, 1]
    step = np.abs(np.concatenate([points[1:], points[:1]]) - points)
    place = np.cumsum(step) - step
    before = (np.searchsorted(index, np.arange(len(contour)), side="right") - 1) % count
    after = (before + 1) % count
    knots = place[index]
    length = (np.concatenate([knots[1:], knots[:1]]) - knots) % step.sum()
    share = (place - knots[before]) % step.sum() / length[before]
    weight = (step + np.concatenate([step[-1:], step[:-1]])) / 2
    near, far = weight * (1 - share), weight * share
    # normal equations of a periodic sum of hat functions of the length along the contour
    matrix = np.diag(np.bincount(before, near * (1 - share), count) + np.bincount(after, far * share, count))
    rows, beside = np.arange(count), np.bincount(before, near * share, count)
    matrix[rows, (rows + 1) % count] += beside
    matrix[(rows + 1) % count, rows] += beside
    target = np.empty((count, 2))
    for axis in (0, 1):
        target[:, axis] = np.bincount(before, near * contour[:, axis], count)
        target[:, axis] += np.bincount(after, far * contour[:, axis], count)
    matrix[fixed] = np.eye(count)[fixed]
    target[fixed] = contour[index][fixed]
    outline = np.clip(np.linalg.solve(matrix, target), contour.min(0), contour.max(0))
    apart = np.hypot(*(contour - outline[before] * (1 - share[:, None]) - outline[after] * share[:, None]).T)
    # a contour passes half-way between pixels, and its steps alone lie a quarter of a pixel off on the average
    return outline, float((weight * np.maximum(apart - 0.25, 0)).sum())


def _subdivide(contour: np.ndarray, points: int) -> np.ndarray:
    """Divide the edges of a closed polygon, in proportion to their lengths, into a number in all."""
    step = np.roll(contour, -1, axis=0) - contour
    share = np.hypot(*step.T)
    share *= (points - len(contour)) / share.sum()
    parts = 1 + share.astype(int)
    left = points - parts.sum()
    parts[np.argsort(parts - 1 - share, kind="stable")[:left]] += 1
    start = np.repeat(np.arange(len(contour)), parts)
    along = (np.arange(points) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[start]
    return contour[start] + along[:, None] * step[start]
