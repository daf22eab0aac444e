"""Tables with some of their rows or columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike
from particlespy_ml.core.frames import map_rows
from particlespy_ml.core.image import navigation_axes
from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.tables.classes import BESIDE, class_columns
from particlespy_ml.tables.dataframe import table_like, to_dataframe
from particlespy_ml.tables.rows import add_columns
from particlespy_ml.tables.table import make_table

_OF_CLASSES = re.compile(r"\b(class|class_index|probability\w*|min_probability)\b")


def select(table: BaseSignal, condition: str | ArrayLike | slice) -> BaseSignal:
    """Return the table with some of its rows.

    Parameters
    ----------
    table
        Particle or column table. A lazy one is computed.
    condition
        A condition on the columns of `to_dataframe`, such as "area > 3 and not touches_border"; one boolean for each
        row; or a slice or whole numbers, as the rows are counted in `to_dataframe`. ``table[condition]`` does the same
        for all but texts, which are names of columns there. Rows stay in their frames, in the order of the table. What
        the model confuses is not known of particles that a condition on classes or their probabilities chose:
        fractions of these are not corrected. Booleans and numbers should not depend on classes.

    Raises
    ------
    ValueError
        If the condition cannot be read, or there is not one boolean for each row.
    IndexError
        If there is no row of a number.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles()
    >>> table.select("circularity > 2").n_particles, table[table["area"] > 0].n_particles, table[:4].n_particles
    (0, 6, 4)
    """
    table = table._computed()
    keep = _kept(table.n_rows, _meets(to_dataframe(table), condition) if isinstance(condition, str) else condition)
    frames = list(table.data.ravel())
    parts = np.split(keep, np.cumsum([len(rows) for rows in frames])[:-1])
    rows = [rows[part] for rows, part in zip(frames, parts, strict=True)]
    # by table.units, since files keep the entries of metadata in alphabetical order
    found = table_like(table, rows, {name: unit for name, unit in table.units.items() if name != "class"})
    node = f"{METADATA_NODE}.model"
    if isinstance(condition, str) and _OF_CLASSES.search(condition) and found.metadata.has_item(node):
        found.metadata.set_item(f"{node}.confusion_matrix", [])
    return found


def _kept(count: int, condition) -> np.ndarray:
    """Whether each of the rows is wanted."""
    if isinstance(condition, slice):
        keep = np.zeros(count, bool)
        keep[condition] = True
        return keep
    keep = np.asarray(condition)
    if keep.dtype.kind in "iu" or (keep.size == 0 and keep.ndim == 1 and count):
        if keep.shape == (count,) and np.isin(keep, (0, 1)).all():  # a mask, or the first two rows?
            raise ValueError(f"Expected {count} booleans, not as many numbers 0 and 1; make them booleans.")
        numbers, keep = keep.astype(int), np.zeros(count, bool)
        keep[numbers] = True  # raises IndexError
    if keep.dtype != bool or keep.shape != (count,):
        raise ValueError(
            f"Expected a condition, a slice, whole numbers or {count} booleans, one for each row, not {keep.dtype} of "
            f"{keep.shape}."
        )
    return keep


def drop(table: BaseSignal, columns: str | Sequence[str]) -> BaseSignal:
    """Return the table without some of its columns.

    Parameters
    ----------
    table
        Particle or column table, lazy or not.
    columns
        Their names; "class" stands for all that classification has added.

    Raises
    ------
    ValueError
        If there is no such column.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().classify_particles()
    >>> table.drop("class").columns == pml.data.gold_on_carbon().measure_particles().columns
    True
    """
    names = [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in names if name not in table.columns]
    if unknown:
        raise ValueError(f"There is no column {', '.join(map(repr, unknown))}; expected {', '.join(table.columns)}.")
    if "class" in names:
        names = [name for name in names if name != "class"]
        names += [name for name, _ in class_columns(table.classes, tuple(n for n in BESIDE if n in table.columns))]
    record = table.metadata.get_item(METADATA_NODE).as_dictionary()
    if "class_index" in names:
        record = {key: value for key, value in record.items() if key not in ("classes", "model")}
    data = map_rows(add_columns, table.data, (), names)
    units = {name: unit for name, unit in table.units.items() if name not in ("class", *names)}
    title, kind = (table.metadata.get_item(key, "") for key in ("General.title", "Signal.signal_type"))
    return make_table(data, navigation_axes(table), units, record, title, kind)


def condition_of_rows(rows: np.ndarray, condition: str) -> np.ndarray:
    """Return which rows of a frame meet a condition on their columns, shape (n,).

    Parameters
    ----------
    rows
        Structured array.
    condition
        Such as "label == 1"; numbers stand for names of classes.

    Raises
    ------
    ValueError
        If the condition cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from particlespy_ml.tables.select import condition_of_rows
    >>> condition_of_rows(np.array([(1,), (2,)], dtype=[("label", int)]), "label == 2").tolist()
    [False, True]
    """
    import pandas as pd

    plain = {name: rows[name] for name in rows.dtype.names if rows[name].ndim == 1}
    return _meets(pd.DataFrame(plain), condition)


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
    if np.asarray(result).dtype != bool:
        raise ValueError(f"Expected a condition that is true or false of each row, not {condition!r}.")
    return np.asarray(result)
