"""Thresholds and trained segmentation see values, not the dtype or memory that holds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from particlespy_ml.segmentation.particlespy import (
    THRESHOLDS,
    segment_with_threshold,
    threshold_options,
)
from particlespy_ml.segmentation.train_segmentation import train_segmentation

Y, X = np.mgrid[:100, :100] - 50
DISC = np.hypot(Y, X) < 20
INTEGERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"]
DTYPES = [*INTEGERS, ">u2", ">i4", "f2", "f4", "f8", ">f4", ">f8"]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": lambda frame: np.repeat(frame, 2, axis=1)[:, ::2],
    "read-only": lambda frame: np.broadcast_to(frame, frame.shape),
}
OPTIONS = [
    {"gaussian": 3},
    {"rb_kernel": 9, "gaussian": 2},
    {"invert": True, "gaussian": 2},
    {"invert": True},
    {"watershed": True, "gaussian": 2, "min_size": 20},
    {},
]


def counts(bright=20.0, background=4.0, seed=0):
    """A disc in at most 100 counts a pixel."""
    return np.random.default_rng(seed).poisson(np.where(DISC, bright, background)).clip(0, 100)


def labels(frame, threshold="otsu", **options):
    size = {"local": 51, "local_otsu": 25, "lg_otsu": 25, "niblack": 51, "sauvola": 51}.get(threshold, 1)
    return segment_with_threshold(frame, threshold_options(threshold=threshold, local_size=size, **options))


@pytest.mark.parametrize("dtype", DTYPES)
def test_counts_below_one_are_smoothed(dtype):
    """Smoothed as integers they would be zero."""
    frame = counts(0.8, 0.1).astype(dtype)
    found = labels(frame, gaussian=3)
    assert found.max() == 1
    assert found.sum() == pytest.approx(DISC.sum(), rel=0.05)


@pytest.mark.parametrize("threshold", THRESHOLDS)
@settings(max_examples=8)
@given(
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(sorted(LAYOUTS)),
    options=st.sampled_from(OPTIONS),
    seed=st.integers(0, 20),
)
def test_the_same_values_give_the_same_labels(threshold, dtype, layout, options, seed):
    frame = counts(seed=seed)
    expected = labels(frame.astype(np.float64), threshold, **options)
    given_frame = LAYOUTS[layout](frame.astype(dtype))
    before = given_frame.copy()
    np.testing.assert_array_equal(labels(given_frame, threshold, **options), expected)
    np.testing.assert_array_equal(given_frame, before)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_mask_of_booleans(threshold):
    options = {"gaussian": 2} if threshold != "minimum" else {"gaussian": 4}
    np.testing.assert_array_equal(labels(DISC, threshold, **options), labels(DISC.astype("f4"), threshold, **options))
    assert labels(DISC, "otsu").sum() == DISC.sum()
    assert labels(DISC, "otsu", invert=True).sum() == (~DISC).sum()


# Sauvola's threshold is in proportion to the grey level itself, and the rolling ball of ParticleSpy is of unit range.
@pytest.mark.parametrize("threshold", [name for name in THRESHOLDS if name != "sauvola"])
@settings(max_examples=6)
@given(
    factor=st.sampled_from([1e-20, 0.3, 2.5, 7, 1e12]),
    offset=st.sampled_from([0, -50, 1000.0]),
    options=st.sampled_from([{}, {"invert": True}, {"gaussian": 1.5}]),
)
def test_the_unit_and_offset_of_counts_do_not_matter(threshold, factor, offset, options):
    frame = counts()
    expected = labels(frame, threshold, **options)
    found = labels((frame + offset) * factor, threshold, **options)
    # local thresholds are as good as equal to some pixels
    assert (found > 0).sum() == pytest.approx((expected > 0).sum(), rel=2e-3)
    assert ((found > 0) != (expected > 0)).mean() < 2e-3


@pytest.mark.parametrize("threshold", ["otsu", "isodata", "minimum"])
def test_a_small_contrast_on_a_large_offset(threshold):
    frame = (1e6 + counts(200, 40).clip(0, 500) / 16).astype(np.float32)
    np.testing.assert_array_equal(
        labels(frame, threshold, gaussian=2) > 0, labels(frame.astype(float) - 1e6, threshold, gaussian=2) > 0
    )
    assert labels(frame, threshold, gaussian=2, min_size=100).max() == 1


def test_no_minimum_between_two_maxima():
    with pytest.warns(UserWarning, match="does not have two maxima.*'minimum' finds no particles"):
        assert not labels(np.random.default_rng(0).poisson(3, (60, 60)), "minimum").any()


def test_inverted_integers_do_not_wrap():
    frame = 100 - counts()
    for dtype in ("u1", "i1", "i2", "f4"):
        assert labels(frame.astype(dtype), gaussian=2, invert=True, min_size=100).max() == 1
        assert labels((-frame).astype("i2"), gaussian=2, min_size=100).max() == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_trained_on_any_dtype(dtype):
    frame = counts()
    painted = np.where(DISC, 2, 1) * (np.random.default_rng(1).random(frame.shape) < 0.05)
    expected = train_segmentation(frame.astype(float), painted)(frame.astype(float))
    assert (expected > 0).sum() == pytest.approx(DISC.sum(), rel=0.1)
    given_frame = np.asfortranarray(frame.astype(dtype))
    np.testing.assert_array_equal(train_segmentation(given_frame, painted)(given_frame), expected)
