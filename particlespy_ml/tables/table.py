"""Ragged particle tables: how rows, columns, units and provenance are kept in a HyperSpy signal."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

import dask.array as da
import numpy as np

from particlespy_ml.core.calibration import PixelGrid

METADATA_NODE = "particlespy_ml"


@lru_cache
def package_versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on, for provenance."""
    found = {}
    for name in ("particlespy-ml", "hyperspy", "particlespy", "atomap", "scikit-image", "numpy", "torch"):
        try:
            found[name.replace("-", "_")] = version(name)
        except PackageNotFoundError:
            continue
    return found


def provenance(signal, grid: PixelGrid, segmentation: dict, **more) -> dict:
    """Return what is recorded with a result: the image, the parameters and the versions."""
    image = {
        "title": signal.metadata.get_item("General.title", ""),
        "original_filename": signal.metadata.get_item("General.original_filename", ""),
        "signal_type": signal.metadata.get_item("Signal.signal_type", ""),
        **grid.as_dict(),
    }
    return {"image": image, "segmentation": segmentation, "versions": package_versions(), **more}


def navigation_axes(signal) -> list[dict]:
    """Return the navigation axes of an image as dictionaries in array order; one of size 1 for a single image."""
    axes = [axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes[::-1]]
    return axes or [{"name": "image", "size": 1, "navigate": True}]


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
        Provenance, as from `provenance`; ``classes`` in it names the classes.
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
