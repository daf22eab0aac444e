"""Counts of columns over a series: columns followed from frame to frame, and a hidden Markov model of each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import logsumexp

from particlespy_ml.dynamics.markov import forward_backward, log_likelihood
from particlespy_ml.dynamics.sequences import clock, even_step
from particlespy_ml.dynamics.steps import group_steps, transition_matrices

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike

    from particlespy_ml.counting.library import ColumnLibrary


SAME = 0.4  # of the distance between neighbours: how far a column may be from where it was
RATES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2)


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
    >>> from particlespy_ml.counting.count_atoms_in_series import link_columns
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


def count_transition(n_counts: int, rate: float) -> np.ndarray:
    """Return the probabilities that a column of 1, 2, ... atoms has so many in the next frame.

    Parameters
    ----------
    n_counts
        Number of states.
    rate
        Probability that the number of atoms changes between frames; a gain and a loss of one are as likely as a change
        to any other number in a ratio of nine to one.
    """
    return (1 - rate) * np.eye(n_counts) + rate * _changes(n_counts)


def count_transitions(n_counts: int, rate: float, times: np.ndarray) -> np.ndarray:
    """Return the probabilities of `count_transition` for steps of other times, shape (U, n_counts, n_counts).

    Parameters
    ----------
    n_counts
        Number of states.
    rate
        Probability that the number of atoms changes within a step of time 1.
    times
        Times of the steps, shape (U,). Within a time t there is no change with the probability (1 - rate)^t.
    """
    per_time = -np.log1p(-min(rate, 1 - 1e-9))
    return transition_matrices(per_time * (_changes(n_counts) - np.eye(n_counts)), np.asarray(times, dtype=float))


def _changes(n_counts: int) -> np.ndarray:
    """Where a column that changes goes."""
    if n_counts < 2:
        return np.ones((n_counts, n_counts))
    step = np.eye(n_counts, k=1) + np.eye(n_counts, k=-1)
    step /= step.sum(1, keepdims=True)
    anywhere = (1 - np.eye(n_counts)) / (n_counts - 1)
    return 0.9 * step + 0.1 * anywhere


def count_series(
    emissions, prior, rate: float | None = None, times: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Return posterior probabilities of counts over a series, and the rate of changes.

    Parameters
    ----------
    emissions
        Log-likelihood of each number of atoms of each column in each frame, shape (columns, frames, m); zeros where a
        column was not seen.
    prior
        Fraction of the columns of each number of atoms, shape (m,).
    rate
        Probability that the number of atoms of a column changes between two frames; by default the most likely of
        `RATES`.
    times
        Time of each step between frames over the time that *rate* is for, shape (frames - 1,). By default, and where
        all are equal, *rate* is for a step.

    Returns
    -------
    posterior
        Shape (columns, frames, m).
    rate
        The rate used.

    References
    ----------
    L. R. Rabiner, Proc. IEEE 77, 257 (1989). A. De wael et al., Phys. Rev. Lett. 124, 106105 (2020) for counting in
    series.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.counting.count_atoms_in_series import count_series
    >>> seen = np.log([[[0.6, 0.4], [0.4, 0.6], [0.6, 0.4], [0.7, 0.3]]])
    >>> count_series(seen, [0.5, 0.5], rate=0.01)[0].argmax(-1)
    array([[0, 0, 0, 0]])
    """
    emissions = np.asarray(emissions, float)
    if emissions.ndim != 3:
        raise ValueError(f"Expected log-likelihoods of the shape (columns, frames, counts), not {emissions.shape}.")
    prior = np.maximum(np.asarray(prior, float), 1e-6)
    prior = prior / prior.sum()
    m = emissions.shape[-1]
    times, steps = (None, None) if times is None else group_steps(times, emissions.shape[1] - 1)

    def matrices(rate):
        return count_transition(m, rate) if steps is None else count_transitions(m, rate, times)

    if rate is None:
        values = [float(log_likelihood(emissions, matrices(r), prior, steps)) for r in RATES]
        rate = RATES[int(np.argmax(values))]
    if not 0 <= rate <= 1:
        raise ValueError(f"rate={rate}; expected a probability between 0 and 1.")
    posterior, _, _ = forward_backward(emissions, matrices(rate), prior, steps)
    return posterior / posterior.sum(-1, keepdims=True), float(rate)


