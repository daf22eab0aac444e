"""The verb `concatenate`: tables of several images or series in one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.calibration import NANOMETRES
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table, object_array
from particlespy_ml.tables.units import convert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal


def concatenate(tables: Sequence[BaseSignal] | Mapping[str, BaseSignal]) -> BaseSignal:
    """Return the rows of several tables as one table.

    Parameters
    ----------
    tables
        Particle tables, or column tables, of the same columns. Lazy ones are computed. The keys of a dictionary name
        them; otherwise they are called by the titles of their images, or numbered where these are not all different.

    Returns
    -------
    ParticleTable or ColumnTable
        One navigation axis, the frames of all tables after each other, and a column ``source`` that says which table a
        row is of, in place of an earlier one: ``by="source"`` compares them. Lengths and areas are in the units of the
        first table. Times and other values of the navigation axes are kept where the tables have one axis each, of one
        name and unit, whose values go on ascending; otherwise frames are numbered. Labels are those of the tables, and
        so not unique; tracks of later tables are numbered on from those before.
        ``metadata.particlespy_ml.sources`` has the provenance of each table.

    Raises
    ------
    TypeError
        If they are no tables, or of both kinds.
    ValueError
        If there are none, or their columns, classes or units differ.

    Warns
    -----
    UserWarning
        If they were classified with different confusion matrices, which are left out then.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> both = pml.concatenate({"fresh": table, "used": table.select("area > 5")})
    >>> both.summary(by="source")["count"].to_dict()["fresh"]
    6
    """
    named = dict(tables) if isinstance(tables, Mapping) else None
    tables = list(tables.values() if named is not None else tables)
    _check(tables)
    tables = [table._computed() for table in tables]
    names = list(map(str, named)) if named is not None else _names(tables)
    first = tables[0]
    columns = [name for name in first.data.ravel()[0].dtype.names if name != "source"]
    frames, first_units, tracks = [], first.units, 0
    for number, table in enumerate(tables):
        factors = _factors(table, first_units, names[number])
        before = tracks
        for rows in table.data.ravel():
            out = add_columns(rows[columns], [("source", "i4")])
            for name, factor in factors.items():
                out[name] = out[name] * factor
            if "track" in columns and len(out):
                out["track"] = np.where(out["track"] < 0, out["track"], out["track"] + before)
                tracks = max(tracks, int(out["track"].max()) + 1)
            out["source"] = number
            frames.append(out)
    units = {**{name: unit for name, unit in first_units.items() if name not in ("class", "source")}, "source": ""}
    own = first.metadata.get_item(METADATA_NODE).as_dictionary()
    value_names = {**{key: list(value) for key, value in first.names.items()}, "source": names}
    sources = {f"source_{k}": table.metadata.get_item(METADATA_NODE).as_dictionary() for k, table in enumerate(tables)}
    kept = {key: own[key] for key in ("image", "versions", "classes", "model") if key in own}
    if not _of_one_model(sources.values()):
        kept["model"] = {**kept.get("model", {}), "confusion_matrix": []}
        warnings.warn(
            "The tables were classified by different models or with different thresholds: what these confuse is not "
            "one matrix, so fractions of all rows together are not corrected by it.",
            UserWarning,
            stacklevel=2,
        )
    record = {**kept, "names": value_names, "sources": sources}
    kind = first.metadata.get_item("Signal.signal_type")
    return make_table(object_array(frames, (len(frames),)), [_axis(tables)], units, record, _title(names), kind)


def _of_one_model(records) -> bool:
    """Whether the confusion matrices in some metadata are the same."""
    known = [np.asarray(record.get("model", {}).get("confusion_matrix", []), float) for record in records]
    return all(np.array_equal(one, known[0]) for one in known)


def _title(names: list[str], most: int = 6) -> str:
    """The names of some tables, and how many more there are.

    Examples
    --------
    >>> _title(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _check(tables: list) -> None:
    """Raise if they cannot be one table."""
    if not tables:
        raise ValueError("Expected one table or more to concatenate.")
    for table in tables:
        if not hasattr(table, "codes"):
            raise TypeError(f"Expected particle or column tables, not {type(table).__name__}.")
    kinds = {table.metadata.get_item("Signal.signal_type") for table in tables}
    if len(kinds) > 1:
        raise TypeError(f"Expected tables of one kind, not of {' and '.join(sorted(kinds))}.")
    columns, classes, known = set(tables[0].columns), tables[0].classes, tables[0].names
    for number, table in enumerate(tables):
        differing = sorted((set(table.columns) ^ columns) - {"source"})
        if differing:
            raise ValueError(
                f"Table {number} and table 0 do not have the same columns: {', '.join(differing)} are in one of them; "
                "leave columns out with table.drop(...)."
            )
        if table.classes != classes:
            raise ValueError(f"Table {number} has the classes {table.classes}, table 0 {classes}.")
        names = table.names
        for name in set(names) & set(known) - {"source"}:
            if names[name] != known[name]:
                raise ValueError(f"The column {name!r} has other names in table {number}: {names[name]}.")


def _names(tables: list) -> list[str]:
    titles = [str(table.metadata.get_item(f"{METADATA_NODE}.image.title", "")) for table in tables]
    return titles if all(titles) and len(set(titles)) == len(titles) else [f"table {k}" for k in range(len(tables))]


def _factors(table, first: dict[str, str], name: str) -> dict[str, float]:
    """What columns are multiplied with to be in the units of the *first* table."""
    factors, units = {}, table.units
    for column, unit in first.items():
        own = units.get(column, unit)  # a column source may be of one of them alone
        if own == unit:
            continue
        other, factor = convert(own, unit.removesuffix("²")) if unit.removesuffix("²") in NANOMETRES else (own, 1.0)
        if other != unit:
            raise ValueError(f"The column {column!r} of {name!r} is in {own or 'no unit'}, not in {unit or 'none'}.")
        factors[column] = factor
    return factors


def _axis(tables: list) -> dict:
    """The navigation axis of the frames of all tables."""
    count = sum(table.data.size for table in tables)
    axes = [table.axes_manager.navigation_axes for table in tables]
    alike = all(len(own) == 1 for own in axes) and len({(str(own[0].name), str(own[0].units)) for own in axes}) == 1
    if alike and str(axes[0][0].name) != "image":
        values = np.concatenate([np.asarray(own[0].axis, float) for own in axes])
        if (np.diff(values) > 0).all():
            shared = {"name": axes[0][0].name, "units": axes[0][0].units, "navigate": True}
            steps = np.diff(values)
            if np.allclose(steps, steps.mean() if len(steps) else 1, rtol=1e-9, atol=0):
                return {**shared, "size": count, "offset": values[0], "scale": steps.mean() if len(steps) else 1.0}
            return {**shared, "axis": values}
    return {"name": "image", "size": count, "navigate": True}
