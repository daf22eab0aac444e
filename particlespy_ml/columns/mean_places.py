"""Mean places of the columns of several frames, on plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.columns.register import FEWEST, column_shift
from particlespy_ml.columns.score import match_columns

REACH = 0.35  # of the distance between neighbours: a column that is nearer to a site is that of the site
ROUNDS = 3
PRIOR = 4  # frames that the scatter of all sites counts for in that of one, which few frames tell badly
FITTED = {False: 2, True: 3}  # numbers that are fitted to a frame, by whether it may be turned


@dataclass(frozen=True)
class Motion:
    """How a frame is moved onto the sites: turned about a point, then shifted.

    Parameters
    ----------
    shift
        Shape (2,).
    angle
        In radians from x towards y.
    about
        Point that it is turned about, shape (2,).
    """

    shift: np.ndarray
    angle: float
    about: np.ndarray

    @property
    def _turn(self) -> np.ndarray:
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([[c, -s], [s, c]])

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Move places of the frame onto the sites."""
        return (places - self.about) @ self._turn.T + self.about + self.shift

    def undo(self, places: np.ndarray) -> np.ndarray:
        """Move sites to where the frame shows them."""
        return (places - self.about - self.shift) @ self._turn + self.about

    def after(self, first: Motion) -> Motion:
        """The motion onto where another frame shows the sites."""
        return Motion((self.shift - first.shift) @ first._turn, self.angle - first.angle, self.about)


@dataclass(frozen=True)
class MeanPlaces:
    """Mean places of the columns of several frames.

    Parameters
    ----------
    places, errors, scatter
        Mean, its standard error, and standard deviation of the columns about it, shape (sites, 2) each.
    members
        Number of the column of each frame at each site, -1 for none, shape (frames, sites).
    motions
        Of each frame; None for those that are not used.
    """

    places: np.ndarray
    errors: np.ndarray
    scatter: np.ndarray
    members: np.ndarray
    motions: list[Motion | None]

    @property
    def left_out(self) -> list[int]:
        """Numbers of the frames that are not used."""
        return [number for number, motion in enumerate(self.motions) if motion is None]


def mean_places(
    frames: list[np.ndarray], largest: float | None = None, *, rotation: bool = False, min_share: float = 0.5
) -> MeanPlaces:
    """Average the places of the columns of several frames of one particle that drifts.

    From the frame with the most columns on, each frame is shifted by what most of its columns agree on, see
    `particlespy_ml.columns.register.column_shift`, and then by least squares onto the mean of all. A column belongs to
    the site that is nearest to it, if it is the nearest one to that site.

    Parameters
    ----------
    frames
        Places (x, y) of each frame, shapes (n, 2), in one unit. Those that are not finite count for nothing.
    largest
        Largest shift along any direction between a frame and the one before, in that unit; by default six
        distances between neighbours.
    rotation
        Whether frames are turned onto the mean too; by so much between two of them that their columns stay the nearest
        ones.
    min_share
        Share of the frames in which a site must have a column.

    Returns
    -------
    MeanPlaces
        Places as in the first frame that is used. Errors are relative to the other columns: the drift has none.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.columns.mean_places import mean_places
    >>> rng = np.random.default_rng(0)
    >>> sites = np.array([(x, y) for y in range(6) for x in range(6)], float)
    >>> frames = [sites + (0.02 * k, 0) + rng.normal(0, 0.01, sites.shape) for k in range(100)]
    >>> found = mean_places(frames)
    >>> float(found.errors.mean().round(4))
    0.001
    """
    kept = [np.flatnonzero(np.isfinite(places).all(1)) for places in frames]
    own = [np.asarray(places, float)[at] for places, at in zip(frames, kept, strict=True)]
    spacing = _spacing(own)
    start = int(np.argmax([len(places) for places in own]))
    if spacing is None:
        nothing = np.zeros((0, 2))
        return MeanPlaces(nothing, nothing, nothing, np.zeros((len(own), 0), int), [None] * len(own))
    motions = _chain(own, start, 6 * spacing if largest is None else largest, spacing, rotation)
    sites, used = own[start], np.flatnonzero([motion is not None for motion in motions])
    reach = REACH * spacing
    for number in range(ROUNDS):
        if number == 0:
            sites = _with_new(sites, [motions[k](own[k]) for k in used], reach)
        members = _members(own, motions, sites, reach)
        if number == 0:
            often = (members >= 0).sum(0) >= max(1, min_share * len(used))
            sites, members = sites[often], members[:, often]
        for k in used:
            at = members[k] >= 0
            motions[k] = _fitted(own[k][members[k, at]], sites[at], motions[k], rotation)
        sites = np.nanmean(_moved(own, motions, members), 0) if len(sites) else sites
    members = _members(own, motions, sites, reach)
    often = (members >= 0).sum(0) >= max(1, min_share * len(used))
    members = members[:, often]
    first = motions[used[0]]
    motions = [None if motion is None else motion.after(first) for motion in motions]
    places, errors, scatter = _statistics(_moved(own, motions, members), FITTED[rotation])
    numbers = np.full(members.shape, -1)
    for k in used:
        at = members[k] >= 0
        numbers[k, at] = kept[k][members[k, at]]
    return MeanPlaces(places, errors, scatter, numbers, motions)


