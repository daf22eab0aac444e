"""Mixtures against scikit-learn and known draws, and the choice among them."""

import numpy as np
import pytest

from particlespy_ml.counting.mixture import WIDTHS, component_variance, fit_mixtures, fit_regular_mixture
from particlespy_ml.counting.selection import choose_mixture, component_counts, separation


def draw(counts, ratio=8.0, size=20, seed=0, curve=0.0, increment=1.0):
    """Cross-sections of columns of given numbers of atoms, `ratio` increments over the width."""
    rng = np.random.default_rng(seed)
    n = np.repeat(counts, size)
    return increment * (n - curve * n**2 + rng.normal(size=len(n)) / ratio), n


def test_the_likelihood_is_that_of_scikit_learn():
    from sklearn.mixture import GaussianMixture

    values, _ = draw([1, 2, 3, 4], 6)
    fit = fit_mixtures(values, 4)[3]
    other = GaussianMixture(4, covariance_type="tied", means_init=fit.means[:, None], tol=1e-9, max_iter=500)
    other.fit(values[:, None])
    assert fit.log_likelihood == pytest.approx(other.score(values[:, None]) * len(values), rel=1e-4)
    assert fit.bic == pytest.approx(other.bic(values[:, None]), rel=1e-3)
    assert fit.aic == pytest.approx(other.aic(values[:, None]), rel=1e-3)
    np.testing.assert_allclose(np.sort(other.means_.ravel()), fit.means, rtol=1e-3)


def test_icl_is_bic_and_twice_the_entropy():
    values, _ = draw([1, 2, 3], 4)
    fit = fit_mixtures(values, 3)[2]
    share = fit.posterior(values)
    assert share.sum(1) == pytest.approx(1)
    assert fit.icl - fit.bic == pytest.approx(-2 * np.sum(share * np.log(np.maximum(share, 1e-300))), rel=1e-6)
    assert fit.n_parameters == 3 + 2 + 1


def test_more_components_never_fit_worse():
    values, _ = draw([1, 2, 3, 4, 5], 3)
    likelihoods = [fit.log_likelihood for fit in fit_mixtures(values, 9)]
    assert (np.diff(likelihoods) > -0.5).all()


def test_the_density_integrates_to_one():
    values, _ = draw([1, 2, 3])
    grid = np.linspace(-2, 6, 4001)
    assert np.trapezoid(fit_mixtures(values, 3)[2].density(grid).sum(1), grid) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_law_of_the_width_is_found(width):
    rng = np.random.default_rng(0)
    n = np.repeat(np.arange(1, 9), 150)
    law = {"shared": (0.01, 0, 0), "dose": (0.001, 0.004, 0), "dose_and_scatter": (0.001, 0.002, 0.02)}[width]
    values = n + rng.normal(size=len(n)) * np.sqrt(component_variance(n, *law))
    fit = fit_mixtures(values, 8, width)[7]
    np.testing.assert_allclose(fit.widths, np.sqrt(component_variance(np.arange(1, 9), *law)), rtol=0.12)
    known = fit_mixtures(values, 8, width, gain=law[1])[7]
    assert known.gain == law[1] or width == "shared"


def test_a_regular_mixture_has_room_for_what_is_missing():
    values, _ = draw([1, 2, 3, 5, 6], 8)
    fit = fit_regular_mixture(values, fit_mixtures(values, 6)[5])
    np.testing.assert_allclose(fit.means, np.arange(1, 7), atol=0.15)
    assert fit.weights[3] < 0.02 and fit.regular
    assert fit.n_parameters == 4 + 5 + 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "ratio", "size"), [(4, 5.5, 14), (8, 6, 12), (12, 5.5, 15)])
def test_the_number_of_resolved_components(n, ratio, size, seed):
    values, truth = draw(np.arange(1, n + 1), ratio, size, seed, curve=0.005)
    choice = choose_mixture(values, 25)
    assert choice.reason == "" and len(choice.chosen.means) == n
    counts = component_counts(choice.chosen)[choice.chosen.posterior(values).argmax(1)]
    assert np.mean(counts == truth) > 0.95


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "ratio"), [(6, 1.5), (9, 2.2), (5, 2.8)])
def test_unresolved_components_are_not_counted(n, ratio, seed):
    choice = choose_mixture(draw(np.arange(1, n + 1), ratio, 20, seed)[0], 25)
    assert choice.chosen is None or len(choice.chosen.means) == n
    assert choice.chosen is not None or "resolved" in choice.reason or "better" in choice.reason


def test_too_few_columns():
    choice = choose_mixture(draw([1, 2, 3], 8, 3)[0])
    assert choice.chosen is None and "too few" in choice.reason
    for values in ([], [1.0], [2.0, 2.0, 2.0]):
        assert "too few" in choose_mixture(values).reason


def test_one_thickness_is_not_counted():
    assert choose_mixture(draw([3], 8, 60)[0]).chosen is None


def test_a_given_number_is_taken():
    values, _ = draw([1, 2, 3], 2)
    assert len(choose_mixture(values, n_components=3).chosen.means) == 3
    with pytest.raises(ValueError, match="half as many"):
        choose_mixture(values, n_components=50)


def test_criteria_are_returned():
    choice = choose_mixture(draw([1, 2, 3, 4])[0], 8)
    numbers, icl = choice.criterion("icl")
    assert numbers.tolist() == list(range(1, len(numbers) + 1)) and numbers[np.argmin(icl)] == 4
    assert choice.criterion("bic", regular=True)[0][0] == 3
    with pytest.raises(ValueError, match="icl, bic, aic"):
        choice.criterion("mdl")


@pytest.mark.parametrize(("counts", "offset"), [([1, 2, 3, 4], None), ([3, 4, 5, 6], None), ([3, 4, 5, 6], 0)])
def test_offsets(counts, offset):
    values, _ = draw(counts, 9)
    found = component_counts(choose_mixture(values, 8).chosen, offset)
    assert found.tolist() == (counts if offset is None else [1, 2, 3, 4])


def test_gaps_are_counted():
    values, truth = draw([1, 2, 4], 9)
    fit = choose_mixture(values, n_components=3).chosen
    assert component_counts(fit).tolist() == [1, 2, 4]
    chosen = choose_mixture(values, 8).chosen
    assert np.mean(component_counts(chosen)[chosen.posterior(values).argmax(1)] == truth) > 0.95


def test_separation():
    assert separation(fit_mixtures(draw([1, 2, 3], 7, 300)[0], 3)[2]) == pytest.approx(7, rel=0.08)
    assert separation(fit_mixtures([1.0, 2.0], 1)[0]) == np.inf


@pytest.mark.parametrize(
    ("options", "match"),
    [({"width": "free"}, "dose_and_scatter"), ({"criterion": "mdl"}, "icl, bic, aic"), ({"n_components": 0}, "one")],
)
def test_errors(options, match):
    with pytest.raises(ValueError, match=match):
        choose_mixture(draw([1, 2, 3])[0], **options)
    with pytest.raises(ValueError, match="differ"):
        fit_mixtures([1.0, 1.0])
    with pytest.raises(ValueError, match="offset="):
        component_counts(fit_mixtures(draw([2])[0], 1)[0])
