"""Frames of a series on top of each other."""

import numpy as np
import pytest

from particlespy_ml.columns.flags import Flag
from particlespy_ml.columns.search.follow import align, find_shift, recorded


def frame(shape, row, column):
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    places = [(row + 8 * i, column + 8 * j) for i in range(-2, 3) for j in range(-2, 3) if i * i + j * j <= 5]
    return 10 + sum(100 * np.exp(-((y - p) ** 2 + (x - q) ** 2) / (2 * 1.6**2)) for p, q in places)


def noisy(frames):
    return np.stack(frames) + np.random.default_rng(0).normal(0, 0.5, (len(frames), *frames[0].shape))


def test_shifts_to_a_fraction_of_a_pixel():
    frames = noisy([frame((64, 64), 30 + k, 32 - 0.5 * k) for k in (0.0, 1.3, 2.6)])
    aligned = align(frames, 6)
    np.testing.assert_allclose(aligned.shifts - aligned.shifts[0], [[0, 0], [1.3, -0.65], [2.6, -1.3]], atol=0.12)
    assert aligned.used.all() and aligned.known.mean() > 0.8


def test_shifts_beyond_the_short_side(make_image):
    """A particle that moves by more than the frame is high, along its long side."""
    frames = noisy([frame((64, 200), 32, 50 + k) for k in (0, 35, 70)])
    aligned = align(frames, 75)
    np.testing.assert_allclose(aligned.shifts[:, 1] - aligned.shifts[0, 1], [0, 35, 70], atol=0.2)
    table = make_image(frames, scale=0.02).find_columns_in_series(max_shift=1.5)
    assert [len(rows) for rows in table.data] == [21, 21, 21]
    np.testing.assert_allclose(np.median(table.data[2]["x"] - table.data[0]["x"]), 1.4, atol=0.004)


@pytest.mark.parametrize("limit", [0.0, -1.0, 200.0, 1e6])
def test_limits_that_make_no_sense(limit):
    with pytest.raises(ValueError, match="max_shift"):
        align(np.zeros((2, 64, 200)), limit)


def test_a_frame_beyond_the_limit_is_not_used(make_image):
    frames = noisy([frame((64, 64), 20 + k, 32) for k in (0, 1, 24)])
    assert align(frames, 6).used.tolist() == [True, True, False]
    with pytest.warns(UserWarning, match="1 of 3 frames are not used: 2"):
        table = make_image(frames, scale=0.02).find_columns_in_series(max_shift=0.12)
    assert [len(rows) for rows in table.data] == [21, 21, 0]


def test_a_blank_frame_is_not_used(make_image):
    frames = noisy([frame((64, 64), 32, 32)] * 3)
    frames[1] = 7.0
    with pytest.warns(UserWarning, match="not used: 1"):
        table = make_image(frames, scale=0.02).find_columns_in_series()
    assert [len(rows) for rows in table.data] == [21, 0, 21]


def test_columns_that_drift_out_of_the_frame_are_flagged(make_image):
    frames = noisy([frame((64, 64), 22 - k, 32) for k in (0, 7)])
    table = make_image(frames, scale=0.02).find_columns_in_series(max_shift=0.3)
    first, last = ((rows["flags"] & Flag.AT_BORDER) != 0 for rows in table.data)
    assert first.sum() == 0 and last.sum() == 3
    np.testing.assert_allclose(table.data[1]["volume"][~last], table.data[0]["volume"][~last], rtol=0.05)


def test_constant_borders_are_no_part_of_the_mean():
    frames = noisy([frame((64, 64), 32, 32)] * 2)
    frames[1, :, :9] = 0
    image, known = recorded(frames[1])
    assert known[:, 9:].all() and not known[:, :9].any() and np.ptp(image[:, :9]) == 0
    aligned = align(frames, 6)
    np.testing.assert_allclose(aligned.shifts, 0, atol=0.1)
    np.testing.assert_allclose(aligned.mean[:, 9:], frames[:, :, 9:].mean(0))


def test_the_shift_of_a_frame_against_itself():
    shift, inside = find_shift(frame((64, 64), 30, 32), frame((64, 64), 30, 32), (5, 5))
    np.testing.assert_allclose(shift, 0, atol=1e-9)
    assert inside


def test_pixels_that_are_not_finite_are_named(make_image):
    frames = noisy([frame((64, 64), 32, 32)] * 2)
    frames[1, 3, 4] = np.nan
    with pytest.raises(ValueError, match="Frame 1: 1 of 4096 pixels are not finite"):
        make_image(frames, scale=0.02).find_columns_in_series()


def test_a_mask_of_where_to_look(make_image):
    """Text drawn beside the particle neither holds the frames in place nor is it columns."""
    frames = noisy([frame((64, 64), 28 + 2 * k, 32) for k in range(3)])
    frames[:, 2:6, 4:60:4] += 40 * np.abs(frames).max()
    mask = np.ones((64, 64), bool)
    mask[:10] = False
    table = make_image(frames, scale=0.02).find_columns_in_series(max_shift=0.16, mask=mask)
    assert [len(rows) for rows in table.data] == [21, 21, 21]
    assert np.median(table.data[2]["y"] - table.data[0]["y"]) == pytest.approx(4 * 0.02, abs=0.01)
    for wrong in (mask[:5], np.zeros((64, 64), bool), mask.astype(float)):
        with pytest.raises(ValueError, match=r"mask of booleans of the shape of one frame, \(64, 64\)"):
            make_image(frames, scale=0.02).find_columns_in_series(mask=wrong)
