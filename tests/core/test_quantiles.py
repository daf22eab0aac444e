"""Quantiles are those of numpy."""

import numpy as np
import pytest

from particlespy_ml.core.quantiles import median, quantiles


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 3, 10, 101, 256])
def test_quantiles_and_medians_are_those_of_numpy(size, dtype):
    rng = np.random.default_rng(size)
    for values in (rng.normal(size=size).astype(dtype), rng.integers(0, 3, size).astype(dtype)):
        before = values.copy()
        assert quantiles(values, 0.1, 0.5, 0.9) == np.quantile(values, (0.1, 0.5, 0.9)).tolist()
        assert median(values) == np.median(values)
        np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(7, 8), (8, 7)])
def test_medians_along_an_axis_are_those_of_numpy(shape, axis):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = median(values, axis)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.median(values, axis))
