"""Outlines: the pixels of a particle to a polygon of a fixed number of vertices, and back."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_banded
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist
from skimage.draw import polygon2mask

from particlespy_ml.particles.contours import contours_of

OUTLINE_POINTS = 64
# A bridge takes four vertices, and each piece a few to be told from a point.
MOST_PIECES = 8
# No pixel's centre lies on an edge between vertices that are multiples of half a pixel after a shift by these, so that
# no rounding decides whether it is inside.
_OFF_THE_LATTICE = (1.3e-3 * np.sqrt(2), 1.7e-3 * np.sqrt(3))


def trace_outline(mask: np.ndarray, points: int = OUTLINE_POINTS) -> tuple[np.ndarray, float]:
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
    contours = outer_contours(mask)
    (outline,), (wrong,) = trace_outlines([contours], np.array([np.count_nonzero(mask)]), points)
    return outline, float(wrong)


def trace_outlines(
    contours: list[list[np.ndarray]], sizes: np.ndarray, points: int = OUTLINE_POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """Return the outlines of many particles; see `trace_outline`.

    Parameters
    ----------
    contours
        Of each particle, as from `particlespy_ml.particles.contours.contours_of`.
    sizes
        Pixels of each.
    points
        Number of vertices.

    Returns
    -------
    outlines : numpy.ndarray
        Shape (particles, points, 2).
    wrong : numpy.ndarray
        One for each.
    """
    vertices, kept, lengths = _join(contours)
    long = lengths > points
    outlines, wrong = np.zeros((len(lengths), points, 2)), np.zeros(len(lengths))
    if long.any():
        those = np.repeat(long, lengths)
        outlines[long], wrong[long] = _simplify(vertices[those], kept[those], lengths[long], points)
    starts = np.cumsum(lengths) - lengths
    for number in np.flatnonzero(~long):
        outlines[number] = _subdivide(vertices[starts[number] :][: lengths[number]], points)
    for number, pieces in enumerate(contours):
        if len(pieces) > MOST_PIECES:
            wrong[number] = abs(polygon_area(outlines[number]) - sizes[number])
    return outlines, wrong


def _join(contours: list[list[np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make one contour of those of each particle, without needless vertices.

    Returns the vertices of all one after the other, which of them must be kept, and how many each particle has.
    """
    paths, parts = zip(*(_join_pieces(pieces) for pieces in contours), strict=True)
    vertices, kept = np.concatenate(paths), np.concatenate(parts)
    lengths = np.array([len(path) for path in paths])
    starts, owner = np.cumsum(lengths) - lengths, np.repeat(np.arange(len(paths)), lengths)
    for along in vertices.T:
        for extreme in (np.minimum, np.maximum):
            farthest = np.flatnonzero(along == np.repeat(extreme.reduceat(along, starts), lengths))
            kept[farthest[np.searchsorted(owner[farthest], np.arange(len(paths)))]] = True
    wanted = kept | (_twice_areas(vertices, *_neighbours(starts, lengths)) > 0)
    return vertices[wanted], kept[wanted], np.bincount(owner[wanted], minlength=len(paths))


