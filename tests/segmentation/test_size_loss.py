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


def test_a_line_of_pixels_along_the_border_is_no_particle(two_disks):
    image = two_disks.deepcopy()
    image.data[-1] = 4
    image.data[:, 0] = 4
    assert image.measure_particles(min_diameter=0.2).n_particles == 2
