"""The verb `count_atoms` for tables of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import NANOMETRES
from particlespy_ml.core.frames import map_rows
from particlespy_ml.counting.counts import count_columns_dtype
from particlespy_ml.counting.frame_counter import METHODS, FrameCounter
from particlespy_ml.counting.library import ColumnLibrary

if TYPE_CHECKING:
    from pathlib import Path

    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike


def count_atoms(
    table: BaseSignal,
    method: str = "auto",
    library: ColumnLibrary | str | Path | ArrayLike | None = None,
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
) -> BaseSignal:
    """Count the atoms of every column.

    Parameters
    ----------
    table
        Column table, lazy or not.
    method
        "library": the most probable number of atoms given the cross-sections of *library*. "mixture": a
        Gaussian mixture of the cross-sections, if the number of its components can be told, see
        `particlespy_ml.counting.selection.choose_mixture`. "hybrid": the library times a factor that is fitted.
        "atomap": atomap's own mixture, counts from 1 on, or from *offset* + 1. "auto": the library where
        one is given, otherwise the mixture.
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
        Number of atoms of the thinnest component less one, where it is known. By default it is uncertain:
        cross-sections are not in proportion to the number of atoms, so that the mean of the thinnest component over
        the increment gives its number of atoms to a fraction of one only. The doubt is in every probability and every
        total; see `particlespy_ml.counting.offset.first_count_posterior`.
    scatter
        Relative scatter of cross-sections of columns of one number of atoms; by default that of the library, or fitted.
    factors
        Range of the factor of "hybrid", and of those that are tried to see whether a library fits.
    neighbours
        Whether, with a library, the thickness of neighbouring columns counts too, as far as the particle itself shows
        how it varies; see `particlespy_ml.counting.neighbours`.
    ignore_flags
        `particlespy_ml.columns.flags.Flag` of frames or columns that are counted nevertheless.
    seed
        Seed of atomap's mixtures.

    Returns
    -------
    ColumnTable or LazyColumnTable
        With ``count`` and its ``probability``, the two next candidates, and ``expected_count`` with ``count_error``.
        Columns that are not counted have -1, and ``flags`` say why; see `ColumnTable.describe_flags`. They have a best
        guess nevertheless, ``best_count`` with its ``best_probability``, and an expected count: over all mixtures or
        factors of the library that explain the cross-sections, where these are not resolved (``UNRESOLVED``,
        ``TOO_FEW_COLUMNS``, ``UNCERTAIN_SCALE``); over the continued curve, where a column is thicker than the library.
        A best count of 0 is an ``OUTLIER`` that is much smaller than the thinnest columns, and probably none. Columns
        that are saturated or cut by the border, and frames without a lattice, have none of this.

        ``shared_draws`` (vectors, not in data frames) are the expected count under equally probable values of all that
        columns share, for `total_counts`. ``UNCERTAIN_OFFSET`` flags columns whose numbers of atoms may all be one or
        more off. Where the columns of a frame show that the library is not theirs, they are counted, flagged as
        ``LIBRARY_MISFIT``, and a warning is logged; see `particlespy_ml.counting.misfit.check_library`.

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
    from particlespy_ml.columns.rows import check_cross_sections
    from particlespy_ml.core.provenance import METADATA_NODE
    from particlespy_ml.counting.library import as_library
    from particlespy_ml.counting.mixture import WIDTHS
    from particlespy_ml.tables.table import make_table

    if not hasattr(type(table), "n_columns"):
        raise TypeError(f"Expected a column table, as find_columns returns it, not {type(table).__name__}.")
    check_cross_sections(table)
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
            f"them with particlespy_ml.simulation.waves.column_cross_sections.simulate_column_library."
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
    counter = FrameCounter(method, cross_sections, scatter, tuple(options.items()), int(ignore_flags))
    data = map_rows(counter, table.data)
    units = {**table.units, **{entry[0]: "" for entry in count_columns_dtype()}}
    axes = [axis.get_axis_dictionary() for axis in table.axes_manager.navigation_axes[::-1]]
    full = {**table.metadata.get_item(METADATA_NODE).as_dictionary(), "counting": record}
    return make_table(data, axes, units, full, table.metadata.get_item("General.title", ""), "column_table")


def library_in_units(library: ColumnLibrary, units: str) -> np.ndarray:
    """Return cross-sections in squares of a unit of length."""
    return library.in_units("nm²") / NANOMETRES[units] ** 2
