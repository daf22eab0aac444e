"""Corrections of the labels of one frame: arrays in, new arrays out.

Points are (row, column) in pixels, whole numbers at the centres of pixels. The other particles keep their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage as ndi
from skimage.draw import line as line_pixels
from skimage.draw import polygon as polygon_pixels
from skimage.measure import label
from skimage.segmentation import watershed

# pixels from the first one to a point; what is farther is a mistake in the units
FARTHEST = 1e6


def delete(labels: np.ndarray, numbers: int | Iterable[int]) -> np.ndarray:
    """Make particles background.

    Parameters
    ----------
    labels
        Integers, shape (rows, columns), 0 for background.
    numbers
        One particle, or several.

    Returns
    -------
    numpy.ndarray
        New labels of the same shape and dtype.

    Raises
    ------
    ValueError
        If there is no such particle.

    Examples
    --------
    >>> import numpy as np
    >>> delete(np.array([[1, 1, 0, 2, 3]]), [1, 3])
    array([[0, 0, 0, 2, 0]])
    """
    labels = check_frame_labels(labels)
    return np.where(np.isin(labels, _present(labels, numbers)), 0, labels).astype(labels.dtype)


def merge(labels: np.ndarray, numbers: Iterable[int]) -> np.ndarray:
    """Make several particles one, which has the lowest of their numbers.

    Particles that do not touch are one particle in pieces: nothing is filled in between them.

    Parameters
    ----------
    labels
        Integers, shape (rows, columns), 0 for background.
    numbers
        Two particles or more.

    Returns
    -------
    numpy.ndarray
        New labels of the same shape and dtype.

    Raises
    ------
    ValueError
        If there is no such particle, or fewer than two are given.

    Examples
    --------
    >>> import numpy as np
    >>> merge(np.array([[1, 1, 2, 2, 0, 3]]), [3, 2])
    array([[1, 1, 2, 2, 0, 2]])
    """
    labels = check_frame_labels(labels)
    numbers = _present(labels, numbers)
    if len(numbers) < 2:
        raise ValueError(f"Expected two particles or more to merge, not {numbers}.")
    return np.where(np.isin(labels, numbers), min(numbers), labels).astype(labels.dtype)


def split(
    labels: np.ndarray, number: int, line: ArrayLike | None = None, *, new_number: int | None = None
) -> np.ndarray:
    """Cut a particle along a line.

    The largest part keeps the number, the others get new ones in the order of their sizes. The pixels on the line go to
    the nearer part. Pieces that did not hang together before the cut are parts of their own, wherever the line is.

    Parameters
    ----------
    labels
        Integers, shape (rows, columns), 0 for background.
    number
        The particle.
    line
        Two points (row, column) or more, shape (points, 2), joined by straight lines; they may lie beyond the frame.
        Without a line only the pieces become particles of their own.
    new_number
        Number of the first new particle, by default one more than the highest.

    Returns
    -------
    numpy.ndarray
        New labels of the same shape; int32 where the dtype does not hold the new numbers.

    Raises
    ------
    ValueError
        If there is no such particle, or the line does not part it.

    Examples
    --------
    >>> import numpy as np
    >>> split(np.array([[1, 1, 1, 1, 1, 1, 1]]), 1, [(-1, 4), (1, 4)])
    array([[1, 1, 1, 1, 1, 2, 2]])
    """
    labels = check_frame_labels(labels)
    (number,) = _present(labels, number)
    box, mask = _cut_out(labels, number)
    rest = mask.copy()
    if line is not None:
        corner = [side.start for side in box]
        rest[_pixels_on(_points(line, 2, "line") - corner, mask.shape)] = False
    parts, count = label(rest, return_num=True, connectivity=2)
    if count < 2:
        said = "The particle {} hangs together" if line is None else "The line does not part the particle {}"
        raise ValueError(f"{said.format(number)}; expected a line that crosses it from edge to edge.")
    order = np.argsort(-np.bincount(parts.ravel())[1:], kind="stable")
    rank = np.empty(count + 1, np.int64)
    rank[0], rank[1 + order] = 0, np.arange(count)
    nearest = ndi.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
    return _renumbered(labels, box, mask, rank[parts[tuple(nearest)]], number, new_number)


def split_at(
    labels: np.ndarray,
    number: int,
    points: ArrayLike,
    *,
    new_number: int | None = None,
    pixel_size: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Part a particle around points inside of it, where it is narrowest between them.

    The parts are those of a watershed of the distance from the outline [1]_, with the points, and the middles of what
    they lie in, for seeds. Where no neck lies between points, the cut is halfway. The part of the first point
    keeps the number, the others get new ones in the order of their points; pieces without a point keep the number.

    Parameters
    ----------
    labels
        Integers, shape (rows, columns), 0 for background.
    number
        The particle.
    points
        Two points (row, column) or more inside of the particle, shape (points, 2).
    new_number
        Number of the first new particle, by default one more than the highest.
    pixel_size
        Of rows and columns, in any unit: distances know of pixels that are not square.

    Returns
    -------
    numpy.ndarray
        New labels of the same shape; int32 where the dtype does not hold the new numbers.

    Raises
    ------
    ValueError
        If there is no such particle, or fewer than two of its pixels are given, or others than its.

    References
    ----------
    .. [1] F. Meyer, Signal Process. 38, 113 (1994), https://doi.org/10.1016/0165-1684(94)90060-4

    Examples
    --------
    >>> import numpy as np
    >>> dumbbell = np.array([[1, 1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 1, 1, 1]])
    >>> split_at(dumbbell, 1, [(1, 1), (1, 5)])[0]
    array([1, 1, 1, 0, 2, 2, 2])
    """
    labels = check_frame_labels(labels)
    (number,) = _present(labels, number)
    pixels = np.floor(_points(points, 2, "points") + 0.5).astype(int)
    inside = np.all((pixels >= 0) & (pixels < labels.shape), axis=1)
    inside[inside] = labels[tuple(pixels[inside].T)] == number
    if not inside.all():
        outside = ", ".join(f"({row}, {column})" for row, column in pixels[~inside])
        raise ValueError(f"Expected points inside of the particle {number}; not of it are the pixels {outside}.")
    _, first = np.unique(pixels, axis=0, return_index=True)
    if len(first) < 2:
        raise ValueError(f"Expected points in two pixels or more of the particle {number}, one for each part.")
    box, mask = _cut_out(labels, number)
    pixels = pixels[np.sort(first)] - [side.start for side in box]
    return _renumbered(labels, box, mask, _parts_around(pixels, mask, np.array(pixel_size)), number, new_number)


