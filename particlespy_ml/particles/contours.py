"""Contours of many masks at once, by marching squares."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from particlespy_ml.particles.sheet import Sheet

# Edges of a square of four pixels through which a contour passes, with the particle on its right hand: from and to, by
# which pixels are inside, 1 upper left + 2 upper right + 4 lower left + 8 lower right. Pixels that touch at corners
# hang together, so that two contours pass through a square with inside pixels in opposite corners.
_TOP, _LEFT, _BOTTOM, _RIGHT = range(4)
_PASSES = {
    1: [(_TOP, _LEFT)],
    2: [(_RIGHT, _TOP)],
    3: [(_RIGHT, _LEFT)],
    4: [(_LEFT, _BOTTOM)],
    5: [(_TOP, _BOTTOM)],
    6: [(_LEFT, _TOP), (_RIGHT, _BOTTOM)],
    7: [(_RIGHT, _BOTTOM)],
    8: [(_BOTTOM, _RIGHT)],
    9: [(_TOP, _RIGHT), (_BOTTOM, _LEFT)],
    10: [(_BOTTOM, _TOP)],
    11: [(_BOTTOM, _LEFT)],
    12: [(_LEFT, _RIGHT)],
    13: [(_TOP, _RIGHT)],
    14: [(_LEFT, _TOP)],
}
_NUMBER = np.array([len(_PASSES.get(case, ())) for case in range(16)])
_FROM, _TO = (
    np.array([[_PASSES.get(case, [(0, 0)])[min(k, _NUMBER[case] - 1, 1)][end] for k in (0, 1)] for case in range(16)])
    for end in (0, 1)
)


def contours_of(masks: list[np.ndarray], sheet: Sheet | None = None) -> list[list[np.ndarray]]:
    """Return the contours of the pieces of masks, holes filled, in the order of their uppermost pixels.

    They are those of `skimage.measure.find_contours` for pixels that touch at corners, for many masks in one go.

    Parameters
    ----------
    masks
        Boolean, each of shape (rows, columns).
    sheet
        The same masks as a sheet, where there is one.

    Returns
    -------
    list of list of numpy.ndarray
        For each mask closed polygons of (row, column) half-way between pixels inside and outside, the first vertex not
        repeated.

    Examples
    --------
    >>> import numpy as np
    >>> [[square]] = contours_of([np.ones((1, 1), bool)])
    >>> square.tolist()
    [[0.5, 0.0], [0.0, -0.5], [-0.5, 0.0], [0.0, 0.5]]
    """
    found = _trace(Sheet(masks) if sheet is None else sheet, len(masks))
    several = [number for number, contours in enumerate(found) if len(contours) > 1]
    if several:
        filled = [ndi.binary_fill_holes(np.pad(masks[number], 1))[1:-1, 1:-1] for number in several]
        for number, contours in zip(several, _trace(Sheet(filled), len(filled)), strict=True):
            found[number] = contours
    return found


def _trace(sheet: Sheet, count: int) -> list[list[np.ndarray]]:
    """Contours of all pieces and holes of the masks of a sheet."""
    if not len(sheet.place):
        return [[] for _ in range(count)]
    squares, before, after = _passes(sheet)
    # the pass that goes on where one ends
    number = np.arange(len(before))
    by_start = np.empty(2 * len(sheet.inside) + 2, np.intp)
    by_start[before] = number
    following = by_start[after]
    first, last = _cycle_ends(following)
    steps = _steps_to(following, last)
    heads = np.flatnonzero(last == number)
    heads = heads[np.argsort(first[heads])]
    lengths = steps[following[heads]] + 1
    starts = np.cumsum(lengths) - lengths
    begin = np.empty(len(number), np.intp)
    begin[heads] = starts
    length = np.empty(len(number), np.intp)
    length[heads] = lengths
    order = np.empty(len(number), np.intp)
    order[begin[last] + (length[last] - steps) % length[last]] = number
    owner = np.searchsorted(sheet.start, squares, side="right") - 1
    place, owner = after[order], owner[order]
    rows, columns = sheet.position(place // 2, owner)
    points = np.column_stack([rows + 0.5 * (place % 2), columns + 0.5 * (1 - place % 2)])
    result = [[] for _ in range(count)]
    for low, size in zip(starts.tolist(), lengths.tolist(), strict=True):
        result[owner[low]].append(points[low : low + size])
    return result


def _passes(sheet: Sheet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Square of each pass of a contour, named by its upper left pixel, and the numbers of the edges from and to.

    The edge to the right of a pixel has twice the number of its place, that below it one more.
    """
    pairs = sheet.inside.astype(np.uint8)
    pairs[:-1] += 2 * pairs[1:]
    case = pairs + 4 * sheet.row_below(pairs)
    squares = np.flatnonzero(_NUMBER.astype(bool)[case])
    passes = _NUMBER[case[squares]]
    second = np.zeros(passes.sum(), np.intp)
    second[(np.cumsum(passes) - 1)[passes == 2]] = 1
    squares = np.repeat(squares, passes)
    owner = np.searchsorted(sheet.start, squares, side="right") - 1
    edges = np.stack([2 * squares, 2 * squares + 1, 2 * (squares + sheet.width[owner]), 2 * (squares + 1) + 1])
    which, number = case[squares], np.arange(len(squares))
    return squares, edges[_FROM[which, second], number], edges[_TO[which, second], number]


def _cycle_ends(following: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest number in the cycle of each, by jumps that double."""
    low = high = np.arange(len(following))
    jump = following
    while True:
        lower, higher = np.minimum(low, low[jump]), np.maximum(high, high[jump])
        if np.array_equal(lower, low) and np.array_equal(higher, high):
            return low, high
        low, high, jump = lower, higher, jump[jump]


def _steps_to(following: np.ndarray, last: np.ndarray) -> np.ndarray:
    """How many steps it is to the last of each cycle."""
    number = np.arange(len(following))
    steps = (number != last).astype(np.intp)
    jump = np.where(number == last, number, following)
    while not np.array_equal(jump, last):
        steps += steps[jump]
        jump = jump[jump]
    return steps
