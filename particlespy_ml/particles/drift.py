"""Common shift of the particles from frame to frame: drift of the stage and its jumps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import gammaln

# Of the pairs of frames, so many are searched for the scatter of a shift; the others only where they do not fit it.
SAMPLE = 8
# Natural logarithm of the odds by which a shift must win over every other, and over none at all: 150 to 1.
MARGIN = 5.0
# Log of the prior probability that nothing in a frame belongs to the frame before, and that the stage jumped.
LOG_UNRELATED, JUMPS = -3.0, 0.02
# Part of the particles of the frame with fewer that a shift must explain, so that chance pairs of a few do not count.
LEAST = 0.4
# Exponent of the prior of the shares that stay, a beta distribution with a mean of .8.
STAY = 3.0
# Heavier tails than a Gaussian's, since some particles move by themselves, merge, or are measured badly.
DEGREES = 4.0
# Bounds of the log odds that the size of one particle adds: it may change for once, as where two merge.
SIZE_ODDS = (-6.0, 4.0)
# No scatter is taken to be less than this part of the neighbour distance or, for sizes, of the diameter.
FLOOR, SIZE_FLOOR = 0.01, 0.02
# Widths, in units of the reach, and offsets of the cells in which displacements are counted; how many cells of each
# are looked at, and how many shifts are then judged. The finest cells find a sharp peak among the broad ones of a
# disordered lattice.
CELLS = ((1.0, 0.5), (1.0, 0.0), (0.25, 0.5))
CANDIDATES, FINALISTS = 8, 6
# Largest number of particles whose displacements to all others are counted.
CENTRAL = 200


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


@dataclass
class _Points:
    """Particles of a frame: points (x, y, w d) about a common origin, shape (n, 3), and log diameters."""

    points: np.ndarray
    log_size: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def tree(self) -> cKDTree:
        return cKDTree(self.points)

    @cached_property
    def margin(self) -> np.ndarray:
        """Distance from the bounds of the field within which a particle may be cut, or not be there, shape (n,)."""
        return np.exp(self.log_size) / 2

    @property
    def central(self) -> np.ndarray:
        """The points nearest to the centre, where there are very many."""
        if len(self) <= CENTRAL:
            return self.points
        distance = np.hypot(*(self.points - self.points.mean(0))[:, :2].T)
        return self.points[np.argsort(distance, kind="stable")[:CENTRAL]]


@dataclass(frozen=True)
class _Field:
    """What all pairs of frames share: bounds of the field, and how far particles are looked for.

    ``reach`` is the largest motion of a particle of its own.
    """

    low: np.ndarray
    high: np.ndarray
    spacing: float
    reach: float
    sized: bool
    spread: float

    @cached_property
    def area(self) -> float:
        return float(np.prod(self.high - self.low + self.spacing))

    def inside(self, places: np.ndarray, margin: np.ndarray) -> np.ndarray:
        """Whether particles at places (..., n, 2) are off the bounds by more than a margin (n,)."""
        margin = margin[:, None]
        return ((places > self.low + margin) & (places < self.high - margin)).all(-1)


@dataclass
class _Scatter:
    """Scale of what is left of displacements, and of log size ratios, when the common shift is removed."""

    motion: float
    size: float


@dataclass
class _Hypotheses:
    """Several shifts of one frame against another and what they explain.

    For K shifts and n and m particles: ``partner`` (K, n) is the matched particle of the other frame or -1,
    ``distance`` (K, n) and ``ratio`` (K, n) are the residual distance and log size ratio of the matched, ``inside``
    (K, n) and ``inside_other`` (K, m) say whether a particle should be seen whole in the other frame, were the shift
    right. ``expected`` are these and the matched.
    """

    shifts: np.ndarray
    partner: np.ndarray
    distance: np.ndarray
    ratio: np.ndarray
    inside: np.ndarray
    inside_other: np.ndarray

    def __post_init__(self):
        self.matched = self.partner >= 0
        self.counts = self.matched.sum(1)
        self.expected = self.matched | self.inside
        self.expected_other = self.inside_other.copy()
        row, column = np.nonzero(self.matched)
        self.expected_other[row, self.partner[row, column]] = True

    def __getitem__(self, index) -> _Hypotheses:
        return _Hypotheses(
            self.shifts[index],
            self.partner[index],
            self.distance[index],
            self.ratio[index],
            self.inside[index],
            self.inside_other[index],
        )

    @property
    def share(self) -> np.ndarray:
        """Share of the particles expected in both frames that are matched."""
        total = np.sqrt(self.expected.sum(1) * self.expected_other.sum(1))
        return self.counts / np.maximum(total, 1)


@dataclass(frozen=True)
class _Prior:
    """What is expected of a shift: the drift before and after, or anything at all after a jump."""

    centre: np.ndarray
    scale: float
    area: float

    def log_density(self, shifts: np.ndarray) -> np.ndarray:
        drift = _log_student(((shifts - self.centre) ** 2).sum(-1), self.scale, 2)
        return np.logaddexp(np.log1p(-JUMPS) + drift, np.log(JUMPS / self.area))


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
        Weight of the diameter, see `particlespy_ml.particles.track.link_particles`; 0 leaves sizes out.

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
        points.append(_Points(xyz, np.log(np.maximum(diameter, np.finfo(float).tiny))))
    nearest = [cKDTree(points[i].points[:, :2]).query(points[i].points[:, :2], k=2)[0][:, 1] for i in _sample(points)]
    spacing = float(np.median(np.concatenate(nearest)))
    diameters = np.concatenate([rows["equivalent_circular_diameter"] for rows in frames])
    spacing = max(spacing, FLOOR * float(np.median(diameters)), np.finfo(float).tiny)
    field_ = _Field(
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


def _edges(points, numbers, area: _Field, memory: int):
    """Pairs of frames whose common shift is certain, (i, j, shift), and why the other successive ones are not."""
    scatter, prior, drift_scale = _learn(points, numbers, area)
    pairs = [(i, i + 1) for i in range(len(points) - 1)]
    found, reasons = {}, {}
    for i, j in pairs:
        shift = _check(points[i], points[j], prior(numbers[j] - numbers[i]), area, scatter)
        if shift is not None:
            found[i, j] = shift
    speeds = {i: shift / (numbers[j] - numbers[i]) for (i, j), shift in found.items()}
    for i, j in pairs:
        if (i, j) not in found:
            gap = numbers[j] - numbers[i]
            around = [speeds[k] for k in range(i - 5, i + 6) if k in speeds]
            centre = gap * _usual(around) if len(around) > 2 else prior(gap).centre
            expected = _Prior(centre, drift_scale * np.sqrt(gap), prior(gap).area)
            shift, reason = _decide(points[i], points[j], expected, area, scatter)
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
                shift, _ = _decide(points[i], points[j], expected, area, scatter, 2 * MARGIN)
                if shift is not None:
                    found[i, j] = shift
                    parts[parts == parts[j]] = parts[i]
    return [(i, j, shift) for (i, j), shift in found.items()], reasons


def _learn(points, numbers, area: _Field):
    """Scatter of the particles about their common shift, and what drift to expect, from some pairs of frames."""
    possible = float(np.prod(2 * (area.high - area.low) + area.spacing))

    def prior_of(speed, scale):
        return lambda gap: _Prior(speed * gap, scale * np.sqrt(gap), possible)

    widest = _Scatter(area.reach / 2, max(area.spread, SIZE_FLOOR))
    prior = prior_of(np.zeros(2), area.reach / 2)
    searched, scatters = [], []
    for i in _sample(points[1:]):
        a, b = points[i], points[i + 1]
        gap = numbers[i + 1] - numbers[i]
        hypotheses = _hypotheses(a, b, _candidates(a, b, prior(gap).centre, area), area, widest)
        likely = [_profile(hypotheses, k, a, b, prior(gap), area) for k in range(len(hypotheses.shifts))]
        best = int(np.argmax([score for score, _ in likely]))
        searched.append((hypotheses.shifts[best] / gap, likely[best][0]))
        scatters.append(likely[best][1])
    certain = [score > LOG_UNRELATED + MARGIN for _, score in searched]
    used = [s for s, sure in zip(scatters, certain, strict=True) if sure] or scatters
    scatter = _Scatter(float(np.median([s.motion for s in used])), float(np.median([s.size for s in used])))
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


def _candidates(a: _Points, b: _Points, centre: np.ndarray, area: _Field) -> np.ndarray:
    """Shifts where displacements from one frame to the other pile up, shape (K, 2), with none and the expected one."""
    displacements = (b.points[None] - a.central[:, None]).reshape(-1, 3)
    if len(a) > CENTRAL or len(b) > CENTRAL:
        displacements = np.concatenate([displacements, (b.central[None] - a.points[:, None]).reshape(-1, 3)])
    shifts = displacements[np.abs(displacements[:, 2]) <= area.reach, :2]
    found = [np.zeros((1, 2)), centre[None]]
    for width, offset in CELLS:
        found.append(_peaks(shifts, width * area.reach, offset))
    found = np.concatenate(found)
    _, first = np.unique(np.rint(found / (area.reach / 10)), axis=0, return_index=True)
    return found[np.sort(first)]


def _peaks(shifts: np.ndarray, width: float, offset: float) -> np.ndarray:
    """Means of the displacements in the fullest cells of a grid, shape (up to CANDIDATES, 2)."""
    if not len(shifts):
        return shifts
    cells = np.floor(shifts / width + offset).astype(np.int64)
    cells -= cells.min(0)
    _, index, counts = np.unique(
        cells[:, 0] * (cells[:, 1].max() + 1) + cells[:, 1], return_inverse=True, return_counts=True
    )
    best = np.argsort(-counts, kind="stable")[:CANDIDATES]
    return np.column_stack([np.bincount(index, axis)[best] / counts[best] for axis in shifts.T])


def _hypotheses(a: _Points, b: _Points, shifts, area: _Field, scatter: _Scatter) -> _Hypotheses:
    """Match the particles of two frames under each of several shifts, and refine the shifts."""
    found = _match(a, b, shifts, area)
    if len(shifts) > FINALISTS:
        scales = (scatter, _Scatter(min(scatter.motion, area.reach / 10), scatter.size))
        score = np.max([_evidence(_likely(found, a, b, s, area), a, b, s, area) for s in scales], 0)
        best = np.argsort(-score, kind="stable")[:FINALISTS]
        found = found[np.sort(best)]
    for _ in range(2):
        found = _match(a, b, _refined(found, a, b, scatter), area)
    return found


def _match(a: _Points, b: _Points, shifts: np.ndarray, area: _Field) -> _Hypotheses:
    n, m, k = len(a), len(b), len(shifts)
    moves = np.column_stack([shifts, np.zeros(k)])[:, None]
    there, back = a.points + moves, b.points - moves
    _, partner = b.tree.query(there.reshape(-1, 3), distance_upper_bound=area.reach)
    _, other = a.tree.query(back.reshape(-1, 3), distance_upper_bound=area.reach)
    partner, other = partner.reshape(k, n), other.reshape(k, m)
    other = np.column_stack([other, np.full(k, -1)])  # those without a partner point past the end
    mutual = np.take_along_axis(other, partner, 1) == np.arange(n)
    partner = np.where(mutual, partner, -1)
    distance = np.hypot(*np.moveaxis(b.points[partner, :2] - there[..., :2], -1, 0))
    ratio = b.log_size[partner] - a.log_size
    return _Hypotheses(
        shifts,
        partner,
        np.where(mutual, distance, 0),
        np.where(mutual, ratio, 0),
        area.inside(there[..., :2], a.margin),
        area.inside(back[..., :2], b.margin),
    )


def _refined(found: _Hypotheses, a: _Points, b: _Points, scatter: _Scatter) -> np.ndarray:
    """The shifts as weighted means over their matched particles, of which those far off weigh little."""
    weights = found.matched / (1 + found.distance**2 / (DEGREES * scatter.motion**2))
    displacements = b.points[found.partner, :2] - a.points[:, :2]
    total = weights.sum(1, keepdims=True)
    mean = (weights[..., None] * displacements).sum(1) / np.maximum(total, np.finfo(float).tiny)
    return np.where(total > 0, mean, found.shifts)


def _log_student(squares: np.ndarray, scale: float, dimension: int) -> np.ndarray:
    """Log density of Student's distribution at squared distances from its centre."""
    norm = gammaln((DEGREES + dimension) / 2) - gammaln(DEGREES / 2) - dimension / 2 * np.log(DEGREES * np.pi)
    return norm - dimension * np.log(scale) - (DEGREES + dimension) / 2 * np.log1p(squares / (DEGREES * scale**2))


