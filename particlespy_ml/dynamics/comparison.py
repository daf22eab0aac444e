"""Fractions of classes of tables: over a series, over its steps, and of several tables beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.dynamics import fractions
from particlespy_ml.dynamics.sequences import Sequences, sequences

if TYPE_CHECKING:
    import pandas as pd


def confusion_matrix(table) -> np.ndarray | None:
    """Return the confusion matrix of the model that classified a table, shape (K, K), or None if it is not known."""
    values = np.asarray(table.metadata.get_item(f"{METADATA_NODE}.model.confusion_matrix", []), dtype=float)
    k = len(table.classes)
    return values.reshape(k, k) if values.size == k * k else None


def both_fractions(
    states: np.ndarray, times: np.ndarray, table, confidence: float
) -> tuple[fractions.Fractions, fractions.Fractions | None]:
    """Return observed fractions of states, and those corrected by the confusion matrix of a table's model.

    See `particlespy_ml.dynamics.fractions.class_fractions` for states and times.
    """
    observed = fractions.class_fractions(states, len(table.classes), confidence, times)
    confusion = confusion_matrix(table)
    return observed, None if confusion is None else fractions.correct_fractions(observed, confusion)


def states_in_time(table) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of the particles of a series, shape (S, T), and the times (T,) of frames in the order of time.

    Frames along an axis that is no time are one apart.
    """
    return _in_time(sequences(table, timed=False))


def _in_time(found: Sequences) -> tuple[np.ndarray, np.ndarray]:
    times = found.times[found.order]
    if found.frame_time > 0:  # equal but for rounding, which differences of large times may not show
        times = found.frame_time * np.arange(len(times))
    return found.predicted[:, found.order], times


def series_fractions(table, confidence: float = 0.95):
    """Return the fraction of each class over a series with intervals; see `ParticleTable.class_fractions`."""
    frame, observed = _rows(*states_in_time(table), table, confidence)
    frame.attrs["effective_samples"] = observed.effective_samples
    return frame


def step_fractions(table, per, confidence: float = 0.95):
    """Return the fraction of each class in the steps of a series, with intervals.

    Where the frames of a movie are unevenly spaced they have the weights of
    `particlespy_ml.dynamics.fractions.class_fractions`, so that fractions are of time.

    Parameters
    ----------
    table
        Classified table, tracked where frames have more than one particle.
    per
        Name of a navigation axis, such as "temperature"; a number of frames, for windows of so many, which stand at the
        middle of their first and last frame; or one value for each frame, equal in the frames of a step and NaN in
        those to leave out. A pandas Series gives its name to the column.
    confidence
        Confidence of the intervals.

    Returns
    -------
    pandas.DataFrame
        A row for each step and class: the step, ``class``, ``fraction`` with its bounds, the same corrected by the
        model's confusion matrix where it is known, ``observations`` (classified particles over all frames) and
        ``effective_samples`` (what they are worth as independent ones). Fractions are NaN in steps without classified
        particles. The steps' axis label is in ``attrs["label"]``.

    Raises
    ------
    ValueError
        If *per* is no axis, no number of frames and not one value for each frame.
    """
    import pandas as pd

    name, label, values = _steps(table, per)
    found = sequences(table, timed=False)
    states, times = _in_time(found)
    steps = pd.Series(values).dropna().unique()
    if np.asarray(values).dtype.kind in "iuf":
        steps = np.sort(steps)
    parts = {}
    for step in steps:
        inside = np.asarray(values == step)[found.order]
        # frames of other steps count as missing, so that correlations are over the true lags
        extent = _extent(inside)
        parts[step] = np.where(inside, states, -1)[:, extent], times[extent], table
    return _stack(parts, name, label, confidence)


def compare_fractions(tables: Mapping, name: str = "condition", confidence: float = 0.95) -> pd.DataFrame:
    """Return the fractions of the classes of several tables beside each other, with intervals.

    Parameters
    ----------
    tables
        A classified table, or a list of tables to pool, for each condition, such as ``{300: cold, 500: hot}``. Tables
        with more than one frame and more than one particle in it must be tracked. Movies whose frame times differ are
        pooled by time, as the frames of an unevenly spaced one.
    name
        Column of the conditions.
    confidence
        Confidence of the intervals.

    Returns
    -------
    pandas.DataFrame
        As from `step_fractions`, for `particlespy_ml.plotting.fractions.plot_fractions`.

    Raises
    ------
    ValueError
        If there are no tables, or they differ in their classes or, within a condition, in the model; or if movies that
        are unevenly spaced are to be pooled with movies whose axis has no unit of time.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().classify_particles()
    >>> frame = pml.dynamics.compare_fractions({"as made": table, "heated": [table, table]})
    >>> [int(n) for n in frame.groupby("condition")["observations"].first()]
    [6, 12]
    """
    if not isinstance(tables, Mapping) or not tables:
        raise ValueError(
            f'Expected tables by condition, such as {{"as made": table, "heated": other}}, not {type(tables).__name__}.'
        )
    parts, classes = {}, None
    numbers = all(isinstance(condition, (int, float)) for condition in tables)
    for condition, given in sorted(tables.items()) if numbers else tables.items():
        pooled = list(given) if isinstance(given, (list, tuple)) else [given]
        if not pooled:
            raise ValueError(f"{condition!r} has no tables.")
        for table in pooled:
            classes = classes or table.classes
            if table.classes != classes:
                raise ValueError(f"{condition!r} has the classes {table.classes}, tables before it {classes}.")
        matrices = [confusion_matrix(table) for table in pooled]
        if any((m is None) != (matrices[0] is None) or not np.array_equal(m, matrices[0]) for m in matrices[1:]):
            raise ValueError(f"The tables of {condition!r} were classified by different models; give each a condition.")
        parts[condition] = *_pooled([sequences(table, timed=False) for table in pooled], condition), pooled[0]
    return _stack(parts, name, _label(name, ""), confidence)


