"""Graphs of transitions."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyArrowPatch

from particlespy_ml.dynamics import Transitions
from particlespy_ml.dynamics.rates import RateFit
from particlespy_ml.plotting.colours import PALETTE
from particlespy_ml.plotting.transitions import _short


def made(k, counts=None, occupation=None):
    """Transitions between k classes with rates that tell them apart."""
    rates = np.random.default_rng(k).lognormal(-2, 1, (k, k))
    np.fill_diagonal(rates, 0)
    np.fill_diagonal(rates, -rates.sum(1))
    counts = np.full((k, k), 20.0) if counts is None else counts
    occupation = np.arange(1.0, k + 1) if occupation is None else occupation
    fit = RateFit(rates, rates * 0.7, rates * 1.5, 0.95, counts, occupation, np.full(k, 1 / k), 0.5, -1.0)
    return Transitions(tuple(f"class {n}" for n in range(k)), fit)


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_nodes_arrows_and_labels(k, text_overlaps):
    found = made(k)
    ax = found.plot()
    nodes = [p for p in ax.patches if isinstance(p, Circle)]
    arrows = [p for p in ax.patches if isinstance(p, FancyArrowPatch)]
    assert (len(nodes), len(arrows)) == (k, k * (k - 1))
    areas = np.array([node.radius**2 for node in nodes])
    np.testing.assert_allclose(areas / areas.sum(), found.fit.occupation / found.fit.occupation.sum())
    assert [to_hex(node.get_facecolor()).upper() for node in nodes] == list(PALETTE[:k])
    texts = {text.get_text() for text in ax.texts}
    assert f"{_short(found.fit.rates[0, 1])} ({_short(found.fit.low[0, 1])}–{_short(found.fit.high[0, 1])})" in texts
    assert any(text.startswith("class 0\n") and text.endswith(" s") for text in texts)
    assert "1/s" in ax.get_title() and "95 %" in ax.get_title()
    if k < 5:
        upright = [text for text in text_overlaps(ax) if "class" in text[0] + text[1]]
        assert upright == []


def test_rare_transitions_are_left_out():
    counts = np.array([[0, 9.0, 0.2], [3.0, 0, 9.0], [9.0, 9.0, 0]])
    ax = made(3, counts).plot()
    assert sum(isinstance(p, FancyArrowPatch) for p in ax.patches) == 5
    _, ax = plt.subplots()
    assert made(3, counts).plot(min_count=5, ax=ax) is ax
    assert sum(isinstance(p, FancyArrowPatch) for p in ax.patches) == 4


def test_particles_that_do_not_change():
    ax = made(2, np.zeros((2, 2)), np.array([3.0, 0.0])).plot()
    ax.figure.canvas.draw()
    assert not any(isinstance(p, FancyArrowPatch) for p in ax.patches)
    assert any(text.get_text().startswith("class 1\n0 %") for text in ax.texts)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.012"), (0.5, "0.50"), (12.3, "12"), (123, "123"), (0, "0"), (np.inf, "∞"), (1.2e-7, "1.2e-07")],
)
def test_short_numbers(value, text):
    assert _short(value) == text