def _log_matched(found: _Hypotheses, scatter: _Scatter, area: _Field) -> np.ndarray:
    """Log odds for each matched particle, shape (K, n), that it is the same against one anywhere in the field."""
    odds = _log_student(found.distance**2, scatter.motion, 2) + np.log(area.area)
    if area.sized:
        ratio = _relative_sizes(found)
        same = _log_student(ratio**2, scatter.size, 1)
        other = _log_student(ratio**2, max(area.spread, scatter.size), 1)
        odds += np.clip(same - other, *SIZE_ODDS)
    return np.where(found.matched, odds, 0)


def _relative_sizes(found: _Hypotheses) -> np.ndarray:
    """Log size ratios of the matched without what they have in common, shape (K, n).

    Threshold or focus may change all sizes at once; a few ratios that agree by chance are no such change.
    """
    several = found.counts > 4
    ratio = found.ratio.copy()
    ratio[several] -= _median(ratio[several], found.matched[several])[:, None]
    return ratio


def _median(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Median of the used values of each row; every row has some."""
    ordered = np.sort(np.where(used, values, np.inf), 1)
    counts = used.sum(1)
    rows = np.arange(len(values))
    return (ordered[rows, (counts - 1) // 2] + ordered[rows, counts // 2]) / 2


def _missing(found: _Hypotheses) -> tuple[np.ndarray, np.ndarray]:
    """Share of the particles of each of the frames that are not seen in the other though they should, shapes (K,)."""
    return tuple(
        (total - found.counts + 0.5) / (total + 1) for total in (found.expected.sum(1), found.expected_other.sum(1))
    )


def _likely(found: _Hypotheses, a: _Points, b: _Points, scatter: _Scatter, area: _Field) -> _Hypotheses:
    """The same without pairs that are more likely two particles, such as those that the border cuts differently."""
    chance = 0.5 * np.log(len(a) * len(b))
    likely = found.matched & (_log_matched(found, scatter, area) > chance)
    return replace(found, partner=np.where(likely, found.partner, -1))


def _evidence(found: _Hypotheses, a: _Points, b: _Points, scatter: _Scatter, area: _Field) -> np.ndarray:
    """Log odds of each shift against frames that have nothing to do with each other, shape (K,)."""
    lost, new = _missing(found)
    kept = 0.5 * np.log((1 - lost) * (1 - new) / (len(a) * len(b)))
    odds = _log_matched(found, scatter, area).sum(1) + found.counts * kept
    odds += STAY * np.log((1 - lost) * (1 - new))
    odds += (found.expected.sum(1) - found.counts) * np.log(lost)
    return odds + (found.expected_other.sum(1) - found.counts) * np.log(new)


def _posterior(found, a, b, prior: _Prior, scatter: _Scatter, area: _Field) -> np.ndarray:
    """Log weight of each shift with what is expected of it; too few pairs have none."""
    peak = np.log(2 * np.pi * scatter.motion**2 / np.maximum(found.counts, 1))
    weight = _evidence(found, a, b, scatter, area) + peak + prior.log_density(found.shifts)
    expected = np.minimum(found.expected.sum(1), found.expected_other.sum(1))
    enough = np.maximum(1 if len(a) == len(b) == 2 else 2, LEAST * expected)
    return np.where(found.counts >= enough, weight, -np.inf)


def _profile(found: _Hypotheses, k: int, a, b, prior: _Prior, area: _Field) -> tuple[float, _Scatter]:
    """Log weight of one shift with the scatter of its own particles, and that scatter."""
    one = found[k : k + 1]
    scatter = _scatter_of(one, area)
    likely = _likely(one, a, b, scatter, area)
    return float(_posterior(likely, a, b, prior, scatter, area)[0]), scatter


def _scatter_of(one: _Hypotheses, area: _Field) -> _Scatter:
    """Scatter of the matched particles of one shift: that of a Gaussian with the same median distance."""
    distances = one.distance[one.matched]
    if len(distances) < 2:
        return _Scatter(area.reach / 2, max(area.spread, SIZE_FLOOR))
    # a shift taken from n particles leaves n - 1 of them free
    motion = np.median(distances) / np.sqrt(2 * np.log(2)) * np.sqrt(len(distances) / (len(distances) - 1))
    motion = np.clip(motion, FLOOR * area.spacing, area.reach / 2)
    size = _median(np.abs(_relative_sizes(one)), one.matched)[0] / 0.6745
    return _Scatter(float(motion), max(float(size), SIZE_FLOOR))


def _check(a: _Points, b: _Points, prior: _Prior, area: _Field, scatter: _Scatter) -> np.ndarray | None:
    """The shift of two frames where the expected one explains most particles as well as in other frames."""
    found = _match(a, b, prior.centre[None], area)
    shift = _refined(found, a, b, scatter)
    if np.hypot(*(shift[0] - prior.centre)) > scatter.motion:
        found = _match(a, b, shift, area)
    if found.counts[0] < 3 or found.share[0] < 0.7:
        return None
    far = np.hypot(*(found.shifts[0] - prior.centre)) > area.spacing / 4
    if far or _scatter_of(found, area).motion > 1.5 * max(scatter.motion, FLOOR * area.spacing):
        return None
    return _refined(found, a, b, scatter)[0]


def _decide(a: _Points, b: _Points, prior: _Prior, area: _Field, scatter: _Scatter, margin: float = MARGIN):
    """The shift of two frames that wins over all others, or None, and why not."""
    found = _hypotheses(a, b, _candidates(a, b, prior.centre, area), area, scatter)
    found = _likely(found, a, b, scatter, area)
    found = found[np.argsort(-_posterior(found, a, b, prior, scatter, area), kind="stable")]
    weights = _posterior(found, a, b, prior, scatter, area)
    for one in np.flatnonzero(weights > LOG_UNRELATED + margin):
        rivals = [k for k in np.flatnonzero(weights > LOG_UNRELATED) if _differ(found, one, k)]
        if all(_lead(found, a, b, one, k, prior, scatter, area) >= margin for k in rivals):
            return found.shifts[one], None
    if weights[0] <= LOG_UNRELATED + margin:
        return None, (np.zeros((0, 2)), int(found.counts.max()))
    rivals = [k for k in np.flatnonzero(weights > LOG_UNRELATED) if _differ(found, 0, k)]
    return None, (found.shifts[[0, *rivals[:2]]], int(found.counts[0]))


def _differ(found: _Hypotheses, one: int, other: int) -> bool:
    """Whether another shift matches other particles with each other, and not by the chance that matches a few."""
    same = found.matched[one] & (found.partner[one] == found.partner[other])
    chance = max(found.counts[one] / 4, min(found.counts[one], 2))
    return found.counts[other] >= chance and same.sum() < 0.5 * min(found.counts[one], found.counts[other])


def _lead(found: _Hypotheses, a, b, one: int, other: int, prior: _Prior, scatter: _Scatter, area: _Field) -> float:
    """Log odds of one shift against another over the particles that should be seen in both frames under both.

    Others tell nothing: on a lattice, those that enter the field are no surprise.
    """
    pair = found[[one, other]]
    lost, new = (float(np.clip(share[0], 0.05, 0.5)) for share in _missing(pair))
    kept = 0.5 * np.log((1 - lost) * (1 - new) / (len(a) * len(b)))
    matched = _log_matched(pair, scatter, area) + kept
    here = np.where(pair.matched, matched, np.log(lost))
    there = np.full((2, len(b)), np.log(new))
    for k in (0, 1):
        there[k, pair.partner[k, pair.matched[k]]] = matched[k, pair.matched[k]]
    sides = ((here, pair.expected), (there, pair.expected_other))
    lead = np.mean([(odds[0] - odds[1])[expected.all(0)].sum() for odds, expected in sides])
    density = prior.log_density(pair.shifts)
    return float(lead + density[0] - density[1])
