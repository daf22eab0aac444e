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


def test_nothing_found_and_nothing_there(truth):
    nothing = np.zeros_like(truth)
    assert score_labels(nothing, truth) == (0, 0)
    assert count_agreement(truth, nothing)["wrong"] == 2
    assert count_agreement(nothing, nothing)["union"] == 0
