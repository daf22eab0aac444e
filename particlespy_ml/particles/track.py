"""Link the particles of successive frames into tracks, with trackpy."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import numpy as np
from scipy.spatial import cKDTree


def link_particles(
    frames: list[np.ndarray],
    *,
    max_displacement: float | None = None,
    memory: int = 3,
    size_weight: float = 0.5,
) -> list[np.ndarray]:
    """Return the track number of every particle of every frame.

    Particles are points (x, y, w d) with the equivalent circular diameter d and a weight w, so that a small particle is
    not taken for a large one that passes by. Tracks end when a particle is missing for more than *memory* frames.

    Parameters
    ----------
    frames
        Measured rows of each frame, in order.
    max_displacement
        Largest distance of a particle between two frames, in the table's unit of length. By default half the median
        distance of nearest neighbours in the frames, at least half the median diameter.
    memory
        Number of successive frames in which a particle may be missing.
    size_weight
        Weight of the diameter.

    Returns
    -------
    list of numpy.ndarray
        Track numbers from 0, int32, one array for each frame.

    Raises
    ------
    ValueError
        If a setting is negative, or so many particles are within reach of each other that linking is undecidable.

    References
    ----------
    J. C. Crocker and D. G. Grier, J. Colloid Interface Sci. 179, 298 (1996). trackpy, doi:10.5281/zenodo.4682814.
    """
    if memory < 0 or size_weight < 0 or (max_displacement is not None and max_displacement <= 0):
        raise ValueError(
            f"max_displacement={max_displacement}, memory={memory}, size_weight={size_weight}: expected a displacement "
            "above zero, and a memory and a weight that are not negative."
        )
    if not any(len(rows) for rows in frames):
        return [np.zeros(0, np.int32) for _ in frames]
    if max_displacement is None:
        max_displacement = default_displacement(frames)
    import pandas as pd
    import trackpy

    points = pd.DataFrame(
        {
            "frame": np.repeat(np.arange(len(frames)), [len(rows) for rows in frames]),
            "row": np.concatenate([np.arange(len(rows)) for rows in frames]),
            "x": np.concatenate([rows["x"] for rows in frames]),
            "y": np.concatenate([rows["y"] for rows in frames]),
            "size": size_weight * np.concatenate([rows["equivalent_circular_diameter"] for rows in frames]),
        }
    )
    with _quiet(trackpy):
        try:
            linked = trackpy.link(points, max_displacement, pos_columns=["x", "y", "size"], memory=memory)
        except trackpy.SubnetOversizeException as error:
            raise ValueError(
                f"Too many particles are within max_displacement={max_displacement:.3g} of each other to be linked; "
                "give a smaller one."
            ) from error
    linked = linked.sort_values(["frame", "row"])
    tracks = linked["particle"].to_numpy(np.int32)
    return np.split(tracks, np.cumsum([len(rows) for rows in frames])[:-1])


def default_displacement(frames: list[np.ndarray]) -> float:
    """Return half the median distance of nearest neighbours, at least half the median diameter."""
    nearest = []
    for rows in frames:
        if len(rows) > 1:
            points = np.column_stack([rows["x"], rows["y"]])
            nearest.append(cKDTree(points).query(points, k=2)[0][:, 1])
    diameter = float(np.median(np.concatenate([rows["equivalent_circular_diameter"] for rows in frames])))
    return max(float(np.median(np.concatenate(nearest))) / 2 if nearest else diameter, diameter / 2)


@contextmanager
def _quiet(trackpy):
    """Keep trackpy's line for each frame out of the user's output."""
    level = trackpy.logger.level
    trackpy.logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        trackpy.logger.setLevel(level)
