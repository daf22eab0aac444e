"""The verb `count_atoms_in_series`: counts of columns that are followed through a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from scipy.special import logsumexp

from particlespy_ml.columns.flags import Flag
from particlespy_ml.columns.rows import NOT_COUNTED, OF_FRAMES, check_cross_sections
from particlespy_ml.core.image import navigation_axes
from particlespy_ml.core.lengths import in_units
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.core.series import map_rows_of_series
from particlespy_ml.counting.count_atoms import library_in_units
from particlespy_ml.counting.count_series import count_series
from particlespy_ml.counting.counts import count_columns_dtype, rank_counts, undefined_counts
from particlespy_ml.counting.frame_counter import OF_COUNTING, doubtful_columns, widen
from particlespy_ml.counting.joint import no_column
from particlespy_ml.counting.library import as_library, count_with_library
from particlespy_ml.counting.link_columns import link_columns
from particlespy_ml.dynamics.sequences import clock, even_step
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table, object_array

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike

    from particlespy_ml.counting.library import ColumnLibrary


def count_atoms_in_series(
    table: BaseSignal,
    library: ColumnLibrary | str | Path | ArrayLike,
    *,
    scatter: float | None = None,
    rate: float | None = None,
    max_shift: float | str | None = None,
    lazy_output: bool | None = None,
) -> BaseSignal:
    """Count the atoms of columns that are followed through a series, with a library and a hidden Markov model.

    Parameters
    ----------
    table
        Column table of a series along one axis. Columns that `find_columns_in_series` followed keep their tracks,
        others are linked.
    library
        As for `count_atoms`.
    scatter
        Relative scatter of cross-sections of columns of one number of atoms; by default that of the library, or fitted.
    rate
        Probability that the number of atoms of a column changes between two frames; by default the most likely one.
        Where the frames are unevenly spaced in time, it is for the median time between them, and less or more for
        shorter and longer ones.
    max_shift
        Largest drift between frames: a number in the image's units, or a text such as "4 px". By default half the
        distance between neighbours, above which one lattice cannot be told from the next.
    lazy_output
        Whether the table stays lazy; by default as it is. The rows of all frames are in memory when it is computed.

    Returns
    -------
    ColumnTable or LazyColumnTable
        The counted table with the columns ``track``, the same number for one column in all frames, and the counts given
        all frames, in the columns of `count_atoms`. Columns that are flagged as not to be counted have no say. What is
        much smaller than a single atom in most of its frames is no column: an ``OUTLIER`` that is not counted.

    Raises
    ------
    ValueError
        If the table has more than one navigation axis, or its axis is a time and a frame has none of its own.
    """
    check_cross_sections(table)
    if table.axes_manager.navigation_dimension > 1:
        raise ValueError(
            f"Columns are followed along one axis, but the table has {table.axes_manager.navigation_dimension}; "
            f"choose a series with inav."
        )
    if rate is not None and not 0 <= rate <= 1:
        raise ValueError(f"rate={rate}; expected a probability between 0 and 1.")
    times, _ = clock(table)
    order, steps = np.argsort(times, kind="stable"), None
    if len(times) > 1 and not even_step(times) > 0:
        steps = np.diff(times[order]) / np.median(np.diff(times[order]))
    library, grid = as_library(library), table.grid
    counter = SeriesCounter(
        library_in_units(library, grid.units),
        library.scatter if scatter is None else scatter,
        rate,
        None if max_shift is None else in_units(max_shift, grid, "max_shift"),
        order,
        steps,
    )
    record = {"method": "series", "library": library.cross_sections.tolist()}
    if isinstance(table.data, da.Array) and lazy_output is not False:
        data = map_rows_of_series(counter, counter.count_frame, table.data)
        record["rate"] = "" if rate is None else float(rate)
    else:
        frames = list(table._computed().data.ravel())
        known = counter(frames)
        data = object_array([counter.count_frame(rows, k, known) for k, rows in enumerate(frames)], table.data.shape)
        record["rate"] = known.rate
    units = {**table.units, **{entry[0]: "" for entry in count_columns_dtype()}}
    units = {**{name: unit for name, unit in units.items() if name != "track"}, "track": ""}
    full = {**table.metadata.get_item(METADATA_NODE).as_dictionary(), "counting": record}
    title = table.metadata.get_item("General.title", "")
    return make_table(data, navigation_axes(table), units, full, title, "column_table")


@dataclass(frozen=True)
class SeriesCounter:
    """Functions for `particlespy_ml.core.series.map_rows_of_series`: called, it counts the columns of a whole series.

    Parameters
    ----------
    cross_sections
        Of columns of 1, 2, ... atoms in the unit of the table, shape (m,).
    scatter, rate, max_shift
        As for `count_atoms_in_series`, the shift in the unit of the table.
    order
        Frames in the order of time.
    steps
        Times between them, see `particlespy_ml.counting.count_series.count_series`; None where they are even.
    """

    cross_sections: np.ndarray
    scatter: float | None
    rate: float | None
    max_shift: float | None
    order: np.ndarray
    steps: np.ndarray | None

    def __call__(self, frames: list[np.ndarray]) -> SeriesCounts:
        """Return the tracks of the columns and the probabilities of their numbers of atoms."""
        frames = [_uncounted(rows) for rows in frames]
        if frames and "track" in frames[0].dtype.names:
            tracks = [rows["track"].astype(int) for rows in frames]
        else:
            tracks = link_columns([np.column_stack([rows["x"], rows["y"]]) for rows in frames], self.max_shift)
        n_tracks = max((int(track.max()) + 1 for track in tracks if len(track)), default=0)
        emissions, absent = np.zeros((n_tracks, len(frames), len(self.cross_sections))), np.zeros(n_tracks)
        use = [_used(rows) for rows in frames]
        values, errors = (np.concatenate([r[name][u] for r, u in zip(frames, use, strict=True)]) for name in VALUES)
        prior, rate = np.full(len(self.cross_sections), 1.0 / len(self.cross_sections)), self.rate or 0.0
        if len(values):
            pooled = count_with_library(values, errors, self.cross_sections, self.scatter)
            prior = pooled.prior
            ends = np.cumsum([0, *(int(used.sum()) for used in use)])
            for number, (track, used) in enumerate(zip(tracks, use, strict=True)):
                emissions[track[used], number] = pooled.log_likelihoods[ends[number] : ends[number + 1]]
            doubtful = np.concatenate([doubtful_columns(r["flags"])[u] for r, u in zip(frames, use, strict=True)])
            seen = np.concatenate([t[u] for t, u in zip(tracks, use, strict=True)])
            absent = self._absent(values, pooled, doubtful, seen, n_tracks)
        posterior = np.empty_like(emissions)
        if n_tracks:
            posterior[:, self.order], rate = count_series(emissions[:, self.order], prior, self.rate, self.steps)
        return SeriesCounts(tracks, posterior, absent, float(rate))

    def _absent(self, values, pooled, doubtful, seen, n_tracks: int) -> np.ndarray:
        """Probability that each track is no column, from all frames that it is seen in."""
        with np.errstate(divide="ignore"):
            logs = pooled.log_likelihoods - 0.5 * np.log(2 * np.pi) + np.log(pooled.prior)
        chance = no_column(values, np.exp(logsumexp(logs, axis=1)), self.cross_sections[0], doubtful)
        return np.bincount(seen, chance, n_tracks) / np.maximum(np.bincount(seen, minlength=n_tracks), 1)

    def count_frame(self, rows: np.ndarray, number: int, known: SeriesCounts) -> np.ndarray:
        """Return the rows of a frame with their tracks and counts."""
        rows, track = _uncounted(rows), known.tracks[number]
        used, counted = _used(rows), undefined_counts(len(rows))
        if used.any():
            own = track[used]
            share = known.posterior[own, number] * (1 - known.absent[own])[:, None]
            share = np.column_stack([known.absent[own], share])
            counts = np.arange(len(self.cross_sections) + 1)
            counted[used] = rank_counts(share, counts, decided=share.argmax(1) > 0)
            rows["flags"][used] |= ((share.argmax(1) == 0) * int(Flag.OUTLIER)).astype(np.int32)
        for name in counted.dtype.names:
            rows[name] = counted[name]
        out = add_columns(rows, [("track", "i4")])
        out["track"] = track
        return out


@dataclass(frozen=True)
class SeriesCounts:
    """What is known of the columns of a series.

    Parameters
    ----------
    tracks
        Number of the track of each row, one array for each frame.
    posterior
        Probability of each number of atoms from 1 on of each track in each frame, shape (tracks, frames, m).
    absent
        Probability that a track is no column, shape (tracks,).
    rate
        Probability that a number of atoms changes between two frames.
    """

    tracks: list[np.ndarray]
    posterior: np.ndarray
    absent: np.ndarray
    rate: float


def _uncounted(rows: np.ndarray) -> np.ndarray:
    """A copy of rows with empty columns for counts, without what an earlier count said."""
    rows = widen(rows)
    rows["flags"] &= ~int(OF_COUNTING)
    return rows


def _used(rows: np.ndarray) -> np.ndarray:
    """Columns whose cross-section is theirs, in frames that are not flagged whole."""
    return (rows["flags"] & int(NOT_COUNTED | OF_FRAMES) == 0) & (rows["volume_error"] > 0)


VALUES = ("volume", "volume_error")
