"""What the microscope did not record: constant borders around an image, and what was drawn into it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull

from particlespy_ml.core.burnt_in import burnt_in

# A border runs from a corner for at least so many pixels; fewer are alike by chance.
MIN_RUN = 8
# Least share of the frame that was recorded. A smaller rectangle is an object on a constant background, and so is one
# of less than half of the frame in which there is nothing but noise.
MIN_SHARE, MOST = 0.3, 0.5
# Largest share of pixels of the border's value just inside of it: counting images are zero here and there.
MAX_FILL = 0.75
# Probability of what would have to be chance.
CHANCE = 1e-6
# Contrast of the second line inside of a border, relative to what lies deeper. An object's blurred edge has less.
BLURRED = 0.9


def known_pixels(image: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray | None:
    """Tell the pixels that the microscope recorded from constant borders, and from scale bars drawn into the image.

    A border is what lies outside of the smallest upright rectangle, or rotated one cut by the frame, that holds all
    pixels of another value than the corner has. Objects on a constant background have such a rectangle too, but hardly
    ever fill its sides: just inside of a border the values of the border must be few and scattered. Lines and edges
    of mixed values, which interpolation leaves beside a border, belong to it. For scale bars see
    `particlespy_ml.core.burnt_in.burnt_in`.

    Parameters
    ----------
    image : numpy.ndarray
        Real image, shape (rows, columns), of any dtype. Values that are not finite count as recorded.
    mask : numpy.ndarray, optional
        Booleans, False where the user wants nothing to be looked at.

    Returns
    -------
    numpy.ndarray or None
        True where the microscope recorded something, shape of `image`; None where it did everywhere.

    Notes
    -----
    An object with straight edges that fills more than half of the frame, upright and without any blur, on a background
    of exactly one value, cannot be told from a padded image and counts as one.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.random.default_rng(0).poisson(100, (64, 64))
    >>> known_pixels(frame) is None
    True
    >>> frame[:, :5] = 0
    >>> known = known_pixels(frame)
    >>> int(known.sum()), bool(known[:, 5:].all())
    (3776, True)
    """
    image = np.asarray(image)
    known = _within_border(image)
    box = np.s_[:, :]
    if known is not None:  # a border is no bar
        rows, columns = np.flatnonzero(known.any(1)), np.flatnonzero(known.any(0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    drawn = burnt_in(image[box])
    if drawn is not None:
        known = np.ones(image.shape, bool) if known is None else known
        known[box] &= ~drawn
    if mask is not None and not mask.all():
        known = mask if known is None else known & mask
    return known


def _within_border(image: np.ndarray) -> np.ndarray | None:
    """Pixels inside of a constant border; None where there is none."""
    if image.ndim != 2 or min(image.shape) < MIN_RUN:
        return None
    top, bottom, left, right = 0, image.shape[0], 0, image.shape[1]
    rotated = None
    # One value may lie around another, but no more than four times, once for each side.
    for _ in range(4):
        inner = image[top:bottom, left:right]
        found = None
        for value in _corner_values(inner):
            found = _recorded(inner, value, MIN_SHARE * image.size)
            if found is not None:
                break
        if found is None:
            break
        if isinstance(found, np.ndarray):
            rotated = found
            break
        first_row, last_row, first_column, last_column = found
        top, bottom = top + first_row, top + last_row
        left, right = left + first_column, left + last_column
    if rotated is None and (top, bottom, left, right) == (0, image.shape[0], 0, image.shape[1]):
        return None
    known = np.zeros(image.shape, bool)
    known[top:bottom, left:right] = True if rotated is None else rotated
    return known


def _corner_values(image: np.ndarray) -> list:
    """Values that a border at a corner of the image may have."""
    if min(image.shape) < MIN_RUN:
        return []
    values = []
    for corner in (image, image[::-1], image[:, ::-1], image[::-1, ::-1]):
        value = corner[0, 0]
        alike = (corner[0, :MIN_RUN] == value).all() or (corner[:MIN_RUN, 0] == value).all()
        if alike and value not in values:
            values.append(value)
    return values


def _recorded(image: np.ndarray, value, least: float) -> tuple[int, int, int, int] | np.ndarray | None:
    """Return first and last rows and columns, or a mask, of what lies inside of a border of a value; None if none does.

    Parameters
    ----------
    image
        Shape (rows, columns).
    value
        Value of the border.
    least
        How many pixels must lie inside.
    """
    fill = image == value
    rows, columns = np.flatnonzero(~fill.all(1)), np.flatnonzero(~fill.all(0))
    if not rows.size:
        return None
    box = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    area = (box[1] - box[0]) * (box[3] - box[2])
    if area < least or min(box[1] - box[0], box[3] - box[2]) < MIN_RUN:
        return None
    inner, inner_fill = image[box[0] : box[1], box[2] : box[3]], fill[box[0] : box[1], box[2] : box[3]]
    if area < image.size and _is_padded(image, box, value, inner, inner_fill):
        return _without_mixed_lines(image.shape, box, value, inner)
    return _rotated(fill, box, least)


def _is_padded(image: np.ndarray, box: tuple[int, int, int, int], value, inner: np.ndarray, fill: np.ndarray) -> bool:
    """Whether what lies outside of a box is a border and not the background of an object."""
    sides = _sides(image.shape, box)
    share = _share(fill)
    if not all(_few_and_scattered(_lines(fill, side)[0], share) for side in sides):
        return False
    # A row or two may be of one value by chance where that is frequent.
    if (image.size - inner.size) * np.log(share) > np.log(CHANCE):
        return False
    if (inner == inner[0, 0]).all():
        return False  # an upright rectangle painted on a background
    for side in sides:
        lines = np.asarray(_lines(inner, side)[:2], float)
        if len(lines) > 1 and np.ptp(lines[0]) == 0 and np.ptp(lines[1]) == 0:
            # A slope without noise: its lines are constant, and each differs from the next by as much.
            if abs(lines[0, 0] - float(value)) < 3 * abs(lines[1, 0] - lines[0, 0]):
                return False
    if len(sides) == 4:
        if all(_is_blurred(_lines(inner, side), value) for side in sides):
            return False
        if inner.size < MOST * image.size and not _has_structure(inner):
            return False
    return True


def _sides(shape: tuple[int, int], box: tuple[int, int, int, int]) -> list[int]:
    """Sides (0 top, 1 bottom, 2 left, 3 right) on which a box does not reach the border of the image."""
    return [n for n, apart in enumerate((box[0] > 0, box[1] < shape[0], box[2] > 0, box[3] < shape[1])) if apart]


def _lines(image: np.ndarray, side: int) -> np.ndarray:
    """The lines of an image in the order from one of its sides inwards."""
    return (image, image[::-1], image.T, image.T[::-1])[side]


def _few_and_scattered(line: np.ndarray, usual: float) -> bool:
    """Whether a line has few pixels of the border's value, and no more side by side than chance puts there.

    Parameters
    ----------
    line
        Where it has the border's value.
    usual
        Share of such pixels inside of the border.
    """
    share = np.count_nonzero(line) / line.size
    if share > MAX_FILL:
        return False
    if share == 0:
        return True
    steps = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
    longest = (steps[1::2] - steps[::2]).max()
    return bool(longest <= 2 or line.size * min(share, usual) ** longest > 1e-3)


def _share(fill: np.ndarray) -> float:
    """Share of pixels of the border's value, more than 0: the next one might be one."""
    return (np.count_nonzero(fill) + 1) / (fill.size + 1)


