"""`classify_particles` of labels that are given, and its one pass: each frame is read and segmented once.

The first, middle and last frame of a series are looked at before, for what holds for all: here these are all frames.
"""

import threading

import numpy as np
import pytest

import particlespy_ml as pml
from tests.classification.rows import check_rows, counted


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("as_signal", [False, True], ids=["array", "signal"])
def test_labels_given(series, model, lazy, as_signal):
    expected = series.classify_particles(model)
    labels = series.segment_particles()
    image = series.as_lazy() if lazy else series
    table = image.classify_particles(model, labels=labels if as_signal else labels.data)._computed()
    for rows, wanted in zip(table.data, expected.data, strict=True):
        check_rows(rows, wanted)


def test_labels_given_with_gaps_keep_their_numbers(two_disks, model):
    labels = two_disks.segment_particles().data
    table = two_disks.classify_particles(model, labels=np.where(labels == 2, 17, labels))
    assert table["label"].tolist() == [1, 17]


def test_a_mask_given(series, model):
    expected = series.classify_particles(model)
    mask = series.segment_particles().data > 0
    table = series.classify_particles(model, labels=mask)
    assert [len(rows) for rows in table.data] == [len(rows) for rows in expected.data]
    np.testing.assert_allclose(table["probability"], expected["probability"], atol=1e-6)


def test_labels_of_one_frame_serve_all(make_image, two_disks, model):
    labels = two_disks.segment_particles()
    movie = make_image(np.stack([two_disks.data] * 3))
    table = movie.classify_particles(model, labels=labels.data)
    assert [len(rows) for rows in table.data] == [2, 2, 2]


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_return_labels(series, model, lazy):
    image = series.as_lazy() if lazy else series
    table, labels = image.classify_particles(model, return_labels=True)
    assert labels._lazy is lazy and table._lazy is lazy
    pml.compute_together(table, labels, show_progressbar=False)
    assert labels.data.shape == series.data.shape and labels.data.dtype == np.int32
    np.testing.assert_array_equal(labels.data, series.segment_particles().data)
    assert [int(frame.max()) for frame in labels.data] == [len(rows) for rows in table.data]
    for axis, original in zip(labels.axes_manager._axes, series.axes_manager._axes, strict=True):
        assert (axis.name, axis.scale, axis.units) == (original.name, original.scale, original.units)


@pytest.fixture
def count_segmentations(monkeypatch):
    from particlespy_ml.segmentation.segmenter import Segmenter

    calls, lock, segment = [], threading.Lock(), Segmenter.__call__

    def count(self, image, *others):
        with lock:
            calls.append(image.shape)
        return segment(self, image, *others)

    monkeypatch.setattr(Segmenter, "__call__", count)
    return calls


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_two_results_take_one_segmentation(series, model, lazy, count_segmentations):
    image = series.as_lazy() if lazy else series
    results = image.classify_particles(model, return_labels=True)
    assert len(count_segmentations) == (0 if lazy else 3)  # lazy: nothing before compute
    pml.compute_together(*results, show_progressbar=False)
    assert len(count_segmentations) == 3


def test_one_image_takes_one_segmentation(two_disks, model, count_segmentations):
    two_disks.classify_particles(model, return_labels=True)
    assert len(count_segmentations) == 1


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("return_labels", [False, True], ids=["table", "table and labels"])
def test_each_frame_is_read_once(make_image, series, model, chunks, return_labels):
    data, read = counted(series.data, chunks)
    image = series.as_lazy()
    image.data = data
    results = image.classify_particles(model, return_labels=return_labels)
    assert read == []  # building the graph reads nothing
    pml.compute_together(*(results if return_labels else (results,)), show_progressbar=False)
    assert sorted(read) == sorted(2 * list(range(0, 3, chunks)))


@pytest.mark.parametrize("with_labels", [False, True], ids=["table", "table and labels"])
def test_lazy_labels_given_share_the_pass(series, model, with_labels, count_segmentations):
    """Labels that were not computed yet: the frames are still read once, and segmented once."""
    data, read = counted(series.data)
    image = series.as_lazy()
    image.data = data
    labels = image.segment_particles()
    table = image.classify_particles(model, labels=labels)
    pml.compute_together(*((table, labels) if with_labels else (table,)), show_progressbar=False)
    assert sorted(read) == [0, 0, 1, 1, 2, 2]
    # one call for each frame finds the labels, one takes those that are given
    assert len(count_segmentations) == 6
    assert [len(rows) for rows in table.data] == [2, 0, 1]


def test_of_a_long_series_three_frames_are_read_twice(make_image, two_disks):
    data, read = counted(np.stack([two_disks.data] * 9))
    image = make_image(np.stack([two_disks.data] * 9)).as_lazy()
    image.data = data
    image.measure_particles(lazy_output=False, show_progressbar=False)
    assert sorted(read) == sorted([*range(9), 0, 4, 8])
    read.clear()
    image.measure_particles(method="otsu", lazy_output=False, show_progressbar=False)  # which has nothing to decide
    assert sorted(read) == list(range(9))


def test_computing_at_once_reads_each_frame_once(series, model):
    data, read = counted(series.data)
    image = series.as_lazy()
    image.data = data
    table = image.classify_particles(model, lazy_output=False, show_progressbar=False)
    assert not table._lazy and type(table).__name__ == "ParticleTable"
    assert sorted(read) == [0, 0, 1, 1, 2, 2]


def test_a_part_of_a_lazy_table_reads_a_part_of_the_frames(series, model):
    data, read = counted(series.data)
    image = series.as_lazy()
    image.data = data
    table = image.classify_particles(model)
    assert table.inav[2].n_particles == 1
    assert sorted(read) == [0, 1, 2, 2]


def test_a_lazy_dataframe_reads_each_frame_once(series, model):
    data, read = counted(series.data)
    image = series.as_lazy()
    image.data = data
    for result in (lambda t: t.to_dataframe(), lambda t: t.class_fractions(), lambda t: t.select("area > 0")):
        read.clear()
        result(image.classify_particles(model))
        assert sorted(read) == [0, 0, 1, 1, 2, 2]


def test_lazy_output_of_an_eager_image(series, model):
    table = series.classify_particles(model, lazy_output=True)
    assert table._lazy and type(table).__name__ == "LazyParticleTable"
    for rows, wanted in zip(table._computed().data, series.classify_particles(model).data, strict=True):
        check_rows(rows, wanted)
