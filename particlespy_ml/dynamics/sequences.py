"""Tables of tracked particles as sequences of class probabilities, smoothed sequences and rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.dynamics import markov
from particlespy_ml.dynamics.rates import RateFit, fit_rates
from particlespy_ml.dynamics.steps import SAME_STEP, group_steps, transition_matrices

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal

SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "μs": 1e-6,  # the Greek letter
    "ns": 1e-9,
    "min": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
}
ROUNDING = 4  # spacings of float64 at the largest time: what sums and differences of times are uncertain by


@dataclass(frozen=True)
class Sequences:
    """Class probabilities of tracked particles over time.

    Parameters
    ----------
    tracks
        Track numbers, shape (S,).
    probabilities
        Shape (S, T, K); NaN where a particle is missing or was outside the model's range.
    predicted
        Class of the most probable class, -1 where undefined or missing, shape (S, T).
    classes
        Names of the K classes.
    frame_time
        Time between frames in s; NaN where it varies, or for one frame.
    times
        Time of each frame in s, shape (T,), in the order of the table, which need not be that of time.
    timed
        Whether *times* are in s. Otherwise they are in frames or, for an axis that is called time and has no unit, in
        that unit.
    """

    tracks: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...]
    frame_time: float
    times: np.ndarray
    timed: bool = True

    @property
    def order(self) -> np.ndarray:
        """Frames in the order of time, shape (T,)."""
        return np.argsort(self.times, kind="stable")

    @property
    def steps(self) -> float | np.ndarray:
        """Time between frames in the order of time: a number, or one for each step, shape (T - 1,), where it varies."""
        return self.frame_time if self.frame_time > 0 else np.diff(self.times[self.order])


def frame_times(table) -> np.ndarray:
    """Return the time of each frame of a series in s, from its navigation axis.

    Raises
    ------
    ValueError
        If the table has not one navigation axis, its unit is no time, a frame has no time, or two have the same.
    """
    axes = table.axes_manager.navigation_axes
    if len(axes) != 1:
        raise ValueError(f"Expected a movie, a table with one navigation axis, not {len(axes)}; choose one with inav.")
    units = str(axes[0].units)
    if units not in SECONDS:
        raise ValueError(
            f"The axis {axes[0].name!s} of the movie has the unit {units!r}; expected a time, one of "
            f'{", ".join(SECONDS)}. Set it, for example table.axes_manager[0].units = "s" and its scale to the time of '
            "a frame."
        )
    return _checked_times(axes[0]) * SECONDS[units]


def _checked_times(axis) -> np.ndarray:
    """Positions along an axis of time, each of which is known and there once."""
    times = np.asarray(axis.axis, dtype=float)
    unknown = np.flatnonzero(~np.isfinite(times))
    if len(unknown):
        raise ValueError(
            f"Frame {unknown[0]} has the time {times[unknown[0]]} on the axis {axis.name!s}, as have {len(unknown)} of "
            f"{len(times)} frames in all; expected a number. Set the axis, or leave the frames out with inav."
        )
    order = np.argsort(times, kind="stable")
    same = np.flatnonzero(np.diff(times[order]) <= _rounding(times))
    if len(same):
        first, second = sorted(order[same[0] : same[0] + 2])
        raise ValueError(
            f"Frames {first} and {second} have the same time on the axis {axis.name!s}, {times[first]} {axis.units}, "
            "or nearer than numbers tell apart; expected a time of its own for each frame. Set the axis, or leave "
            "frames out with inav."
        )
    return times


def _rounding(times: np.ndarray) -> float:
    """What differences of times are uncertain by."""
    return ROUNDING * np.finfo(float).eps * float(np.abs(times).max())


def clock(table, timed: bool = False) -> tuple[np.ndarray, bool]:
    """Return the times of the frames of a table, and whether they are in s.

    Where the axis is no time and need not be, frames are one apart. See `frame_times` for what is raised.
    """
    axes = table.axes_manager.navigation_axes
    if timed or (len(axes) == 1 and str(axes[0].units) in SECONDS):
        return frame_times(table), True
    if len(axes) == 1 and str(axes[0].name).lower() == "time" and str(axes[0].units) in ("<undefined>", "None", ""):
        return _checked_times(axes[0]), False
    return np.arange(table.data.size, dtype=float), False


def even_step(times: np.ndarray) -> float:
    """Return the time between frames; NaN where it varies by more than rounding, or there is but one frame."""
    steps = np.abs(np.diff(times))
    if len(steps) == 0:
        return np.nan
    step = float(np.median(steps))
    even = np.abs(np.diff(np.sort(times)) - step).max() <= max(SAME_STEP * step, _rounding(times))
    return step if even else np.nan


def sequences(table, timed: bool = True) -> Sequences:
    """Return the class probabilities of every particle of a movie over time.

    Parameters
    ----------
    table
        Classified table of a movie. With more than one particle in a frame it must be tracked, unless it has one frame.
    timed
        Whether the navigation axis must be a time; otherwise frames are counted where it is none.

    Raises
    ------
    ValueError
        If the table is not classified, not tracked, or no movie; if a frame has no time, or two have the same.
    """
    if not table.classes:
        raise ValueError("The particles are not classified; make the table with classify_particles().")
    frames = table._frames()
    times, timed = clock(table, timed)
    if "track" not in table.columns and len(frames) == 1:
        tracks = [np.arange(len(frames[0]))]
    elif "track" not in table.columns:
        if max(len(rows) for rows in frames) > 1:
            raise ValueError("Frames have more than one particle: follow them first with table.track_particles().")
        tracks = [np.zeros(len(rows), int) for rows in frames]
    else:
        tracks = [rows["track"] for rows in frames]
    numbers = np.unique(np.concatenate(tracks))
    names = [f"probability_{name}" for name in table.classes]
    shape = (len(numbers), len(frames))
    probabilities = np.full((*shape, len(names)), np.nan)
    predicted = np.full(shape, -1)
    for frame, (rows, track) in enumerate(zip(frames, tracks, strict=True)):
        where = np.searchsorted(numbers, track)
        predicted[where, frame] = rows["class_index"]
        for k, name in enumerate(names):
            probabilities[where, frame, k] = rows[name]
    return Sequences(numbers, probabilities, predicted, table.classes, even_step(times), times, timed)


@dataclass(frozen=True, repr=False)
class Transitions:
    """Transitions between classes in a movie, as `transitions` finds them.

    Parameters
    ----------
    classes
        Names of the classes.
    fit
        Rates in 1/s with their intervals, see `particlespy_ml.dynamics.rates.RateFit`.
    """

    classes: tuple[str, ...]
    fit: RateFit

    def __repr__(self) -> str:
        return f"Transitions, rates in 1/s\n{self.to_dataframe().to_string(index=False, float_format='{:.3g}'.format)}"

    @property
    def dwell_times(self) -> np.ndarray:
        """Mean time in s before a class is left, shape (K,); infinite where it is never left."""
        with np.errstate(divide="ignore"):
            return -1 / np.minimum(np.diag(self.fit.rates), -0.0)

    def branching_ratios(self) -> np.ndarray:
        """Return the fraction of the departures from each class (row) that lead to each other class (column)."""
        departures = self.fit.rates * (1 - np.eye(len(self.classes)))
        total = departures.sum(1, keepdims=True)
        return np.divide(departures, total, out=np.zeros_like(departures), where=total > 0)

    def plot(self, min_count: float = 0.5, ax=None, figsize=None):
        """Draw the classes as nodes and the transitions between them as arrows.

        Parameters
        ----------
        min_count, ax, figsize
            See `particlespy_ml.plotting.transitions.plot_transitions`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from particlespy_ml.plotting.transitions import plot_transitions

        return plot_transitions(self, min_count, ax, figsize)

    def to_dataframe(self):
        """Return one row for each pair of classes: expected count, rate in 1/s with its interval, branching ratio.

        Returns
        -------
        pandas.DataFrame
            ``from``, ``to``, ``count`` (changes that frames show; a jump that is undone before the next frame is not
            among them), ``rate``, ``rate_low``, ``rate_high`` (1/s) and ``branching_ratio``. Rates from a class in
            which hardly a frame was spent are NaN. The units are in ``attrs["units"]``.
        """
        import pandas as pd

        branching = self.branching_ratios()
        frames = self.fit.frames
        known = (self.fit.occupation / self.fit.frame_time if frames is None else frames) >= 1
        rates = np.where(known[:, None], self.fit.rates, np.nan)
        high = np.where(known[:, None], self.fit.high, np.nan)
        frame = pd.DataFrame(
            [
                {
                    "from": self.classes[i],
                    "to": self.classes[j],
                    "count": self.fit.counts[i, j],
                    "rate": rates[i, j],
                    "rate_low": self.fit.low[i, j],
                    "rate_high": high[i, j],
                    "branching_ratio": branching[i, j] if known[i] else np.nan,
                }
                for i, j in zip(*np.nonzero(~np.eye(len(self.classes), dtype=bool)), strict=True)
            ],
            columns=["from", "to", "count", "rate", "rate_low", "rate_high", "branching_ratio"],
        )
        frame.attrs["units"] = dict.fromkeys(("rate", "rate_low", "rate_high"), "1/s")
        return frame