def _is_blurred(lines: np.ndarray, value) -> bool:
    """Whether the lines rise from a value over more than the one line that interpolation mixes."""
    levels = [abs(float(np.mean(line, dtype=float)) - float(value)) for line in lines[:8]]
    return len(levels) == 8 and levels[0] < levels[1] < BLURRED * float(np.median(levels[4:]))


def _has_structure(image: np.ndarray) -> bool:
    """Whether means over blocks of 8 by 8 pixels vary more than those of noise would."""
    rows, columns = (n // 8 for n in image.shape)
    blocks = np.asarray(image[: 8 * rows, : 8 * columns], float).reshape(rows, 8, columns, 8)
    return bool(blocks.mean((1, 3)).std() > 2 * np.sqrt(blocks.var((1, 3)).mean()) / 8)


def _without_mixed_lines(shape: tuple[int, int], box: tuple[int, int, int, int], value, inner: np.ndarray) -> tuple:
    """Return a box less the lines in which the border was mixed with what lies inside by a shift of part of a pixel."""
    result = list(box)
    for side in _sides(shape, box):
        levels = [abs(float(np.median(line)) - float(value)) for line in _lines(inner, side)[:6]]
        usual = np.abs(np.diff(levels[1:])).max() if len(levels) == 6 else np.inf
        if levels[-1] - levels[0] > 4 * usual and levels[1] - levels[0] > 4 * usual:
            result[side] += 1 if side in (0, 2) else -1
    return tuple(result)


def _rotated(fill: np.ndarray, box: tuple[int, int, int, int], least: float) -> np.ndarray | None:
    """Return the mask of a rotated or sheared rectangle, cut by the frame, that holds all that is not filled."""
    shape = fill.shape
    # Rotated about its middle, an image reaches all sides of its frame, but for the rounding of the size.
    if len(_sides(shape, (box[0] - 2, box[1] + 2, box[2] - 2, box[3] + 2))) > 2:
        return None
    rows = np.arange(box[0], box[1])
    free = ~fill[box[0] : box[1]]
    first, last = free.argmax(1), shape[1] - 1 - free[:, ::-1].argmax(1)
    some = free.any(1)
    if first[some].max() == box[2] and last[some].min() == box[3] - 1:
        return None
    points = np.concatenate([np.column_stack([rows, first])[some], np.column_stack([rows, last])[some]]).astype(float)
    if np.ptp(points[:, 0]) == 0 or np.ptp(points[:, 1]) == 0:
        return None
    corners = points[ConvexHull(points).vertices]
    edges = np.roll(corners, -1, axis=0) - corners
    edges = edges[(np.abs(edges) > 0).all(1)]  # neither along rows nor along columns
    edges = edges[np.argsort(-np.hypot(*edges.T))][:40]
    best, smallest = None, np.inf
    for edge in edges:
        along = edge / np.hypot(*edge)
        normals = np.array([along, (-along[1], along[0])])
        strips = [(normal, *np.array([(corners @ normal).min(), (corners @ normal).max()])) for normal in normals]
        starts, stops = _intervals(strips, box)
        size = np.maximum(stops - starts, 0).sum()
        if size < smallest:
            best, smallest = strips, size
    if best is None or smallest < least:
        return None
    # Interpolation has mixed the pixels of the edge with the border.
    starts, stops = _intervals([(normal, low + 1, high - 1) for normal, low, high in best], box)
    columns = np.arange(shape[1])
    known = np.zeros(shape, bool)
    known[box[0] : box[1]] = (columns >= starts[:, None]) & (columns < stops[:, None])
    # A rotation cuts opposite corners alike, and a shear may cut one along a whole side. One small corner may be flat
    # as vacuum is, or as compression makes it.
    cut = (fill & ~known)[box[0] : box[1], box[2] : box[3]]
    sides = (cut[0], cut[-1], cut[:, 0], cut[:, -1])
    if np.count_nonzero(cut[np.ix_((0, -1), (0, -1))]) < 2 and max(side.mean() for side in sides) < 0.5:
        return None
    share = _share(fill[known])
    if np.count_nonzero(fill & ~known) * np.log(share) > np.log(CHANCE):
        return None
    return known if _edges_are_free(best, fill, box, share) else None


def _intervals(strips: list, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last column, in each row of a box, inside of all strips (normal, least, largest)."""
    rows = np.arange(box[0], box[1])
    starts, stops = np.full(len(rows), box[2]), np.full(len(rows), box[3])
    for normal, low, high in strips:
        ends = (np.array([low, high])[:, None] - normal[0] * rows) / normal[1]
        starts = np.maximum(starts, np.ceil(ends.min(0) - 1e-6).astype(int))
        stops = np.minimum(stops, np.floor(ends.max(0) + 1e-6).astype(int) + 1)
    return starts, stops


def _edges_are_free(strips: list, fill: np.ndarray, box: tuple[int, int, int, int], share: float) -> bool:
    """Whether hardly a pixel just inside of the edges of a rotated rectangle, two of them at least, is filled."""
    judged = 0
    centre = np.linalg.solve([normal for normal, _, _ in strips], [(low + high) / 2 for _, low, high in strips])
    limits = np.array([[box[0], box[1] - 1], [box[2], box[3] - 1]])
    for number, (normal, low, high) in enumerate(strips):
        along, least, largest = strips[1 - number]
        places = np.arange(least + 1.5, largest - 1.4) - along @ centre
        for distance in (low + 1.5, high - 1.5):
            points = centre + (distance - normal @ centre) * normal + places[:, None] * along
            points = np.rint(points).astype(int)
            points = points[((points >= limits[:, 0]) & (points <= limits[:, 1])).all(1)]
            if len(points) < MIN_RUN:
                continue
            if not _few_and_scattered(fill[points[:, 0], points[:, 1]], share):
                return False
            judged += 1
    for side in _sides(fill.shape, box):
        line = _lines(fill[box[0] : box[1], box[2] : box[3]], side)[0]
        place = np.flatnonzero(~line)
        if not _few_and_scattered(line[place[0] : place[-1] + 1], share):
            return False
    return judged >= 2
