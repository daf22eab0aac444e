"""What is said of the sites of a movie, compared with what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.surface.movies import FRAME_TIME, Movie, turn_matrix

MATCH = 0.6  # Å: a site is at most so far from its own
VIEW_AROUND = 2.6  # Å: what is looked at around a site


@dataclass(frozen=True)
class Scores:
    """Of one movie; sites are those that stay in view.

    Parameters
    ----------
    inside
        Which of all changing sites stay in view.
    occupancy, events
        True and found values of the sites that change, shape (n, 2); occupancies 0 and 1, and no events, where a site
        is not listed or does not change.
    covered
        Whether intervals hold the truth, of occupancies and event rates of the sites that are found to change.
    processes
        The same of the rates on and off, of the process.
    listed
        Whether each changing site is found to change.
    separation
        Of the states of each changing site in standard deviations of a frame, NaN where it is not listed.
    false_events
        Event rates of stable columns that are found, in events a frame.
    false_sites
        Sites that are listed where there is no column.
    missed
        Share of the stable columns that are not found.
    """

    inside: np.ndarray
    occupancy: np.ndarray
    events: np.ndarray
    covered: np.ndarray
    processes: np.ndarray
    listed: np.ndarray
    separation: np.ndarray
    false_events: np.ndarray
    false_sites: int
    missed: float


def reference_places(movie: Movie, table) -> tuple[np.ndarray, np.ndarray]:
    """Changing and stable sites in the mean image of a tracked table, x and y in nm."""
    number = next(k for k, rows in enumerate(table.data) if len(rows))
    rows = table.data[number]
    frame = np.column_stack([rows["x"], rows["y"]])
    mean = np.column_stack([rows["mean_x"], rows["mean_y"]])
    one, other = frame.mean(0), mean.mean(0)
    u, _, v = np.linalg.svd((mean - other).T @ (frame - one))
    matrix = u @ np.diag([1, np.linalg.det(u @ v)]) @ v
    size = 0.1 * movie.pixel
    return tuple(
        (movie.in_frame(places, number)[:, ::-1] * size - one) @ matrix.T + other
        for places in (movie.places, movie.stable)
    )


def score(movie: Movie, table, frame) -> Scores:
    """Compare the data frame of `SurfaceDynamics` with the truth."""
    changing, stable = reference_places(movie, table)
    inside = in_view(movie)
    changing, states = changing[inside], movie.states[inside]
    places = frame[["x", "y"]].to_numpy()
    away, nearest = cKDTree(places).query(changing)
    duration = (states.shape[1] - 1) * FRAME_TIME
    truth = states.mean(1), (np.diff(states, axis=1) != 0).sum(1) / duration
    found = away < 0.1 * MATCH
    occupancy, events = np.zeros((len(found), 2)), np.zeros((len(found), 2))
    occupancy[:, 0], events[:, 0] = truth
    occupancy[found, 1] = frame["occupancy"].to_numpy()[nearest[found]]
    events[found, 1] = frame["event_rate"].to_numpy()[nearest[found]]
    listed = found & (frame["change"].to_numpy()[nearest] != "none")
    rows = frame.iloc[nearest[listed]]
    covered = np.column_stack(
        [
            (rows[f"{name}_low"] - 1e-9 <= true[listed]) & (true[listed] <= rows[f"{name}_high"] + 1e-9)
            for name, true in zip(("occupancy", "event_rate"), truth, strict=True)
        ]
    )
    processes = np.column_stack(
        [
            (rows[f"{name}_low"] <= true) & (true <= rows[f"{name}_high"])
            for name, true in zip(("rate_on", "rate_off"), movie.rates[inside][listed].T, strict=True)
        ]
    )
    near, own = cKDTree(places).query(stable)
    right = near < 0.1 * MATCH
    false_events = frame["event_rate"].to_numpy()[own[right]] * FRAME_TIME
    everything = cKDTree(np.vstack(reference_places(movie, table)))
    false_sites = int((everything.query(places)[0] > 0.1 * MATCH).sum())
    separation = np.where(listed, frame["separation"].to_numpy()[nearest], np.nan)
    missed = float(1 - right.mean())
    return Scores(inside, occupancy, events, covered, processes, listed, separation, false_events, false_sites, missed)


def in_view(movie: Movie) -> np.ndarray:
    """Which of the changing sites stay away from the border by what is looked at around a site, shape (n,)."""
    margin = VIEW_AROUND / movie.pixel
    shape = np.array(movie.clean.shape[1:]) - 1
    places = np.array([movie.in_frame(movie.places, number) for number in range(movie.states.shape[1])])
    return ((places >= margin) & (places <= shape - margin)).all((0, 2))


def drift_errors(movie: Movie, table) -> tuple[float, float]:
    """Errors of drift in pixels along an axis, and of rotation in degrees, both rms, less what all frames share."""
    rows = [(k, one[0]) for k, one in enumerate(table.data) if len(one)]
    size = 0.1 * movie.pixel
    middle = (np.array(movie.clean.shape[1:]) - 1) / 2
    used = [k for k, _ in rows]
    angles = np.radians([-one["drift_angle"] for _, one in rows])
    shifts = np.array([(one["drift_y"], one["drift_x"]) for _, one in rows]) / size
    place = turn_matrix(angles[0]).T @ (movie.middles[used[0]] - middle - shifts[0])
    off = np.array([middle + s + turn_matrix(a) @ place for s, a in zip(shifts, angles, strict=True)])
    off -= movie.middles[used]
    off -= off.mean(0)
    turned = angles - movie.turns[used]
    return float(np.sqrt((off**2).mean())), float(np.degrees(turned.std()))
