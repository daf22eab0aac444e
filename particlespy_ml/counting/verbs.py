"""The verb `count_atoms` for tables of columns, and their totals."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from particlespy_ml._calibration import NANOMETRES
from particlespy_ml._frames import map_rows
from particlespy_ml.columns.table import NOT_COUNTED, OF_FRAMES, Flag, describe_flags
from particlespy_ml.counting.counts import count_columns_dtype, rank_counts, total_count, undefined_counts
from particlespy_ml.counting.library import ColumnLibrary

_logger = logging.getLogger(__name__)
METHODS = ("auto", "mixture", "library", "hybrid", "atomap")
MOST_DEVIATIONS = 5.0  # of a cross-section from every number of atoms, before it is an outlier


@dataclass(frozen=True)
class Counter:
    """Counts the columns of one frame; picklable."""

    method: str
    cross_sections: np.ndarray | None
    scatter: float | None
    options: tuple[tuple[str, object], ...]
    ignored: int

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with counts."""
        result = _widen(rows)
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


def count_atoms(
    table,
    method: str = "auto",
    library=None,
    *,
    width: str = "dose_and_scatter",
    n_components: int | None = None,
    max_components: int = 40,
    criterion: str = "icl",
    offset: int | None = None,
    scatter: float | None = None,
    factors: tuple[float, float] = (0.8, 1.25),
    neighbours: bool = True,
    ignore_flags: int = 0,
    seed: int = 0,
):
    """Count the atoms of every column.

    Parameters
    ----------
    table
        Column table, lazy or not.
    method
        "library": the most probable number of atoms given the cross-sections of *library*. "mixture": a
        Gaussian mixture of the cross-sections, if the number of its components can be told, see
        `particlespy_ml.counting.selection.choose_mixture`. "hybrid": the library times a factor that is fitted.
        "atomap": atomap's own mixture, counts from 1 on. "auto": the library where one is given, otherwise the mixture.
    library
        `ColumnLibrary`, the path of one, or cross-sections in Å² of columns of 1, 2, ... atoms.
    width
        How the width of the components grows: "shared", "dose" or "dose_and_scatter".
    n_components
        Number of components of the mixture, in place of the chosen one.
    max_components
        Largest number tried.
    criterion
        "icl", "bic" or "aic".
    offset
        Number of atoms of the thinnest component less one; by default from its mean and the increments.
    scatter
        Relative scatter of cross-sections of columns of one number of atoms; by default that of the library, or fitted.
    factors
        Range of the factor of "hybrid", and of those that are tried to see whether a library fits.
    neighbours
        Whether, with a library, the thickness of neighbouring columns counts too, as far as the particle itself shows
        how it varies; see `particlespy_ml.counting.neighbours`.
    ignore_flags
        `particlespy_ml.columns.table.Flag` of frames or columns that are counted nevertheless.
    seed
        Seed of atomap's mixtures.

    Returns
    -------
    ColumnTable or LazyColumnTable
        With ``count`` and its ``probability``, the two next candidates, and ``expected_count`` with ``count_error``.
        Columns that are not counted have -1, and ``flags`` say why; see `ColumnTable.describe_flags`. Where the columns
        of a frame show that the library is not theirs, they are counted, flagged as ``LIBRARY_MISFIT``, and a warning
        is logged; see `particlespy_ml.counting.misfit.check_library`.

    Raises
    ------
    ValueError
        If the method is unknown, or needs a library and has none.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> columns = pml.data.columns_of_platinum().find_columns(dose=2e4)
    >>> counted = columns.count_atoms("library", pml.data.platinum_library())
    >>> round(float(counted.total_counts()["total"][0]), -1)  # of 1260
    1260.0
    """
    from particlespy_ml.counting.library import as_library
    from particlespy_ml.counting.mixture import WIDTHS
    from particlespy_ml.particles.table import METADATA_NODE, make_table

    if not hasattr(type(table), "n_columns"):
        raise TypeError(f"Expected a column table, as find_columns returns it, not {type(table).__name__}.")
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}; expected one of {', '.join(METHODS)}.")
    if width not in WIDTHS:
        raise ValueError(f"Unknown width {width!r}; expected one of {', '.join(WIDTHS)}.")
    if scatter is not None and not 0 <= scatter < 0.5:
        raise ValueError(f"scatter={scatter}; expected a fraction of the cross-section, from 0 to 0.5.")
    if method == "auto":
        method = "mixture" if library is None else "library"
    if method in ("library", "hybrid") and library is None:
        raise ValueError(
            f"The method {method!r} needs library=: cross-sections of columns of 1, 2, ... atoms, or simulate "
            f"them with particlespy_ml.simulation.column_library.simulate_column_library."
        )
    cross_sections = None
    record = {"method": method}
    if method in ("library", "hybrid"):
        library = as_library(library)
        cross_sections = library_in_units(library, table.grid.units)
        scatter = library.scatter if scatter is None else scatter
        record["library"] = {
            "cross_sections": library.cross_sections.tolist(),
            "units": library.units,
            **{k: str(v) for k, v in library.parameters.items()},
        }
        record["scatter"] = "" if scatter is None else float(scatter)
    options = {
        "width": width,
        "n_components": n_components,
        "max_components": max_components,
        "criterion": criterion,
        "offset": offset,
        "factors": tuple(factors),
        "neighbours": bool(neighbours),
        "seed": seed,
    }
    record.update({k: "" if v is None else list(v) if isinstance(v, tuple) else v for k, v in options.items()})
    counter = Counter(method, cross_sections, scatter, tuple(options.items()), int(ignore_flags))
    data = map_rows(counter, table.data)
    units = {**table.units, **{name: "" for name, _ in count_columns_dtype()}}
    axes = [axis.get_axis_dictionary() for axis in table.axes_manager.navigation_axes[::-1]]
    full = {**table.metadata.get_item(METADATA_NODE).as_dictionary(), "counting": record}
    return make_table(data, axes, units, full, table.metadata.get_item("General.title", ""), "column_table")


