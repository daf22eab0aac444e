"""Tables as pandas data frames, and tables with fewer rows or more columns."""

from __future__ import annotations

import re

import numpy as np

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.tables.classes import UNDEFINED, check_class_names
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table, object_array


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


def to_dataframe(table, outline: bool = False):
    """Return one row for each particle; see `ParticleTable.to_dataframe`."""
    import pandas as pd

    table = table._computed()  # columns of vectors, such as outlines, come where outlines are asked for
    counts = [len(rows) for rows in table.data.ravel()]
    columns = {name: np.repeat(values, counts) for name, values in navigation_columns(table).items()}
    for name in table.columns:
        if name == "class":
            columns[name] = pd.Categorical(table[name], categories=[*table.classes, UNDEFINED])
        elif (values := table[name]).ndim == 1:
            columns[name] = values
        elif outline:
            columns[name] = list(values)
    frame = pd.DataFrame(columns)
    frame.attrs["units"] = {**navigation_units(table), **table.units}
    return frame


def select(table, condition):
    """Return the table with the rows that meet a condition; see `ParticleTable.select`."""
    table = table._computed()
    if isinstance(condition, str):
        keep = _meets(to_dataframe(table), condition)
    else:
        keep = np.asarray(condition)
    if keep.dtype != bool or keep.shape != (table.n_rows,):
        raise ValueError(f"Expected a condition or {table.n_rows} booleans, not {keep.dtype} of {keep.shape}.")
    frames = list(table.data.ravel())
    parts = np.split(keep, np.cumsum([len(rows) for rows in frames])[:-1])
    rows = [rows[part] for rows, part in zip(frames, parts, strict=True)]
    # by table.units, since files keep the entries of metadata in alphabetical order
    return _like(table, rows, {name: unit for name, unit in table.units.items() if name != "class"})


# strings and names in backticks are taken whole, so that what is inside of them is not read as a word
_PARTS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?P<quoted>[^`]*)`|(?<![\w.@])(?P<word>class)(?!\w)""")


def _meets(frame, condition: str) -> np.ndarray:
    """Whether each row meets a condition."""
    aliases: dict[str, str] = {}

    def alias(match: re.Match) -> str:
        # "class" is a word of Python's own, and pandas does not take every name in backticks
        name = match["quoted"] or match["word"]
        if name not in frame.columns:
            return match[0]
        return aliases.setdefault(name, f"_column_{len(aliases)}_of_the_table")

    plain = _PARTS.sub(alias, condition)
    try:
        result = frame.assign(**{new: frame[name] for name, new in aliases.items()}).eval(plain)
    except (NameError, SyntaxError, TypeError) as error:
        raise ValueError(
            f"The condition {condition!r} cannot be read: {error}. The columns are {', '.join(frame.columns)}."
        ) from error
    return np.asarray(result)


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
    return _like(table, rows, {**units, name: unit})


def classes_by(table, by: str = "cluster", names=None):
    """Return the table with the values of a column as its classes; see `ParticleTable.as_classes`."""
    table = table._computed()
    if by not in table.columns or by == "class" or table[by].dtype.kind not in "iu":
        whole = [name for name in table.columns if name != "class" and table[name].dtype.kind in "iu"]
        raise ValueError(
            f"There is no column of whole numbers {by!r}; expected one of {', '.join(whole)}. "
            "cluster_particles() makes clusters."
        )
    found = np.unique(table[by][table[by] >= 0])
    if names is not None and len(names) != len(found):
        raise ValueError(f"There are {len(names)} names for the {len(found)} values {found.tolist()} of {by!r}.")
    if len(found) > 100:
        raise ValueError(f"The column {by!r} has {len(found)} values; expected 100 at most to take them for classes.")
    names = [f"{by} {value}" for value in found] if names is None else [str(name) for name in names]
    check_class_names(names)
    added = ["class_index", "probability", *(f"probability_{name}" for name in names)]
    dropped = {"class_index", "probability", *(f"probability_{name}" for name in table.classes)}
    rows = []
    for old in table.data.ravel():
        out = add_columns(old, [("class_index", "i1"), *((name, "f4") for name in added[1:])], without=dropped)
        known = old[by] >= 0
        index = np.where(known, np.searchsorted(found, old[by]), -1)
        sure = old[f"{by}_probability"] if f"{by}_probability" in old.dtype.names else np.ones(len(old))
        out["class_index"], out["probability"] = index, np.where(known, sure, np.nan)
        for number, name in enumerate(names):
            others = (1 - out["probability"]) / max(len(names) - 1, 1)
            out[f"probability_{name}"] = np.where(index == number, out["probability"], others)
        rows.append(out)
    units = {name: unit for name, unit in table.units.items() if name != "class" and name not in dropped}
    result = _like(table, rows, {**units, **dict.fromkeys(added, "")})
    result.metadata.set_item(f"{METADATA_NODE}.classes", names)
    if result.metadata.has_item(f"{METADATA_NODE}.model"):
        del result.metadata[METADATA_NODE].model
    return result


def class_fractions(table):
    """Return the fraction of each class in each frame; see `ParticleTable.class_fractions`."""
    import pandas as pd

    if not table.classes:
        raise ValueError("The particles are not classified; make the table with classify_particles().")
    table = table._computed()
    columns = navigation_columns(table)
    frames = list(table.data.ravel())
    columns["particles"] = np.array([len(rows) for rows in frames])
    for index, name in enumerate((*table.classes, UNDEFINED)):
        wanted = index if name != UNDEFINED else -1
        columns[name] = np.array(
            [np.mean(rows["class_index"] == wanted) if len(rows) else np.nan for rows in frames], dtype=float
        )
    return pd.DataFrame(columns)


def _like(table, rows: list[np.ndarray], units: dict[str, str]):
    """A table with other rows and the same axes and provenance."""
    axes = [axis.get_axis_dictionary() for axis in table.axes_manager.navigation_axes[::-1]]
    record = table.metadata.get_item(METADATA_NODE).as_dictionary()
    title = table.metadata.get_item("General.title", "")
    kind = table.metadata.get_item("Signal.signal_type")
    return make_table(object_array(rows, table.data.shape), axes, units, record, title, kind)
