"""Which shift between two frames it is that their particles tell, and how surely."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import gammaln

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


@dataclass
class Points:
    """Particles of a frame: points (x, y, w d) about a common origin, shape (n, 3), and log diameters."""

    points: np.ndarray
    log_size: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def tree(self) -> cKDTree:
        """Tree of the points."""
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
class Field:
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
        """Area in which particles lie."""
        return float(np.prod(self.high - self.low + self.spacing))

    def inside(self, places: np.ndarray, margin: np.ndarray) -> np.ndarray:
        """Whether particles at places (..., n, 2) are off the bounds by more than a margin (n,)."""
        margin = margin[:, None]
        return ((places > self.low + margin) & (places < self.high - margin)).all(-1)


@dataclass
class Scatter:
    """Scale of what is left of displacements, and of log size ratios, when the common shift is removed."""

    motion: float
    size: float


@dataclass
class Hypotheses:
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

    def __getitem__(self, index) -> Hypotheses:
        return Hypotheses(
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
class Prior:
    """What is expected of a shift: the drift before and after, or anything at all after a jump."""

    centre: np.ndarray
    scale: float
    area: float

    def log_density(self, shifts: np.ndarray) -> np.ndarray:
        """Logarithm of the prior density of shifts: drift, or a jump to anywhere."""
        drift = _log_student(((shifts - self.centre) ** 2).sum(-1), self.scale, 2)
        return np.logaddexp(np.log1p(-JUMPS) + drift, np.log(JUMPS / self.area))


def candidate_shifts(a: Points, b: Points, centre: np.ndarray, area: Field) -> np.ndarray:
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


def judge_shifts(a: Points, b: Points, shifts, area: Field, scatter: Scatter) -> Hypotheses:
    """Match the particles of two frames under each of several shifts, and refine the shifts."""
    found = match_shifts(a, b, shifts, area)
    if len(shifts) > FINALISTS:
        scales = (scatter, Scatter(min(scatter.motion, area.reach / 10), scatter.size))
        score = np.max([_evidence(_likely(found, a, b, s, area), a, b, s, area) for s in scales], 0)
        best = np.argsort(-score, kind="stable")[:FINALISTS]
        found = found[np.sort(best)]
    for _ in range(2):
        found = match_shifts(a, b, _refined(found, a, b, scatter), area)
    return found


def match_shifts(a: Points, b: Points, shifts: np.ndarray, area: Field) -> Hypotheses:
    """Return what each shift would make of two frames: which particles are the same."""
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
    return Hypotheses(
        shifts,
        partner,
        np.where(mutual, distance, 0),
        np.where(mutual, ratio, 0),
        area.inside(there[..., :2], a.margin),
        area.inside(back[..., :2], b.margin),
    )


def _refined(found: Hypotheses, a: Points, b: Points, scatter: Scatter) -> np.ndarray:
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


def _log_matched(found: Hypotheses, scatter: Scatter, area: Field) -> np.ndarray:
    """Log odds for each matched particle, shape (K, n), that it is the same against one anywhere in the field."""
    odds = _log_student(found.distance**2, scatter.motion, 2) + np.log(area.area)
    if area.sized:
        ratio = _relative_sizes(found)
        same = _log_student(ratio**2, scatter.size, 1)
        other = _log_student(ratio**2, max(area.spread, scatter.size), 1)
        odds += np.clip(same - other, *SIZE_ODDS)
    return np.where(found.matched, odds, 0)


def _relative_sizes(found: Hypotheses) -> np.ndarray:
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


def _missing(found: Hypotheses) -> tuple[np.ndarray, np.ndarray]:
    """Share of the particles of each of the frames that are not seen in the other though they should, shapes (K,)."""
    return tuple(
        (total - found.counts + 0.5) / (total + 1) for total in (found.expected.sum(1), found.expected_other.sum(1))
    )


def _likely(found: Hypotheses, a: Points, b: Points, scatter: Scatter, area: Field) -> Hypotheses:
    """The same without pairs that are more likely two particles, such as those that the border cuts differently."""
    chance = 0.5 * np.log(len(a) * len(b))
    likely = found.matched & (_log_matched(found, scatter, area) > chance)
    return replace(found, partner=np.where(likely, found.partner, -1))


def _evidence(found: Hypotheses, a: Points, b: Points, scatter: Scatter, area: Field) -> np.ndarray:
    """Log odds of each shift against frames that have nothing to do with each other, shape (K,)."""
    lost, new = _missing(found)
    kept = 0.5 * np.log((1 - lost) * (1 - new) / (len(a) * len(b)))
    odds = _log_matched(found, scatter, area).sum(1) + found.counts * kept
    odds += STAY * np.log((1 - lost) * (1 - new))
    odds += (found.expected.sum(1) - found.counts) * np.log(lost)
    return odds + (found.expected_other.sum(1) - found.counts) * np.log(new)


def _posterior(found, a, b, prior: Prior, scatter: Scatter, area: Field) -> np.ndarray:
    """Log weight of each shift with what is expected of it; too few pairs have none."""
    peak = np.log(2 * np.pi * scatter.motion**2 / np.maximum(found.counts, 1))
    weight = _evidence(found, a, b, scatter, area) + peak + prior.log_density(found.shifts)
    expected = np.minimum(found.expected.sum(1), found.expected_other.sum(1))
    enough = np.maximum(1 if len(a) == len(b) == 2 else 2, LEAST * expected)
    return np.where(found.counts >= enough, weight, -np.inf)


def profile_scatter(found: Hypotheses, k: int, a, b, prior: Prior, area: Field) -> tuple[float, Scatter]:
    """Log weight of one shift with the scatter of its own particles, and that scatter."""
    one = found[k : k + 1]
    scatter = _scatter_of(one, area)
    likely = _likely(one, a, b, scatter, area)
    return float(_posterior(likely, a, b, prior, scatter, area)[0]), scatter


def _scatter_of(one: Hypotheses, area: Field) -> Scatter:
    """Scatter of the matched particles of one shift: that of a Gaussian with the same median distance."""
    distances = one.distance[one.matched]
    if len(distances) < 2:
        return Scatter(area.reach / 2, max(area.spread, SIZE_FLOOR))
    # a shift taken from n particles leaves n - 1 of them free
    motion = np.median(distances) / np.sqrt(2 * np.log(2)) * np.sqrt(len(distances) / (len(distances) - 1))
    motion = np.clip(motion, FLOOR * area.spacing, area.reach / 2)
    size = _median(np.abs(_relative_sizes(one)), one.matched)[0] / 0.6745
    return Scatter(float(motion), max(float(size), SIZE_FLOOR))


def check_shift(a: Points, b: Points, prior: Prior, area: Field, scatter: Scatter) -> np.ndarray | None:
    """The shift of two frames where the expected one explains most particles as well as in other frames."""
    found = match_shifts(a, b, prior.centre[None], area)
    shift = _refined(found, a, b, scatter)
    if np.hypot(*(shift[0] - prior.centre)) > scatter.motion:
        found = match_shifts(a, b, shift, area)
    if found.counts[0] < 3 or found.share[0] < 0.7:
        return None
    far = np.hypot(*(found.shifts[0] - prior.centre)) > area.spacing / 4
    if far or _scatter_of(found, area).motion > 1.5 * max(scatter.motion, FLOOR * area.spacing):
        return None
    return _refined(found, a, b, scatter)[0]


def decide_shift(a: Points, b: Points, prior: Prior, area: Field, scatter: Scatter, margin: float = MARGIN):
    """The shift of two frames that wins over all others, or None, and why not."""
    found = judge_shifts(a, b, candidate_shifts(a, b, prior.centre, area), area, scatter)
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


def _differ(found: Hypotheses, one: int, other: int) -> bool:
    """Whether another shift matches other particles with each other, and not by the chance that matches a few."""
    same = found.matched[one] & (found.partner[one] == found.partner[other])
    chance = max(found.counts[one] / 4, min(found.counts[one], 2))
    return found.counts[other] >= chance and same.sum() < 0.5 * min(found.counts[one], found.counts[other])


def _lead(found: Hypotheses, a, b, one: int, other: int, prior: Prior, scatter: Scatter, area: Field) -> float:
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
