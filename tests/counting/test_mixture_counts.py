"""Totals of mixtures on cross-sections of known numbers of atoms: offsets, gaps, false columns, nothing resolved."""

import logging

import numpy as np
import pytest

from benchmarks.counting.totals import counted_rows, draw_columns, total_of
from particlespy_ml.columns.flags import Flag
from particlespy_ml.counting.joint import join_explanations
from particlespy_ml.counting.mixture_counts import count_with_mixtures

FAST = {"max_components": 10, "width": "shared"}


def columns(curve, counts, size=16, ratio=9.0, seed=0):
    """Cross-sections, their errors and numbers of atoms; the curve is that of 1, 2, ... atoms."""
    rng = np.random.default_rng(seed)
    counts = np.repeat(counts, size)
    values = np.asarray(curve, float)[counts - 1] + rng.normal(size=len(counts)) / ratio
    return values, np.full(len(counts), 1 / ratio), counts


STRAIGHT = np.arange(1.0, 13)
LATE = np.cumsum(np.r_[0.6, 0.85, 0.95, np.ones(9)])  # the first atoms scatter less: 2 hold 1.45 increments


def no(values):
    return np.zeros(len(values), bool)


def test_single_atoms_leave_no_doubt():
    values, errors, counts = columns(STRAIGHT, np.arange(1, 7))
    rows = counted_rows(values, errors, no(values), **FAST)
    total, low, high = total_of(rows)
    assert np.mean(rows["count"] == counts) > 0.97 and not np.any(rows["flags"] & int(Flag.UNCERTAIN_OFFSET))
    assert low <= counts.sum() <= high and high - low < 0.02 * total


def test_missing_single_atoms_are_in_the_interval():
    """The mean of two atoms over the increment rounds to one: all columns would be one atom short, silently."""
    values, errors, counts = columns(LATE, np.arange(2, 8))
    rows = counted_rows(values, errors, no(values), **FAST)
    total, low, high = total_of(rows)
    assert low <= counts.sum() <= high and high - low >= len(counts)
    assert (rows["flags"] & int(Flag.UNCERTAIN_OFFSET) != 0).all() and (rows["count"] > 0).all()
    assert (rows["count_error"] > 0.3).all() and rows["best_probability"].max() < 0.95


def test_a_known_offset_leaves_no_doubt():
    values, errors, counts = columns(LATE, np.arange(2, 8))
    rows = counted_rows(values, errors, no(values), **FAST, offset=1)
    total, low, high = total_of(rows)
    assert low <= counts.sum() <= high and high - low < 0.02 * total
    assert np.mean(rows["count"] == counts) > 0.97 and not np.any(rows["flags"] & int(Flag.UNCERTAIN_OFFSET))


def test_false_columns_are_not_counted():
    values, errors, counts = columns(STRAIGHT, np.arange(1, 7))
    rng = np.random.default_rng(3)
    values = np.r_[values, rng.uniform(0.05, 0.4, 5)]
    errors, counts = np.r_[errors, np.full(5, 0.05)], np.r_[counts, np.zeros(5, int)]
    rows = counted_rows(values, errors, no(values), **FAST)
    false = counts == 0
    assert (rows["count"][false] == -1).all() and (rows["best_count"][false] == 0).all()
    assert (rows["flags"][false] & int(Flag.OUTLIER) != 0).all() and (rows["best_probability"][false] > 0.5).all()
    assert np.mean(rows["count"][~false] == counts[~false]) > 0.97
    total, low, high = total_of(rows)
    assert low <= counts.sum() <= high


def test_a_component_of_false_columns_may_be_none():
    """All of about one size, off the lattice: the thinnest component is no column, and the others are not one more."""
    values, errors, counts = columns(STRAIGHT, np.arange(1, 6), ratio=12)
    rng = np.random.default_rng(4)
    values = np.r_[values, 0.25 + 0.05 * rng.normal(size=10)]
    errors, counts = np.r_[errors, np.full(10, 0.05)], np.r_[counts, np.zeros(10, int)]
    rows = counted_rows(values, errors, counts == 0, **FAST)
    total, low, high = total_of(rows)
    assert low <= counts.sum() <= high


