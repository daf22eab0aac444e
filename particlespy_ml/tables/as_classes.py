"""The verb `as_classes`: the values of a column as the classes of the particles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.provenance import METADATA_NODE
from particlespy_ml.tables.classes import BESIDE, check_class_names, class_columns
from particlespy_ml.tables.dataframe import table_like
from particlespy_ml.tables.groups import group_rows
from particlespy_ml.tables.rows import add_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperspy.signals import BaseSignal


MOST = 100  # values of a column that are taken for classes


def as_classes(table: BaseSignal, by: str = "cluster", names: Sequence[str] | None = None) -> BaseSignal:
    """Return the table with its clusters, or another column of whole numbers or names, as the classes of its particles.

    Everything that works by class then works by cluster: fractions, sequences, transitions, montages.

    Parameters
    ----------
    table
        Particle table. A lazy one is computed.
    by
        The column; particles of a negative value, or without a name, are undefined. "class" leaves the table as it is.
    names
        A name for each value in ascending order; by default those that the column has, or "cluster 0", "cluster 1", ...

    Returns
    -------
    ParticleTable
        The classes before are dropped. Where a cluster's probability is known the others share the rest evenly;
        otherwise it is 1.

    Raises
    ------
    ValueError
        If there is no such column, or not a name for each value.

    Examples
    --------
    >>> import particlespy_ml as pml
    >>> table = pml.data.gold_on_carbon().measure_particles().cluster_particles(n_clusters=2, resamples=0)
    >>> table.as_classes(names=["small", "large"]).classes
    ('small', 'large')
    """
    table = table._computed()
    values, known = group_rows(table, by)
    if by == "class":
        return table
    found = np.unique(values[values >= 0]) if known is None else np.arange(len(known))
    if names is not None and len(names) != len(found):
        raise ValueError(f"There are {len(names)} names for the {len(found)} values {found.tolist()} of {by!r}.")
    if len(found) > MOST:
        raise ValueError(
            f"The column {by!r} has {len(found)} values; expected {MOST} at most to take them for classes."
        )
    names = known or [f"{by} {value}" for value in found] if names is None else [str(name) for name in names]
    check_class_names(names)
    added = ["class_index", "probability", *(f"probability_{name}" for name in names)]
    dropped = {name for name, _ in class_columns(table.classes, BESIDE)}
    rows = []
    for old in table.data.ravel():
        out = add_columns(old, [("class_index", "i1"), *((name, "f4") for name in added[1:])], without=dropped)
        given = old[by] >= 0
        index = np.where(given, np.searchsorted(found, old[by]), -1)
        sure = old[f"{by}_probability"] if f"{by}_probability" in old.dtype.names else np.ones(len(old))
        out["class_index"], out["probability"] = index, np.where(given, sure, np.nan)
        for number, name in enumerate(names):
            others = (1 - out["probability"]) / max(len(names) - 1, 1)
            out[f"probability_{name}"] = np.where(index == number, out["probability"], others)
        rows.append(out)
    units = {name: unit for name, unit in table.units.items() if name != "class" and name not in dropped}
    result = table_like(table, rows, {**units, **dict.fromkeys(added, "")})
    result.metadata.set_item(f"{METADATA_NODE}.classes", list(names))
    if result.metadata.has_item(f"{METADATA_NODE}.model"):
        del result.metadata[METADATA_NODE].model
    return result