def paint(
    labels: np.ndarray,
    points: ArrayLike,
    radius: float | tuple[float, float] | None = None,
    number: int | None = None,
    *,
    only: int | None = None,
) -> np.ndarray:
    """Fill an outline, or the stroke of a brush.

    What is painted over belonged to other particles no more, which may leave them in pieces.

    Parameters
    ----------
    labels
        Integers, shape (rows, columns), 0 for background.
    points
        Points (row, column), shape (points, 2): three or more of an outline, the first not repeated, or one or more
        along a stroke. They may lie beyond the frame.
    radius
        That of the brush in pixels, or those along rows and columns. Without one the points are an outline, and the
        pixels are filled whose centres it encloses.
    number
        What the pixels become: a particle that is there or not, 0 for background, or by default a new particle, one
        more than the highest.
    only
        Change the pixels of this particle alone; 0 for the background.

    Returns
    -------
    numpy.ndarray
        New labels of the same shape; int32 where the dtype does not hold the number.

    Raises
    ------
    ValueError
        If no pixel of the frame is covered, or points, radius or number are not as they must be.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[1, 1, 0, 0, 0, 0]])
    >>> paint(labels, [(0, 3), (0, 5)], radius=0.5)
    array([[1, 1, 0, 2, 2, 2]])
    >>> paint(labels, [(0, 1)], radius=0.5, number=0)
    array([[1, 0, 0, 0, 0, 0]])
    >>> paint(labels, [(-1, 0.5), (-1, 3.5), (1, 3.5), (1, 0.5)], number=1)
    array([[1, 1, 1, 1, 0, 0]])
    """
    labels = check_frame_labels(labels)
    number = int(labels.max(initial=0)) + 1 if number is None else _whole(number, 0, "number")
    if radius is None:
        covered = np.zeros(labels.shape, bool)
        covered[polygon_pixels(*_points(points, 3, "points of an outline").T, labels.shape)] = True
    else:
        radii = np.broadcast_to(np.asarray(radius, float), (2,))
        if not np.all(np.isfinite(radii) & (radii > 0)):
            raise ValueError(f"Expected the radius of a brush, more than 0 pixels, not {radius!r}.")
        covered = _stroke(_points(points, 1, "points of a stroke"), radii, labels.shape)
    if not covered.any():
        raise ValueError(
            f"The points enclose no pixel of the frame; expected rows from 0 to {labels.shape[0] - 1} and columns from "
            f"0 to {labels.shape[1] - 1}."
        )
    if only is not None:
        covered &= labels == _whole(only, 0, "only")
    result = labels.astype(_holding(labels.dtype, number))
    result[covered] = number
    return result


