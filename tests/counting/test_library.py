"""Counting with a library against the exact posterior and the misassignment that theory gives."""

import numpy as np
import pytest
from scipy.special import erfc

from particlespy_ml.counting.atomap_mixture import count_with_atomap
from particlespy_ml.counting.counts import rank_counts, total_count, undefined_counts
from particlespy_ml.counting.hybrid import count_hybrid
from particlespy_ml.counting.library import (
    ColumnLibrary,
    as_library,
    count_with_library,
    load_library,
    save_library,
    value_variance,
)
from particlespy_ml.counting.neighbours import count_with_neighbours, neighbour_pairs

LIBRARY = np.arange(1, 11) * 1.0


@pytest.mark.parametrize("ratio", [3.3, 3.9, 5.2])
def test_misassignment_is_that_of_theory(ratio):
    """P = erfc(increment / (2 sqrt 2 width)) for inner columns (facts of A. De Backer et al., 2013)."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, 9, 20000)
    found = count_with_library(truth + rng.normal(size=20000) / ratio, np.full(20000, 1 / ratio), LIBRARY, 0.0)
    wrong = np.mean(found.posterior.argmax(1) + 1 != truth)
    # six numbers of atoms, of which the first and the last have a neighbour on one side only
    assert wrong == pytest.approx(5 / 6 * erfc(ratio / (2 * np.sqrt(2))), rel=0.12)


def test_the_posterior_is_bayes_rule():
    prior = np.linspace(1, 2, 10) / 15
    found = count_with_library([4.3, 7.6], [0.3, 0.4], LIBRARY, 0.0, prior)
    for k, (value, error) in enumerate([(4.3, 0.3), (7.6, 0.4)]):
        likelihood = prior * np.exp(-0.5 * ((value - LIBRARY) / error) ** 2)
        np.testing.assert_allclose(found.posterior[k], likelihood / likelihood.sum(), rtol=1e-6, atol=1e-12)


def test_probabilities_are_calibrated():
    rng = np.random.default_rng(1)
    truth = rng.integers(2, 9, 6000)
    found = count_with_library(truth + 0.35 * rng.normal(size=6000), np.full(6000, 0.35), LIBRARY, 0.0)
    probability, right = found.posterior.max(1), found.posterior.argmax(1) + 1 == truth
    for low in (0.5, 0.65, 0.8, 0.9):
        inside = (probability >= low) & (probability < low + 0.1)
        assert right[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.06)


def test_the_prior_of_the_columns_is_learnt():
    rng = np.random.default_rng(2)
    truth = rng.choice([3, 6], 500)
    found = count_with_library(truth + 0.6 * rng.normal(size=500), np.full(500, 0.6), LIBRARY, 0.0)
    assert found.prior[[2, 5]].sum() > 0.9
    assert np.mean(found.posterior.argmax(1) + 1 == truth) > 0.98


def test_the_scatter_is_fitted():
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 11, 2000)
    values = truth * (1 + 0.03 * rng.normal(size=2000)) + 0.05 * rng.normal(size=2000)
    assert count_with_library(values, np.full(2000, 0.05), LIBRARY).scatter == pytest.approx(0.03, abs=0.008)
    exact = truth + 0.05 * rng.normal(size=2000)
    assert count_with_library(exact, np.full(2000, 0.05), LIBRARY).scatter < 0.006


def test_shot_noise_grows_with_the_hypothesis():
    values = np.array([1.0, 4.0, 9.0])
    variance = value_variance(values, np.sqrt(values / 100), LIBRARY, 0.0)
    np.testing.assert_allclose(variance[:, 3], 0.04, rtol=1e-6)
    np.testing.assert_allclose(value_variance(values, [0.1] * 3, LIBRARY, 0.02)[0], 0.01 + (0.02 * LIBRARY) ** 2)


def test_units_of_area():
    library = ColumnLibrary([1.0, 2.0], "Å²")
    np.testing.assert_allclose(library.in_units("nm²"), [0.01, 0.02])
    np.testing.assert_allclose(library.in_units("Mb"), [100, 200])
    np.testing.assert_allclose(library.scaled(3).cross_sections, [3, 6])
    assert len(library) == 2


def test_saved_and_loaded(tmp_path):
    library = ColumnLibrary([1.0, 2.0], "Å²", 0.02, 0.277, {"symbol": "Pt"})
    save_library(library, tmp_path / "pt.json")
    loaded = load_library(tmp_path / "pt.json")
    assert loaded.parameters == {"symbol": "Pt"} and loaded.scatter == 0.02 and loaded.spacing == 0.277
    np.testing.assert_array_equal(as_library(tmp_path / "pt.json").cross_sections, library.cross_sections)
    assert as_library([1, 2, 3]).units == "Å²" and as_library(library) is library


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 1.0], [0.0, 1.0], [1.0, np.nan], [[1.0, 2.0]]])
def test_bad_libraries(values):
    with pytest.raises(ValueError, match="cross-sections"):
        ColumnLibrary(np.array(values))
    with pytest.raises(ValueError, match="unit of area"):
        ColumnLibrary([1.0, 2.0], "barn")


def test_hybrid_finds_the_factor():
    rng = np.random.default_rng(0)
    library = LIBRARY - 0.02 * LIBRARY**2
    truth = rng.integers(1, 9, 200)
    values = 1.1 * (library[truth - 1] + 0.08 * rng.normal(size=200))
    found = count_hybrid(values, np.full(200, 0.09), library, 0.0)
    assert found.reason == "" and found.counts.factor == pytest.approx(1.1, rel=0.01)
    assert np.mean(found.counts.posterior.argmax(1) + 1 == truth) > 0.99


def test_hybrid_says_when_it_cannot_tell():
    rng = np.random.default_rng(0)
    values = rng.integers(6, 9, 40) + 0.5 * rng.normal(size=40)
    assert "factor" in count_hybrid(values, np.full(40, 0.5), LIBRARY, 0.0).reason
    with pytest.raises(ValueError, match="above zero"):
        count_hybrid(values, np.full(40, 0.5), LIBRARY, factors=(0, 1))


def test_atomap_counts_the_same_columns_the_same_twice():
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(0)
    truth = np.repeat([1, 2, 3], 25)
    values = truth + 0.08 * rng.normal(size=75)
    state, figures = np.random.get_state()[1].copy(), plt.get_fignums()  # noqa: NPY002
    counts, posterior, bic = count_with_atomap(values, max_components=6)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert np.mean(counts == truth) > 0.95 and posterior.shape[0] == 75 and len(bic) == 6
    np.testing.assert_array_equal(count_with_atomap(values, max_components=6)[1], posterior)
    assert plt.get_fignums() == figures
    with pytest.raises(ValueError, match="from 1 to"):
        count_with_atomap(values, n_components=99)


def pyramid(n=15):
    rows, columns = np.mgrid[:n, :n]
    return np.column_stack([rows.ravel(), columns.ravel()]).astype(float), (
        1 + np.minimum.reduce([rows, columns, n - 1 - rows, n - 1 - columns])
    ).ravel()


def test_neighbours_help_and_are_calibrated():
    positions, truth = pyramid()
    rng = np.random.default_rng(0)
    alone, together, probability = [], [], []
    for _ in range(5):
        values = truth + 0.6 * rng.normal(size=len(truth))
        found = count_with_library(values, np.full(len(truth), 0.6), LIBRARY, 0.0)
        posterior = count_with_neighbours(found.log_likelihoods, found.prior, neighbour_pairs(positions))
        assert posterior.sum(1) == pytest.approx(1)
        alone.append(np.mean(found.posterior.argmax(1) + 1 == truth))
        together.append(np.mean(posterior.argmax(1) + 1 == truth))
        probability.append(posterior.max(1).mean())
    assert np.mean(together) > np.mean(alone) + 0.1
    assert np.mean(probability) < np.mean(together) + 0.05


def test_neighbours_say_nothing_where_thickness_is_random():
    positions, _ = pyramid()
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 8, len(positions))
    found = count_with_library(truth + 0.4 * rng.normal(size=len(truth)), np.full(len(truth), 0.4), LIBRARY, 0.0)
    posterior = count_with_neighbours(found.log_likelihoods, found.prior, neighbour_pairs(positions))
    alone = np.mean(found.posterior.argmax(1) + 1 == truth)
    assert np.mean(posterior.argmax(1) + 1 == truth) > alone - 0.03


def test_belief_propagation_is_exact_on_a_chain():
    """With potentials that are known, against the sum over all states."""
    rng = np.random.default_rng(0)
    logs = rng.normal(size=(2, 3))
    few = count_with_neighbours(logs, np.full(3, 1 / 3), np.array([[0, 1]]))
    np.testing.assert_allclose(few, np.exp(logs) / np.exp(logs).sum(1, keepdims=True))
    assert neighbour_pairs(np.empty((0, 2))).shape == (0, 2)


def test_ranking():
    rows = rank_counts(np.array([[0.2, 0.5, 0.3], [np.nan] * 3]), np.array([4, 5, 6]))
    assert rows["count"].tolist() == [5, -1] and rows["count_2"][0] == 6 and rows["count_3"][0] == 4
    assert rows["expected_count"][0] == pytest.approx(5.1) and np.isnan(rows["probability"][1])
    assert rows["count_error"][0] == pytest.approx(0.7)
    assert len(undefined_counts(3)) == 3 and (undefined_counts(3)["count"] == -1).all()
    assert rank_counts(np.ones((2, 1)), np.array([7]))["count_2"].tolist() == [-1, -1]


def test_totals():
    total, low, high = total_count(np.full(100, 3.0), np.full(100, 0.5))
    assert total == 300 and high - total == pytest.approx(1.96 * 5, rel=1e-3) and low == 600 - high
