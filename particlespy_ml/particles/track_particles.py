"""The verb `track_particles`: particles of successive frames are linked into tracks, with trackpy."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.image import navigation_axes
from particlespy_ml.core.lengths import in_units
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.core.series import map_rows_of_series
from particlespy_ml.particles.drift import Break, Drift, find_drift
from particlespy_ml.particles.fit_in import fit_in
from particlespy_ml.tables.check import check_measured
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table, object_array
from particlespy_ml.tables.unusual_frames import unusual_counts

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike

# Breaks that a warning lists one by one.
LISTED = 8


def track_particles(
    table: BaseSignal,
    max_displacement: float | str | None = None,
    memory: int = 3,
    size_weight: float = 0.5,
    drift: str | ArrayLike | None = "auto",
    lazy_output: bool | None = None,
) -> BaseSignal:
    """Follow particles from frame to frame, also where the stage drifts or jumps.

    The shift that all particles have in common is found and removed before they are linked, so that a jump by more
    than the distance of neighbours does not make every track its neighbour's. Where it cannot be told, as after a jump
    among equal particles on a lattice, tracks end and a warning names the frames and the shifts.

    Parameters
    ----------
    table
        Particle table of a series along one axis.
    max_displacement
        Largest distance of a particle between two frames beyond the common shift: a number in the unit of ``x``, or a
        text such as "4 px". By default half the median distance of nearest neighbours in the frames, at least half the
        median diameter.
    memory
        Number of successive frames in which a particle may be missing. Frames whose number of particles jumps against
        those around them, such as blurred ones, do not count.
    size_weight
        Weight of the diameter beside the position.
    drift
        "auto" finds the common shift, see `particlespy_ml.particles.drift.find_drift`. None takes none. An array of
        shape (frames, 2) gives the place (x, y) of the field in each frame against a common origin, in the unit of
        ``x``; it may be NaN in frames without particles.
    lazy_output
        Whether the table stays lazy; by default as it is. The rows of all frames are in memory when it is computed.

    Returns
    -------
    ParticleTable or LazyParticleTable
        The table with the columns ``track``; ``unusual_frame``, true in frames whose number of particles jumps, see
        `unusual_frames`; and ``drift_x`` and ``drift_y``, the place of the field in a frame against the first:
        ``x - drift_x`` is where a particle would be had nothing drifted. Drift counts from 0 again after a
        break, before which tracks end since the shift cannot be told. ``metadata.particlespy_ml.tracking`` holds the
        settings and, unless the table is lazy, ``drift`` by frame, shape (frames, 2), NaN in frames without particles,
        and the frames of the ``breaks``.

    Raises
    ------
    ValueError
        If the table has more than one navigation axis, or a setting does not fit.

    References
    ----------
    J. C. Crocker and D. G. Grier, J. Colloid Interface Sci. 179, 298 (1996). trackpy, doi:10.5281/zenodo.4682814.

    Examples
    --------
    >>> import hyperspy.api as hs
    >>> import numpy as np
    >>> import particlespy_ml as pml
    >>> from scipy.ndimage import gaussian_filter
    >>> y, x = np.random.default_rng(1).uniform(20, 140, (2, 12)).astype(int)
    >>> frames = np.zeros((3, 200, 200))
    >>> for frame, jump in zip(frames, (0, 0, 30)):
    ...     frame[y, x + jump] = 1
    >>> movie = hs.signals.Signal2D(gaussian_filter(frames, (0, 2, 2)))
    >>> movie.axes_manager.signal_axes.set(scale=0.1, units="nm")
    >>> movie.set_signal_type("particle_image")
    >>> table = movie.measure_particles(movie.data > 0.01).track_particles()
    >>> table.metadata.particlespy_ml.tracking.drift.round(3).tolist()
    [[0.0, 0.0], [0.0, 0.0], [3.0, 0.0]]
    """
    check_one_axis(table)
    check_measured(table, "x", "y", "equivalent_circular_diameter")
    grid = PixelGrid.from_dict(table.metadata.get_item(f"{METADATA_NODE}.image").as_dictionary())
    reach = None if max_displacement is None else in_units(max_displacement, grid, "max_displacement")
    check_settings(reach, memory, size_weight)
    linker = Linker(reach, memory, size_weight, drift, grid.units)
    settings = {"max_displacement": "" if reach is None else reach, "memory": memory, "size_weight": size_weight}
    if isinstance(table.data, da.Array) and lazy_output is not False:
        data = map_rows_of_series(linker, add_tracks, table.data)
        settings["drift"] = drift if isinstance(drift, str) else "none" if drift is None else "given"
    else:
        rows = list(table._computed().data.ravel())
        known = linker(rows)
        data = object_array([add_tracks(own, number, known) for number, own in enumerate(rows)], table.data.shape)
        settings |= {"drift": known.drift.positions, "breaks": [one.frame for one in known.drift.breaks]}
    record = {**table.metadata.get_item(METADATA_NODE).as_dictionary(), "tracking": settings}
    added = {"track": "", "drift_x": grid.units, "drift_y": grid.units, "unusual_frame": ""}
    units = {name: unit for name, unit in table.units.items() if name != "class" and name not in added}
    title = table.metadata.get_item("General.title", "")
    return make_table(data, navigation_axes(table), {**units, **added}, record, title)


@dataclass(frozen=True)
class Linker:
    """A picklable function from the rows of all frames to their `Tracks`; see `track_particles`."""

    max_displacement: float | None
    memory: int
    size_weight: float
    drift: object
    unit: str

    def __call__(self, frames: list[np.ndarray]) -> Tracks:
        """Return the tracks."""
        found = follow_particles(frames, self.max_displacement, self.memory, self.size_weight, self.drift, self.unit)
        return Tracks(*found)


@dataclass(frozen=True)
class Tracks:
    """Track numbers of the particles of each frame, and the drift that was removed."""

    numbers: list[np.ndarray]
    drift: Drift

    @cached_property
    def unusual(self) -> np.ndarray:
        """Frames whose number of particles jumps."""
        return unusual_counts([len(numbers) for numbers in self.numbers])[0]


def add_tracks(rows: np.ndarray, number: int, known: Tracks) -> np.ndarray:
    """Return the rows of a frame with their tracks."""
    out = add_columns(rows, [("track", np.int32), ("drift_x", float), ("drift_y", float), ("unusual_frame", bool)])
    out["track"] = known.numbers[number]
    out["unusual_frame"] = known.unusual[number]
    out["drift_x"], out["drift_y"] = known.drift.positions[number]
    return out


def check_one_axis(table) -> None:
    """Raise ValueError if a table has more than one navigation axis."""
    dimension = table.axes_manager.navigation_dimension
    if dimension > 1:
        raise ValueError(
            f"Particles are followed along one axis, but the table has {dimension}; choose a series with inav."
        )


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
    shift can be told, which is warned of. Frames with unusually few or many particles, such as blurred ones, are not
    among those: tracks are linked across them, and their particles are then given to the tracks that pass there.

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


def check_settings(max_displacement: float | None, memory: int, size_weight: float) -> None:
    """Raise ValueError for settings that particles cannot be followed with."""
    if memory < 0 or size_weight < 0 or (max_displacement is not None and max_displacement <= 0):
        raise ValueError(
            f"max_displacement={max_displacement}, memory={memory}, size_weight={size_weight}: expected a displacement "
            "above zero, and a memory and a weight that are not negative."
        )


def follow_particles(
    frames: list[np.ndarray], max_displacement: float | None, memory: int, size_weight: float, drift, unit: str = ""
) -> tuple[list[np.ndarray], Drift]:
    """Return what `link_particles` does, and the drift that was removed; lengths in warnings have the unit."""
    check_settings(max_displacement, memory, size_weight)
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
    points = [_points(rows, place, size_weight) for rows, place in zip(frames, drift.positions, strict=True)]
    sparse, _ = unusual_counts([len(rows) for rows in frames])
    for part in range(drift.parts.max(initial=-1) + 1):
        members = np.flatnonzero(drift.parts == part)
        whole = [i for i in range(members[0], members[-1] + 1) if not (sparse[i] and drift.parts[i] == part)]
        linked = _link(
            [points[i] if drift.parts[i] == part else points[i][:0] for i in whole], max_displacement, memory
        )
        for i, numbers in zip(whole, linked, strict=True):
            if drift.parts[i] == part:
                tracks[i][:] = numbers + first
        whole = [i for i in whole if drift.parts[i] == part]
        last = first + 1 + max((int(n.max()) for n in linked if len(n)), default=-1)
        for i in np.flatnonzero(sparse & (drift.parts == part)):
            last = fit_in(tracks, points, i, whole, max_displacement, memory, last)
        first = last
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
    known = np.flatnonzero(np.isfinite(positions).all(1))
    return Drift(positions - positions[known[0]] if len(known) else positions, parts)


def _points(rows: np.ndarray, drift: np.ndarray, size_weight: float) -> np.ndarray:
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
