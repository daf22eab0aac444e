"""Pairs of found and true columns."""

import numpy as np

from particlespy_ml.columns.score import match_columns


def test_pairs_are_each_others_nearest():
    true = np.array([(0.0, 0.0), (2.0, 0.0), (4.0, 0.0)])
    found = np.array([(0.1, 0.0), (0.2, 0.0), (4.0, 0.3), (9.0, 9.0)])
    match = match_columns(found, true, 0.5)
    assert match.found.tolist() == [0, 2] and match.true.tolist() == [0, 2]
    assert match.missed.tolist() == [1] and match.wrong.tolist() == [1, 3]


def test_columns_that_do_not_count_are_neither_missed_nor_wrong():
    true = np.array([(0.0, 0.0), (2.0, 0.0)])
    match = match_columns(np.array([(0.1, 0.0)]), true, 0.5, np.array([False, True]))
    assert match.found.tolist() == [] and match.missed.tolist() == [1] and match.wrong.tolist() == []


def test_nothing_found_and_nothing_there():
    none, one = np.empty((0, 2)), np.zeros((1, 2))
    assert match_columns(none, one, 0.5).missed.tolist() == [0]
    assert match_columns(one, none, 0.5).wrong.tolist() == [0]
    assert match_columns(none, none, 0.5).found.tolist() == []
