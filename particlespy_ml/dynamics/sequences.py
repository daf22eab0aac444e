"""Tables of tracked particles as sequences of class probabilities, smoothed sequences and rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from particlespy_ml.dynamics import markov

SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "min": 60.0,
    "h": 3600.0,
}


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
        Time between frames in s.
    times
        Time of each frame in s, shape (T,).
    """

    tracks: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...]
    frame_time: float
    times: np.ndarray


def frame_times(table) -> np.ndarray:
    """Return the time of each frame of a series in s, from its navigation axis.

    Raises
    ------
    ValueError
        If the table has not one navigation axis, or its unit is no time.
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
    return np.asarray(axes[0].axis, dtype=float) * SECONDS[units]


def sequences(table, timed: bool = True) -> Sequences:
    """Return the class probabilities of every particle of a movie over time.

    Parameters
    ----------
    table
        Classified table of a movie. With more than one particle in a frame it must be tracked, unless it has one frame.
    timed
        Whether the navigation axis must be a time; otherwise frames are counted.

    Raises
    ------
    ValueError
        If the table is not classified, not tracked, or no movie.
    """
    if not table.classes:
        raise ValueError("The particles are not classified; make the table with classify_particles().")
    frames = table._frames()
    times = frame_times(table) if timed else np.arange(len(frames), dtype=float)
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
    step = float(np.median(np.diff(times))) if len(times) > 1 else np.nan
    return Sequences(numbers, probabilities, predicted, table.classes, step, times)


@dataclass(frozen=True, repr=False)
class Transitions:
    """Transitions between classes in a movie, as `transitions` finds them.

    Parameters
    ----------
    classes
        Names of the classes.
    fit
        Rates in 1/s with their intervals, see `particlespy_ml.dynamics.markov.RateFit`.
    """

    classes: tuple[str, ...]
    fit: markov.RateFit

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

    def plot(self, min_count: float = 0.5, ax=None):
        """Draw the classes as nodes and the transitions between them as arrows.

        Parameters
        ----------
        min_count, ax
            See `particlespy_ml.plotting.transitions.plot_transitions`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from particlespy_ml.plotting.transitions import plot_transitions

        return plot_transitions(self, min_count, ax)

    def to_dataframe(self):
        """Return one row for each pair of classes: expected count, rate in 1/s with its interval, branching ratio.

        Rates from a class in which hardly a frame was spent are NaN.
        """
        import pandas as pd

        branching = self.branching_ratios()
        known = self.fit.occupation >= self.fit.frame_time
        rates = np.where(known[:, None], self.fit.rates, np.nan)
        high = np.where(known[:, None], self.fit.high, np.nan)
        return pd.DataFrame(
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
            ]
        )


def transitions(table, confidence: float = 0.95) -> Transitions:
    """Return counts, dwell times and rates of the transitions between classes in a movie.

    A hidden Markov model takes the network's probabilities as what is seen of the true classes, so that frames that the
    network gets wrong do not count as transitions.

    Parameters
    ----------
    table
        Classified table of a movie, tracked where frames have more than one particle.
    confidence
        Confidence of the intervals.
    """
    found = sequences(table)
    fit = markov.fit_rates(_emissions(found), found.frame_time, confidence)
    return Transitions(found.classes, fit)


def class_sequence(table, smooth: bool = True):
    """Return the class of every particle in every frame, smoothed over time where asked.

    Parameters
    ----------
    table
        Classified table of a movie, tracked where frames have more than one particle.
    smooth
        Take the most probable path of a hidden Markov model whose rates are fitted to the movie, and its probabilities;
        without, the classes of the frames by themselves.

    Returns
    -------
    pandas.DataFrame
        Columns ``track``, ``frame``, ``time`` (s), ``class`` and one probability for each class. Frames in which a
        particle is missing between its first and its last are there with *smooth*.
    """
    import pandas as pd

    from particlespy_ml.models.card import UNDEFINED

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
    return pd.concat(parts, ignore_index=True)


def smooth_states(found: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Return the most probable path (S, T) and the probabilities (S, T, K) of a hidden Markov model of sequences."""
    emissions = _emissions(found)
    # the path does not depend on the unit of the time
    fit = markov.fit_rates(emissions, 1.0)
    states = markov.most_probable_path(emissions, fit.transition, fit.initial)
    return states, markov.forward_backward(emissions, fit.transition, fit.initial)[0]


def _emissions(found: Sequences) -> np.ndarray:
    return markov.log_emissions(found.probabilities)