def _pooled(found: list[Sequences], condition) -> tuple[np.ndarray, np.ndarray]:
    """States of several movies, shape (S, T), and times of their frames, shape (S, T); -1 and NaN behind their ends."""
    movies = [part for part in found if len(part.times) > 1]
    timed = all(part.timed for part in movies)
    if not timed and any(part.timed for part in movies) and not all(part.frame_time > 0 for part in movies):
        raise ValueError(
            f"Of the movies of {condition!r} some have unevenly spaced frames, and some no unit of time; expected a "
            'time for all of them, to compare them by. Set it, for example table.axes_manager[0].units = "s".'
        )
    longest = max(len(part.times) for part in found)
    states, times = [], []
    for part in found:
        own, when = _in_time(part)
        if not timed and part.frame_time > 0:
            when = np.arange(len(when), dtype=float)
        behind = (0, longest - len(when))
        states.append(np.pad(own, ((0, 0), behind), constant_values=-1))
        times.append(np.tile(np.pad(when, behind, constant_values=np.nan), (len(own), 1)))
    return np.concatenate(states), np.concatenate(times)


def _rows(states: np.ndarray, times: np.ndarray, table, confidence: float):
    """A row for each class, and the observed fractions they are of."""
    import pandas as pd

    observed, corrected = both_fractions(states, times, table, confidence)
    columns = {"class": table.classes, "fraction": observed.values, "low": observed.low, "high": observed.high}
    if corrected is not None:
        columns |= {"corrected": corrected.values, "corrected_low": corrected.low, "corrected_high": corrected.high}
    return pd.DataFrame(columns), observed


def _stack(parts: dict, name: str, label: str, confidence: float):
    """Rows of all steps below each other; *parts* holds states, times and table by step."""
    import pandas as pd

    frames = []
    for step, (states, times, table) in parts.items():
        count, samples = int((states >= 0).sum()), 0.0
        if count:
            frame, observed = _rows(states, times, table, confidence)
            samples = observed.effective_samples
        else:
            frame = pd.DataFrame({"class": table.classes, "fraction": np.nan, "low": np.nan, "high": np.nan})
        frame.insert(0, name, [step] * len(frame))
        frames.append(frame.assign(observations=count, effective_samples=samples))
    result = pd.concat(frames, ignore_index=True)
    last = ["observations", "effective_samples"]
    result = result[[column for column in result if column not in last] + last]
    result.attrs["label"] = label
    return result


def _steps(table, per) -> tuple[str, str, np.ndarray]:
    """Name, axis label and values of the steps, one for each frame."""
    from particlespy_ml.tables.dataframe import navigation_columns, navigation_units

    columns, units = navigation_columns(table), navigation_units(table)
    frames = len(columns["frame"])
    if isinstance(per, str):
        if per not in units:
            names = "".join(f", {name!r}" for name in units)
            raise ValueError(
                f'per={per!r}; expected "frame", "series"{names} (the navigation axes), a number of frames, or one '
                "value for each frame."
            )
        return per, _label(per, units[per]), columns[per]
    if isinstance(per, (int, np.integer)) and not isinstance(per, bool):
        if per < 1:
            raise ValueError(f"per={per}; expected one or more frames for a window.")
        name = next(iter(units), "frame") if len(units) == 1 else "frame"
        windows = np.arange(frames) // per
        first = np.arange(0, frames, per)
        middle = (columns[name][first] + columns[name][np.minimum(first + per, frames) - 1]) / 2
        return name, _label(name, units.get(name, "")), middle[windows]
    values = np.asarray(per)
    if values.shape != (frames,):
        raise ValueError(f"Expected one value for each of the {frames} frames, not values of the shape {values.shape}.")
    name = str(getattr(per, "name", None) or "step")
    return name, _label(name, ""), values


def _label(name: str, unit: str) -> str:
    name = name[:1].upper() + name[1:].replace("_", " ")
    return f"{name} ({unit})" if unit else name


def _extent(inside: np.ndarray) -> slice:
    """Frames from the first to the last one inside, and one on either side, whose time says where those end."""
    where = np.flatnonzero(inside)
    return slice(max(int(where[0]) - 1, 0), int(where[-1]) + 2)
