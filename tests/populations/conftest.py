"""Tables and series of known populations."""

import numpy as np
import pytest

from particlespy_ml.tables.table import make_table, object_array

PIXEL = 0.04


def rows_of(diameters, aspects, circularities):
    """Rows of a table with the columns that clusters are found by."""
    names = (
        "x",
        "y",
        "equivalent_circular_diameter",
        "major_axis_length",
        "minor_axis_length",
        "circularity",
        "perimeter",
    )
    rows = np.zeros(len(diameters), [("label", "i4"), *((name, "f8") for name in names)])
    rows["label"] = np.arange(1, len(rows) + 1)
    rows["x"] = rows["y"] = np.arange(len(rows))
    rows["equivalent_circular_diameter"], rows["circularity"] = diameters, circularities
    rows["perimeter"] = np.pi * diameters / np.sqrt(circularities)
    rows["major_axis_length"] = diameters * np.sqrt(aspects)
    rows["minor_axis_length"] = diameters / np.sqrt(aspects)
    return rows


def three_kinds(count=300, seed=0, shape=(6,), lazy=False, kinds=3):
    """A table of up to three kinds over frames, and the kind of each particle."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(kinds, size=count)
    diameters = np.exp(rng.normal(np.log([3.0, 3.6, 5.0])[truth], 0.08))
    aspects = np.exp(np.abs(rng.normal([0.0, 0.7, 0.0], 0.01)[truth] + 0.08 * rng.normal(size=count)))
    rows = rows_of(diameters, aspects, np.array([0.93, 0.8, 0.88])[truth] + 0.01 * rng.normal(size=count))
    frames = int(np.prod(shape))
    cuts = np.sort(rng.integers(0, count, frames - 1)) if frames > 1 else []
    data = object_array(np.split(rows, cuts), shape)
    axes = [{"name": f"axis {i}", "size": n, "navigate": True, "units": "s"} for i, n in enumerate(shape)]
    units = {name: "nm" if name not in ("label", "circularity") else "" for name in rows.dtype.names}
    if lazy:
        import dask.array as da

        data = da.from_array(data, chunks=1, name=False)
    record = {"image": {"shape": [64, 64], "scale": [PIXEL] * 2, "offset": [0.0, 0.0], "units": "nm"}}
    return make_table(data, axes, units, record), truth


@pytest.fixture(scope="session")
def make_kinds():
    """The function `three_kinds`."""
    return three_kinds


@pytest.fixture(scope="session")
def make_rows():
    """The function `rows_of`."""
    return rows_of
