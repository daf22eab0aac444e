"""Frames as one dask graph: shapes, laziness, and how often each frame is read."""

import pickle
import threading

import dask
import dask.array as da
import numpy as np
import pytest
from hyperspy.signals import BaseSignal, Signal1D, Signal2D

import particlespy_ml as pml
from particlespy_ml.core import frames as _frames
from particlespy_ml.core.calibration import pixel_grid
from particlespy_ml.core.image import check_image
from particlespy_ml.particles.frame_pass import FramePass
from particlespy_ml.segmentation.label_frames import LabelFrames
from particlespy_ml.segmentation.make_segmenter import make_segmenter


class Counter:
    """Counts how often each frame of a lazy array is read."""

    def __init__(self, data):
        self.data, self.reads, self.lock = data, [], threading.Lock()
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim

    def __getitem__(self, key):
        with self.lock:
            self.reads.append(key)
        return self.data[key]


@pytest.fixture
def counted(series):
    """The lazy series, and what counts its reads."""
    counter = Counter(series.data)
    lazy = series.as_lazy()
    lazy.data = da.from_array(counter, chunks=(1, -1, -1), asarray=False, meta=np.empty((0, 0, 0), series.data.dtype))
    return lazy, counter


def totals(frames, *others, indices):
    """For each frame its indices and its sum, and the frame with what was given added."""
    added = [frame + sum(other[i] for other in others) for i, frame in enumerate(frames)]
    return [((index, float(frame.sum())), more) for index, frame, more in zip(indices, frames, added, strict=True)]


@pytest.mark.parametrize(
    ("signal", "error", "match"),
    [
        (np.zeros((4, 4)), TypeError, "HyperSpy image signal, not ndarray"),
        (Signal1D(np.zeros((3, 4))), ValueError, "two signal dimensions.*not 1"),
        (BaseSignal(np.zeros((3, 4, 5))), ValueError, "two signal dimensions.*not 3"),
        (Signal2D(np.zeros((4, 4), complex)), TypeError, "not complex"),
        (Signal2D(np.zeros((4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])), TypeError, "not RGB"),
        (Signal2D(np.full((4, 4), "a")), TypeError, "real numbers, not <U1"),
    ],
)
def test_what_is_no_image(signal, error, match):
    with pytest.raises(error, match=match):
        check_image(signal)


@pytest.mark.parametrize("dtype", ["?", "u1", "u2", "i2", "i8", "f2", "f4", "f8"])
def test_what_is_an_image(dtype):
    check_image(Signal2D(np.zeros((4, 4), dtype)))


def test_frames_have_a_navigation_dimension(two_disks, series, grid):
    assert _frames.frames_array(two_disks).shape == (1, 128, 160)
    assert _frames.frames_array(series).shape == (3, 128, 160)
    assert _frames.frames_array(grid).shape == (2, 2, 128, 160)


def test_lazy_frames_are_whole(series):
    lazy = series.as_lazy()
    lazy.data = lazy.data.rechunk((2, 50, 60))
    assert _frames.frames_array(lazy).chunks == ((2, 1), (128,), (160,))


@pytest.mark.parametrize("chunks", [(1, 1), (2, 1), (1, 3), (2, 3)])
@pytest.mark.parametrize("lazy", [False, True])
def test_map_frames_in_chunks_of_any_shape(lazy, chunks):
    data = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    given = np.arange(data.size).reshape(data.shape)
    frames = da.from_array(data, chunks=(*chunks, -1, -1)) if lazy else data
    objects, images = dask.compute(*_frames.map_frames(totals, frames, (given,), (np.dtype(object), np.dtype("f8"))))
    assert objects.shape == (2, 3)
    for index in np.ndindex(2, 3):
        assert objects[index] == (index, pytest.approx(data[index].sum()))
    np.testing.assert_array_equal(images, data + given)


