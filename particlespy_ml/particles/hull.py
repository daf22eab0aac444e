"""Convex hulls of many particles at once."""

from __future__ import annotations

import numpy as np


def solidities(heights: np.ndarray, sizes: np.ndarray, contours: list[list[np.ndarray]]) -> np.ndarray:
    """Return areas over areas of the convex hulls, as in `skimage.measure.regionprops`.

    The hull is that of the middles of the pixels' edges, through which contours go, and its area the number of pixels
    whose centres it holds.

    Parameters
    ----------
    heights
        Rows of the box of each particle.
    sizes
        Pixels of each particle.
    contours
        As from `particlespy_ml.particles.contours.contours_of`.
    """
    start, (low_rows, low_columns), (high_rows, high_columns) = _hulls(contours, heights)
    centres = np.repeat(start, heights) + np.arange(heights.sum()) - np.repeat(np.cumsum(heights) - heights, heights)
    low, high = np.interp(centres, low_rows, low_columns), np.interp(centres, high_rows, high_columns)
    held = np.floor(high + 1e-9) - np.ceil(low - 1e-9) + 1
    return sizes / np.add.reduceat(held, np.cumsum(heights) - heights)


def hull_polygons(contours: list[list[np.ndarray]], heights: np.ndarray) -> np.ndarray:
    """Return the corners of the convex hulls.

    Parameters
    ----------
    contours, heights
        As for `solidities`.

    Returns
    -------
    numpy.ndarray
        Shape (particles, corners, 2), (row, column), in the order along the hull; the last corner is repeated where a
        hull has fewer than the others.
    """
    start, *sides = _hulls(contours, heights)
    owners = [np.searchsorted(start - 0.75, rows, side="right") - 1 for rows, _ in sides]
    counts = np.array([np.bincount(owner, minlength=len(heights)) for owner in owners])
    result = np.empty((len(heights), int(counts.sum(0).max()), 2))
    ends = np.cumsum(counts, axis=1)
    for number in range(len(heights)):
        down, up = (
            np.column_stack([rows[end - count : end] - start[number], columns[end - count : end]])
            for (rows, columns), count, end in zip(sides, counts[:, number], ends[:, number], strict=True)
        )
        corners = np.concatenate([down, up[::-1]])
        result[number, : len(corners)] = corners
        result[number, len(corners) :] = corners[-1]
    return result


def _hulls(contours: list[list[np.ndarray]], heights: np.ndarray):
    """Left and right sides, (rows, columns), of all hulls one above the other, a row apart; and where each begins."""
    start = np.cumsum(heights + 2) - (heights + 2)
    lengths = [sum(map(len, pieces)) for pieces in contours]
    points = np.concatenate([point for pieces in contours for point in pieces])
    rows = points[:, 0] + np.repeat(start, lengths)
    order = np.lexsort((points[:, 1], rows))
    rows, columns = rows[order], points[order, 1]
    change = np.flatnonzero(np.diff(rows)) + 1
    first, last = np.append(0, change), np.append(change - 1, len(rows) - 1)
    owner = np.searchsorted(start - 0.75, rows[first], side="right") - 1
    high_rows, high_columns = _lower_hull(rows[last], -columns[last], owner)
    return start, _lower_hull(rows[first], columns[first], owner), (high_rows, -high_columns)


def _lower_hull(rows: np.ndarray, columns: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points of chains that have none of the same chain beyond them; rows ascend within each.

    A point on or above the line through two others is no corner of the hull, whether or not those two are, so that all
    such points may go at once.
    """
    while True:
        within = (owner[2:] == owner[:-2]) & (len(rows) > 2)
        up = (columns[1:-1] - columns[:-2]) * (rows[2:] - rows[:-2])
        flat = (columns[2:] - columns[:-2]) * (rows[1:-1] - rows[:-2])
        gone = within & (up >= flat)
        if not gone.any():
            return rows, columns
        kept = np.ones(len(rows), bool)
        kept[1:-1] = ~gone
        rows, columns, owner = rows[kept], columns[kept], owner[kept]
