"""Tables as pandas data frames, and tables with fewer rows or more columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.tables.classes import UNDEFINED
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table, object_array
from particlespy_ml.tables.units import convert, name_with_unit

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal


def navigation_names(table) -> dict[str, int]:
    """Return the column name of each navigation axis and the dimension of the data that it is.

    Axes named like a column, or like another axis, get ``_axis`` at the end of their name.
    """
    taken = {*table.columns, *table.classes, UNDEFINED, "frame", "particles"}
    names = {}
    for number, axis in enumerate(table.axes_manager.navigation_axes[::-1]):
        name = str(axis.name)
        if name == "image" and axis.size == 1:
            continue
        if name in ("<undefined>", "None", ""):
            name = f"axis_{number}"
        while name in taken:
            name = f"{name}_axis"
        taken.add(name)
        names[name] = number
    return names


def navigation_columns(table) -> dict[str, np.ndarray]:
    """Return the frame number and the calibrated value of each navigation axis, one value for each frame."""
    shape = table.data.shape
    columns = {"frame": np.arange(int(np.prod(shape)))}
    for name, number in navigation_names(table).items():
        axis = table.axes_manager.navigation_axes[::-1][number]
        values = np.expand_dims(axis.axis, [i for i in range(len(shape)) if i != number])
        columns[name] = np.broadcast_to(values, shape).ravel()
    return columns


def navigation_units(table) -> dict[str, str]:
    """Return the unit of each navigation axis; empty where it has none."""
    axes = table.axes_manager.navigation_axes[::-1]
    found = {name: str(axes[number].units) for name, number in navigation_names(table).items()}
    return {name: "" if unit in ("<undefined>", "None") else unit for name, unit in found.items()}


def to_dataframe(
    table: BaseSignal, outline: bool = False, length_unit: str | None = None, units_in_names: bool = False
) -> pd.DataFrame:
    """Return one row for each particle, or column, of all frames.

    Parameters
    ----------
    table
        Particle or column table. A lazy one is computed.
    outline
        Include the outlines, and other columns of vectors, as arrays.
    length_unit
        Unit of all lengths and areas of the rows, such as "nm"; by default the table's own.
    units_in_names
        Whether columns that have a unit are named with it, as "area (nm²)".

    Returns
    -------
    pandas.DataFrame
        ``frame`` counts frames from 0; each navigation axis gives a column with its calibrated value. The units are in
        ``attrs["units"]``.

    Raises
    ------
    ValueError
        If *length_unit* is no unit of length.

    See Also
    --------
    to_csv, to_excel : write the rows, with units in the names of their columns.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> frame = table.to_dataframe()
    >>> len(frame), frame.attrs["units"]["area"]
    (6, 'nm²')
    >>> "area (Å²)" in table.to_dataframe(length_unit="Å", units_in_names=True)
    True
    """
    import pandas as pd

    table = table._computed()  # columns of vectors, such as outlines, come where outlines are asked for
    counts = [len(rows) for rows in table.data.ravel()]
    columns = {name: np.repeat(values, counts) for name, values in navigation_columns(table).items()}
    for name in table.columns:
        if name in table.names:
            known = dict.fromkeys([*table.names[name], UNDEFINED])
            columns[name] = pd.Categorical(table[name], categories=list(known))
        elif name == "class":
            columns[name] = pd.Categorical(table[name], categories=[*table.classes, UNDEFINED])
        elif (values := table[name]).ndim == 1:
            columns[name] = values
        elif outline:
            columns[name] = list(values)
    units = dict(table.units)
    if length_unit is not None:
        for name, unit in units.items():
            units[name], factor = convert(unit, length_unit)
            if factor != 1 and name in columns:
                values = columns[name]
                columns[name] = [v * factor for v in values] if isinstance(values, list) else values * factor
    units = {**navigation_units(table), **units}
    if units_in_names:
        columns = {name_with_unit(name, units.get(name, "")): values for name, values in columns.items()}
    frame = pd.DataFrame(columns)
    frame.attrs["units"] = {name_with_unit(key, unit): unit for key, unit in units.items()} if units_in_names else units
    return frame


def with_column(table, name: str, values: list[np.ndarray], dtype, unit: str):
    """Return the table with one more column, or with a column of that name replaced.

    Parameters
    ----------
    values
        One array for each frame.
    """
    rows = []
    for old, new in zip(table._computed().data.ravel(), values, strict=True):
        out = add_columns(old, [(name, dtype)])
        out[name] = new
        rows.append(out)
    units = {key: unit for key, unit in table.units.items() if key not in ("class", name)}
    return table_like(table, rows, {**units, name: unit})


def with_columns(table, values: np.ndarray, units: dict[str, str], names: dict[str, list[str]], record: dict):
    """Return the table with more columns, or with columns of these names replaced.

    Parameters
    ----------
    table
        Particle or column table. A lazy one is computed.
    values
        Structured array of one row for each row of all frames.
    units
        Unit of each of its columns.
    names
        What the numbers of a column from 0 on stand for, of each column that has such.
    record
        How they were found, added to the table's own provenance.
    """
    rows, start = [], 0
    for old in table._computed().data.ravel():
        out = add_columns(old, [(name, values.dtype[name]) for name in values.dtype.names])
        for name in values.dtype.names:
            out[name] = values[name][start : start + len(old)]
        start += len(old)
        rows.append(out)
    kept = {name: unit for name, unit in table.units.items() if name != "class" and name not in units}
    result = table_like(table, rows, {**kept, **units})
    more = {"names": {**{key: list(value) for key, value in table.names.items()}, **names}, **record}
    for key, value in more.items():
        result.metadata.set_item(f"{METADATA_NODE}.{key}", value)
    return result


def table_like(table, rows: list[np.ndarray], units: dict[str, str]):
    """A table with other rows and the same axes and provenance."""
    axes = [axis.get_axis_dictionary() for axis in table.axes_manager.navigation_axes[::-1]]
    record = table.metadata.get_item(METADATA_NODE).as_dictionary()
    title = table.metadata.get_item("General.title", "")
    kind = table.metadata.get_item("Signal.signal_type")
    return make_table(object_array(rows, table.data.shape), axes, units, record, title, kind)
