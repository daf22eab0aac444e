"""Counts the columns of one frame by any of the methods."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
from scipy.special import logsumexp

from particlespy_ml.columns.flags import Flag
from particlespy_ml.columns.rows import NOT_COUNTED, OF_FRAMES
from particlespy_ml.counting.counts import count_columns_dtype, rank_counts, undefined_counts
from particlespy_ml.counting.joint import Explanation, explanation_weights, join_explanations, no_column
from particlespy_ml.tables.rows import add_columns

_logger = logging.getLogger(__name__)
METHODS = ("auto", "mixture", "library", "hybrid", "atomap")
MOST_DEVIATIONS = 5.0  # of a cross-section from every number of atoms, before it is an outlier
OF_COUNTING = (
    Flag.OUTLIER
    | Flag.BEYOND_LIBRARY
    | Flag.UNRESOLVED
    | Flag.UNCERTAIN_SCALE
    | Flag.TOO_FEW_COLUMNS
    | Flag.LIBRARY_MISFIT
    | Flag.UNCERTAIN_OFFSET
)
FEWEST_FOR_ATOMAP = 4
OF_ATOMAP = ("count", "probability", "count_2", "probability_2", "count_3", "probability_3")
MOST_OFF_LATTICE = 0.2  # of the columns of a frame: where more are off the lattice, that is no sign of false ones
MOST_BEYOND = 20  # numbers of atoms beyond the library that are guessed
BEYOND_SPREAD = 0.2  # of an increment: uncertainty of each of them


@dataclass(frozen=True)
class FrameCounter:
    """Counts the columns of one frame; picklable."""

    method: str
    cross_sections: np.ndarray | None
    scatter: float | None
    options: tuple[tuple[str, object], ...]
    ignored: int

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with counts."""
        result = widen(rows)
        result["flags"] &= ~int(OF_COUNTING)
        usable = _usable(result, self.ignored)
        blank = undefined_counts(len(rows))
        for name in blank.dtype.names:
            result[name] = blank[name]
        bad_frame = len(rows) > 0 and np.any(result["flags"] & int(OF_FRAMES) & ~self.ignored)
        if not usable.any() or bad_frame:
            return result
        found = _count(self, result[usable])
        if found.reason:
            _logger.warning("The atoms are not counted: %s.", found.reason)
        result["flags"] |= np.int32(found.frame_flag)
        joint = join_explanations(found.explanations, found.strange)
        decided = found.decided & (joint.posterior.argmax(1) > 0)
        numbers = np.arange(joint.posterior.shape[1])
        counted = rank_counts(joint.posterior, numbers, decided, joint.draws, joint.error)
        for name, values in found.own.items():
            counted[name] = values
        for name in counted.dtype.names:
            result[name][usable] = counted[name]
        false = joint.posterior.argmax(1) == 0
        result["flags"][usable] |= found.flags | (false * int(Flag.OUTLIER)).astype(np.int32)
        return result


@dataclass(frozen=True)
class FrameCounts:
    """What a method makes of the columns of a frame.

    Parameters
    ----------
    explanations
        Of all columns.
    decided
        Columns whose count is certain enough to be given, shape (n,).
    flags
        Of the columns, shape (n,).
    frame_flag
        Of all columns of the frame.
    reason
        Why the columns are not counted; empty where they are.
    strange
        Columns that fit no number of atoms, shape (n,).
    own
        Columns of the table that the method fills by itself.
    """

    explanations: list[Explanation]
    decided: np.ndarray
    flags: np.ndarray
    frame_flag: Flag = Flag(0)
    reason: str = ""
    strange: np.ndarray | None = None
    own: dict = field(default_factory=dict)


def widen(rows: np.ndarray) -> np.ndarray:
    """Return rows with empty columns for counts."""
    return add_columns(rows, [entry for entry in count_columns_dtype() if entry[0] not in rows.dtype.names])


