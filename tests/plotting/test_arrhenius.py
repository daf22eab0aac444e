"""Rates and ratios of fractions against inverse temperature."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from particlespy_ml.dynamics import TemperatureSeries
from particlespy_ml.dynamics.barriers import fit_arrhenius

CLASSES = ("icosahedron", "decahedron")
KELVIN = np.array([500.0, 525.0, 550.0, 575.0])


@pytest.fixture(params=["barriers", "enthalpies"])
def series(request):
    """Two exact lines, one with a point missing."""
    values = np.array([20 - 1.0 / (8.617333e-5 * KELVIN), 19 - 0.9 / (8.617333e-5 * KELVIN)])
    values[1, 0] = np.nan
    errors = np.full((2, 4), 0.2)
    fits = tuple(fit_arrhenius(v, e, KELVIN) for v, e in zip(values, errors, strict=True))
    return TemperatureSeries(request.param, CLASSES, KELVIN, ((0, 1), (1, 0)), values, errors, fits)


def test_points_lines_and_energies(series):
    ax = series.plot()
    ax.figure.canvas.draw()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0].startswith("icosahedron → decahedron\n1.00 eV (")
    assert labels[1].startswith("decahedron → icosahedron\n0.90 eV (")
    assert ax.get_xlabel() == "1000 / temperature (1/K)"
    barriers = series.kind == "barriers"
    assert ax.get_ylabel() == ("Rate (1/s)" if barriers else "Ratio of fractions, to over from")
    assert ("Apparent barrier" if barriers else "Enthalpy") in ax.get_legend().get_title().get_text()
    points = ax.containers[0].lines[0]
    np.testing.assert_allclose(points.get_ydata(), np.exp(series.values[0]))
    np.testing.assert_allclose(points.get_xdata(), 1000 / KELVIN, rtol=0.02)
    line = ax.lines[0]
    np.testing.assert_allclose(np.log(line.get_ydata()), 20 - 1.0 / (8.617333e-5 * 1000 / line.get_xdata()), atol=1e-3)
    low, high = ax.get_ylim()
    assert low < np.nanmin(np.exp(series.values)) and np.nanmax(np.exp(series.values)) < high
    (top,) = ax.child_axes
    assert top.get_xlabel() == "Temperature (K)"
    assert set(top.get_xticks()) == set(KELVIN)


def test_some_pairs_on_axes_of_ones_own(series):
    _, ax = plt.subplots()
    assert series.plot(pairs=[("decahedron", "icosahedron")], ax=ax) is ax
    assert len(ax.get_legend().get_texts()) == 1


def test_pairs_without_a_line(series):
    with pytest.raises(ValueError, match=r"expected some of \('icosahedron', 'decahedron'\)"):
        series.plot(pairs=[("icosahedron", "amorphous")])
    assert plt.get_fignums() == []
