"""What the limit of size leaves out is counted and warned of once; a calibration that is ten times off is noticed."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.segmentation.size_loss import SizeLoss


@pytest.fixture
def sizes(make_frame, make_image):
    """Twelve particles of 1.6 nm and eight of 0.7 nm."""
    places = [(24 + 48 * i, 24 + 48 * j) for i in range(4) for j in range(5)]
    return make_image(make_frame(places, [20 if k < 12 else 9 for k in range(20)], shape=(194, 242)))


def many(rng, scale):
    """A field of 120 particles of 20 pixels, with pixels of some size in nm."""
    from hyperspy.signals import Signal2D

    frame, places = np.zeros((512, 512)), []
    while len(places) < 120:
        place = rng.integers(16, 496, 2)
        if all(np.hypot(*(place - other)) > 30 for other in places):
            places.append(place)
    frame[tuple(np.array(places).T)] = 1
    frame = 100 * (ndi.gaussian_filter(frame, 4) > 1e-3) + rng.normal(20, 5, frame.shape)
    signal = Signal2D(ndi.gaussian_filter(frame, 1))
    signal.axes_manager.signal_axes.set(scale=scale, units="nm")
    signal.set_signal_type("HAADF")
    return signal


def test_small_particles_are_counted(sizes):
    with pytest.warns(UserWarning, match=r"8 objects smaller than min_diameter \(0.8 nm\) left out, 12 particles kept"):
        table = sizes.measure_particles()
    assert table.n_particles == 12
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sizes.measure_particles(min_diameter=0.4).n_particles == 20
        assert sizes.segment_particles("otsu").data.max() == 20


def test_one_warning_a_call(sizes):
    from hyperspy.signals import Signal2D

    series = Signal2D(np.stack([sizes.data] * 3))
    series.axes_manager.signal_axes.set(scale=0.04, units="nm")
    series.set_signal_type("HAADF")
    with pytest.warns(UserWarning) as caught:
        series.segment_particles()
    said = [str(one.message) for one in caught]
    assert len(said) == 1 and "24 objects" in said[0] and "in 3 frames" in said[0] and "36 particles" in said[0]


def lazy_series(sizes, frames, count=6):
    """Some frames, of which those named have the eight small particles, in chunks of one frame."""
    from hyperspy.signals import Signal2D

    plain = sizes.data.copy()
    plain[96:], plain[48:96, 96:] = plain[:1, :1], plain[:1, :1]
    stack = np.stack([sizes.data if i in frames else plain for i in range(count)])
    series = Signal2D(stack).as_lazy(chunks=(1, *stack.shape[1:]))
    series.axes_manager.signal_axes.set(scale=0.04, units="nm")
    series.set_signal_type("HAADF")
    return series


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
@pytest.mark.parametrize("verb", ["segment_particles", "measure_particles"])
def test_a_lazy_call_warns_once_while_it_is_computed(sizes, verb, scheduler):
    import dask

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = getattr(lazy_series(sizes, range(6)), verb)(polarity="bright")
    for _ in range(2):
        with pytest.warns(UserWarning) as caught, dask.config.set(scheduler=scheduler):
            dask.compute(result.data)
        (said,) = {str(one.message) for one in caught}
        assert len(caught) == 1
        assert "8 objects smaller" in said and "in the first frame computed, 12 particles kept" in said


def test_a_lazy_call_with_classes_and_labels(sizes, model_folder):
    import particlespy_ml as pml

    results = lazy_series(sizes, [2]).classify_particles(model_folder, polarity="bright", return_labels=True)
    with pytest.warns(UserWarning) as caught:
        pml.compute_together(*results, show_progressbar=False)
    assert sum("smaller than min_diameter" in str(one.message) for one in caught) == 1


def test_a_lazy_image_warns_as_an_eager_one(sizes):
    with pytest.warns(UserWarning) as eager:
        sizes.segment_particles()
    labels = sizes.as_lazy().segment_particles()
    with pytest.warns(UserWarning) as lazy:
        labels.compute(show_progressbar=False)
    assert [str(one.message) for one in lazy] == [str(one.message) for one in eager]


def test_a_lazy_call_says_few_losses_after_the_last_frame():
    def seen(losses):
        loss, said = SizeLoss(0.8), []
        loss.report(len(losses), lazy=True)
        for i, lost in enumerate(losses):
            loss.add(5, lost)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                loss.after((i,))
            said += [(i, str(one.message)) for one in caught]
        return said

    assert seen([1, 0, 0]) == []  # as of eager frames: 1 of 16
    ((frame, text),) = seen([1, 0, 1])
    assert frame == 2 and "2 objects" in text and "in 2 frames" in text
    ((frame, text),) = seen([3, 3, 9, 9])
    assert frame == 1 and "6 objects" in text and "in the first 2 frames computed" in text


def test_copies_in_a_process_warn_once():
    loss = SizeLoss(0.8)
    loss.report(100, lazy=True)
    sent = pickle.dumps(loss)
    with pytest.warns(UserWarning, match="7 objects") as caught:
        for i in range(3):
            copy = pickle.loads(sent)
            copy.add(3, 7)
            copy.after((i,))
    assert len(caught) == 1


@pytest.mark.slow
def test_a_lazy_call_in_other_processes(sizes):
    import dask

    labels = lazy_series(sizes, range(2), 2).segment_particles(polarity="bright")
    with dask.config.set(scheduler="processes", num_workers=1):
        (array,) = dask.compute(labels.data)
    assert array.max() == 12


def test_most_objects_below_the_limit(sizes):
    with pytest.warns(UserWarning, match="8 objects.*2 particles kept. Most objects lie below the limit: is the pixel"):
        sizes.isig[:, 96:].segment_particles()


def test_a_calibration_that_is_ten_times_off():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert many(np.random.default_rng(0), 0.1).segment_particles().data.max() > 110
    wrong = many(np.random.default_rng(0), 0.01)
    with pytest.warns(UserWarning, match=r"1\d\d objects of about 0.\d+ nm lie below.*size, 0.01 nm, right"):
        assert wrong.segment_particles().data.max() < 12


def test_columns_of_a_lattice_are_no_lost_particles():
    from hyperspy.signals import Signal2D

    rng = np.random.default_rng(0)
    frame = np.zeros((256, 256))
    frame[10::20, 10::20] = 1
    signal = Signal2D(1e4 * ndi.gaussian_filter(frame, 4) + rng.normal(20, 2, frame.shape))
    signal.axes_manager.signal_axes.set(scale=0.012, units="nm")
    signal.set_signal_type("HAADF")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signal.segment_particles()


def test_counts_do_not_travel():
    loss = SizeLoss(0.8)
    loss.add(3, 2)
    copy = pickle.loads(pickle.dumps(loss))
    assert (copy.kept, copy.lost, copy.min_diameter) == (0, 0, 0.8) and loss.lost == 2


def test_dark_particles_where_bright_ones_were_looked_for(make_frame, make_image):
    places = [(50 + 90 * i, 60 + 110 * j) for i in range(3) for j in range(4)]
    dark = make_image(make_frame(places, [16] * 12, shape=(300, 460), polarity=-1))
    with pytest.warns(UserWarning, match=r"0 bright particles found, but 12 that are darker.*polarity=\"dark\""):
        dark.measure_particles()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dark.measure_particles(polarity="dark").n_particles == 12
        assert make_image(make_frame(places, [16] * 12, shape=(300, 460))).segment_particles().data.max() == 12


@pytest.mark.parametrize("edge", [False, True])
def test_dark_particles_of_a_large_frame(make_frame, make_image, edge):
    places = [(92 + 120 * k, 120 + 130 * n) for k in range(8) for n in range(7)]
    if edge:
        places = [(row, column) for row, column in places if row < 200 or row > 900]
    dark = make_image(make_frame(places, [16] * len(places), shape=(1024, 1024), polarity=-1))
    with pytest.warns(UserWarning, match=rf"0 bright particles found, but {len(places)} that are darker"):
        dark.segment_particles()


def test_a_line_of_pixels_along_the_border_is_no_particle(two_disks):
    image = two_disks.deepcopy()
    image.data[-1] = 4
    image.data[:, 0] = 4
    assert image.measure_particles(min_diameter=0.2).n_particles == 2
