"""Fewer classes from the same probabilities."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.tables.merge_classes import full_groups

TWO = {"twinned": ("icosahedron", "decahedron")}


@pytest.fixture
def table(series, model_folder):
    return series.classify_particles(model_folder)


def test_probabilities_are_summed(table):
    merged = table.merge_classes(TWO)
    assert merged.classes == ("twinned", "cuboctahedron", "amorphous")
    expected = table["probability_icosahedron"] + table["probability_decahedron"]
    np.testing.assert_allclose(merged["probability_twinned"], expected)
    np.testing.assert_array_equal(merged["probability_amorphous"], table["probability_amorphous"])
    assert "probability_icosahedron" not in merged.columns
    every = np.stack([merged[f"probability_{name}"] for name in merged.classes], axis=1)
    np.testing.assert_allclose(merged["probability"], every.max(1))
    np.testing.assert_array_equal(merged["class_index"], every.argmax(1))
    np.testing.assert_array_equal(merged["area"], table["area"])
    assert merged.units["area"] == table.units["area"]
    image = (t.metadata.particlespy_ml.image.as_dictionary() for t in (merged, table))
    assert next(image) == next(image)


def test_lazy_as_eager(series, table, model_folder, same_rows):
    lazy = series.as_lazy().classify_particles(model_folder).merge_classes(TWO)
    assert lazy._lazy
    lazy.compute(show_progressbar=False)
    eager = table.merge_classes(TWO)
    same_rows(lazy, eager)


def test_threshold(table):
    strict = table.merge_classes(TWO, min_probability=1.0)
    assert set(strict["class"]) == {"undefined"}
    assert strict.metadata.particlespy_ml.model.min_probability == 1.0


def test_the_confusion_of_other_classes_is_not_taken_over(make_model, series):
    values = np.eye(4).tolist()
    folder = make_model(confusion_matrix={"values": values, "values_above_min_probability": values})
    table = series.classify_particles(folder)
    assert table.metadata.particlespy_ml.model.confusion_matrix
    assert len(table.merge_classes(TWO).metadata.particlespy_ml.model.confusion_matrix) == 0


def test_particles_out_of_the_range_of_sizes_stay_undefined(make_model, series):
    table = series.classify_particles(make_model(diameter_range_nm=[90.0, 95.0]))
    assert set(table["class"]) == {"undefined"}
    assert set(table.merge_classes(TWO)["class"]) == {"undefined"}


@pytest.mark.parametrize("units", ["nm", "Å"])
def test_improbable_particles_out_of_the_range_of_sizes_stay_undefined(make_model, two_disks, units):
    image = two_disks.deepcopy()
    image.axes_manager.signal_axes.set(scale=0.04 * (10 if units == "Å" else 1), units=units)
    diameters = np.sort(two_disks.measure_particles()["equivalent_circular_diameter"])
    folder = make_model(diameter_range_nm=[0.1, float(diameters.mean())])
    table = image.classify_particles(folder, min_probability=0.999)
    assert set(table["class"]) == {"undefined"}
    merged = table.merge_classes({"any": table.classes})
    large = merged["equivalent_circular_diameter"] == merged["equivalent_circular_diameter"].max()
    assert merged["class"][~large].tolist() == ["any"] and merged["class"][large].tolist() == ["undefined"]
    assert merged.drop("equivalent_circular_diameter").merge_classes({"all": ("any",)}).n_particles == 2


def test_what_is_undefined_for_want_of_fringes_stays_so(make_frame, make_image):
    rng = np.random.default_rng(0)
    frames = np.stack([make_frame([(60, 60)], [20]) + rng.normal(0, 20, (128, 160)) for _ in range(2)])
    frames[1] = ndi.gaussian_filter(frames[1], 4)
    image = make_image(frames, scale=0.04, names=("time",))
    image.set_signal_type("HRTEM")
    labels = np.zeros(frames.shape, int)
    labels[:, 40:80, 40:80] = 1
    for lazy in (False, True):
        table = (image.as_lazy() if lazy else image).classify_particles(labels=labels, min_probability=1)
        merged = table.merge_classes({"any": table.classes}, min_probability=0.5)._computed()
        table = table._computed()
        assert set(table["class"]) == {"undefined"}
        assert np.isfinite(table["probability"]).tolist() == [True, False]
        assert merged["class"].tolist() == ["any", "undefined"]
    with pytest.warns(UserWarning, match="No lattice fringes"):
        sure = image.inav[1].classify_particles(labels=labels[1], min_probability=0, calibrated=False)
    assert np.isfinite(sure["probability"]).all()  # what is not undefined keeps its class


def test_table_without_particles(two_disks, model_folder):
    empty = two_disks.classify_particles(model_folder, labels=np.zeros(two_disks.data.shape, int))
    assert empty.merge_classes(TWO).n_particles == 0


@pytest.mark.parametrize(
    "groups",
    [{"a": ("rod",)}, {"a": ("icosahedron",), "b": ("icosahedron",)}, {"a": ()}, {"amorphous": ("icosahedron",)}],
)
def test_what_is_no_group(table, groups):
    with pytest.raises(ValueError, match="Expected groups of some of the classes|choose another name"):
        table.merge_classes(groups)


def test_a_table_without_classes(two_disks):
    with pytest.raises(ValueError, match="not classified"):
        two_disks.measure_particles().merge_classes(TWO)


def test_order_of_groups():
    assert full_groups(("a", "b", "c", "d"), {"x": ("d", "b")}) == {"a": ("a",), "x": ("d", "b"), "c": ("c",)}
    assert full_groups(("a", "b"), {"y": "b"}) == {"a": ("a",), "y": ("b",)}


def test_uncalibrated_probabilities(make_model, two_disks):
    folder = make_model(temperature=5.0)
    soft, sharp = (two_disks.classify_particles(folder, calibrated=on) for on in (True, False))
    assert (sharp["probability"] > soft["probability"]).all()
    assert sharp.metadata.particlespy_ml.model.calibrated is False