def check_frame_labels(labels: np.ndarray) -> np.ndarray:
    """Return the labels of one frame as an array; raise if they are not integers of two dimensions from 0."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        number = "; number a mask with skimage.measure.label" if labels.dtype.kind == "b" else ""
        raise TypeError(f"Expected labels of integers, not {labels.dtype}{number}.")
    if labels.ndim != 2:
        raise ValueError(f"Expected the labels of one frame, shape (rows, columns), not {labels.shape}.")
    if labels.min(initial=0) < 0:
        raise ValueError(f"Labels are 0 for background and above for particles, not {labels.min()}.")
    return labels


def line_numbers(labels: np.ndarray, line: ArrayLike) -> np.ndarray:
    """Return the labels of the pixels along a line, background included.

    Parameters
    ----------
    labels
        Shape (rows, columns).
    line
        As for `split`.

    Examples
    --------
    >>> import numpy as np
    >>> line_numbers(np.array([[1, 1, 0, 2]]), [(0, 1), (0, 9)])
    array([1, 0, 2])
    """
    return labels[_pixels_on(_points(line, 2, "line"), labels.shape)]


def _present(labels: np.ndarray, numbers: int | Iterable[int]) -> list[int]:
    """Numbers of particles, each once, that must be there."""
    numbers = [_whole(number, 1, "number") for number in np.atleast_1d(np.asarray(numbers, object)).tolist()]
    missing = [number for number in dict.fromkeys(numbers) if not (labels == number).any()]
    if missing or not numbers:
        there = np.unique(labels[labels > 0]).tolist()
        known = ", ".join(map(str, there[:20])) + ", ..." * (len(there) > 20) or "none"
        raise ValueError(f"There is no particle {', '.join(map(str, missing)) or 'given'}; the particles are: {known}.")
    return list(dict.fromkeys(numbers))


def _whole(number: int, lowest: int, name: str) -> int:
    """A whole number that int32 holds, as tables hold labels."""
    highest = np.iinfo(np.int32).max
    if isinstance(number, (bool, np.bool_)) or not isinstance(number, (int, np.integer)):
        raise TypeError(f"Expected {name} to be a whole number, not {number!r}.")
    if not lowest <= number <= highest:
        raise ValueError(f"Expected {name} to be from {lowest} to {highest}, not {number}.")
    return int(number)


def _points(points: ArrayLike, fewest: int, name: str) -> np.ndarray:
    """Points, shape (points, 2), finite."""
    array = np.asarray(points, float)
    if array.ndim == 1 and array.size == 2:
        array = array[np.newaxis]
    if array.ndim != 2 or array.shape[1] != 2 or len(array) < fewest:
        raise ValueError(f"Expected {name} of the shape (points, 2) with {fewest} or more, not {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"Expected {name} that are finite numbers.")
    if np.abs(array).max() > FARTHEST:
        raise ValueError(f"Expected {name} near the frame, not {np.abs(array).max():.3g} pixels away; check the units.")
    return array


def _pixels_on(line: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a polyline inside of a frame; they touch at edges, so that nothing hangs together across them."""
    nodes = np.floor(line + 0.5).astype(int)
    pixels = []
    for start, end in zip(nodes[:-1], nodes[1:], strict=True):
        rows, columns = line_pixels(*start, *end)
        pixels += [(rows, columns), (rows[:-1], columns[1:])]  # the second ones are the corners of diagonal steps
    rows, columns = (np.concatenate(part) for part in zip(*pixels, strict=True))
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if not inside.any():
        return np.zeros(0, int), np.zeros(0, int)
    return tuple(np.unique(np.stack([rows[inside], columns[inside]]), axis=1))


