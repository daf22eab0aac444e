"""Libraries that fit and libraries that do not."""

import numpy as np
import pytest

from particlespy_ml.counting.library import count_with_library
from particlespy_ml.counting.misfit import check_library

LIBRARY = 0.0235 * np.arange(1, 13)
CURVED = np.cumsum(0.0235 * np.concatenate([np.full(4, 1.0), np.linspace(1, 0.6, 8)]))


def columns(library, dose, seed, n=120, scatter=0.02):
    """Cross-sections and errors of columns of 1 to 10 atoms, with 1.6 times the shot noise, as overlap gives."""
    rng = np.random.default_rng(seed)
    mean = library[rng.binomial(9, 0.5, n)]
    error = np.sqrt(1.6 * mean / dose)
    return mean * (1 + scatter * rng.normal(size=n)) + error * rng.normal(size=n), error


def reason(values, errors, library):
    return check_library(values, errors, library, count_with_library(values, errors, library)).reason


@pytest.mark.parametrize("dose", [1e3, 3e3, 1e4, 1e5])
@pytest.mark.parametrize("library", [LIBRARY, CURVED], ids=["linear", "curved"])
def test_the_right_library_fits(library, dose):
    assert [reason(*columns(library, dose, seed), library) for seed in range(4)] == [""] * 4


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_scale_is_seen(factor):
    values, errors = columns(LIBRARY, 1e4, 0)
    found = check_library(values, errors, factor * LIBRARY, count_with_library(values, errors, factor * LIBRARY))
    assert found.factor == pytest.approx(1 / factor, abs=0.02)
    assert "counts" in found.reason and found.evidence > 6 and found.changed > 0.3


def test_another_thickness_dependence_is_seen():
    """Columns that saturate, as those of another zone axis: no factor makes them fit."""
    saturated = np.cumsum(0.0235 * np.linspace(1, 0.5, 12))
    assert reason(*columns(saturated, 1e5, 1, scatter=0.01), LIBRARY)


def test_few_columns_say_nothing():
    assert reason(*columns(LIBRARY, 1e5, 2, n=5), 0.9 * LIBRARY) == ""


@pytest.mark.parametrize(("n", "seen"), [(4, False), (40, True)])
def test_few_columns_of_a_number_that_agree_by_chance_are_no_sign(n, seen):
    rng = np.random.default_rng(0)
    values = np.append(LIBRARY[np.repeat(np.arange(6), 20)], np.full(n, LIBRARY[6] - 0.3 * 0.0235))
    values = values + 0.05 * 0.0235 * rng.normal(size=len(values))
    assert bool(reason(values, np.full(len(values), 0.1 * 0.0235), LIBRARY)) == seen
