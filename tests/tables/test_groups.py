"""What by= means."""

from __future__ import annotations

import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.tables.groups import group_particles, group_rows


@pytest.fixture(scope="module")
def table():
    return pml.data.gold_on_carbon().measure_particles().cluster_particles(n_clusters=2, resamples=0)


@pytest.fixture(scope="module")
def zoned():
    """Particles with a column of names: two of six are on an axis."""
    from particlespy_ml.tables.dataframe import with_columns

    measured = pml.data.gold_on_carbon().measure_particles()
    values = np.zeros(6, [("zone_axis", "i1"), ("zone_axis_probability", "f4")])
    values["zone_axis"] = [0, -1, 2, -1, -1, -1]
    values["zone_axis_probability"] = 0.9
    names = {"zone_axis": ["<001>", "<011>", "<111>"]}
    return with_columns(measured, values, dict.fromkeys(values.dtype.names, ""), names, {})


def test_numbers_of_a_column(table):
    values, names = group_rows(table, "cluster")
    np.testing.assert_array_equal(values, table["cluster"])
    assert names is None


def test_classes(table):
    classified = pml.data.gold_on_carbon().classify_particles()
    values, names = group_rows(classified, "class")
    assert [([*names, "undefined"])[value] for value in values] == classified["class"].tolist()
    with pytest.raises(ValueError, match="not classified"):
        group_rows(table, "class")


@pytest.mark.parametrize("by", ["area", "outline", "nothing", 3])
def test_columns_that_group_nothing(table, by):
    with pytest.raises(ValueError, match=r"no column of whole numbers.*label.*cluster_particles\(\) makes clusters"):
        group_rows(table, by)


def test_names_of_a_column(zoned, tmp_path):
    import hyperspy.api as hs

    expected = ["<001>", "undefined", "<111>", "undefined", "undefined", "undefined"]
    zoned.save(tmp_path / "zoned.hspy")
    for one in (zoned, hs.load(tmp_path / "zoned.hspy"), zoned.select("area > 0")):
        assert one["zone_axis"].tolist() == expected
        assert one.codes("zone_axis").tolist() == [0, -1, 2, -1, -1, -1]
        frame = one.to_dataframe()
        assert frame["zone_axis"].tolist() == expected and frame["zone_axis"].dtype.name == "category"
    assert zoned.select("zone_axis == '<111>'").n_particles == 1


def test_everything_by_class_works_by_names(zoned):
    image = pml.data.gold_on_carbon()
    report = zoned.summary(by="zone_axis")
    assert report["count"].to_dict() == {"all": 6, "<001>": 1, "<011>": 0, "<111>": 1, "undefined": 4}
    assert zoned.as_classes("zone_axis").classes == ("<001>", "<011>", "<111>")
    assert zoned.class_fractions(by="zone_axis")["<111>"].tolist() == pytest.approx([1 / 6])
    means = image.extract_particles(zoned).class_averages(zoned, "zone_axis", show_progressbar=False)
    assert list(means.metadata.particlespy_ml.class_averages.clusters) == ["<001>", "<111>"]
    for figure in (
        zoned.plot_montage(image, by="zone_axis"),
        zoned.plot_populations(image, by="zone_axis"),
        zoned.plot_class_fractions(by="zone_axis").figure,
        zoned.plot_histogram("area", by="zone_axis").figure,
        zoned.plot_scatter("area", "x", by="zone_axis").figure,
        zoned.plot_pairs(["area", "x"], by="zone_axis"),
        zoned.plot_overlay(image, label="zone_axis").figure,
    ):
        figure.canvas.draw()


def test_names_are_written_beside_particles(zoned):
    ax = zoned.plot_overlay(pml.data.gold_on_carbon(), label="zone_axis")
    assert [text.get_text() for text in ax.texts] == zoned["zone_axis"].tolist()


def test_lists_of_numbers_for_stacks():
    values, names = group_particles([0.0, 1.0, -1.0], "cluster", 3)
    assert values.dtype == np.int64 and values.tolist() == [0, 1, -1] and names is None
    for wrong, match in (
        ([0, 1], r"value for each of the stack's 3"),
        ([0.5] * 3, "whole numbers"),
        (["a"] * 3, "whole"),
    ):
        with pytest.raises(ValueError, match=match):
            group_particles(wrong, "cluster", 3)
