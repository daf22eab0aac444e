"""Figures are closed after each test."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


@pytest.fixture
def small_figures(monkeypatch):
    """Figures of few pixels, which are drawn fast."""
    monkeypatch.setitem(plt.rcParams, "figure.dpi", 30)


def overlaps(ax):
    """Pairs of texts of an axes that overlap when they are drawn."""
    ax.figure.canvas.draw()
    texts = [text for text in ax.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    return [
        (texts[i].get_text(), texts[j].get_text())
        for i in range(len(texts))
        for j in range(i)
        if boxes[i].overlaps(boxes[j])
    ]


@pytest.fixture(scope="session")
def text_overlaps():
    """The function `overlaps`."""
    return overlaps
