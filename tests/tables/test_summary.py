"""The short report of a table."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest


def test_counts_fractions_and_sizes(series, add_classes):
    table = add_classes(series.measure_particles())
    report = table.summary()
    frame = table.to_dataframe()
    assert list(report.index) == ["all", *table.classes, "undefined"]
    assert report.loc["all", "count"] == len(frame) == report["count"].iloc[1:].sum()
    known = (frame["class"] != "undefined").sum()
    for name in table.classes:
        part = frame[frame["class"] == name]
        row = report.loc[name]
        assert row["fraction"] == pytest.approx(len(part) / len(frame))
        low, high = binomtest(len(part), len(frame)).proportion_ci(0.95, "wilson")
        assert (row["fraction_low"], row["fraction_high"]) == pytest.approx((low, high))
        uncut = part[~part["touches_border"].astype(bool)]
        assert row["mean_diameter"] == pytest.approx(uncut["equivalent_circular_diameter"].mean())
    assert report.loc["undefined", "fraction"] == pytest.approx(1 - known / len(frame))
    assert report.loc[[*table.classes, "undefined"], "fraction"].sum() == pytest.approx(1)
    assert report.attrs["units"] == "nm" and set(report["unit"]) == {"nm"}


def test_particles_that_the_border_cuts_count_but_have_no_diameter(two_disks):
    labels = two_disks.segment_particles().data.copy()
    rows, columns = np.nonzero(labels == 1)
    middle = int(rows.mean())
    cut = two_disks.isig[:, middle:]
    table = cut.measure_particles(labels=labels[middle:])
    touches = table["touches_border"].astype(bool)
    assert touches.sum() == 1 and len(touches) == 2
    row = table.summary().loc["all"]
    assert row["count"] == 2
    assert row["mean_diameter"] == pytest.approx(float(table["equivalent_circular_diameter"][~touches][0]))


def test_wider_with_more_confidence(series, add_classes):
    table = add_classes(series.measure_particles())
    narrow, wide = table.summary(0.68), table.summary(0.99)
    name = table.classes[0]
    assert wide.loc[name, "fraction_low"] < narrow.loc[name, "fraction_low"]
    with pytest.raises(ValueError, match="confidence=2; expected"):
        table.summary(2)


def test_lazy_as_eager(series):
    eager, lazy = series.measure_particles().summary(), series.as_lazy().measure_particles().summary()
    pd.testing.assert_frame_equal(lazy, eager)


def test_not_classified_and_empty(two_disks):
    assert list(two_disks.measure_particles().summary().index) == ["all"]
    empty = two_disks.measure_particles(labels=np.zeros(two_disks.data.shape, int)).summary()
    assert empty.loc["all", "count"] == 0 and np.isnan(empty.loc["all", "mean_diameter"])


def test_one_particle(two_disks):
    labels = (two_disks.segment_particles().data == 1).astype(int)
    row = two_disks.measure_particles(labels=labels).summary().loc["all"]
    assert row["count"] == 1 and np.isfinite(row["mean_diameter"]) and np.isnan(row["diameter_error"])
