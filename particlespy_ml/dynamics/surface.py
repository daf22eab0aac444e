"""Occupancy, events and rates of the sites of a movie: what `surface_dynamics` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.columns.movie.facets import FACETS
from particlespy_ml.core.calibration import NANOMETRES, PixelGrid
from particlespy_ml.dynamics.coupled_events import coupled_events

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from hyperspy.signals import Signal2D
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

GROUPS = ("facet", "layer", "coordination")


@dataclass(frozen=True, repr=False)
class SurfaceDynamics:
    """Which sites of a movie are full and when, as `surface_dynamics` finds it.

    Parameters
    ----------
    sites
        What is known of each site that has no draws, by name: ``site``, ``track`` in the table of columns (-1 for sites
        that it has not), ``x``, ``y``, ``coordination``, ``layer`` and ``facet`` among the sites that are full for half
        of the time or more, ``change``, ``contrast_off``, ``contrast_on``, ``separation`` and ``seen``; shapes (S,).
    times
        Of the frames from the first to the last that is used, ascending, shape (T,); in s where they are *timed*, else
        in frames.
    used
        Whether each of these frames is used, shape (T,).
    timed
        Whether times are in s.
    probability
        Of each state of each site in each frame, given the whole movie, shape (S, T, K); the last state is full.
    raw
        State that each frame alone is most like, shape (S, T), -1 where it shows nothing.
    occupancy, changes
        Draws of the share of time in which a site is full, and of the number of its changes, shape (S, D).
    rates
        Draws of rate matrices, shape (S, D, K, K); NaN for sites that do not change.
    steps
        Probability of a change from state i to j between a frame and the next, shape (S, T - 1, K, K).
    neighbours
        Pairs of sites that are neighbours, shape (m, 2).
    grid
        Calibration of the mean image, whose axes ascend.
    frames
        Number of each frame in the movie, shape (T,).
    motions
        From the mean image to each frame; None for frames that are not used.
    confidence
        Of the intervals.
    near
        Distance between neighbours in pixels.
    title
        Of the table.
    """

    sites: dict[str, np.ndarray]
    times: np.ndarray
    used: np.ndarray
    timed: bool
    probability: np.ndarray = field(repr=False)
    raw: np.ndarray = field(repr=False)
    occupancy: np.ndarray = field(repr=False)
    changes: np.ndarray = field(repr=False)
    rates: np.ndarray = field(repr=False)
    steps: np.ndarray = field(repr=False)
    neighbours: np.ndarray = field(repr=False)
    grid: PixelGrid = field(repr=False)
    frames: np.ndarray = field(repr=False)
    motions: tuple = field(repr=False)
    confidence: float = 0.95
    near: float = np.nan
    title: str = ""

    def __repr__(self) -> str:
        return (
            f"SurfaceDynamics of {len(self)} sites, {self.changing.sum()} of which change, in {self.used.sum()} frames"
        )

    def __len__(self) -> int:
        return len(self.sites["x"])

    @property
    def changing(self) -> np.ndarray:
        """Whether each site changes, shape (S,)."""
        return self.sites["change"] != "none"

    @property
    def duration(self) -> float:
        """Time from the first to the last frame."""
        return float(self.times[-1] - self.times[0])

    @property
    def states(self) -> np.ndarray:
        """Most probable state of each site in each frame, given the whole movie, shape (S, T)."""
        return self.probability.argmax(-1)

    @property
    def rate_unit(self) -> str:
        """Unit of rates."""
        return "1/s" if self.timed else "1/frame"

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each site.

        Returns
        -------
        pandas.DataFrame
            ``site``, ``track``, ``x``, ``y``, ``facet``, ``layer``, ``coordination``; ``occupancy``, the share of the
            time of the movie in which the site is full, and ``event_rate``, its changes from frame to frame over that
            time; ``rate_on`` and ``rate_off``, of the process that fills and empties it, the first being NaN for sites
            with more than two states; each with its interval in ``_low`` and ``_high``; ``raw_occupancy`` and
            ``raw_event_rate``, of frames taken one by one; ``change`` ("none", "column" for one that comes and goes,
            "brightness" for one that stays and changes its number of atoms); ``contrast_off`` and ``contrast_on`` over
            that of a typical column of the surface; ``separation`` of the two in standard deviations of a frame;
            ``seen``, the share of the frames in which the site is far enough from the border to be judged. A site that
            does not change is full, and has upper bounds alone: of three events, which would have been seen. The units
            are in ``attrs["units"]``.
        """
        import pandas as pd

        table = {name: self.sites[name] for name in ("site", "track", "x", "y")}
        table["facet"] = np.array(FACETS, object)[self.sites["facet"]]
        table |= {name: self.sites[name] for name in ("layer", "coordination")}
        changing, few = self.changing, -np.log(1 - self.confidence) / max(self.duration, 1e-12)
        for name, values in (("occupancy", self.occupancy), ("event_rate", self.changes / self.duration)):
            low, high = self._interval(values)
            table |= {name: values.mean(1), f"{name}_low": low, f"{name}_high": high}
        # of a site that does not change while it is seen, nothing is known of the rest of the time
        seen = self.sites["seen"]
        least = np.maximum(seen - few * self.duration / len(self.times), 0)
        table["occupancy_low"] = np.where(changing, table["occupancy_low"], least)
        table["event_rate_high"] = np.where(changing, table["event_rate_high"], few / np.maximum(seen, 1e-3))
        k = self.rates.shape[-1]
        for name, i, j in (("rate_on", 0, 1), ("rate_off", 1, 0)):
            values = self.rates[:, :, i, j] if k == 2 else np.full(self.occupancy.shape, np.nan)
            low, high = self._interval(values)
            table |= {name: np.median(values, 1), f"{name}_low": low, f"{name}_high": high}
        seen = self.raw >= 0
        number = np.maximum(seen.sum(1), 1)
        table["raw_occupancy"] = np.where(seen, self.raw, 0).sum(1) / number / max(k - 1, 1)
        both = seen[:, 1:] & seen[:, :-1]
        changes = ((np.diff(self.raw, axis=1) != 0) & both).sum(1)
        table["raw_event_rate"] = changes / np.maximum(both.sum(1), 1) * (len(self.times) - 1) / self.duration
        table |= {name: self.sites[name] for name in ("change", "contrast_off", "contrast_on", "separation", "seen")}
        frame = pd.DataFrame(table)
        rates = [name for name in frame if name.startswith(("rate_", "event_rate", "raw_event"))]
        frame.attrs["units"] = {"x": self.grid.units, "y": self.grid.units} | dict.fromkeys(rates, self.rate_unit)
        return frame

    def _interval(self, draws: np.ndarray) -> np.ndarray:
        tail = 0.5 * (1 - self.confidence)
        return np.quantile(draws, (tail, 1 - tail), axis=1)

    def summary(self, per: str = "facet") -> pd.DataFrame:
        """Return mean occupancy and event rate of the sites of each facet, layer or coordination, with intervals.

        The intervals are of these sites in this movie, not of others like them. Sites that show no change widen them by
        what may have been missed in all of them together.

        Parameters
        ----------
        per
            "facet", "layer" or "coordination".

        Returns
        -------
        pandas.DataFrame
            ``sites``, ``changing``, ``occupancy`` and ``event_rate`` with their bounds, by group.

        Raises
        ------
        ValueError
            If *per* is none of these.
        """
        import pandas as pd

        rows = []
        for name, which in self.groups(per).items():
            row = {per: name, "sites": int(which.sum()), "changing": int(self.changing[which].sum())}
            for what, values in (("occupancy", self.occupancy), ("event_rate", self.changes / self.duration)):
                draws = values[which].mean(0)
                (low,), (high,) = self._interval(draws[None])
                if what == "occupancy":
                    low -= self._of_steady(which)[0]
                else:
                    high += self._of_steady(which)[1]
                row |= {what: draws.mean(), f"{what}_low": max(low, 0.0), f"{what}_high": high}
            rows.append(row)
        return pd.DataFrame(rows)

    def _of_steady(self, which: np.ndarray) -> tuple[float, float]:
        """How much less occupied, and how many more events a time, sites that show no change may be in the mean.

        They are bounds as those of single sites, for all of the group together.
        """
        steady = which & ~self.changing
        if not steady.any():
            return 0.0, 0.0
        share, seen = steady.sum() / which.sum(), self.sites["seen"][steady]
        few = -np.log(1 - self.confidence) / steady.sum()
        least = max(seen.mean() - few / len(self.times), 0.0)
        return share * (1 - least), share * few / max(self.duration * seen.mean(), 1e-12)

    def groups(self, per: str) -> dict:
        """Return which sites are of each facet, layer or coordination, by its name."""
        if per not in GROUPS:
            raise ValueError(f"per={per!r}; expected one of {', '.join(GROUPS)}.")
        values = self.sites[per]
        names = np.unique(values)
        return {FACETS[name] if per == "facet" else int(name): values == name for name in names}

    def coupled_events(self, window: int = 0, false_discoveries: float = 0.05) -> pd.DataFrame:
        """Return which neighbours change together: one is emptied and the other filled between the same frames.

        See `particlespy_ml.dynamics.coupled_events.coupled_events` for the arguments and what is returned.
        """
        return coupled_events(self, window, false_discoveries)

    def smoothed(self, movie: Signal2D, frames: int = 9) -> Signal2D:
        """Return the movie without drift and rotation, as a running mean; lazy.

        Parameters
        ----------
        movie
            The movie.
        frames
            Number of frames of a mean.
        """
        from particlespy_ml.dynamics.smoothed_movie import smoothed_movie

        return smoothed_movie(self, movie, frames)

    def mean_image(self, movie: Signal2D) -> Signal2D:
        """Return the mean of the frames that are used, without drift and rotation; the movie is read once."""
        from particlespy_ml.dynamics.smoothed_movie import mean_image

        return mean_image(self, movie)

    def to_atoms(self, symbol: str = "Au") -> list[Atoms]:
        """Return the columns that are full in each frame, one atom for each, as ASE takes a trajectory.

        Places are those of the mean image in Å, all at z = 0; ``atoms.info`` has the time. Write them with
        ``ase.io.write("columns.traj", frames)``.

        Parameters
        ----------
        symbol
            Chemical symbol of the atoms.
        """
        from ase import Atoms

        size = 10 * NANOMETRES[self.grid.units]
        places = np.column_stack([self.sites["x"] * size, self.sites["y"] * size, np.zeros(len(self))])
        full = self.states > 0
        found = []
        for number, time in enumerate(self.times):
            own = Atoms([symbol] * int(full[:, number].sum()), positions=places[full[:, number]])
            own.info |= {"time": float(time), "frame": int(self.frames[number])}
            own.set_tags(self.sites["site"][full[:, number]])
            found.append(own)
        return found

    def plot_occupancy(
        self, image: Signal2D | None = None, ax: Axes | None = None, figsize: tuple[float, float] | None = None
    ) -> Axes:
        """Draw the occupancy of every site as a map, over an image where it is given.

        Parameters
        ----------
        image
            Image that lies as the mean of the movie does, such as ``found.mean_image(movie)``.
        ax
            Axes to draw in; by default a new figure's.
        figsize
            Width and height of a new figure in inches.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from particlespy_ml.plotting.surface import plot_sites

        return plot_sites(self, self.occupancy.mean(1), "Occupancy", (0, 1), image, ax=ax, figsize=figsize)

    def plot_events(
        self, image: Signal2D | None = None, ax: Axes | None = None, figsize: tuple[float, float] | None = None
    ) -> Axes:
        """Draw the event rate of every site as a map, over an image where it is given.

        Parameters
        ----------
        image
            Image that lies as the mean of the movie does, such as ``found.mean_image(movie)``.
        ax
            Axes to draw in; by default a new figure's.
        figsize
            Width and height of a new figure in inches.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from particlespy_ml.plotting.surface import plot_sites

        values = self.changes.mean(1) / self.duration
        return plot_sites(self, values, f"Events ({self.rate_unit})", (0, None), image, ax=ax, figsize=figsize)

    def plot_strips(self, ax: Axes | None = None, figsize: tuple[float, float] | None = None) -> Axes:
        """Draw the probability that sites that change are full, over time, one strip for each site.

        Parameters
        ----------
        ax
            Axes to draw in; by default a new figure's.
        figsize
            Width and height of a new figure in inches.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from particlespy_ml.plotting.surface import plot_strips

        return plot_strips(self, ax, figsize)

    def animate(self, movie: Signal2D, frames: int = 9, step: int = 1, interval: float = 80.0) -> FuncAnimation:
        """Return an animation of the smoothed movie with the sites that are full.

        See `particlespy_ml.plotting.surface.animate` for the arguments.
        """
        from particlespy_ml.plotting.surface import animate

        return animate(self, self.smoothed(movie, frames), step, interval)
