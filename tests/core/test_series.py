"""Functions that see a whole series before each frame."""

from __future__ import annotations

import pickle
import warnings
from functools import partial

import dask
import dask.array as da
import numpy as np
import pytest

from particlespy_ml.core.series import OneByOne, map_rows_of_series, map_series


def total(frames, calls=None):
    if calls is not None:
        calls.append(len(frames))
    return sum(float(frame.sum()) for frame in frames)


def share(frame, number, whole):
    return number, float(frame.sum()) / whole


FRAMES = np.random.default_rng(0).uniform(1, 2, (7, 6, 5))
EXPECTED = [(number, frame.sum() / FRAMES.sum()) for number, frame in enumerate(FRAMES)]


@pytest.mark.parametrize("chunk", [None, 1, 3, 7])
@pytest.mark.parametrize("lazy_output", [None, True, False])
def test_each_frame_is_told_of_all(chunk, lazy_output):
    frames = FRAMES if chunk is None else da.from_array(FRAMES, chunks=(chunk, -1, -1))
    found = map_series(total, share, frames, lazy_output, show_progressbar=False)
    lazy = chunk is not None if lazy_output is None else lazy_output
    assert isinstance(found, da.Array) == lazy and found.shape == (7,)
    np.testing.assert_allclose(list(np.asarray(found)), EXPECTED)


def test_one_frame():
    assert map_series(total, share, FRAMES[:1]).tolist() == [(0, 1.0)]


def test_the_whole_is_seen_once_and_not_before_it_is_asked_for():
    calls = []
    found = map_series(partial(total, calls=calls), share, da.from_array(FRAMES, chunks=(2, -1, -1)))
    assert calls == []
    found.compute(scheduler="synchronous")
    assert calls == [7]


def test_a_part_of_a_lazy_result_knows_its_place():
    found = map_series(total, share, da.from_array(FRAMES, chunks=(2, -1, -1)))
    np.testing.assert_allclose(list(found[3:5].compute()), EXPECTED[3:5])


def test_one_chunk_is_in_memory_at_a_time():
    """Every chunk is read once for each pass, in order."""
    read = []

    def block(block_info=None):
        first = block_info[None]["array-location"][0][0]
        read.append(first)
        return FRAMES[first : first + 2]

    frames = da.map_blocks(block, chunks=((2, 2, 2, 1), 6, 5), dtype=float, meta=np.empty((0, 0, 0)))
    seen = OneByOne(frames)
    for _ in range(2):
        np.testing.assert_array_equal(list(seen), FRAMES)
    assert read == [0, 2, 4, 6] * 2
    assert len(seen) == 7 and seen.shape == FRAMES.shape
    with pytest.raises(IndexError):
        seen[7]


def test_the_graph_can_go_to_other_processes():
    found = map_series(total, share, da.from_array(FRAMES, chunks=(4, -1, -1)))
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_allclose(list(again.compute(scheduler="synchronous")), EXPECTED)


def rows_of(count):
    rows = np.empty(count, object)
    for number in range(count):
        rows[number] = np.arange(number)
    return rows


def longest(frames):
    return max((len(rows) for rows in frames), default=0)


def beside(rows, number, whole):
    return rows + 100 * number + 10_000 * whole


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("chunk", [None, 1, 2])
@pytest.mark.parametrize("lazy_output", [None, True, False])
def test_rows_of_each_frame_are_told_of_all(count, chunk, lazy_output):
    rows = rows_of(count)
    given = rows if chunk is None else da.from_array(rows, chunks=chunk)
    found = map_rows_of_series(longest, beside, given, lazy_output, show_progressbar=False)
    assert isinstance(found, da.Array) == (chunk is not None if lazy_output is None else lazy_output)
    for number, own in enumerate(np.asarray(found)):
        np.testing.assert_array_equal(own, beside(rows[number], number, count - 1))


def test_rows_are_made_once():
    made = []

    def make(block, block_info=None):
        made.append(len(block))
        return block

    rows = da.from_array(rows_of(6), chunks=2).map_blocks(make, dtype=object, meta=np.empty(0, object))
    with warnings.catch_warnings(), dask.config.set(scheduler="synchronous"):
        warnings.simplefilter("error")
        map_rows_of_series(longest, beside, rows).compute()
    assert made == [2, 2, 2]
