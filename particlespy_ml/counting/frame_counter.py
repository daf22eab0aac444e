"""Counts the columns of one frame by any of the methods."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from particlespy_ml.columns.table import NOT_COUNTED, OF_FRAMES, Flag
from particlespy_ml.counting.counts import count_columns_dtype, rank_counts, undefined_counts

_logger = logging.getLogger(__name__)
METHODS = ("auto", "mixture", "library", "hybrid", "atomap")
MOST_DEVIATIONS = 5.0  # of a cross-section from every number of atoms, before it is an outlier


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
        result["flags"] &= ~int(
            Flag.OUTLIER
            | Flag.BEYOND_LIBRARY
            | Flag.UNRESOLVED
            | Flag.UNCERTAIN_SCALE
            | Flag.TOO_FEW_COLUMNS
            | Flag.LIBRARY_MISFIT
        )
        usable = _usable(result, self.ignored)
        blank = undefined_counts(len(rows))
        for name in blank.dtype.names:
            result[name] = blank[name]
        bad_frame = len(rows) > 0 and np.any(result["flags"] & int(OF_FRAMES) & ~self.ignored)
        if not usable.any() or bad_frame:
            return result
        values, errors = result["volume"][usable], result["volume_error"][usable]
        positions = np.column_stack([result["x"], result["y"]])[usable]
        posterior, counts, flags, frame_flag, reason = _count(self, values, errors, positions)
        if reason:
            _logger.warning("The atoms are not counted: %s.", reason)
        result["flags"] |= np.int32(frame_flag)
        if posterior is None:
            return result
        counted = rank_counts(posterior, counts)
        for name in counted.dtype.names:
            result[name][usable] = counted[name]
        result["flags"][usable] |= flags
        return result


def widen(rows: np.ndarray) -> np.ndarray:
    """Return rows with empty columns for counts."""
    added = [entry for entry in count_columns_dtype() if entry[0] not in rows.dtype.names]
    out = np.zeros(len(rows), [(name, rows.dtype[name]) for name in rows.dtype.names] + added)
    for name in rows.dtype.names:
        out[name] = rows[name]
    return out


def _usable(rows: np.ndarray, ignored: int = 0) -> np.ndarray:
    """Columns whose cross-section is that of the column."""
    return (rows["flags"] & int(NOT_COUNTED) & ~ignored == 0) & (rows["volume"] > 0) & (rows["volume_error"] > 0)


def _count(counter: FrameCounter, values, errors, positions):
    """Posterior, counts it is of, flags of the columns and of the frame, and why there is none."""
    options = dict(counter.options)
    if counter.method in ("library", "hybrid"):
        return _count_with_library(counter, options, values, errors, positions)
    if counter.method == "atomap":
        from particlespy_ml.counting.atomap_mixture import count_with_atomap

        if len(values) < 4:
            return None, None, 0, Flag.TOO_FEW_COLUMNS, f"{len(values)} columns are too few for a mixture"
        _, posterior, _ = count_with_atomap(values, options["n_components"], options["max_components"], options["seed"])
        return posterior, np.arange(posterior.shape[1]) + 1, np.zeros(len(values), int), Flag(0), ""
    from particlespy_ml.counting.selection import FEWEST_COLUMNS, choose_mixture, component_counts

    wanted = {name: options[name] for name in ("max_components", "width", "n_components", "criterion")}
    choice = choose_mixture(values, **wanted)
    if choice.chosen is None:
        flag = Flag.TOO_FEW_COLUMNS if len(values) < FEWEST_COLUMNS else Flag.UNRESOLVED
        return None, None, 0, flag, choice.reason
    posterior = choice.chosen.posterior(values)
    counts = component_counts(choice.chosen, options["offset"])
    away = np.min(np.abs(values[:, None] - choice.chosen.means) / choice.chosen.widths, axis=1)
    strange = away > MOST_DEVIATIONS
    posterior[strange] = np.nan
    return posterior, counts, strange * int(Flag.OUTLIER), Flag(0), ""


def _count_with_library(counter: FrameCounter, options, values, errors, positions):
    from particlespy_ml.counting.hybrid import count_hybrid
    from particlespy_ml.counting.library import count_with_library
    from particlespy_ml.counting.misfit import check_library
    from particlespy_ml.counting.neighbours import count_with_neighbours, neighbour_pairs

    known = counter.cross_sections
    reason = ""
    if counter.method == "hybrid":
        found = count_hybrid(values, errors, known, counter.scatter, options["factors"])
        result, reason = found.counts, found.reason
        if reason:
            return None, None, 0, Flag.UNCERTAIN_SCALE, reason
        known = known * result.factor
    else:
        result = count_with_library(values, errors, known, counter.scatter)
    factors = options["factors"] if counter.method == "library" else (1.0, 1.0)
    misfit = check_library(values, errors, known, result, factors).reason
    if misfit:
        _logger.warning(
            "The library does not fit, and the counts are not to be trusted: %s. Check dose, detector, element and "
            "zone axis, or take method='hybrid'.",
            misfit,
        )
    step = known[-1] - known[-2]
    above = (values > known[-1] + 0.5 * step) & (values - known[-1] > 2 * errors)
    flags = above * int(Flag.BEYOND_LIBRARY)
    flags = flags | (~above & (result.excess > MOST_DEVIATIONS)) * int(Flag.OUTLIER)
    posterior = result.posterior
    if options["neighbours"]:
        posterior = count_with_neighbours(result.log_likelihoods, result.prior, neighbour_pairs(positions))
    posterior = np.where(above[:, None], np.nan, posterior)
    return posterior, np.arange(1, len(known) + 1), flags, Flag.LIBRARY_MISFIT if misfit else Flag(0), reason
