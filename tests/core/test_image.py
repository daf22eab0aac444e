"""An image signal at the door: arrays whose axes were taken for others."""

from __future__ import annotations

import warnings

import pytest

from particlespy_ml.core.image import ImageFrames


@pytest.mark.parametrize(
    ("shape", "swapped"),
    [
        ((512, 512, 20), True),
        ((480, 640, 100), True),
        ((20, 512, 512), False),
        ((200, 512, 512), False),
        ((600, 48, 48), False),
        ((30, 100, 4), False),
        ((512, 512), False),
        ((4, 512, 512, 20), False),
    ],
)
def test_arrays_of_rows_columns_and_frames_are_warned_of(shape, swapped):
    import dask.array as da
    from hyperspy.signals import Signal2D

    signal = Signal2D(da.zeros(shape, chunks=-1, dtype="u1")).as_lazy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ImageFrames.of(signal, None)
    assert [str(one.message) for one in caught if "moveaxis" in str(one.message)] != [] if swapped else caught == []
