"""Fewer classes from the same probabilities."""

import numpy as np
import pytest

from particlespy_ml.classification.merge import full_groups

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


def test_confusion_matrix_is_merged(make_model, series):
    values = np.array([[0.8, 0.1, 0.1, 0], [0.2, 0.7, 0, 0.1], [0, 0, 1, 0], [0, 0, 0.2, 0.8]])
    folder = make_model(confusion_matrix={"values": values.tolist(), "values_above_min_probability": values.tolist()})
    merged = series.classify_particles(folder).merge_classes(TWO)
    matrix = np.reshape(merged.metadata.particlespy_ml.model.confusion_matrix, (3, 3))
    np.testing.assert_allclose(matrix, [[0.9, 0.05, 0.05], [0, 1, 0], [0, 0.2, 0.8]])


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
