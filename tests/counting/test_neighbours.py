"""What neighbours say of a column: much in a regular particle, nothing in one without order."""

import numpy as np
import pytest

from particlespy_ml.counting.library import count_with_library
from particlespy_ml.counting.neighbours import count_with_neighbours, neighbour_pairs

ROWS, COLUMNS = (k.ravel() for k in np.mgrid[:15, :15])
PLACES = np.column_stack([ROWS, COLUMNS]).astype(float)
PYRAMID = 8 - np.maximum(np.abs(ROWS - 7), np.abs(COLUMNS - 7))
KNOWN = np.arange(1.0, 11.0)


def counted(truth, error, seed):
    """Probabilities alone and with neighbours."""
    values = truth + error * np.random.default_rng(seed).normal(size=len(truth))
    alone = count_with_library(values, np.full(len(truth), error), KNOWN, scatter=0.0)
    return alone.posterior, count_with_neighbours(alone.log_likelihoods, alone.prior, neighbour_pairs(PLACES))


@pytest.mark.parametrize("seed", range(3))
def test_a_regular_particle_is_counted_from_its_neighbours(seed):
    alone, together = (np.mean(p.argmax(1) + 1 == PYRAMID) for p in counted(PYRAMID, 0.5, seed))
    assert together > alone + 0.1


def test_probabilities_are_honest_in_a_rough_particle():
    rng = np.random.default_rng(5)
    chance, right = [], []
    for seed in range(4):
        truth = np.clip(PYRAMID + rng.integers(-1, 2, len(PYRAMID)), 1, 10)
        together = counted(truth, 0.5, seed)[1]
        chance.append(together.max(1))
        right.append(together.argmax(1) + 1 == truth)
    assert np.mean(chance) == pytest.approx(np.mean(right), abs=0.06)


def test_neighbours_of_no_order_say_nothing():
    truth = np.random.default_rng(1).integers(1, 11, len(PYRAMID))
    alone, together = counted(truth, 0.45, 0)
    assert np.abs(alone - together).mean() < 0.03
    assert np.mean(together.argmax(1) + 1 == truth) >= np.mean(alone.argmax(1) + 1 == truth) - 0.04


def test_few_pairs_are_not_learnt_from():
    alone = count_with_library([1.1, 2.2, 3.3], [0.3] * 3, KNOWN, scatter=0.0)
    found = count_with_neighbours(alone.log_likelihoods, alone.prior, [[0, 1]])
    np.testing.assert_allclose(found, alone.posterior, atol=1e-6)
