"""The figures of the page say what the rows say."""

from __future__ import annotations

import re

import numpy as np

from particlespy_ml.core.proportions import wilson_interval
from particlespy_ml.live.page import class_counts, fractions_figure, sizes_figure, write_page


def test_fractions_are_those_of_the_rows():
    rows = [{"classes": {"undefined": 4, "amorphous": 1}}, {"classes": {"amorphous": 2, "<b>": 3}}, {}]
    counts = class_counts(rows)
    assert list(counts.items()) == [("<b>", 3), ("amorphous", 3), ("undefined", 4)]
    figure = fractions_figure(counts)
    low, high = wilson_interval(0.4, 10)
    assert f"0.400 ({low:.3f} to {high:.3f}), 4" in figure and "<b>" not in figure


def test_the_histogram_holds_every_size():
    sizes = np.random.default_rng(0).normal(3, 0.4, 100)
    counts = [int(count) for count in re.findall(r"nm: (\d+)<", sizes_figure(sizes))]
    assert sum(counts) == 100
    assert "100 particles" in sizes_figure(sizes) and "1 particles" in sizes_figure(np.array([2.0]))


def test_a_page_without_anything():
    page = write_page([], np.zeros(0), title="<watching>", refresh=0)
    assert "&lt;watching&gt;" in page and "0 images" in page and "<svg" not in page and "refresh" not in page