def test_one_object_per_frame():
    data = np.arange(24.0).reshape(2, 3, 4)
    (objects,) = dask.compute(*_frames.map_frames(totals, data, (data,)))
    assert [value[0] for value in objects] == [(0,), (1,)]


@pytest.mark.parametrize("name", ["two_disks", "series", "grid"])
@pytest.mark.parametrize("lazy_in", [False, True])
@pytest.mark.parametrize("lazy_out", [None, False, True])
def test_run_frames_is_as_lazy_as_asked(request, name, lazy_in, lazy_out):
    signal = request.getfixturevalue(name)
    given = np.ones(_frames.frames_array(signal).shape)
    signal = signal.as_lazy() if lazy_in else signal
    outputs = (np.dtype(object), np.dtype("f8"))
    objects, images = _frames.run_frames(totals, _frames.frames_array(signal), (given,), outputs, lazy_out)
    expected = lazy_in if lazy_out is None else lazy_out
    assert isinstance(objects, da.Array) == isinstance(images, da.Array) == expected
    objects, images = dask.compute(objects, images)
    data = np.asarray(signal.data).reshape(images.shape)
    np.testing.assert_allclose(images, data + 1)
    assert objects.shape == data.shape[:-2]
    assert all(objects[index][0] == index for index in np.ndindex(*objects.shape))


def test_nothing_is_read_before_compute_and_each_frame_once_after(counted):
    lazy, counter = counted
    table, labels = lazy.measure_particles(method="otsu", return_labels=True)
    assert counter.reads == []
    pml.compute_together(table, labels)
    assert len(counter.reads) == 3
    assert not table._lazy and not labels._lazy
    assert type(table).__name__ == "ParticleTable" and type(labels) is Signal2D
    assert [int(frame.max()) for frame in labels.data] == [len(rows) for rows in table.data]


def test_compute_together_leaves_computed_results_alone(two_disks, series):
    table = two_disks.measure_particles(method="otsu")
    data = table.data
    lazy = series.as_lazy().measure_particles(method="otsu")
    pml.compute_together(table, lazy)
    assert table.data is data and not lazy._lazy


def test_extraction_reads_each_frame_once(counted, series):
    lazy, counter = counted
    table = series.measure_particles(series.data > 2.5)
    stack = lazy.extract_particles(table, "32 px")
    assert counter.reads == []
    stack.compute()
    assert len(counter.reads) == 2  # the frame without particles is not read at all


def test_the_pipeline_can_be_sent_to_other_processes(two_disks):
    grid = pixel_grid(two_disks)
    for segmenter in (make_segmenter("otsu", grid=grid), make_segmenter("auto", grid=grid, polarity="bright")):
        pipeline = FramePass(LabelFrames(segmenter), grid, outputs=("labels", "table"))
        frames = two_disks.data[np.newaxis]
        (one,), (other,) = (p(frames, indices=[(0,)]) for p in (pipeline, pickle.loads(pickle.dumps(pipeline))))
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_errors_name_the_frame_as_inav_counts(grid):
    grid.data[1, 0, 5, 6] = np.nan  # row 1, column 0 of the grid: inav[0, 1]
    for image in (grid, grid.as_lazy()):
        with pytest.raises(ValueError, match=r"Frame 0, 1: 1 of 20480 pixels are not finite"):
            image.measure_particles(method="otsu", lazy_output=False)


def test_large_chunks_are_cut_into_small_blocks_of_whole_frames():
    import dask.array as da
    from hyperspy.signals import Signal2D

    from particlespy_ml.core.frames import BLOCK_PIXELS, frames_array

    for shape, chunks in [((64, 512, 512), -1), ((12, 30, 256, 256), (12, 30, 128, 256)), ((5, 64, 64), (2, 64, 64))]:
        found = frames_array(Signal2D(da.zeros(shape, chunks=chunks)).as_lazy())
        assert found.shape == shape
        assert found.numblocks[-2:] == (1, 1)
        assert np.prod(found.chunksize) <= BLOCK_PIXELS
    assert found.chunks[0] == (2, 2, 1)