def _stroke(points: np.ndarray, radii: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres lie within the radii of a polyline, and those under its points."""
    covered = np.zeros(shape, bool)
    under = np.floor(points + 0.5).astype(int)
    under = under[np.all((under >= 0) & (under < shape), axis=1)]
    covered[tuple(under.T)] = True
    for start, end in zip(points, points[1:] if len(points) > 1 else points, strict=False):
        low = np.maximum(np.ceil(np.minimum(start, end) - radii), 0).astype(int)
        high = np.minimum(np.floor(np.maximum(start, end) + radii) + 1, shape).astype(int)
        if np.any(high <= low):
            continue
        rows, columns = np.ogrid[low[0] : high[0], low[1] : high[1]]
        along = (end - start) / radii
        row, column = (rows - start[0]) / radii[0], (columns - start[1]) / radii[1]
        length = along @ along
        share = np.clip((row * along[0] + column * along[1]) / length, 0, 1) if length else 0.0
        near = (row - share * along[0]) ** 2 + (column - share * along[1]) ** 2 <= 1 + 1e-9
        covered[low[0] : high[0], low[1] : high[1]] |= near
    return covered


def _cut_out(labels: np.ndarray, number: int) -> tuple[tuple[slice, slice], np.ndarray]:
    """The box that a particle fills, and its mask there."""
    mask = labels == number
    box = tuple(slice(*(np.flatnonzero(mask.any(axis))[[0, -1]] + [0, 1]).tolist()) for axis in (1, 0))
    return box, mask[box]


def _parts_around(pixels: np.ndarray, mask: np.ndarray, pixel_size: np.ndarray) -> np.ndarray:
    """For each pixel of a mask the number from 0 of that of its pixels whose part it is in."""
    # with a rim of background, since the mask ends where the particle does
    depth = ndi.distance_transform_edt(np.pad(mask, 1), sampling=pixel_size)[1:-1, 1:-1]
    summits = np.array([_climb(depth, pixel, pixel_size) for pixel in pixels])
    _, group = np.unique(summits, axis=0, return_inverse=True)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(summits.T)] = seeds[tuple(pixels.T)] = group.ravel() + 1
    groups = watershed(-depth, seeds, mask=mask)
    parts = np.zeros(mask.shape, np.intp)
    for number in range(group.max() + 1):
        members = np.flatnonzero(group.ravel() == number)
        inside = np.argwhere(groups == number + 1)
        # no neck lies between these points: each pixel goes to the nearest
        away = [(((inside - pixels[member]) * pixel_size) ** 2).sum(1) for member in members]
        parts[tuple(inside.T)] = members[np.argmin(away, axis=0)]
    return parts


def _climb(depth: np.ndarray, pixel: np.ndarray, pixel_size: np.ndarray) -> np.ndarray:
    """From a pixel to the deepest one within its distance from the outline, and on, until there is none deeper."""
    while True:
        reach = depth[tuple(pixel)]
        low = np.maximum(np.ceil(pixel - reach / pixel_size), 0).astype(int)
        high = np.floor(pixel + reach / pixel_size).astype(int) + 1
        near = depth[low[0] : high[0], low[1] : high[1]]
        rows, columns = np.ogrid[: near.shape[0], : near.shape[1]]
        away = ((rows + low[0] - pixel[0]) * pixel_size[0]) ** 2 + ((columns + low[1] - pixel[1]) * pixel_size[1]) ** 2
        near = np.where(away <= reach**2, near, 0)
        if near.max() <= reach:
            return pixel
        pixel = low + np.unravel_index(near.argmax(), near.shape)


def _renumbered(labels, box, mask, ranks, number: int, new_number: int | None) -> np.ndarray:
    """Labels in which the parts of a particle, ranked from 0, have their numbers: its own and new ones."""
    first = int(labels.max()) + 1 if new_number is None else _whole(new_number, 1, "new_number")
    highest = first + int(ranks[mask].max()) - 1
    taken = np.unique(labels[(labels >= first) & (labels <= highest)])
    if taken.size:
        raise ValueError(f"Expected new_number and those that follow to be free, but there is a particle {taken[0]}.")
    result = labels.astype(_holding(labels.dtype, highest))
    result[box][mask] = np.where(ranks[mask] == 0, number, first - 1 + ranks[mask])
    return result


def _holding(dtype: np.dtype, number: int) -> np.dtype:
    """The dtype, or int32 where it does not hold a number."""
    return dtype if number <= np.iinfo(dtype).max else np.dtype(np.int32)
