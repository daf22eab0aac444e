"""Comparison of classified rows, and frames that note when they are read."""

import threading

import dask
import dask.array as da
import numpy as np


def check_rows(rows, expected):
    """Measured columns to the last bit, probabilities to 1e-6: a batch of another size rounds differently."""
    assert rows.dtype == expected.dtype
    assert len(rows) == len(expected)
    for name in rows.dtype.names:
        if name.startswith("probability"):
            np.testing.assert_allclose(rows[name], expected[name], atol=1e-6)
        else:
            np.testing.assert_array_equal(rows[name], expected[name])


def counted(frames, chunks=1):
    """A dask array of frames, and the list of the frames that were read from it."""
    read, lock = [], threading.Lock()

    def block(number):
        with lock:
            read.append(number)
        return frames[number : number + chunks]

    starts = range(0, len(frames), chunks)
    parts = [
        da.from_delayed(
            dask.delayed(block, pure=False)(i), (min(chunks, len(frames) - i), *frames.shape[1:]), frames.dtype
        )
        for i in starts
    ]
    return da.concatenate(parts), read