def test_false_columns_say_nothing_of_the_others():
    """A component of false columns and no single atoms: what comes next need not be one atom."""
    values, errors, counts = columns(LATE, np.arange(2, 8), ratio=8)
    rng = np.random.default_rng(5)
    values = np.r_[values, 0.3 + 0.08 * rng.normal(size=8)]
    errors, counts = np.r_[errors, np.full(8, 0.08)], np.r_[counts, np.zeros(8, int)]
    total, low, high = total_of(counted_rows(values, errors, counts == 0, **FAST))
    assert low <= counts.sum() <= high and high - low >= (counts > 0).sum() - 1


def test_a_lone_thick_column_is_an_outlier_with_a_best_guess():
    values, errors, counts = columns(STRAIGHT, np.arange(1, 6))
    values, errors = np.r_[values, 8.0], np.r_[errors, 0.1]
    rows = counted_rows(values, errors, no(values), **FAST)
    assert rows["count"][-1] == -1 and rows["flags"][-1] & int(Flag.OUTLIER) and rows["best_count"][-1] == 8
    total, low, high = total_of(rows)
    assert low <= counts.sum() + 8 <= high and low <= counts.sum()  # a column, or none


def test_a_number_of_atoms_without_columns():
    values, errors, counts = columns(STRAIGHT, [1, 2, 3, 5, 6])
    total, low, high = total_of(counted_rows(values, errors, no(values), **FAST))
    assert low <= counts.sum() <= high and high - low < 0.05 * total


def test_unresolved_components_have_best_guesses_and_a_wide_total():
    values, errors, counts = columns(STRAIGHT, np.arange(1, 8), ratio=2.0)
    kept = values > 0
    values, errors, counts = values[kept], errors[kept], counts[kept]
    rows = counted_rows(values, errors, no(values), **FAST)
    assert (rows["count"] == -1).all() and np.isnan(rows["probability"]).all()
    assert (rows["flags"] & int(Flag.UNRESOLVED) != 0).all()
    assert (rows["best_count"] > 0).mean() > 0.95 and np.isfinite(rows["expected_count"]).all()
    total, low, high = total_of(rows)
    assert low <= counts.sum() <= high and high - low > 0.1 * total


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_few_columns(n):
    values, errors, _ = columns(STRAIGHT, [1, 2, 3, 4], 3)
    rows = counted_rows(values[:n], errors[:n], no(values[:n]), **FAST)
    assert (rows["count"] == -1).all() and (rows["best_count"] >= 0).all()
    assert (rows["flags"] & int(Flag.TOO_FEW_COLUMNS) != 0).all()
    total, low, high = total_of(rows)
    assert low <= total <= high and high > low


def test_columns_that_are_all_alike():
    """One thickness tells no increment: any number of atoms, fewer ones more probable."""
    found = count_with_mixtures(np.full(30, 2.0), np.full(30, 0.1), max_components=6)
    joint = join_explanations(found.explanations)
    assert found.choice.chosen is None and found.best is None
    assert joint.posterior[:, 1].min() > joint.posterior[:, 2].min() > joint.posterior[:, 9].min() > 0
    np.testing.assert_allclose(joint.posterior.sum(1), 1)
    sure = join_explanations(count_with_mixtures(np.full(30, 2.0), np.full(30, 0.1), offset=3).explanations)
    np.testing.assert_allclose(sure.posterior[:, 4], 1)


def test_the_interval_covers_the_truth(caplog):
    """A small version of ``python -m benchmarks.counting --parts totals``."""
    caplog.set_level(logging.ERROR)
    covered = []
    for seed in range(14):
        options = {"false": 0.04, "missing": 0.1} if seed % 2 else {}
        values, errors, counts, off = draw_columns(np.random.default_rng([11, seed]), **options)
        total, low, high = total_of(counted_rows(values, errors, off, max_components=11, width="shared"))
        covered.append(low - 0.5 <= counts.sum() <= high + 0.5)
    assert np.mean(covered) >= 0.85  # of .95; by chance less in one of a hundred
