"""`classify_particles`: the same rows however it is called."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import ndimage as ndi

import particlespy_ml as pml
from particlespy_ml.classification.classifier import ParticleClassifier
from particlespy_ml.models.load import list_models
from particlespy_ml.tables.classes import classes_from_probabilities
from tests.classification.rows import check_rows

CLASSES = ("icosahedron", "decahedron", "cuboctahedron", "amorphous")


def probabilities(rows, classes=CLASSES):
    return np.column_stack([rows[f"probability_{name}"] for name in classes])


@pytest.mark.parametrize("shape", [(3,), (1,), (3, 1), (1, 3)], ids=str)
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_rows_do_not_depend_on_shape_or_laziness(make_image, make_frame, many, model, shape, lazy):
    """0, 1 and many particles: each frame alone gives the rows it gives in a series or a grid."""
    empty = make_frame([], [], shape=many.shape)
    one = make_frame([(100, 150)], [20], shape=many.shape)
    frames = np.stack([empty, one, many])[: int(np.prod(shape))]
    expected = [make_image(frame).classify_particles(model).data[0] for frame in frames]
    assert [len(rows) for rows in expected] == [0, 1, 30][: len(frames)]
    table = make_image(frames.reshape(*shape, *many.shape), lazy=lazy).classify_particles(model)
    assert table._lazy is lazy
    table = table._computed()
    assert table.data.shape == shape
    for rows, wanted in zip(table.data.ravel(), expected, strict=True):
        assert rows.ndim == 1
        check_rows(rows, wanted)


@pytest.mark.parametrize("chunks", [1, 2, 3, (1, 64, 64), (3, 50, 160)], ids=str)
def test_rows_do_not_depend_on_chunks(series, model, chunks):
    expected = series.classify_particles(model)
    lazy = series.as_lazy()
    lazy.data = lazy.data.rechunk(chunks if isinstance(chunks, tuple) else (chunks, -1, -1))
    table = lazy.classify_particles(model)
    table.compute(show_progressbar=False)
    for rows, wanted in zip(table.data, expected.data, strict=True):
        check_rows(rows, wanted)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_rows_do_not_depend_on_the_scheduler(grid, model, scheduler):
    import dask

    expected = grid.classify_particles(model)
    with dask.config.set(scheduler=scheduler):
        table = grid.as_lazy().classify_particles(model)._computed()
    for rows, wanted in zip(table.data.ravel(), expected.data.ravel(), strict=True):
        check_rows(rows, wanted)


def test_more_particles_than_go_through_the_network_at_a_time(make_image, many, model, monkeypatch):
    expected = make_image(many).classify_particles(model)
    waiting = []
    predict = ParticleClassifier._predict
    monkeypatch.setattr("particlespy_ml.classification.classifier.FLUSH", 7)
    monkeypatch.setattr(
        ParticleClassifier,
        "_predict",
        lambda self, group, *out: (waiting.append(len(group)), predict(self, group, *out)),
    )
    table = make_image(many).classify_particles(model)
    check_rows(table.data[0], expected.data[0])
    assert max(waiting) == 7 and sum(waiting) == 30  # no more windows are held than that


def test_the_measured_columns_are_those_of_measure_particles(series, model):
    measured, classified = series.measure_particles(), series.classify_particles(model)
    assert classified.columns[: len(measured.columns)] == measured.columns
    for name in measured.columns:
        np.testing.assert_array_equal(measured[name], classified[name])


def test_probabilities(many, make_image, model):
    table = make_image(many).classify_particles(model)
    values = np.column_stack([table[f"probability_{name}"] for name in CLASSES])
    assert (values >= 0).all()
    np.testing.assert_allclose(values.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(table["probability"], values.max(1))
    np.testing.assert_array_equal(table["class_index"], values.argmax(1))
    assert table["class"].tolist() == [CLASSES[i] for i in values.argmax(1)]


def test_probabilities_do_not_depend_on_gain_and_offset(many, make_image, model):
    one = make_image(many).classify_particles(model)
    other = make_image(np.rint((many * 900 + 500) * 8).astype(np.uint16)).classify_particles(model)
    assert len(one.data[0]) == len(other.data[0]) == 30
    np.testing.assert_allclose(
        [one[f"probability_{name}"] for name in CLASSES], [other[f"probability_{name}"] for name in CLASSES], atol=5e-3
    )


def test_min_probability(many, make_image, model):
    image = make_image(many)
    free = image.classify_particles(model, min_probability=0)
    assert (free["class"] != "undefined").all()
    strict = image.classify_particles(model, min_probability=1)
    assert (strict["class"] == "undefined").all() and (strict["class_index"] == -1).all()
    np.testing.assert_array_equal(strict["probability"], free["probability"])  # what was found is still there
    middle = float(np.median(free["probability"]))
    table = image.classify_particles(model, min_probability=middle)
    np.testing.assert_array_equal(table["class"] == "undefined", free["probability"] < middle)
    assert table.metadata.particlespy_ml.model.min_probability == middle


def test_min_probability_of_the_card(many, make_image, make_model):
    table = make_image(many).classify_particles(make_model(min_probability=1.0))
    assert (table["class"] == "undefined").all()


@pytest.mark.parametrize("value", [-0.1, 1.1, 50, float("nan")])
def test_min_probability_out_of_range(two_disks, model, value):
    with pytest.raises(ValueError, match="min_probability=.*between 0 and 1"):
        two_disks.classify_particles(model, min_probability=value)


def test_classes_from_probabilities():
    values = np.array([[0.2, 0.8], [0.5, 0.5], [np.nan, np.nan], [0.9, 0.1]], np.float32)
    index, probability = classes_from_probabilities(values, 0.6)
    assert index.tolist() == [1, -1, -1, 0]
    np.testing.assert_array_equal(probability, np.array([0.8, 0.5, np.nan, 0.9], np.float32))
    assert [len(part) for part in classes_from_probabilities(values[:0], 0.6)] == [0, 0]


@pytest.mark.parametrize("scale", [0.001, 0.2])
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_pixel_size_out_of_range(make_frame, make_image, model, scale, lazy):
    image = make_image(make_frame([(40, 40), (80, 110)], [14, 20]), scale=scale, lazy=lazy)
    with pytest.warns(UserWarning, match=f"pixel size of {scale * 10:g} Å is outside .* 0.05 to 0.65 Å") as caught:
        table = image.classify_particles(model, method="otsu", min_size=100)
    assert caught[0].filename == __file__  # points at the user's line
    table = table._computed()
    assert table.n_particles == 2
    assert (table["class"] == "undefined").all()
    assert np.isnan(table["probability"]).all() and np.isnan(probabilities(table.data[0])).all()
    assert (table["area"] > 0).all()


def test_no_warning_within_the_range(two_disks, model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        two_disks.classify_particles(model)


@pytest.mark.parametrize(
    ("signal_type", "sigma", "lattice_constant", "warned"),
    [("HRTEM", 4.0, None, True), ("HRTEM", 0.0, None, False), ("HAADF", 4.0, None, False), ("HRTEM", 1.7, 0.7, False)],
)
def test_images_without_fringes(make_frame, make_image, signal_type, sigma, lattice_constant, warned):
    frame = make_frame([(60, 60)], [20]) + np.random.default_rng(0).normal(0, 20, (128, 160))
    image = make_image(ndi.gaussian_filter(frame, sigma), scale=0.04)
    image.set_signal_type(signal_type)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image.classify_particles(method="auto", lattice_constant=lattice_constant)
    assert sum("lattice fringes" in str(warning.message) for warning in caught) == warned


@pytest.mark.parametrize("navigation", [(2,), (2, 3)])
def test_the_first_frame_of_a_series_is_looked_at_for_fringes_when_it_is_computed(make_frame, make_image, navigation):
    frames = np.zeros((*navigation, 128, 160)) + make_frame([(60, 60)], [20])
    frames += np.random.default_rng(0).normal(0, 20, frames.shape)
    frames[(0,) * len(navigation)] = ndi.gaussian_filter(frames[(0,) * len(navigation)], 4)
    image = make_image(frames, scale=0.04, lazy=True)
    image.set_signal_type("HRTEM")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = image.classify_particles(method="auto")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table.compute(show_progressbar=False)
    assert sum("lattice fringes" in str(warning.message) for warning in caught) == 1


def test_diameter_out_of_range(make_frame, make_image, make_model):
    image = make_image(make_frame([(40, 40), (80, 110)], [14, 20]))
    small, large = np.sort(image.measure_particles()["equivalent_circular_diameter"])
    middle = (small + large) / 2
    below = image.classify_particles(make_model("below", diameter_range_nm=[0.1, middle]))
    above = image.classify_particles(make_model("above", diameter_range_nm=[middle, 100]))
    for table, wanted in ((below, lambda d: d > middle), (above, lambda d: d < middle)):
        outside = wanted(table["equivalent_circular_diameter"])
        np.testing.assert_array_equal(table["class"] == "undefined", outside)
        assert outside.sum() == 1


@pytest.mark.parametrize(("units", "factor"), [("Å", 10), ("µm", 1e-3), ("pm", 1000)])
def test_units_make_no_difference(two_disks, make_model, units, factor):
    model = make_model(diameter_range_nm=[0.5, 1.4])
    expected = two_disks.classify_particles(model)
    assert sorted(expected["class"] == "undefined") == [False, True]
    image = two_disks.deepcopy()
    image.axes_manager.signal_axes.set(scale=0.04 * factor, units=units)
    table = image.classify_particles(model)
    np.testing.assert_array_equal(table["class"], expected["class"])
    np.testing.assert_allclose(table["probability"], expected["probability"], atol=1e-5)


def test_default_model_of_a_haadf_image(two_disks):
    assert "isomer-haadf" in list_models(), "weights/isomer-haadf is missing"
    table = two_disks.classify_particles()
    assert table.metadata.particlespy_ml.model.name == "isomer-haadf"
    assert table.n_particles == 2


def test_the_bundled_model_on_the_simulated_image():
    """The examples are held out from training; chance is right for a quarter."""
    assert "isomer-haadf" in list_models(), "weights/isomer-haadf is missing"
    image = pml.data.gold_on_carbon()
    truth = image.metadata.Simulation.as_dictionary()
    table = image.classify_particles(min_probability=0)
    found = table.data[0]
    assert len(found) == 6
    right = 0
    for x, y, isomer in zip(truth["x_nm"], truth["y_nm"], truth["isomers"], strict=True):
        distance = np.hypot(found["x"] - x, found["y"] - y)
        assert distance.min() < 0.5
        right += table["class"][distance.argmin()] == isomer
    assert right >= 5


def test_the_bundled_model_on_the_simulated_movie():
    assert "isomer-haadf" in list_models(), "weights/isomer-haadf is missing"
    movie = pml.data.isomer_movie()
    truth = movie.metadata.Simulation.as_dictionary()
    table = movie.classify_particles(min_probability=0, lazy_output=False, show_progressbar=False)
    assert [len(rows) for rows in table.data] == [2] * 24
    right = 0
    for rows, left, below in zip(table.data, truth["upper_left"], truth["lower_right"], strict=True):
        names = table.class_names(rows["class_index"])[np.argsort(rows["x"])]
        right += (names[0] == left) + (names[1] == below)
    assert right / 48 > 0.9


def test_no_default_model(two_disks, model):
    two_disks.set_signal_type("particle_image")
    with pytest.raises(ValueError, match="no default model for the signal type 'particle_image'.*model="):
        two_disks.classify_particles()
    assert two_disks.classify_particles(model).n_particles == 2


def test_function_on_any_signal(two_disks, model):
    expected = two_disks.classify_particles(model)
    two_disks.set_signal_type("")
    assert not hasattr(two_disks, "classify_particles")
    table = pml.classify_particles(two_disks, model, polarity="bright")
    check_rows(table.data[0], expected.data[0])
    with pytest.raises(ValueError, match="no default model for the signal type ''"):
        pml.classify_particles(two_disks)


def test_the_image_is_left_as_it_was(series, model):
    before, metadata = series.data.copy(), series.metadata.as_dictionary()
    series.data.flags.writeable = False
    series.classify_particles(model, return_labels=True)
    np.testing.assert_array_equal(series.data, before)
    assert series.metadata.as_dictionary() == metadata


def test_the_classifier_is_picklable(two_disks, model):
    from particlespy_ml.core.calibration import pixel_grid

    classifier = pickle.loads(pickle.dumps(ParticleClassifier(model, pixel_grid(two_disks), 0.5)))
    labels = two_disks.segment_particles().data
    rows = two_disks.measure_particles().data[0]
    (found,) = classifier(two_disks.data[None], [labels], [rows])
    np.testing.assert_allclose(found["probability"], two_disks.classify_particles(model)["probability"], atol=1e-6)


def test_classifying_again_replaces_the_classes(two_disks, model):
    from particlespy_ml.core.calibration import pixel_grid

    classifier = ParticleClassifier(model, pixel_grid(two_disks), 0.0)
    labels = two_disks.segment_particles().data
    rows = two_disks.classify_particles(model).data[0]
    (again,) = classifier(two_disks.data[None], [labels], [rows])
    check_rows(again, rows)


def test_without_frames_there_is_nothing(two_disks, model):
    from particlespy_ml.core.calibration import pixel_grid

    classifier = ParticleClassifier(model, pixel_grid(two_disks), 0.0)
    empty = two_disks.measure_particles().data[0][:0]
    (rows,) = classifier(two_disks.data[None], [np.zeros(two_disks.data.shape, np.int32)], [empty])
    assert len(rows) == 0 and "probability_amorphous" in rows.dtype.names


def test_the_same_model_by_name_and_by_folder(two_disks, model, model_folder):
    by_folder = two_disks.classify_particles(str(model_folder))
    check_rows(by_folder.data[0], two_disks.classify_particles(model).data[0])
    assert by_folder.metadata.particlespy_ml.model.sha256 == model.sha256


def test_exclude_border(make_image, make_frame, model):
    image = make_image(make_frame([(40, 40), (80, 158)], [14, 20]))
    kept = image.classify_particles(model)
    assert sorted(kept["touches_border"]) == [False, True]
    assert not image.classify_particles(model, exclude_border=True)["touches_border"].any()


def test_lattice_constant_scales_what_the_network_sees():
    image = pml.data.gold_on_carbon()
    expected = image.classify_particles()
    shrunk = image.deepcopy()
    for axis in shrunk.axes_manager.signal_axes:
        axis.scale *= 0.392 / 0.408
    table = shrunk.classify_particles(lattice_constant=0.392)
    assert list(table["class"]) == list(expected["class"])
    np.testing.assert_allclose(table["probability"], expected["probability"], atol=0.02)
    same = shrunk.classify_particles(lattice_constant="3.92 Å")
    np.testing.assert_array_equal(same["probability"], table["probability"])
    for wrong in (3.92, 0, "0.392 Å"):
        with pytest.raises(ValueError, match=r"nm, but 0\.408 nm is that of the model"):
            image.classify_particles(lattice_constant=wrong)


def test_a_model_without_a_lattice_constant_cannot_be_scaled(two_disks, model):
    with pytest.raises(ValueError, match="no lattice constant"):
        two_disks.classify_particles(model, lattice_constant=0.392)
