"""Lengths as numbers in the unit of the axes and as texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from particlespy_ml.core.calibration import NANOMETRES, PixelGrid
from particlespy_ml.core.lengths import in_nanometres, in_pixels, in_units

NM = PixelGrid((64, 48), (0.02, 0.02), (0.0, 0.0), "nm")
BARE = PixelGrid((64, 48), (1.0, 1.0), (0.0, 0.0), "<undefined>")


@pytest.mark.parametrize(
    "text", ["4 px", "4px", " 4.0 pixels ", "4e0 px", "0.08 nm", "0.8 Å", "80 pm", 0.08, np.float32(0.08)]
)
def test_one_length_in_many_ways(text):
    assert in_pixels(text, NM, "box") == pytest.approx(4, rel=1e-6)


@pytest.mark.parametrize("number", [4, 4.0, np.int64(4), np.float64(4)])
def test_whole_and_broken_numbers_mean_the_same(number):
    assert in_units(number, NM, "box") == 4.0
    assert in_pixels(number, NM, "box") == 200.0


@given(st.floats(1e-6, 1e6), st.sampled_from(sorted(NANOMETRES)), st.sampled_from(sorted(NANOMETRES)))
def test_units_follow_each_other(value, unit, own):
    grid = PixelGrid((8, 8), (0.5, 0.5), (0.0, 0.0), own)
    assert in_units(f"{value!r} {unit}", grid, "x") == pytest.approx(value * NANOMETRES[unit] / NANOMETRES[own])
    assert in_nanometres(value, grid, "x") == pytest.approx(value * NANOMETRES[own], abs=1e-11)


@pytest.mark.parametrize(
    ("length", "error", "match"),
    [
        ("4", ValueError, "a number and a unit"),
        ("px", ValueError, "a number and a unit"),
        ("4 parsecs", ValueError, "unknown"),
        (np.nan, ValueError, "finite"),
        (True, TypeError, "a number in nm"),
        ([4.0], TypeError, "a number in nm"),
        (4j, TypeError, "a number in nm"),
    ],
)
def test_what_is_no_length(length, error, match):
    with pytest.raises(error, match=match):
        in_units(length, NM, "box")


def test_an_image_without_units():
    assert in_units(3, BARE, "box") == in_units("3 px", BARE, "box") == 3
    with pytest.raises(ValueError, match="no unit of length"):
        in_units("3 nm", BARE, "box")
