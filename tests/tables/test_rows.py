"""Columns added to rows of any dtype and number."""

import numpy as np
import pytest

from particlespy_ml.tables.rows import add_columns


@pytest.mark.parametrize("count", [0, 1, 5])
def test_columns_are_added_replaced_and_left_out(count):
    rows = np.zeros(count, [("x", "f8"), ("outline", "f4", (4, 2)), ("cluster", "i2")])
    rows["x"], rows["cluster"] = np.arange(count), 7
    out = add_columns(rows, [("cluster", "i4"), ("vector", "f4", (3,))], without=["missing"])
    assert out.dtype.names == ("x", "outline", "cluster", "vector")
    assert out.dtype["cluster"] == "i4" and out["vector"].shape == (count, 3) and out["outline"].shape == (count, 4, 2)
    np.testing.assert_array_equal(out["x"], rows["x"])
    assert not out["cluster"].any() and (rows["cluster"] == 7).all()
    assert add_columns(rows, [], without=["outline"]).dtype.names == ("x", "cluster")
