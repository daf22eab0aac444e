"""Ragged particle tables: how rows, columns, units and provenance are kept in a HyperSpy signal."""

from __future__ import annotations

import dask.array as da
import numpy as np

from particlespy_ml.core.provenance import METADATA_NODE


def make_table(data, axes: list[dict], units: dict[str, str], record: dict, title: str = "", kind="particle_table"):
    """Make a table.

    Parameters
    ----------
    data
        Object array, eager or dask, of one structured array for each frame.
    axes
        Navigation axes as dictionaries in array order.
    units
        Unit of every column, in the order of the columns.
    record
        Provenance, as from `particlespy_ml.core.image.ImageFrames.record`; ``classes`` in it names the classes.
    title
        Title of the table.
    kind
        Signal type of the table: "particle_table" or "column_table".

    Returns
    -------
    ParticleTable or LazyParticleTable, ColumnTable or LazyColumnTable
    """
    from hyperspy.signals import BaseSignal, LazySignal

    cls = LazySignal if isinstance(data, da.Array) else BaseSignal
    table = cls(data, axes=axes, ragged=True)
    table.set_signal_type(kind)
    table.metadata.General.title = title
    table.metadata.set_item(METADATA_NODE, {**record, "columns": list(units), "units": units})
    return table


def object_array(items: list, shape: tuple[int, ...]) -> np.ndarray:
    """Return an object array of a shape filled with items in C order, arrays as they are."""
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    return out.reshape(shape)