def doubtful_columns(flags: np.ndarray) -> np.ndarray:
    """Whether columns may be none, since they are among few that lie on no site of the lattice, shape (n,)."""
    off = flags & int(Flag.OFF_LATTICE) != 0
    return off if off.mean() <= MOST_OFF_LATTICE else np.zeros(len(flags), bool)


def _usable(rows: np.ndarray, ignored: int = 0) -> np.ndarray:
    """Columns whose cross-section is that of the column."""
    return (rows["flags"] & int(NOT_COUNTED) & ~ignored == 0) & (rows["volume"] > 0) & (rows["volume_error"] > 0)


def _count(counter: FrameCounter, rows: np.ndarray) -> FrameCounts:
    values, errors = rows["volume"], rows["volume_error"]
    doubtful = doubtful_columns(rows["flags"])
    options = dict(counter.options)
    if counter.method in ("library", "hybrid"):
        positions = np.column_stack([rows["x"], rows["y"]])
        return _count_with_library(counter, options, values, errors, positions, doubtful)
    if counter.method == "atomap" and len(values) >= FEWEST_FOR_ATOMAP and np.ptp(values) > 0:
        return _count_with_atomap(options, values, errors, doubtful)
    return _count_with_mixtures(options, values, errors, doubtful)


def _count_with_mixtures(options, values, errors, doubtful) -> FrameCounts:
    from particlespy_ml.counting.mixture_counts import count_with_mixtures
    from particlespy_ml.counting.offset import UNDECIDED
    from particlespy_ml.counting.selection import FEWEST_COLUMNS

    wanted = {name: options[name] for name in ("max_components", "width", "n_components", "criterion")}
    found = count_with_mixtures(values, errors, doubtful, options["offset"], **wanted)
    chosen, n = found.choice.chosen, len(values)
    if chosen is None or len(chosen.means) < 2 and options["offset"] is None:
        few = n < FEWEST_COLUMNS
        reason = found.choice.reason or "one component has no increment to count by; give offset="
        flag = Flag.TOO_FEW_COLUMNS if few else Flag.UNRESOLVED
        return FrameCounts(found.explanations, np.zeros(n, bool), np.zeros(n, np.int32), flag, reason)
    away = np.min(np.abs(values[:, None] - found.best.means) / found.best.widths, axis=1)
    strange = away > MOST_DEVIATIONS
    flag = Flag.UNCERTAIN_OFFSET if found.first.max() < UNDECIDED else Flag(0)
    flags = (strange * int(Flag.OUTLIER)).astype(np.int32)
    return FrameCounts(found.explanations, ~strange, flags, flag, "", strange)


def _count_with_atomap(options, values, errors, doubtful) -> FrameCounts:
    from particlespy_ml.counting.atomap_mixture import count_with_atomap
    from particlespy_ml.counting.mixture import Mixture
    from particlespy_ml.counting.mixture_counts import explain_mixture
    from particlespy_ml.counting.offset import UNDECIDED

    offset = options["offset"]
    _, posterior, _ = count_with_atomap(values, options["n_components"], options["max_components"], options["seed"])
    size = np.maximum(posterior.sum(0), 1e-9)
    means = posterior.T @ values / size
    variance = float(np.sum(posterior * (values[:, None] - means) ** 2) / len(values))
    mixture = Mixture(means, size / size.sum(), variance, 0.0, 0.0, 0.0, 0.0, len(values), 2 * len(means))
    explanations, first = explain_mixture(mixture, values, errors, doubtful, offset)
    known = rank_counts(posterior, np.arange(posterior.shape[1]) + 1 + (offset or 0))
    # atomap's own numbering; the best guess and the total know that its first component may be something else
    own = {name: known[name] for name in OF_ATOMAP}
    flag = Flag.UNCERTAIN_OFFSET if first.max() < UNDECIDED else Flag(0)
    n = len(values)
    return FrameCounts(explanations, np.ones(n, bool), np.zeros(n, np.int32), flag, own=own)


