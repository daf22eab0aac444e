"""The verb `surface_dynamics`: which sites of a movie hold a column, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.columns.movie.facets import surroundings
from particlespy_ml.columns.movie.pixels import Recorded
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.core.frames import ascending
from particlespy_ml.core.image import ImageFrames
from particlespy_ml.core.series import OneByOne
from particlespy_ml.dynamics.sequences import clock
from particlespy_ml.dynamics.site_evidence import empty_neighbours, find_changing
from particlespy_ml.dynamics.site_features import Filters, Rigid, movie_features
from particlespy_ml.dynamics.site_levels import draw_some_paths
from particlespy_ml.dynamics.site_odds import NetworkOdds
from particlespy_ml.dynamics.site_paths import Paths
from particlespy_ml.dynamics.surface import SurfaceDynamics

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal, Signal2D

    from particlespy_ml.models.model import Model

FEWEST_FRAMES = 20
FEWEST_SITES = 6
LEAST_CONTRAST = 0.15  # of a typical column: a smaller change is not taken for one of columns
STAYS = 0.5  # of the contrast when full: a site that keeps as much when empty only changes its number of atoms


def surface_dynamics(
    columns: BaseSignal,
    movie: Signal2D,
    *,
    states: int = 2,
    empty_sites: bool = True,
    min_contrast: float = LEAST_CONTRAST,
    evidence: str = "filters",
    model: str | Path | Model | None = None,
    device: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> SurfaceDynamics:
    """Tell which sites of a lattice are full and when, from a movie whose frames are too noisy to tell.

    At each site a few matched filters are applied to each frame, where the site lies between its pixels. What they give
    for a full and for an empty site is learnt from the movie itself: each site is a hidden Markov chain whose mean
    image in each state is found by expectation-maximisation. Sites whose single state explains the movie as well, by
    the Bayesian information criterion, do not change. For the others, paths through all frames are drawn in proportion
    to their probability, and with them the mean images and the rates: occupancies, events and rates are their means,
    with the intervals that hold so many of the draws. Frames may be unevenly spaced, and some may be missing.

    Parameters
    ----------
    columns
        Table of `track_columns`, or of `find_columns_in_series`. A lazy one is computed.
    movie
        The movie that it is of. A lazy one is read once, frame by frame.
    states
        Largest number of states of a site that changes: 2 for a column that is there or not; more for a number of
        atoms, whose occupancy is in even steps from 0 to 1. A site has as many of them as explain the movie best.
    empty_sites
        Whether places of the lattice beside columns are tried too, which are full too seldom to be seen in a mean.
    min_contrast
        Least change of a site, over the contrast of a typical column of the surface; of odds, with "network".
    evidence
        What tells full from empty in a frame: "filters", which are learnt from the movie, or "network", the odds of a
        column there that `map_columns` gives. Filters tell columns of few atoms apart at lower doses; what a network
        says does not change with the focus of the frames.
    model, device
        Of the network, see `map_columns`.
    confidence
        Of the intervals.
    seed
        Of the draws.

    Returns
    -------
    SurfaceDynamics
        Its ``to_dataframe()`` has one row a site.

    Raises
    ------
    TypeError
        If *columns* is no column table.
    ValueError
        If the table has no sites that are the same in all frames, fewer than 20 frames with rows or 6 sites, is not of
        this movie, or an argument is out of range.

    References
    ----------
    L. R. Rabiner, Proc. IEEE 77, 257 (1989); S. L. Scott, J. Am. Stat. Assoc. 97, 337 (2002); J. Madsen, thesis,
    Technical University of Denmark (2018): occupancy and events of surface columns.

    Examples
    --------
    >>> import numpy as np
    >>> import hyperspy.api as hs
    >>> import particlespy_ml as pml
    >>> rows, columns = np.mgrid[:5, :5]
    >>> places = np.column_stack([24 + 9.8 * rows.ravel(), 22 + 9.8 * columns.ravel()])
    >>> full = np.ones((40, 25)); full[10:30, 2] = 0
    >>> frames = [pml.columns.gaussian_columns((88, 88), places, 60.0 * on, 2.1) + 2 for on in full]
    >>> s = hs.signals.Signal2D(np.random.default_rng(0).poisson(frames).astype(float))
    >>> s.axes_manager.signal_axes.set(scale=0.02, units="nm")
    >>> s.axes_manager[0].scale, s.axes_manager[0].units = 0.5, "s"
    >>> found = pml.surface_dynamics(pml.track_columns(s), s).to_dataframe()
    >>> found.loc[found["change"] == "column", ["occupancy", "event_rate"]].round(1).to_numpy().tolist()
    [[0.5, 0.1]]
    """
    if not hasattr(type(columns), "n_columns"):
        raise TypeError(f"Expected a column table, as track_columns returns it, not {type(columns).__name__}.")
    if int(states) != states or not 2 <= states <= 8:
        raise ValueError(f"states={states}; expected a whole number from 2 to 8.")
    if not 0 < confidence < 1 or not min_contrast > 0:
        raise ValueError(
            f"confidence={confidence}, min_contrast={min_contrast}; expected a share between 0 and 1, and a contrast "
            "above zero."
        )
    image = ImageFrames.of(movie)
    table = columns._computed()
    if table.data.shape != image.frames.shape[:-2] or not image.grid.matches(table.grid):
        raise ValueError(
            f"The table is of {table.data.shape} frames of {table.grid.shape} pixels, the movie has "
            f"{image.frames.shape[:-2]} of {image.grid.shape}, or another calibration; expected the movie that the "
            "columns were tracked in."
        )
    grid = image.grid.ascending()
    tracked = tracked_sites(table._frames(), grid)
    see = _evidence(evidence, grid, tracked.near, model, device)
    frames = Recorded(OneByOne(ascending(image.frames, image.direction)))
    return _dynamics(frames, tracked, see, table, int(states), empty_sites, min_contrast, confidence, seed)


def _evidence(evidence: str, grid: PixelGrid, near: float, model, device) -> Filters | NetworkOdds:
    """What tells of each site in a frame."""
    if evidence == "network":
        from particlespy_ml.columns.map_columns import DEFAULT, column_mapper

        return NetworkOdds(grid.nanometres, column_mapper(model or DEFAULT, grid, device), near)
    if evidence != "filters":
        raise ValueError(f"evidence={evidence!r}; expected 'filters' or 'network'.")
    if model is not None or device is not None:
        raise ValueError("model and device are for evidence='network' alone.")
    return Filters(near)


@dataclass(frozen=True)
class TrackedSites:
    """Sites that are the same in all frames.

    Parameters
    ----------
    tracks
        Their numbers, shape (n,).
    places
        In the mean image in pixels, shape (n, 2).
    errors
        Standard errors of the places in pixels, shape (n,); NaN where they are not known.
    in_mean
        Whether the mean of all frames shows them, shape (n,).
    motions
        From the mean image to each frame; None for frames without rows.
    """

    tracks: np.ndarray
    places: np.ndarray
    errors: np.ndarray
    in_mean: np.ndarray
    motions: list[Rigid | None]

    @property
    def near(self) -> float:
        """Distance between neighbours in pixels."""
        known = self.places[self.in_mean] if self.in_mean.sum() >= FEWEST_SITES else self.places
        return float(np.median(cKDTree(known).query(known, 2)[0][:, 1]))


def tracked_sites(frames: list[np.ndarray], grid: PixelGrid) -> TrackedSites:
    """Return the sites of the rows of a tracked table, and how they move.

    Parameters
    ----------
    frames
        Rows of each frame, with ``track``.
    grid
        Calibration of the frames, whose axes ascend.

    Raises
    ------
    ValueError
        If frames have no tracks, or not the same, or there are too few frames with rows.
    """
    there = [rows for rows in frames if len(rows)]
    if len(there) < FEWEST_FRAMES:
        raise ValueError(
            f"{len(there)} of {len(frames)} frames have columns; expected {FEWEST_FRAMES} or more, to tell rates."
        )
    if "track" not in there[0].dtype.names:
        raise ValueError("The columns are not followed; make the table with track_columns().")
    first = there[0][np.argsort(there[0]["track"], kind="stable")]
    tracks = first["track"]
    if len(tracks) < FEWEST_SITES or len(np.unique(tracks)) < len(tracks):
        raise ValueError(f"The table has {len(tracks)} sites; expected {FEWEST_SITES} or more, each once in a frame.")
    named = ("mean_x", "mean_y") if "mean_x" in first.dtype.names else ("x", "y")
    places = np.column_stack(grid.to_pixels(first[named[0]], first[named[1]]))
    motions: list[Rigid | None] = []
    for number, rows in enumerate(frames):
        if not len(rows):
            motions.append(None)
            continue
        rows = rows[np.argsort(rows["track"], kind="stable")]
        if not np.array_equal(rows["track"], tracks):
            raise ValueError(f"Frame {number} has other columns than those before it; expected the same in all frames.")
        motions.append(Rigid.between(places, np.column_stack(grid.to_pixels(rows["x"], rows["y"]))))
    in_mean = first["in_mean"] if "in_mean" in first.dtype.names else np.ones(len(first), bool)
    errors = first["x_error"] / grid.scale[1] if "x_error" in first.dtype.names else np.full(len(first), np.nan)
    return TrackedSites(tracks, places, errors, in_mean, motions)


def _dynamics(frames, tracked, see, table, states, empty_sites, min_contrast, confidence, seed):
    grid, near = table.grid.ascending(), tracked.near
    times, timed = clock(table)
    if not timed and len(times) > 1:  # positions along an axis without a unit: in frames
        times = (times - times.min()) / np.median(np.diff(np.sort(times)))
    order = np.argsort(times, kind="stable")
    beside = empty_neighbours(tracked.places, near, grid.shape) if empty_sites else np.zeros((0, 2))
    places = np.vstack([tracked.places, beside])
    of_table = np.arange(len(places)) < len(tracked.places)
    around = surroundings(tracked.places, tracked.in_mean)
    # columns inside look otherwise than those with fewer neighbours, which come and go: waves of neighbours add up
    layers = [tracked.in_mean & (around.layer != 1), tracked.in_mean & (around.layer == 1)]
    steady, typical = (np.zeros(len(places), bool) for _ in layers)
    for chosen, own in zip((steady, typical), layers, strict=True):
        chosen[of_table] = own if own.sum() >= FEWEST_SITES else tracked.in_mean
    features = movie_features(frames, places, tracked.motions, see)[:, order]
    found = find_changing(features, places, steady, typical, ~of_table, near, states, min_contrast, see.shared)
    listed = found.active.copy()
    listed[of_table] |= tracked.in_mean & (found.level[of_table] >= min_contrast)
    when = times[order]
    used = np.array([motion is not None for motion in tracked.motions])[order]
    span = slice(int(np.flatnonzero(used)[0]), int(np.flatnonzero(used)[-1]) + 1)
    active = np.flatnonzero(found.active)
    paths = None
    if len(active):
        paths = draw_some_paths(found.features[active, span], found.states.chosen(active), when[span], seed)
    settings = {"states": states, "confidence": confidence, "near": near, "timed": timed, "order": order}
    listed = np.flatnonzero(listed)
    return _result(found, paths, active, listed, places, tracked, when, used, span, table, **settings)


def _result(found, paths: Paths | None, active, listed, places, tracked, times, used, span, table, **settings):
    """Put together what is known of the sites that are listed."""
    states, order = settings["states"], settings["order"]
    where = {site: number for number, site in enumerate(active)}
    count, frames = len(listed), span.stop - span.start
    probability = np.zeros((count, frames, states), np.float32)
    probability[..., -1] = 1
    raw = np.full((count, frames), states - 1)
    draws = 1 if paths is None else paths.occupancy.shape[1]
    occupancy, changes = np.ones((count, draws)), np.zeros((count, draws))
    rates = np.full((count, draws, states, states), np.nan)
    steps = np.zeros((count, frames - 1, states, states), np.float32)
    for number, site in enumerate(listed):
        if site not in where:
            continue
        own = where[site]
        probability[number], occupancy[number] = paths.probability[own], paths.occupancy[own]
        changes[number], rates[number], steps[number] = paths.changes[own], paths.rates[own], paths.steps[own]
        seen = found.features[site, span]
        distance = ((seen[:, None] - found.states.means[site]) ** 2).sum(-1)
        raw[number] = np.where(np.isfinite(distance).all(1), np.nan_to_num(distance).argmin(1), -1)
    full = occupancy.mean(1) >= 0.5
    around = surroundings(places[listed], full)
    grid: PixelGrid = table.grid.ascending()
    x, y = grid.to_xy(*places[listed].T)
    means = found.states.means
    separation = np.linalg.norm(means[:, -1] - means[:, 0], axis=1) / np.sqrt(found.states.variance)
    changing = found.active[listed]
    contrast = np.where(changing[:, None], found.contrast[listed][:, [0, -1]], found.level[listed][:, None])
    stays = contrast[:, 0] > STAYS * contrast[:, 1]
    inside = listed < len(tracked.tracks)
    sites = {
        "site": np.arange(count),
        "track": np.where(inside, tracked.tracks[np.minimum(listed, len(tracked.tracks) - 1)], -1),
        "x": x,
        "y": y,
        "coordination": around.coordination,
        "layer": around.layer,
        "facet": around.facet,
        "change": np.where(changing, np.where(stays, "brightness", "column"), "none"),
        "contrast_off": contrast[:, 0],
        "contrast_on": contrast[:, 1],
        "separation": np.where(changing, separation[listed], np.nan),
        "seen": np.isfinite(found.features[listed, span]).all(-1).mean(1),
    }
    return SurfaceDynamics(
        sites=sites,
        times=times[span],
        used=used[span],
        timed=settings["timed"],
        probability=probability,
        raw=raw,
        occupancy=occupancy,
        changes=changes,
        rates=rates,
        steps=steps,
        neighbours=around.neighbours,
        grid=grid,
        frames=order[span],
        motions=tuple(tracked.motions[k] for k in order[span]),
        confidence=settings["confidence"],
        near=settings["near"],
        title=str(table.metadata.get_item("General.title", "")),
    )