def _join_pieces(contours: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Make one contour of those of a particle; also which vertices must be kept."""
    if len(contours) <= MOST_PIECES:
        return _bridge(contours)
    together = np.concatenate(contours)
    contour = together[ConvexHull(together).vertices]
    return contour, np.zeros(len(contour), bool)


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
    return contours_of([np.asarray(mask, bool)])[0]


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


def _twice_areas(vertices: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Twice the area of the triangle of each vertex with its neighbours, of which it takes the places."""
    corner = vertices[:, 0] + 1j * vertices[:, 1]
    step = corner - corner[before]
    return np.abs((step.conj() * step[after]).imag)


def _simplify(
    vertices: np.ndarray, kept: np.ndarray, lengths: np.ndarray, points: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit polygons of fewer vertices, near those whose triangles with their neighbours are largest.

    Takes contours, and which of their vertices must be kept, one after the other.
    """
    many = len(lengths)
    owner = np.repeat(np.arange(many), lengths)
    index, chosen = np.arange(len(vertices)), []
    while len(index):
        count = np.bincount(owner[index], minlength=many)
        done = count[owner[index]] <= points
        chosen.append(index[done])
        index = index[~done]
        if not len(index):
            break
        count[count <= points] = 0
        excess = np.maximum(count - points, 0)
        present = np.flatnonzero(count)
        starts = np.cumsum(count) - count
        before, after = _neighbours(starts[present], count[present])
        area = _twice_areas(vertices[index], before, after)
        area[kept[index]] = np.inf
        # of neighbours one alone may go at a time, or the other's triangle were another
        lowest = (area < area[before]) & (area <= area[after])
        for number in present[~np.logical_or.reduceat(lowest, starts[present])]:
            lowest[starts[number] + area[starts[number] : starts[number] + count[number]].argmin()] = True
        free = np.flatnonzero(lowest)
        whose = owner[index[free]]
        free = free[np.lexsort((area[free], whose))]
        rank = np.arange(len(free)) - np.searchsorted(whose, whose)
        left = np.ones(len(index), bool)
        left[free[rank < np.maximum((0.7 * excess).astype(int), 1)[whose]]] = False
        index = index[left]
    index = np.sort(np.concatenate(chosen)).reshape(many, points)
    return _fit_polygons(vertices, lengths, index, kept[index])


def _neighbours(starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the vertex before and after each, of closed polygons one after the other."""
    place = np.arange(lengths.sum())
    before, after = place - 1, place + 1
    before[starts], after[starts + lengths - 1] = starts + lengths - 1, starts
    return before, after


def _fit_polygons(
    contours: np.ndarray, lengths: np.ndarray, index: np.ndarray, fixed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Move some vertices of contours to where the polygons of them alone are nearest to these, in least squares.

    The steps of the pixels along slanted edges average out; polygons through the steps would cut thin particles.
    Also returns about how many pixels are on the wrong side of each polygon.
    """
    many, count = index.shape
    starts = np.cumsum(lengths) - lengths
    owner = np.repeat(np.arange(many), lengths)
    previous, following = _neighbours(starts, lengths)
    points = contours[:, 0] + 1j * contours[:, 1]
    step = np.abs(points[following] - points)
    place = np.cumsum(step) - step
    place -= place[starts][owner]
    whole = np.add.reduceat(step, starts)
    # knots before and after each vertex, numbered over all polygons
    is_knot = np.zeros(len(contours), np.intp)
    is_knot[index.ravel()] = 1
    before = owner * count + (np.cumsum(is_knot) - 1 - owner * count) % count
    after = owner * count + (before + 1) % count
    knots = place[index]
    length = ((np.roll(knots, -1, axis=1) - knots) % whole[:, None]).ravel()
    share = (place - knots.ravel()[before]) % whole[owner] / length[before]
    weight = (step + step[previous]) / 2
    near, far = weight * (1 - share), weight * share
    # normal equations of a periodic sum of hat functions of the length along the contour
    total = many * count
    diagonal = np.bincount(before, near * (1 - share), total) + np.bincount(after, far * share, total)
    beside = np.bincount(before, near * share, total)
    target = np.empty((total, 2))
    for axis in (0, 1):
        target[:, axis] = np.bincount(before, near * contours[:, axis], total)
        target[:, axis] += np.bincount(after, far * contours[:, axis], total)
    target[fixed.ravel()] = contours[index[fixed]]
    outlines = _solve_rings(diagonal, beside, target, fixed)
    lowest, highest = np.minimum.reduceat(contours, starts), np.maximum.reduceat(contours, starts)
    outlines = np.clip(outlines, lowest[:, None], highest[:, None])
    flat = outlines.reshape(total, 2)
    apart = np.hypot(*(contours - flat[before] * (1 - share[:, None]) - flat[after] * share[:, None]).T)
    # a contour passes half-way between pixels, and its steps alone lie a quarter of a pixel off on the average
    return outlines, np.bincount(owner, weight * np.maximum(apart - 0.25, 0), many)


def _solve_rings(diagonal, beside, target, fixed: np.ndarray) -> np.ndarray:
    """Solve equations of closed polygons whose vertices have terms with their neighbours alone.

    Parameters
    ----------
    diagonal, beside
        Factor of each vertex in its equation, and of the next one, which is that of it in the equation of the next.
    target
        Right-hand sides, or for fixed vertices where they are, shape (vertices, 2).
    fixed
        Shape (polygons, vertices of each), in each one at least.
    """
    many, count = fixed.shape
    # what comes first is fixed, so that nothing is left of a polygon's end in the equation of its beginning
    order = (fixed.argmax(1)[:, None] + np.arange(count)) % count + count * np.arange(many)[:, None]
    free = ~fixed.ravel()[order]
    right = target[order]
    after = beside[order] * free
    before = np.roll(beside[order], 1, axis=1) * free
    right[:, -1] -= after[:, -1:] * right[:, 0]
    after[:, -1] = 0
    bands = np.stack(
        [np.roll(after.ravel(), 1), np.where(free, diagonal[order], 1).ravel(), np.roll(before.ravel(), -1)]
    )
    result = np.empty_like(target)
    result[order] = solve_banded((1, 1), bands, right.reshape(-1, 2)).reshape(many, count, 2)
    return result.reshape(many, count, 2)


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
