"""Images without calibration: thresholds and labels are measured in pixels, what needs lengths says so."""

from __future__ import annotations

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hyperspy.signals import Signal2D


@pytest.fixture(params=[False, True], ids=["eager", "lazy"])
def plain(series, request):
    """A series without units."""
    signal = Signal2D(np.asarray(series.data))
    signal.set_signal_type("HAADF")
    return signal.as_lazy() if request.param else signal


def test_lengths_are_in_pixels(plain, series, tmp_path):
    table = plain.measure_particles(method="otsu", lazy_output=False)
    wanted = series.measure_particles(method="otsu")
    assert (table.units["x"], table.units["area"], table.units["perimeter"]) == ("px", "px²", "px")
    for name in ("area", "x", "perimeter", "circularity"):
        power = {"area": 2, "circularity": 0}.get(name, 1)
        np.testing.assert_allclose(table[name], wanted[name] / 0.04**power, rtol=1e-6)
    assert len(set(table.track_particles(max_displacement="40 px")["track"])) >= 2
    assert "area (px²)" in table.to_dataframe(length_unit="nm", units_in_names=True)
    table.save(tmp_path / "table.hspy")
    assert hs.load(tmp_path / "table.hspy").units["area"] == "px²"


def test_labels_and_what_follows(plain):
    labels = plain.segment_particles("otsu", lazy_output=False)
    table = plain.measure_particles(labels, lazy_output=False)
    assert table.n_particles == labels.data[0].max() + labels.data[1].max() + labels.data[2].max()
    assert plain.extract_particles(table, box=30).data.shape[1:] == (30, 30)
    ax = table.plot_overlay(plain, 0)
    assert any("px" in text.get_text() for text in ax.findobj(plt.Text))
    plt.close(ax.figure)


def test_lengths_are_asked_for_where_they_are_needed(plain):
    for call in (plain.measure_particles, plain.classify_particles, plain.segment_particles):
        with pytest.raises(ValueError, match="not calibrated as a length.*signal_axes.set"):
            call()
