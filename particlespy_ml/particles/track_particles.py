"""Link the particles of successive frames into tracks, with trackpy."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.particles.drift import Break, Drift, find_drift

# Breaks that a warning lists one by one.
LISTED = 8


def link_particles(
    frames: list[np.ndarray],
    *,
    max_displacement: float | None = None,
    memory: int = 3,
    size_weight: float = 0.5,
    drift="auto",
) -> list[np.ndarray]:
    """Return the track number of every particle of every frame.

    The common shift of the particles is removed, however far the stage drifted or jumped. Particles are then points
    (x, y, w d) with the equivalent circular diameter d and a weight w, so that a small particle is not taken for a
    large one that passes by. Tracks end when a particle is missing for more than *memory* frames, and where no common
    shift can be told, which is warned of.

    Parameters
    ----------
    frames
        Measured rows of each frame, in order.
    max_displacement
        Largest distance of a particle between two frames beyond the common shift, in the table's unit of length. By
        default half the median distance of nearest neighbours in the frames, at least half the median diameter.
    memory
        Number of successive frames in which a particle may be missing.
    size_weight
        Weight of the diameter.
    drift
        "auto" finds the common shift, see `particlespy_ml.particles.drift.find_drift`. None takes none. An array of
        shape (frames, 2) or a `Drift` gives the place (x, y) of the field in each frame against a common origin, in the
        table's unit of length; it may be NaN in frames without particles.

    Returns
    -------
    list of numpy.ndarray
        Track numbers from 0, int32, one array for each frame.

    Raises
    ------
    ValueError
        If a setting is out of range, a position or diameter is not finite, or so many particles are within reach of
        each other that linking is undecidable.

    References
    ----------
    J. C. Crocker and D. G. Grier, J. Colloid Interface Sci. 179, 298 (1996). trackpy, doi:10.5281/zenodo.4682814.
    """
    return follow_particles(frames, max_displacement, memory, size_weight, drift)[0]


def follow_particles(
    frames: list[np.ndarray], max_displacement: float | None, memory: int, size_weight: float, drift, unit: str = ""
) -> tuple[list[np.ndarray], Drift]:
    """Return what `link_particles` does, and the drift that was removed; lengths in warnings have the unit."""
    if memory < 0 or size_weight < 0 or (max_displacement is not None and max_displacement <= 0):
        raise ValueError(
            f"max_displacement={max_displacement}, memory={memory}, size_weight={size_weight}: expected a displacement "
            "above zero, and a memory and a weight that are not negative."
        )
    for number, rows in enumerate(frames):
        bad = ~np.isfinite(rows["x"] + rows["y"] + rows["equivalent_circular_diameter"])
        if bad.any():
            raise ValueError(
                f"Frame {number} has {bad.sum()} particles whose position or diameter is not finite; leave them out "
                "with select()."
            )
    if max_displacement is None:
        max_displacement = default_displacement(frames)
    if isinstance(drift, str) and drift == "auto":
        drift = find_drift(frames, max_displacement, memory=memory, size_weight=size_weight)
        if drift.breaks:
            warnings.warn(_say(drift.breaks, unit), UserWarning, stacklevel=4)
    elif not isinstance(drift, Drift):
        drift = _given(drift, frames)
    tracks, first = [np.zeros(len(rows), np.int32) for rows in frames], 0
    for part in range(drift.parts.max(initial=-1) + 1):
        members = np.flatnonzero(drift.parts == part)
        span = range(members[0], members[-1] + 1)
        points = [_points(frames[i], drift.positions[i], size_weight, drift.parts[i] == part) for i in span]
        linked = _link(points, max_displacement, memory)
        for i, numbers in zip(span, linked, strict=True):
            if drift.parts[i] == part:
                tracks[i][:] = numbers + first
        first = 1 + max(int(tracks[i].max()) for i in members)
    return tracks, drift


def _given(drift, frames: list[np.ndarray]) -> Drift:
    """The drift that the user gives."""
    parts = np.where([len(rows) > 0 for rows in frames], 0, -1)
    if drift is None:
        return Drift(np.zeros((len(frames), 2)), parts)
    if isinstance(drift, str):
        raise ValueError(f'drift={drift!r}: expected "auto", None, or the shift (x, y) of each frame.')
    positions = np.asarray(drift, float)
    if positions.shape != (len(frames), 2) or not np.isfinite(positions[parts == 0]).all():
        raise ValueError(
            f"drift has the shape {positions.shape} for {len(frames)} frames: expected (x, y) for each frame, shape "
            f"({len(frames)}, 2), finite where there are particles."
        )
    return Drift(positions, parts)


def _points(rows: np.ndarray, drift: np.ndarray, size_weight: float, used: bool) -> np.ndarray:
    if not used:
        return np.zeros((0, 3))
    size = size_weight * rows["equivalent_circular_diameter"]
    return np.column_stack([rows["x"] - drift[0], rows["y"] - drift[1], size])


def _link(points: list[np.ndarray], max_displacement: float, memory: int) -> list[np.ndarray]:
    """Link the points of successive frames with trackpy; numbers from 0."""
    import trackpy

    with _quiet(trackpy):
        try:
            linked = list(trackpy.link_iter(enumerate(points), max_displacement, memory=memory))
        except trackpy.SubnetOversizeException as error:
            raise ValueError(
                f"Too many particles are within max_displacement={max_displacement:.3g} of each other to be linked; "
                "give a smaller one."
            ) from error
    return [np.array(numbers, np.int32) for _, numbers in linked]


def _say(breaks: tuple[Break, ...], unit: str) -> str:
    """The warning about places where tracks end."""
    unit = f" {unit}" if unit else ""
    said = []
    for one in breaks[:LISTED]:
        if len(one.rivals) > 1:
            sizes = " and ".join(f"({x:.3g}, {y:.3g}){unit}" for x, y in one.rivals)
            why = f"shifts of {sizes} explain the particles about equally well"
        elif one.particles == 1:
            why = "a single particle tells no shift"
        else:
            why = f"no common shift explains more than {one.explained} of {one.particles} particles"
        said.append(f"{one.before} to {one.frame} ({why})")
    more = f" and {len(breaks) - LISTED} more" if len(breaks) > LISTED else ""
    return (
        f"No track goes on between frames {', '.join(said)}{more}, since it cannot be told how far the field moved. "
        "Give the drift of each frame with drift=, link by position alone with drift=None, or leave out bad frames "
        "with inav."
    )


def default_displacement(frames: list[np.ndarray]) -> float:
    """Return half the median distance of nearest neighbours, at least half the median diameter; infinity for none."""
    nearest = []
    for rows in frames:
        if len(rows) > 1:
            points = np.column_stack([rows["x"], rows["y"]])
            nearest.append(cKDTree(points).query(points, k=2)[0][:, 1])
    if not any(len(rows) for rows in frames):
        return np.inf
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
