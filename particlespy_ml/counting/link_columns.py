"""Columns followed from frame to frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    pass


SAME = 0.4  # of the distance between neighbours: how far a column may be from where it was


def link_columns(frames: list[np.ndarray], max_shift: float | None = None) -> list[np.ndarray]:
    """Return the number of the track of every column of every frame.

    Each frame is shifted onto the columns known so far by the shift that most of its columns agree on; a column then
    belongs to the nearest known one, and one that is new starts a track.

    Parameters
    ----------
    frames
        Positions of the columns of each frame, shape (n, 2) each.
    max_shift
        Largest shift between a frame and the one before, in the positions' unit; by default half the distance between
        neighbours, above which one lattice cannot be told from the next.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.link_columns import link_columns
    >>> first = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> link_columns([first, first[::-1] + 0.1])
    [array([0, 1, 2, 3]), array([3, 2, 1, 0])]
    """
    frames = [np.asarray(frame, float).reshape(-1, 2) for frame in frames]
    known = np.empty((0, 2))
    tracks, drift = [], np.zeros(2)
    for positions in frames:
        if not len(positions):
            tracks.append(np.empty(0, int))
            continue
        if not len(known):
            known, drift = positions.copy(), np.zeros(2)
            tracks.append(np.arange(len(positions)))
            continue
        near = _neighbour_distance(np.vstack([known, positions]) if len(known) < 2 else known)
        tree = cKDTree(known)
        drift = drift + _shift(tree, positions - drift, near, max_shift or 0.5 * near)
        moved = positions - drift
        distance, index = tree.query(moved)
        number = np.full(len(positions), -1)
        for k in np.argsort(distance):
            if distance[k] < SAME * near and index[k] not in number:
                number[k] = index[k]
        new = np.flatnonzero(number < 0)
        number[new] = len(known) + np.arange(len(new))
        known = np.vstack([known, moved[new]])
        tracks.append(number)
    return tracks


def _shift(tree, positions, near: float, largest: float) -> np.ndarray:
    """Shift of positions from the known ones on which most columns agree."""
    pairs = tree.query_ball_point(positions, largest)
    shifts = np.array([p - tree.data[k] for p, found in zip(positions, pairs, strict=True) for k in found])
    if not len(shifts):
        return np.zeros(2)
    votes = cKDTree(shifts).query_ball_point(shifts, 0.15 * near)
    best = votes[int(np.argmax([len(v) for v in votes]))]
    return np.median(shifts[best], axis=0)


def _neighbour_distance(positions) -> float:
    return float(np.median(cKDTree(positions).query(positions, 2)[0][:, 1])) if len(positions) > 1 else 1.0
