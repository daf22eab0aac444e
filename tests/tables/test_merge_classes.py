"""Fewer classes from the same probabilities."""

import numpy as np
import pytest

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
