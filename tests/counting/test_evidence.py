"""The evidence of mixtures, and how their parameters move the expected index of the component."""

import numpy as np
import pytest

from particlespy_ml.counting import evidence
from particlespy_ml.counting.evidence import assess_mixture
from particlespy_ml.counting.mixture import Mixture, fit_mixtures, fit_regular_mixture


def draw(counts, ratio, size, seed=0):
    rng = np.random.default_rng(seed)
    return np.repeat(np.asarray(counts, float), size) + rng.normal(size=len(counts) * size) / ratio


def test_derivatives_are_those_of_finite_differences():
    values = draw([1, 2, 3], 4, 10)
    errors = np.full(len(values), 1e-3)
    fit = fit_mixtures(values, 3)[2]

    def moved(index, by):
        means = fit.means.copy()
        means[index] += by
        return Mixture(means, fit.weights, fit.floor, fit.gain, fit.scatter, 0, 0, fit.n_values, 6)

    _, scores, change = evidence._derivatives(fit, values, errors)
    for index in range(3):
        up, down = moved(index, 1e-5), moved(index, -1e-5)
        logs = [evidence._derivatives(one, values, errors)[0] for one in (up, down)]
        np.testing.assert_allclose((logs[0] - logs[1]) / 2e-5, scores[:, 3 + index], rtol=1e-4, atol=1e-5)
        expected = [one.posterior(values) @ np.arange(3) for one in (up, down)]
        np.testing.assert_allclose((expected[0] - expected[1]) / 2e-5, change[:, 3 + index], rtol=1e-4, atol=1e-5)


def test_resolved_components_are_sure():
    values = draw([1, 2, 3, 4], 8, 20)
    errors = np.full(len(values), 1 / 8)
    fits = fit_mixtures(values, 8)
    candidates = [*fits[:2], *(fit_regular_mixture(values, fit) for fit in fits[2:])]
    found = [assess_mixture(fit, values, errors) for fit in candidates]
    best = int(np.argmax([one.log_evidence for one in found]))
    assert len(candidates[best].means) == 4
    # of all columns together
    assert np.linalg.norm(found[best].spread.sum(0)) < 0.5


def test_the_spread_is_large_where_components_are_not_resolved():
    values = draw([1, 2, 3, 4], 1.5, 20)
    errors = np.full(len(values), 1 / 1.5)
    fit = fit_regular_mixture(values, fit_mixtures(values, 4)[3])
    assert np.linalg.norm(assess_mixture(fit, values, errors).spread.sum(0)) > 5


def test_wide_components_are_improbable_where_errors_are_small():
    """A smear of ten numbers of atoms is three wide components, unless the errors say that nothing is so wide."""
    values = draw(np.arange(1, 11), 4, 12)
    wide = fit_regular_mixture(values, fit_mixtures(values, 3)[2])
    known, unknown = (assess_mixture(wide, values, np.full(len(values), e)).log_evidence for e in (0.25, 1.5))
    assert known < unknown


def test_every_second_component_empty_is_improbable():
    values = draw([1, 2, 3, 4, 5], 12, 15)
    errors = np.full(len(values), 1 / 12)
    means = np.arange(1, 5.1, 0.5)
    weights = np.where(np.arange(9) % 2 == 0, 0.2, 1e-12)
    twice = Mixture(means, weights, 1 / 144, 0, 0, 0, 0, len(values), 12, True)
    once = Mixture(means[::2], weights[::2], 1 / 144, 0, 0, 0, 0, len(values), 8, True)
    assert assess_mixture(once, values, errors).log_evidence > assess_mixture(twice, values, errors).log_evidence + 10


def test_the_spread_of_other_values():
    values = draw([1, 2, 3], 4, 10)
    errors = np.full(len(values), 0.25)
    fit = fit_mixtures(values, 3)[2]
    found = assess_mixture(fit, values, errors, values[:4], errors[:4])
    np.testing.assert_allclose(found.spread, assess_mixture(fit, values, errors).spread[:4])
    assert found.spread.shape[0] == 4 and found.log_evidence == pytest.approx(
        assess_mixture(fit, values, errors).log_evidence
    )