def count_atoms_in_series(
    table: BaseSignal,
    library: ColumnLibrary | str | Path | ArrayLike,
    *,
    scatter: float | None = None,
    rate: float | None = None,
    max_shift: float | None = None,
) -> BaseSignal:
    """Count the atoms of columns that are followed through a series, with a library and a hidden Markov model.

    Parameters
    ----------
    table
        Column table of a series along one axis. A lazy table is computed. Columns that `find_columns_in_series`
        followed keep their tracks, others are linked.
    library
        See `particlespy_ml.counting.count_atoms.count_atoms`.
    scatter
        Relative scatter of cross-sections of columns of one number of atoms; by default that of the library, or fitted.
    rate
        See `count_series`. Where the frames are unevenly spaced in time, it is for the median time between them, and
        less or more for shorter and longer ones.
    max_shift
        Largest drift between frames in the image's units, see `link_columns`.

    Returns
    -------
    ColumnTable
        The counted table with the columns ``track``, the same number for one column in all frames, and the counts given
        all frames, in the columns of `count_atoms`. Columns that are flagged as not to be counted have no say. What is
        much smaller than a single atom in most of its frames is no column: an ``OUTLIER`` that is not counted.

    Raises
    ------
    ValueError
        If the table has more than one navigation axis, or its axis is a time and a frame has none of its own.
    """
    from particlespy_ml.columns.flags import Flag
    from particlespy_ml.columns.rows import NOT_COUNTED, OF_FRAMES
    from particlespy_ml.core.provenance import METADATA_NODE
    from particlespy_ml.counting.count_atoms import library_in_units
    from particlespy_ml.counting.counts import count_columns_dtype, rank_counts, undefined_counts
    from particlespy_ml.counting.frame_counter import OF_COUNTING, doubtful_columns, widen
    from particlespy_ml.counting.joint import no_column
    from particlespy_ml.counting.library import as_library, count_with_library
    from particlespy_ml.tables.table import make_table, object_array

    if table.axes_manager.navigation_dimension > 1:
        raise ValueError(
            f"Columns are followed along one axis, but the table has {table.axes_manager.navigation_dimension}; "
            f"choose a series with inav."
        )
    times, _ = clock(table)
    order, steps = np.argsort(times, kind="stable"), None
    if len(times) > 1 and not even_step(times) > 0:
        steps = np.diff(times[order]) / np.median(np.diff(times[order]))
    table = table._computed()
    library = as_library(library)
    known = library_in_units(library, table.grid.units)
    scatter = library.scatter if scatter is None else scatter
    frames = [widen(rows) for rows in table._frames()]
    for rows in frames:
        rows["flags"] &= ~int(OF_COUNTING)
    if "track" in table.columns:
        tracks = [rows["track"].astype(int) for rows in frames]
    else:
        tracks = link_columns([np.column_stack([rows["x"], rows["y"]]) for rows in frames], max_shift)
    n_tracks = max((int(track.max()) + 1 for track in tracks if len(track)), default=0)
    emissions = np.zeros((n_tracks, len(frames), len(known)))

    def _measured(rows):
        return (rows["flags"] & int(NOT_COUNTED) == 0) & (rows["volume_error"] > 0)

    # of frames that are flagged whole no column counts, of the others those whose cross-section is that of the column
    use = [_measured(rows) & (rows["flags"] & int(OF_FRAMES) == 0) for rows in frames]
    prior = np.full(len(known), 1.0 / len(known))
    values, errors = (np.concatenate([r[name][u] for r, u in zip(frames, use, strict=True)]) for name in VALUES)
    if len(values):
        pooled = count_with_library(values, errors, known, scatter)
        prior, start = pooled.prior, 0
        for number, (track, used) in enumerate(zip(tracks, use, strict=True)):
            stop = start + int(used.sum())
            emissions[track[used], number] = pooled.log_likelihoods[start:stop]
            start = stop
        with np.errstate(divide="ignore"):
            logs = pooled.log_likelihoods - 0.5 * np.log(2 * np.pi) + np.log(prior)
        doubtful = np.concatenate([doubtful_columns(r["flags"])[u] for r, u in zip(frames, use, strict=True)])
        chance = no_column(values, np.exp(logsumexp(logs, axis=1)), known[0], doubtful)
        seen = np.concatenate([t[u] for t, u in zip(tracks, use, strict=True)])
        # of a column in all frames that it is seen in
        absent = np.bincount(seen, chance, n_tracks) / np.maximum(np.bincount(seen, minlength=n_tracks), 1)
    counts = np.arange(len(known) + 1)
    found_rate = rate or 0.0
    if n_tracks:
        posterior, found_rate = np.empty_like(emissions), rate
        posterior[:, order], found_rate = count_series(emissions[:, order], prior, rate, steps)
    rows_out = []
    for number, (rows, track, used) in enumerate(zip(frames, tracks, use, strict=True)):
        counted = undefined_counts(len(rows))
        if used.any():
            own = track[used]
            share = np.column_stack([absent[own], posterior[own, number] * (1 - absent[own])[:, None]])
            counted[used] = rank_counts(share, counts, decided=share.argmax(1) > 0)
            rows["flags"][used] |= ((share.argmax(1) == 0) * int(Flag.OUTLIER)).astype(np.int32)
        out = np.zeros(len(rows), [*[(n, rows.dtype[n]) for n in rows.dtype.names if n != "track"], ("track", "i4")])
        for name in rows.dtype.names:
            out[name] = counted[name] if name in counted.dtype.names else rows[name]
        out["track"] = track
        rows_out.append(out)
    units = {**table.units, **{entry[0]: "" for entry in count_columns_dtype()}, "track": ""}
    axes = [axis.get_axis_dictionary() for axis in table.axes_manager.navigation_axes[::-1]]
    record = {"method": "series", "rate": float(found_rate), "library": library.cross_sections.tolist()}
    full = {**table.metadata.get_item(METADATA_NODE).as_dictionary(), "counting": record}
    title = table.metadata.get_item("General.title", "")
    return make_table(object_array(rows_out, table.data.shape), axes, units, full, title, "column_table")


VALUES = ("volume", "volume_error")
