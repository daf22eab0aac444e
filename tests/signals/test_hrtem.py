"""HRTEM images: found by a network, classified by another, both bundled."""

import hyperspy.api as hs
import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.models.load import load_model
from particlespy_ml.segmentation.score import score_labels


@pytest.fixture(scope="module")
def image():
    return pml.data.gold_hrtem()


@pytest.fixture(scope="module")
def table(image):
    return image.classify_particles()


def test_there_are_no_verbs_that_could_not_work(image):
    for verb in ("reconstruct", "save_star", "find_columns_in_series", "find_zone_axis"):
        assert not hasattr(image, verb)


def matches(table, truth):
    """Classes that were found and true ones of the particles whose middle is within 0.6 nm of a true place."""
    frame = table.to_dataframe()
    places = np.column_stack([truth.x_nm, truth.y_nm])
    pairs = []
    for row in frame.itertuples():
        distance = np.linalg.norm(places - (row.x, row.y), axis=1)
        if distance.min() < 0.6:
            pairs.append((frame.loc[row.Index, "class"], truth.classes[int(distance.argmin())]))
    return pairs


def test_particles_of_the_example_are_found(image):
    truth = image.metadata.Simulation
    labels = image.segment_particles()
    assert labels.metadata.particlespy_ml.segmentation.model == "particles-hrtem"
    found = len(np.unique(labels.data)) - 1
    assert abs(found - len(truth.classes)) <= 0.3 * len(truth.classes)
    for x, y in zip(truth.x_nm, truth.y_nm, strict=True):
        row, column = round(y / 0.04), round(x / 0.04)
        if 15 < row < 435 and 15 < column < 435:
            near = labels.data[row - 5 : row + 6, column - 5 : column + 6]
            assert (near > 0).any(), (x, y)


def test_crystals_of_the_example_are_told_from_amorphous_particles(image, table):
    two = table.merge_classes({"crystalline": ("monocrystalline", "polycrystalline")})
    pairs = [pair for pair in matches(two, image.metadata.Simulation) if pair[0] != "undefined"]
    assert len(pairs) >= 6
    right = [(found == "amorphous") == (true == "amorphous") for found, true in pairs]
    assert np.mean(right) >= 0.8


def test_particles_at_the_border_are_left_out_unless_asked(image, table):
    assert not table["touches_border"].any()
    every = image.classify_particles(exclude_border=False)
    assert every["touches_border"].any() and every.n_particles > table.n_particles
    assert every.metadata.particlespy_ml.segmentation.exclude_border is False


def test_lazy_series_as_eager(image, table, same_rows):
    series = hs.stack([image, image], show_progressbar=False)
    lazy = series.as_lazy().classify_particles()
    assert lazy._lazy
    lazy.compute(show_progressbar=False)
    for rows in lazy.data:
        assert len(rows) == table.n_particles
        np.testing.assert_array_equal(rows["label"], table["label"])
        np.testing.assert_allclose(rows["probability"], table["probability"], atol=1e-5)


def test_tiles_of_the_bundled_network_have_no_seams():
    model = load_model("particles-hrtem")
    frame = np.random.default_rng(0).normal(size=(32, 1400)).astype(np.float32)
    for one, other in zip(model.maps(frame, tile=4096), model.maps(frame, tile=256), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_pixels_of_another_size(image, factor):
    """The same image, coarser or finer, has the same particles."""
    from scipy.ndimage import zoom

    data = image.data.astype(float)
    data = data.reshape(225, 2, 225, 2).sum((1, 3)) if factor == 0.5 else zoom(data, 2, order=1)
    other = hs.signals.Signal2D(data)
    other.axes_manager.signal_axes.set(scale=0.04 / factor, units="nm")
    other.set_signal_type("HRTEM")
    own, labels = image.segment_particles().data, other.segment_particles().data
    if factor == 0.5:
        own = own[::2, ::2]
    else:
        labels = labels[::2, ::2]
    overlap, f1 = score_labels(labels, own)
    assert overlap > 0.75 and f1 > 0.75


def test_empty_and_constant_frames():
    blank = hs.signals.Signal2D(np.ones((64, 64), np.float32))
    blank.axes_manager.signal_axes.set(scale=0.05, units="nm")
    blank.set_signal_type("HRTEM")
    with pytest.warns(UserWarning, match="constant: it has no particles"):
        assert blank.classify_particles().n_particles == 0


def test_thresholds_still_work(image):
    assert image.segment_particles("auto").metadata.particlespy_ml.segmentation.method == "auto"
    assert image.segment_particles("otsu", invert=True).data.max() > 0
