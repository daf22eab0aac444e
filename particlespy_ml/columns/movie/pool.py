"""Mean images of a movie and of its parts, as the particle lies in the first of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from particlespy_ml.columns.movie.motion import Motion, warped

FRAMES_OF_A_PART, MOST_PARTS = 40, 6
ALL_BUT = 0.99  # of what makes a pixel of the mean has to be recorded
OFTEN = 0.5  # of the frames have to have recorded a pixel of a mean


@dataclass(frozen=True)
class Pooled:
    """Mean images.

    Parameters
    ----------
    mean
        Of all frames, shape (rows, columns); the median where pixels are not known.
    parts
        Of successive parts of the movie, shape (parts, rows, columns).
    known
        Pixels that half of the frames or more have recorded, shape (rows, columns).
    frames
        Number of frames that were used.
    """

    mean: np.ndarray
    parts: np.ndarray
    known: np.ndarray
    frames: int


def pool(frames: Iterable[np.ndarray], motion: Motion) -> Pooled:
    """Return the mean of the frames that are used, and those of parts of them, read once.

    Parameters
    ----------
    frames
        As for `particlespy_ml.columns.movie.motion.find_motion`.
    motion
        What that found.
    """
    used = motion.used
    count = int(np.clip(used.sum() // FRAMES_OF_A_PART, 1, MOST_PARTS))
    part = np.minimum((np.cumsum(used) - 1) * count // max(int(used.sum()), 1), count - 1)
    sums, seen = None, None
    for k, frame in enumerate(frames):
        if not used[k]:
            continue
        frame, pose = np.asarray(frame, np.float32), (motion.shifts[k], motion.angles[k], motion.middle)
        there = np.isfinite(frame)
        aligned = warped(np.where(there, frame, np.median(frame[there])), *pose, order=3)
        known = np.isfinite(aligned)
        if not there.all():
            known &= np.nan_to_num(warped(there.astype(np.float32), *pose)) > ALL_BUT
        if sums is None:
            sums, seen = np.zeros((count, *aligned.shape)), np.zeros((count, *aligned.shape), np.int32)
        sums[part[k]] += np.where(known, aligned, 0)
        seen[part[k]] += known
    known = seen.sum(0) >= OFTEN * used.sum()
    mean = sums.sum(0) / np.maximum(seen.sum(0), 1)
    filled = np.median(mean[known])
    parts = np.where(seen > 0, sums / np.maximum(seen, 1), filled)
    return Pooled(np.where(known, mean, filled), np.where(known, parts, filled), known, int(used.sum()))
