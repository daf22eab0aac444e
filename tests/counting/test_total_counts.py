"""Totals on images that the fit did not make: columns with tails, on a background with a bump."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from particlespy_ml.counting.counts import total_count

PIXEL, WIDTH = 0.2, 0.42  # Å


def image_with_tails(first, increments, seed=0, dose=2e4):
    """Fractions of the beam, places (x, y) in Å and numbers of atoms of columns, *first* in the thinnest."""
    rows, columns = np.mgrid[:11, :11] - 5.0
    counts = np.maximum(np.rint(6.5 - np.hypot(rows, columns)), 0).astype(int).ravel()
    places = 2.2 * np.column_stack([rows.ravel(), columns.ravel()])[counts > 0]
    counts = counts[counts > 0] + first - 1
    places = places - places.min(0) + 6
    size = int(np.ceil((places.max() + 6) / PIXEL))
    y, x = np.mgrid[:size, :size] * PIXEL
    curve = 0.02 * np.cumsum(increments)
    middle = size * PIXEL / 2
    image = 0.004 + 0.004 * np.exp(-((y - middle) ** 2 + (x - middle) ** 2) / (2 * 8**2))
    for (row, column), count in zip(places, counts, strict=True):
        square = (y - row) ** 2 + (x - column) ** 2
        core = np.exp(-square / (2 * WIDTH**2)) / (2 * np.pi * WIDTH**2)
        tail = 1.5 * WIDTH / (2 * np.pi) / (square + (1.5 * WIDTH) ** 2) ** 1.5
        image += curve[count - 1] * (0.85 * core + 0.15 * tail)
    image = np.random.default_rng(seed).poisson(image * dose * PIXEL**2) / (dose * PIXEL**2)
    return image, places[:, ::-1], counts


@pytest.mark.parametrize(("first", "late"), [(1, False), (2, True)])
def test_columns_that_are_no_gaussians(make_image, first, late):
    """Of single atoms on, the total is sure; without them on a curve that rises late it says how unsure it is."""
    increments = np.r_[0.62, 0.9, 1.05, np.full(20, 1.0)] if late else 1 - 0.01 * np.arange(20)
    image, places, counts = image_with_tails(first, increments)
    columns = make_image(image, scale=PIXEL / 10).find_columns(dose=2e4)
    distance, index = cKDTree(places).query(10 * np.column_stack([columns["x"], columns["y"]]))
    truth = counts[index[distance < 0.8]].sum()
    totals = columns.count_atoms("mixture", max_components=12).total_counts().iloc[0]
    assert totals["low"] - 0.5 <= truth <= totals["high"] + 0.5
    assert totals["low"] <= totals["total"] <= totals["high"]
    width = totals["high"] - totals["low"]
    assert width >= 0.9 * len(counts) if late else width <= 0.03 * truth
    assert ("thinnest" in totals["doubt"] or "resolved" in totals["doubt"]) == late


def test_the_total_lies_in_its_interval():
    """Where one explanation in ten is far away, the mean of all is no total that any of them has."""
    draws = np.array([[4.0] * 60 + [40.0] * 4])
    total, low, high = total_count([6.25], [draws.std()], 0.9, draws)
    assert (total, low, high) == pytest.approx((4, 4, 4))
    assert np.isnan(total_count([np.nan], [np.nan])).all()
