"""Particles of a frame given to tracks that pass there."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


def fit_in(
    tracks: list[np.ndarray],
    points: list[np.ndarray],
    frame: int,
    whole: list[int],
    max_displacement: float,
    memory: int,
    free: int,
) -> int:
    """Give the particles of a frame the numbers of the tracks that are near, in place; the others get new ones.

    A track is where it lies between the frames before and after in which it was seen last and is seen next, or where it
    was in one of them. The nearest pairs are taken first.

    Parameters
    ----------
    tracks
        Track numbers of each frame.
    points
        Points (x, y, w d) of each frame without the drift.
    frame
        Number of the frame.
    whole
        Numbers of the frames that are linked, ascending.
    max_displacement
        Largest distance of a particle from its track.
    memory
        So many linked frames may lie between, on each side, and one more.
    free
        First number that no track has.

    Returns
    -------
    int
        First number that no track has afterwards.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.particles.fit_in import fit_in
    >>> points = [np.array([[0.0, 0, 1], [5, 5, 1]]), np.array([[5.2, 5.4, 1]]), np.array([[0.0, 1, 1], [5, 6, 1]])]
    >>> tracks = [np.array([0, 1]), np.array([0]), np.array([0, 1])]
    >>> fit_in(tracks, points, 1, [0, 2], 1.0, 3, 2), tracks[1]
    (2, array([1]))
    """
    place = int(np.searchsorted(whole, frame))
    before = _seen(tracks, points, whole[max(place - memory - 1, 0) : place])
    after = _seen(tracks, points, whole[place : place + memory + 1][::-1])
    numbers = np.array(sorted(before.keys() | after.keys()), np.int32)
    found = np.full(len(points[frame]), -1, np.int64)
    if len(numbers) and len(found):
        expected = np.stack([_between(before.get(number), after.get(number), frame) for number in numbers])
        pairs = cKDTree(points[frame]).sparse_distance_matrix(
            cKDTree(expected), max_displacement, output_type="coo_matrix"
        )
        used = np.zeros(len(numbers), bool)
        for k in np.argsort(pairs.data, kind="stable"):
            row, track = pairs.row[k], pairs.col[k]
            if found[row] < 0 and not used[track]:
                found[row], used[track] = numbers[track], True
    new = found < 0
    found[new] = free + np.arange(np.count_nonzero(new))
    tracks[frame][:] = found
    return free + int(np.count_nonzero(new))


def _seen(tracks, points, frames: list[int]) -> dict[int, tuple[int, np.ndarray]]:
    """Frame and point of each track, in the last of some frames that holds it."""
    found = {}
    for frame in frames:
        found |= {int(n): (frame, point) for n, point in zip(tracks[frame], points[frame], strict=True)}
    return found


def _between(before, after, frame: int) -> np.ndarray:
    """Where a track lies in a frame."""
    if before is None or after is None:
        return (before or after)[1]
    share = (frame - before[0]) / (after[0] - before[0])
    return before[1] + share * (after[1] - before[1])