def transitions(table: BaseSignal, confidence: float = 0.95) -> Transitions:
    """Return counts, dwell times and rates of the transitions between classes in a movie.

    A hidden Markov model takes the network's probabilities as what is seen of the true classes, so that frames that the
    network gets wrong do not count as transitions. Frames may be unevenly spaced, in bursts with pauses or with gaps:
    the likelihood has the true time of each step. Their order is that of time, also where the axis descends.

    Parameters
    ----------
    table
        Classified table of a movie, tracked where frames have more than one particle.
    confidence
        Confidence of the intervals.

    Returns
    -------
    Transitions
        Rates are NaN where no particle is classified.

    Raises
    ------
    ValueError
        If the table is no movie of two or more frames with a time of its own for each, not classified or not tracked.
    """
    found = sequences(table)
    if len(found.times) < 2:
        raise ValueError("The movie has one frame; expected two or more, since rates are of changes between frames.")
    return Transitions(found.classes, fit_rates(_emissions(found)[:, found.order], found.steps, confidence))


def class_sequence(table: BaseSignal, smooth: bool = True) -> pd.DataFrame:
    """Return the class of every particle in every frame, smoothed over time where asked.

    Parameters
    ----------
    table
        Classified table of a movie, tracked where frames have more than one particle.
    smooth
        Take the most probable path of a hidden Markov model whose rates are fitted to the movie, and its probabilities,
        given the true time between frames; without, the classes of the frames by themselves.

    Returns
    -------
    pandas.DataFrame
        Columns ``track``, ``frame``, ``time`` (s), ``class`` and one probability for each class. Frames in which a
        particle is missing between its first and its last are there with *smooth*. Frames are in the order of the
        table.
    """
    import pandas as pd

    from particlespy_ml.tables.classes import UNDEFINED

    found = sequences(table)
    states, probabilities = smooth_states(found) if smooth else (found.predicted, found.probabilities)
    names = np.array([*found.classes, UNDEFINED], dtype=object)
    seen = np.isfinite(found.probabilities).all(-1)
    parts = []
    for row, track in enumerate(found.tracks):
        frames = np.flatnonzero(seen[row])
        if smooth and len(frames):
            frames = np.arange(frames[0], frames[-1] + 1)
        part = {"track": track, "frame": frames, "time": found.times[frames], "class": names[states[row, frames]]}
        part |= {f"probability_{name}": probabilities[row, frames, k] for k, name in enumerate(found.classes)}
        parts.append(pd.DataFrame(part))
    names = ["track", "frame", "time", "class", *(f"probability_{name}" for name in found.classes)]
    result = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
    result.attrs["units"] = {"time": "s"}
    return result


