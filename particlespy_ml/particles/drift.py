"""Common shift of the particles from frame to frame: drift of the stage and its jumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.particles.drift_evidence import (
    FLOOR,
    LOG_UNRELATED,
    MARGIN,
    SIZE_FLOOR,
    Field,
    Points,
    Prior,
    Scatter,
    candidate_shifts,
    check_shift,
    decide_shift,
    judge_shifts,
    profile_scatter,
)

# Of the pairs of frames, so many are searched for the scatter of a shift; the others only where they do not fit it.
SAMPLE = 8


@dataclass(frozen=True)
class Break:
    """Two successive frames with particles whose common shift cannot be told.

    Parameters
    ----------
    before, frame
        Numbers of the frames.
    rivals
        Shifts (x, y) that explain the particles about equally well, shape (R, 2); none where no shift explains them.
    explained
        Largest number of particles that one shift explains.
    particles
        Number of particles of the frame with fewer of them.
    """

    before: int
    frame: int
    rivals: np.ndarray
    explained: int
    particles: int


@dataclass(frozen=True)
class Drift:
    """Where the field of each frame lies, and which frames are known to show the same field.

    Parameters
    ----------
    positions
        Shift (x, y) of each frame against the first one of its part, shape (frames, 2); NaN without particles.
    parts
        Number of the part of the series to which each frame belongs, shape (frames,); -1 without particles. No shift is
        known from one part to another.
    breaks
        Places where particles cannot be followed.
    """

    positions: np.ndarray
    parts: np.ndarray
    breaks: tuple[Break, ...] = ()


def find_drift(
    frames: list[np.ndarray], max_displacement: float, *, memory: int = 3, size_weight: float = 0.5
) -> Drift:
    """Find how the particles of each frame are shifted together, however far.

    For two frames, shifts are looked up where displacements between their particles pile up. Each is judged by the
    particles that it explains: by how many of those that should be seen in both frames have a partner, by the scatter
    of the distances and the sizes, learnt from the series, against a chance arrangement. A shift is taken where the
    odds for it are 150 to 1 against every other shift, over the particles that both must explain, and against none at
    all. Otherwise, as after a jump among equal particles on a lattice, the frames fall into parts. A frame that does
    not fit in is left out when those before and after it fit each other. Frames with one particle tell no shift: they
    take that of the frames around them.

    Parameters
    ----------
    frames
        Measured rows of each frame, in order.
    max_displacement
        Largest motion of a particle of its own, in the table's unit of length.
    memory
        Number of successive frames in which a particle may be missing.
    size_weight
        Weight of the diameter, see `particlespy_ml.particles.track_particles.link_particles`; 0 leaves sizes out.

    Returns
    -------
    Drift

    References
    ----------
    G. Stockman, S. Kopstein and S. Benett, IEEE Trans. Pattern Anal. Mach. Intell. 4, 229 (1982), for shifts from the
    piling up of displacements.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.particles.drift import find_drift
    >>> from particlespy_ml.particles.measure import measure_dtype
    >>> rows = np.zeros(20, measure_dtype())
    >>> rows["x"], rows["y"] = np.random.default_rng(0).uniform(0, 100, (2, 20))
    >>> rows["equivalent_circular_diameter"] = 4
    >>> jumped = rows.copy()
    >>> jumped["x"] += 30
    >>> find_drift([rows, rows, jumped], 5).positions.round(6).tolist()
    [[0.0, 0.0], [0.0, 0.0], [30.0, 0.0]]
    """
    counts = np.array([len(rows) for rows in frames])
    positions = np.full((len(frames), 2), np.nan)
    parts = np.where(counts > 0, 0, -1)
    many = np.flatnonzero(counts > 1)
    if len(many) < 2:
        positions[counts > 0] = 0
        return Drift(positions, parts)
    points, area = _prepare([frames[i] for i in many], frames, max_displacement, size_weight)
    edges, reasons = _edges(points, many, area, memory)
    positions[many], parts[many] = _lay_out(len(many), edges)
    single = np.flatnonzero(counts == 1)
    after = np.searchsorted(many, single)
    for place in np.unique(after):
        _place_single(single[after == place], many[max(place - 1, 0) : place + 1], positions, parts, max_displacement)
    seen = np.flatnonzero(counts > 0).tolist()
    number = {int(frame): i for i, frame in enumerate(many)}
    breaks = []
    for before, frame in zip(seen[:-1], seen[1:], strict=True):
        if parts[before] != parts[frame] and frame - before <= memory + 1:
            rivals, explained = reasons.get((number.get(before), number.get(frame)), (np.zeros((0, 2)), 0))
            breaks.append(Break(before, frame, rivals, explained, int(min(counts[before], counts[frame]))))
    return Drift(positions, parts, tuple(breaks))


def _lay_out(n: int, edges) -> tuple[np.ndarray, np.ndarray]:
    """Positions and part numbers of n frames of which some shifts (i, j, shift) are known, without loops."""
    positions, parts = np.zeros((n, 2)), np.full(n, -1)
    neighbours = [[] for _ in range(n)]
    for i, j, shift in edges:
        neighbours[i].append((j, shift))
        neighbours[j].append((i, -shift))
    for first in range(n):
        if parts[first] >= 0:
            continue
        parts[first] = parts.max() + 1
        waiting = [first]
        while waiting:
            i = waiting.pop()
            for j, shift in neighbours[i]:
                if parts[j] < 0:
                    positions[j], parts[j] = positions[i] + shift, parts[i]
                    waiting.append(j)
    return positions, parts


def _place_single(run, around, positions, parts, max_displacement: float) -> None:
    """Give frames of one particle the shift of the frames around them, and a part of their own where that jumps."""
    before, after = around[0], around[-1]
    jump = np.hypot(*(positions[after] - positions[before]))
    if parts[before] == parts[after] and jump <= max_displacement:
        for axis in (0, 1):
            positions[run, axis] = np.interp(run, around, positions[around, axis])
        parts[run] = parts[before]
    else:
        positions[run], parts[run] = 0, parts.max() + 1


def _prepare(rows_of, frames, max_displacement: float, size_weight: float):
    """Points of the frames with several particles, and the field of the whole series."""
    places = np.concatenate([np.column_stack([rows["x"], rows["y"]]) for rows in frames])
    origin = np.median(places, 0)
    points = []
    for rows in rows_of:
        diameter = rows["equivalent_circular_diameter"].astype(float)
        xyz = np.column_stack([rows["x"] - origin[0], rows["y"] - origin[1], size_weight * diameter])
        points.append(Points(xyz, np.log(np.maximum(diameter, np.finfo(float).tiny))))
    nearest = [cKDTree(points[i].points[:, :2]).query(points[i].points[:, :2], k=2)[0][:, 1] for i in _sample(points)]
    spacing = float(np.median(np.concatenate(nearest)))
    diameters = np.concatenate([rows["equivalent_circular_diameter"] for rows in frames])
    spacing = max(spacing, FLOOR * float(np.median(diameters)), np.finfo(float).tiny)
    field_ = Field(
        low=places.min(0) - origin,
        high=places.max(0) - origin,
        spacing=spacing,
        reach=min(max_displacement, spacing / 2),
        sized=size_weight > 0,
        spread=float(np.sqrt(2) * np.std(np.concatenate([p.log_size for p in points]))),
    )
    return points, field_


def _sample(items) -> np.ndarray:
    """Numbers of some items, evenly spread."""
    return np.unique(np.rint(np.linspace(0, len(items) - 1, SAMPLE)).astype(int))


def _edges(points, numbers, area: Field, memory: int):
    """Pairs of frames whose common shift is certain, (i, j, shift), and why the other successive ones are not."""
    scatter, prior, drift_scale = _learn(points, numbers, area)
    pairs = [(i, i + 1) for i in range(len(points) - 1)]
    found, reasons = {}, {}
    for i, j in pairs:
        shift = check_shift(points[i], points[j], prior(numbers[j] - numbers[i]), area, scatter)
        if shift is not None:
            found[i, j] = shift
    speeds = {i: shift / (numbers[j] - numbers[i]) for (i, j), shift in found.items()}
    for i, j in pairs:
        if (i, j) not in found:
            gap = numbers[j] - numbers[i]
            around = [speeds[k] for k in range(i - 5, i + 6) if k in speeds]
            centre = gap * _usual(around) if len(around) > 2 else prior(gap).centre
            expected = Prior(centre, drift_scale * np.sqrt(gap), prior(gap).area)
            shift, reason = decide_shift(points[i], points[j], expected, area, scatter)
            if shift is None:
                reasons[i, j] = reason
            else:
                found[i, j] = shift
    parts = np.cumsum([0, *((pair not in found) for pair in pairs)])
    # A frame that fits nothing must not end the tracks of those that do, so frames farther apart are tried; with larger
    # odds, since there are many such pairs about each break.
    for step in range(2, memory + 2):
        for i in range(len(points) - step):
            j = i + step
            if parts[i] != parts[j] and numbers[j] - numbers[i] <= memory + 1:
                expected = prior(numbers[j] - numbers[i])
                shift, _ = decide_shift(points[i], points[j], expected, area, scatter, 2 * MARGIN)
                if shift is not None:
                    found[i, j] = shift
                    parts[parts == parts[j]] = parts[i]
    return [(i, j, shift) for (i, j), shift in found.items()], reasons


def _learn(points, numbers, area: Field):
    """Scatter of the particles about their common shift, and what drift to expect, from some pairs of frames."""
    possible = float(np.prod(2 * (area.high - area.low) + area.spacing))

    def prior_of(speed, scale):
        return lambda gap: Prior(speed * gap, scale * np.sqrt(gap), possible)

    widest = Scatter(area.reach / 2, max(area.spread, SIZE_FLOOR))
    prior = prior_of(np.zeros(2), area.reach / 2)
    searched, scatters = [], []
    for i in _sample(points[1:]):
        a, b = points[i], points[i + 1]
        gap = numbers[i + 1] - numbers[i]
        hypotheses = judge_shifts(a, b, candidate_shifts(a, b, prior(gap).centre, area), area, widest)
        likely = [profile_scatter(hypotheses, k, a, b, prior(gap), area) for k in range(len(hypotheses.shifts))]
        best = int(np.argmax([score for score, _ in likely]))
        searched.append((hypotheses.shifts[best] / gap, likely[best][0]))
        scatters.append(likely[best][1])
    certain = [score > LOG_UNRELATED + MARGIN for _, score in searched]
    used = [s for s, sure in zip(scatters, certain, strict=True) if sure] or scatters
    scatter = Scatter(float(np.median([s.motion for s in used])), float(np.median([s.size for s in used])))
    speeds = [speed for (speed, _), sure in zip(searched, certain, strict=True) if sure]
    if len(speeds) < 3:
        return scatter, prior, area.reach / 2
    speed = _usual(speeds)
    scale = float(np.median(np.hypot(*(np.array(speeds) - speed).T)))
    scale = max(min(scale, area.reach / 2), scatter.motion)
    return scatter, prior_of(speed, scale), scale


def _usual(speeds) -> np.ndarray:
    """The median, and none where nothing is known."""
    return np.median(speeds, 0) if len(speeds) else np.zeros(2)