def _spacing(frames: list[np.ndarray]) -> float | None:
    """Distance between neighbouring columns; None where no frame has enough."""
    found = [np.median(cKDTree(p).query(p, 2)[0][:, 1]) for p in frames if len(p) >= FEWEST]
    return float(np.median(found)) if found else None


def _chain(frames, start: int, largest: float, spacing: float, rotation: bool) -> list[Motion | None]:
    """Move each frame onto the first by its columns, from neighbour to neighbour in time."""
    motions: list[Motion | None] = [None] * len(frames)
    about = frames[start].mean(0)
    motions[start] = Motion(np.zeros(2), 0.0, about)
    for numbers in (range(start + 1, len(frames)), range(start - 1, -1, -1)):
        last = motions[start]
        for number in numbers:
            shift = column_shift(frames[start], last(frames[number]), largest, spacing)
            if shift is None:
                continue
            motion = Motion(last.shift + shift, last.angle, about)
            for _ in range(ROUNDS if rotation else 1):
                match = match_columns(motion(frames[number]), frames[start], REACH * spacing)
                motion = _fitted(frames[number][match.found], frames[start][match.true], motion, rotation)
            motions[number] = last = motion
    return motions


def _fitted(places: np.ndarray, sites: np.ndarray, motion: Motion, rotation: bool) -> Motion:
    """The motion that brings places nearest to their sites."""
    if len(places) < FEWEST:
        return motion
    angle = motion.angle
    if rotation:
        one, other = places - places.mean(0), sites - sites.mean(0)
        angle = float(np.arctan2((one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum(), (one * other).sum()))
    turned = Motion(np.zeros(2), angle, motion.about)
    return Motion((sites - turned(places)).mean(0), angle, motion.about)


def _with_new(sites: np.ndarray, frames: list[np.ndarray], reach: float) -> np.ndarray:
    """Sites, and what lies farther from all of them than a column may, from one frame after the other."""
    for places in frames:
        far = places[cKDTree(sites).query(places)[0] > reach] if len(places) else places
        sites = np.vstack([sites, far])
    return sites


def _members(frames, motions, sites: np.ndarray, reach: float) -> np.ndarray:
    """Number of the column of each frame at each site, -1 for none."""
    members = np.full((len(frames), len(sites)), -1)
    for number, (places, motion) in enumerate(zip(frames, motions, strict=True)):
        if motion is not None:
            match = match_columns(motion(places), sites, reach)
            members[number, match.true] = match.found
    return members


def _moved(frames, motions, members: np.ndarray) -> np.ndarray:
    """Places of the columns at each site, moved onto each other, NaN for none, shape (frames, sites, 2)."""
    moved = np.full((*members.shape, 2), np.nan)
    for number, (places, motion) in enumerate(zip(frames, motions, strict=True)):
        at = members[number] >= 0
        if motion is not None and at.any():
            moved[number, at] = motion(places[members[number, at]])
    return moved


def _statistics(moved: np.ndarray, fitted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of each site, its standard error, and the scatter.

    What is fitted to each frame takes of the scatter of all; that is given back.
    """
    count = np.isfinite(moved[..., 0]).sum(0)
    places = np.nansum(moved, 0) / count[:, None]
    squares = np.nansum((moved - places) ** 2, 0)
    frames = int(np.isfinite(moved[..., 0]).any(1).sum())
    apparent = count.sum() - len(count)
    left = apparent - fitted * (frames - 1) / 2
    if left <= 0:
        unknown = np.full(places.shape, np.nan)
        return places, unknown, unknown
    squares = squares * apparent / left
    pooled = squares.sum(0) / apparent
    variance = (squares + PRIOR * pooled) / (count - 1 + PRIOR)[:, None]
    alone = np.where(count > 1, count - 1, np.nan)[:, None]
    return places, np.sqrt(variance / count[:, None]), np.sqrt(squares / alone)