def smooth_states(found: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Return the most probable path (S, T) and the probabilities (S, T, K) of a hidden Markov model of sequences.

    The path of a particle that is nowhere classified is -1, and its probabilities NaN.
    """
    order = found.order
    emissions = _emissions(found)[:, order]
    known = np.isfinite(found.probabilities).all(-1).any(1)
    paths, posterior = np.full(found.predicted.shape, -1), np.full(found.probabilities.shape, np.nan)
    if not known.any():
        return paths, posterior
    if len(order) < 2:
        paths[known] = emissions[known].argmax(-1)
        posterior[known] = np.exp(emissions[known]) / np.exp(emissions[known]).sum(-1, keepdims=True)
        return paths, posterior
    # the path does not depend on the unit of the time
    times, steps = group_steps(1.0 if found.frame_time > 0 else found.steps / np.median(found.steps), len(order) - 1)
    fit = fit_rates(emissions, times[0] if steps is None else times[steps])
    transition = fit.transition if steps is None else transition_matrices(fit.rates, times)
    paths[:, order] = markov.most_probable_path(emissions, transition, fit.initial, steps)
    posterior[:, order] = markov.forward_backward(emissions, transition, fit.initial, steps)[0]
    paths[~known], posterior[~known] = -1, np.nan
    return paths, posterior


def _emissions(found: Sequences) -> np.ndarray:
    """Log-likelihoods of the classes, shape (S, T, K), frames in the order of the table."""
    return markov.log_emissions(found.probabilities)