def library_in_units(library: ColumnLibrary, units: str) -> np.ndarray:
    """Return cross-sections in squares of a unit of length."""
    return library.in_units("nm²") / NANOMETRES[units] ** 2


def total_counts(table, confidence: float = 0.95):
    """Return the number of atoms of the particle of each frame, with its interval.

    The interval holds for columns whose errors are independent. A wrong library, or a wrong offset of a mixture, is an
    error of all columns and is not in it; where the cross-sections show that a library is wrong, ``doubt`` says so.

    Parameters
    ----------
    table
        Counted column table.
    confidence
        Confidence of the interval.

    Returns
    -------
    pandas.DataFrame
        One row for each frame: navigation values, number of columns and of those counted, total with bounds, why
        columns are not counted, and why counts are to be doubted.
    """
    import pandas as pd

    from particlespy_ml.particles.dataframe import navigation_columns

    if "count" not in table.columns:
        raise ValueError("The columns are not counted; call count_atoms() first.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}; expected a number between 0 and 1.")
    columns = navigation_columns(table)
    rows = []
    for frame in table._frames():
        counted = frame["count"] >= 0
        total = (np.nan,) * 3
        if counted.any():
            total = total_count(frame["expected_count"][counted], frame["count_error"][counted], confidence)
        left_out = int(np.bitwise_or.reduce(frame["flags"][~counted])) if (~counted).any() else 0
        doubt = int(np.bitwise_or.reduce(frame["flags"][counted])) & int(Flag.LIBRARY_MISFIT) if counted.any() else 0
        rows.append((len(frame), int(counted.sum()), *total, describe_flags(left_out), describe_flags(doubt)))
    names = ("columns", "counted", "total", "low", "high", "not_counted_because", "doubt")
    return pd.DataFrame({**columns, **dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))})


def _widen(rows: np.ndarray) -> np.ndarray:
    """Rows with empty columns for counts."""
    added = [entry for entry in count_columns_dtype() if entry[0] not in rows.dtype.names]
    out = np.zeros(len(rows), [(name, rows.dtype[name]) for name in rows.dtype.names] + added)
    for name in rows.dtype.names:
        out[name] = rows[name]
    return out


def _usable(rows: np.ndarray, ignored: int = 0) -> np.ndarray:
    """Columns whose cross-section is that of the column."""
    return (rows["flags"] & int(NOT_COUNTED) & ~ignored == 0) & (rows["volume"] > 0) & (rows["volume_error"] > 0)


def _count(counter: Counter, values, errors, positions):
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


def _count_with_library(counter: Counter, options, values, errors, positions):
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
