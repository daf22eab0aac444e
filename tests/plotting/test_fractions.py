"""Fractions with intervals."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from particlespy_ml.dynamics import compare_fractions
from particlespy_ml.plotting.colours import PALETTE
from particlespy_ml.plotting.fractions import plot_fractions


@pytest.fixture
def table(make_movie):
    return make_movie(np.array([[0, 0, 1, 1, 0, 0, 1, 1] * 5, [1, 1, 0, 0] * 10]))


def test_bands_over_steps(table):
    frame = table.class_fractions(per=10)
    ax = table.plot_class_fractions(per=10)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_ylim()) == ("Time (s)", "Fraction, corrected", (0, 1))
    lines = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    bands = {to_hex(band.get_facecolor()).upper(): band for band in ax.collections}
    for name, colour in zip(table.classes, PALETTE, strict=False):
        rows = frame[frame["class"] == name]
        np.testing.assert_allclose(lines[name].get_xdata(), rows["time"])
        np.testing.assert_allclose(lines[name].get_ydata(), rows["corrected"])
        heights = bands[colour].get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == pytest.approx(
            (rows["corrected_low"].min(), rows["corrected_high"].max())
        )


def test_points_of_a_series(table):
    frame = table.class_fractions(per="series", confidence=0.5)
    ax = table.plot_class_fractions(per="series", confidence=0.5)
    assert [text.get_text() for text in ax.get_xticklabels()] == list(table.classes)
    bars = np.array([collection.get_segments()[0][:, 1] for collection in ax.collections])
    np.testing.assert_allclose(bars, frame[["corrected_low", "corrected_high"]])


def test_conditions_beside_each_other(table, make_movie):
    other = make_movie(np.array([[0, 1] * 10]))
    frame = compare_fractions({"as made": table, "heated for one hour in hydrogen": other})
    _, ax = plt.subplots()
    assert plot_fractions(frame, corrected=False, ax=ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Condition", "Fraction")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["as made", "heated for one hour in hydrogen"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(table.classes)
    places = np.concatenate([line.get_xdata() for line in ax.lines if not line.get_label().startswith("_")])
    assert len(set(places.round(6))) == 4


def test_fractions_that_cannot_be_drawn(table, make_movie):
    with pytest.raises(ValueError, match="Expected fractions with intervals"):
        plot_fractions(table.class_fractions())
    plain = make_movie(np.array([[0, 1, 1]]), known=False).class_fractions(per="series")
    with pytest.raises(ValueError, match="not corrected"):
        plot_fractions(plain, corrected=True)
    assert plot_fractions(plain).get_ylabel() == "Fraction"
    with pytest.raises(ValueError, match="expected"):
        table.plot_class_fractions(per="hour")
