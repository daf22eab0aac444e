"""Agreement of labels with the truth."""

import numpy as np
import pytest

from particlespy_ml.segmentation.score import count_agreement, score_labels


def square(labels, number, rows, columns):
    labels[slice(*rows), slice(*columns)] = number
    return labels


@pytest.fixture
def truth():
    labels = np.zeros((40, 40), int)
    square(labels, 1, (5, 15), (5, 15))
    square(labels, 2, (20, 30), (20, 30))
    return square(labels, 3, (0, 6), (25, 35))  # cut by the border


def test_the_truth_agrees_with_itself(truth):
    assert count_agreement(truth, truth) == {"intersection": 200, "union": 200, "matched": 2, "missed": 0, "wrong": 0}
    assert score_labels(truth, 7 * truth) == (1, 1)


def test_what_is_missed_wrong_or_off(truth):
    found = np.zeros_like(truth)
    square(found, 4, (5, 15), (7, 17))  # 80 of 120 pixels
    square(found, 9, (33, 38), (3, 8))
    counts = count_agreement(found, truth)
    assert counts == {"intersection": 80, "union": 200 + 20 + 25, "matched": 1, "missed": 1, "wrong": 1}
    assert score_labels(found, truth) == (pytest.approx(80 / 245), 0.5)
    assert count_agreement(found, truth, overlap=0.7)["matched"] == 0


def test_particles_at_the_border_neither_gain_nor_lose(truth):
    without = np.where(truth == 3, 0, truth)
    assert count_agreement(without, truth)["missed"] == 0
    assert count_agreement(truth, without)["wrong"] == 0
    # the border cuts it in the truth alone
    inside = without + 3 * (truth == 3) * (np.arange(40)[:, None] > 0)
    assert count_agreement(inside, truth)["wrong"] == 0


def test_a_limit_of_size_is_one_of_what_is_true(truth):
    square(truth, 4, (33, 38), (3, 8))  # 25 pixels
    limit = {"smallest": 60}
    assert count_agreement(truth, truth, **limit) == count_agreement(np.where(truth == 4, 0, truth), truth, **limit)
    large = np.where(truth == 2, 0, truth)
    found = square(np.array(large), 2, (20, 30), (20, 25))  # half of a true one of 100 pixels, below the limit itself
    assert count_agreement(found, truth, **limit)["matched"] == 2
    small = square(np.zeros_like(truth), 1, (20, 27), (32, 39))  # 49 pixels where nothing is
    assert count_agreement(small, truth, **limit)["wrong"] == 0 and count_agreement(small, truth)["wrong"] == 1
    # one above the limit that matches a true one below it is not wrong; one that matches none is
    wide = square(np.zeros_like(truth), 1, (32, 39), (2, 9))
    assert count_agreement(wide, truth, smallest=40) | {"missed": 0, "union": 0} == {
        "intersection": 0,
        "union": 0,
        "matched": 0,
        "missed": 0,
        "wrong": 0,
    }
    assert count_agreement(np.roll(wide, -20, 0), truth, smallest=40)["wrong"] == 1


def test_what_nobody_could_see_counts_neither_way(truth):
    hidden = np.array([False, True, False])
    without = np.where(truth == 2, 0, truth)
    assert count_agreement(without, truth, hidden=hidden) == {
        "intersection": 100,
        "union": 100,
        "matched": 1,
        "missed": 0,
        "wrong": 0,
    }
    part = square(np.array(without), 2, (20, 24), (20, 24))  # a piece of the hidden one
    assert count_agreement(part, truth, hidden=hidden) == count_agreement(truth, truth, hidden=hidden)
    assert count_agreement(part, truth)["wrong"] == 1


def test_nothing_found_and_nothing_there(truth):
    nothing = np.zeros_like(truth)
    assert score_labels(nothing, truth) == (0, 0)
    assert count_agreement(truth, nothing)["wrong"] == 2
    assert count_agreement(nothing, nothing)["union"] == 0