def _count_with_library(counter: FrameCounter, options, values, errors, positions, doubtful) -> FrameCounts:
    from particlespy_ml.counting.hybrid import count_hybrid
    from particlespy_ml.counting.library import count_with_library
    from particlespy_ml.counting.misfit import check_library
    from particlespy_ml.counting.neighbours import count_with_neighbours, neighbour_pairs

    known = counter.cross_sections
    reason, others = "", []
    if counter.method == "hybrid":
        found = count_hybrid(values, errors, known, counter.scatter, options["factors"])
        result, reason = found.counts, found.reason
        others = [(run, w) for run, w in zip(found.tried, found.log_likelihoods, strict=True)]
        known = known * result.factor
    else:
        result = count_with_library(values, errors, known, counter.scatter)
    misfit = ""
    if not reason:
        factors = options["factors"] if counter.method == "library" else (1.0, 1.0)
        misfit = check_library(values, errors, known, result, factors).reason
    if misfit:
        _logger.warning(
            "The library does not fit, and the counts are not to be trusted: %s. Check dose, detector, element and "
            "zone axis, or take method='hybrid'.",
            misfit,
        )
    posterior = result.posterior
    if options["neighbours"] and not reason:
        posterior = count_with_neighbours(result.log_likelihoods, result.prior, neighbour_pairs(positions))
    explanations = _explanations(values, errors, doubtful, posterior, result, others, counter.cross_sections)
    above = _beyond(values, errors, known)
    flags = above * int(Flag.BEYOND_LIBRARY)
    flags = flags | (~above & (result.excess > MOST_DEVIATIONS)) * int(Flag.OUTLIER)
    frame_flag = Flag.UNCERTAIN_SCALE if reason else Flag.LIBRARY_MISFIT if misfit else Flag(0)
    decided = np.zeros(len(values), bool) if reason else ~above
    return FrameCounts(explanations, decided, flags.astype(np.int32), frame_flag, reason)


def _beyond(values, errors, known) -> np.ndarray:
    """Columns thicker than the library."""
    return (values > known[-1] + 0.5 * (known[-1] - known[-2])) & (values - known[-1] > 2 * errors)


def _explanations(values, errors, doubtful, posterior, result, others, cross_sections) -> list[Explanation]:
    """Explanations by a library: one for each factor of it that is probable; *posterior* is that of the best."""
    tried = [(result, 0.0)] if not others else others
    weights = explanation_weights([log_weight for _, log_weight in tried])
    explanations = []
    for (run, log_weight), weight in zip(tried, weights, strict=True):
        if weight == 0:
            continue
        known = cross_sections * run.factor
        # what neighbours say of the best factor holds for those that count alike
        same = np.mean(run.posterior.argmax(1) == result.posterior.argmax(1)) > 0.9
        counts, share = _with_the_others(values, errors, doubtful, known, run, posterior if same else run.posterior)
        explanations.append(Explanation(log_weight, counts, share, np.zeros((len(values), 0))))
    return explanations


def _with_the_others(values, errors, doubtful, known, run, posterior) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of atoms and their probabilities, with no column and with columns thicker than the library."""
    step, most = known[-1] - known[-2], len(known)
    above = _beyond(values, errors, known)
    with np.errstate(divide="ignore"):
        logs = run.log_likelihoods - 0.5 * np.log(2 * np.pi) + np.log(run.prior)
    chance = no_column(values, np.exp(logsumexp(logs, axis=1)), known[0], doubtful)
    share = np.column_stack([chance, posterior * (1 - chance)[:, None]])
    counts = np.arange(most + 1)
    if above.any():
        more = np.arange(1, MOST_BEYOND + 1)
        number = np.minimum((values[above] - known[-1]) / step, MOST_BEYOND)
        width = np.sqrt((errors[above] / step) ** 2 + 0.3**2 + (BEYOND_SPREAD * number) ** 2)
        logs = -0.5 * ((more - number[:, None]) / width[:, None]) ** 2
        beyond = np.zeros((len(values), len(more)))
        beyond[above] = np.exp(logs - logsumexp(logs, axis=1)[:, None])
        share[above] = 0.0
        counts, share = np.concatenate([counts, most + more]), np.hstack([share, beyond])
    return counts, share
