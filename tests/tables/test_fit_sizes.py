"""Laws of sizes: against scipy and the closed forms, coverage of the limits, groups, few particles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from particlespy_ml.tables.distributions import fit_distribution


@pytest.fixture(scope="module")
def sizes():
    return np.random.default_rng(1).lognormal(1.2, 0.35, 400)


def test_the_laws_are_those_of_scipy(sizes):
    fitted = fit_distribution(sizes, "lognormal")
    shape, _, scale = stats.lognorm.fit(sizes, floc=0)
    assert fitted.location == pytest.approx(np.log(scale), abs=1e-4)
    assert fitted.scale == pytest.approx(shape * np.sqrt(400 / 399), rel=1e-3)
    assert fitted.aic == pytest.approx(4 - 2 * stats.lognorm.logpdf(sizes, shape, 0, scale).sum(), rel=1e-6)
    grid = np.linspace(0.5, 12, 2000)
    assert np.trapezoid(fitted.density(grid), grid) == pytest.approx(1, abs=2e-3)
    normal = fit_distribution(sizes, "normal")
    assert normal.aic > fitted.aic + 20
    assert normal.density(np.array([normal.location]))[0] == pytest.approx(1 / np.sqrt(2 * np.pi) / normal.scale)


def test_limits_of_the_median_are_those_of_students_t(sizes):
    fitted = fit_distribution(sizes[:12], "lognormal")
    half = stats.t.ppf(0.975, 11) * fitted.scale / np.sqrt(12)
    wanted = np.exp(fitted.location + np.array([0, -half, half]))
    np.testing.assert_allclose(fitted.quantile(0.5), wanted, rtol=1e-9)


@pytest.mark.parametrize("name", ["lognormal", "normal"])
@pytest.mark.parametrize("count", [5, 60])
def test_limits_hold_the_truth_as_often_as_they_say(name, count):
    rng = np.random.default_rng(count)
    truth = np.exp(1 + 0.3 * stats.norm.ppf(0.1)) if name == "lognormal" else 1 + 0.3 * stats.norm.ppf(0.1)
    spread = np.exp(0.3) if name == "lognormal" else 0.3
    inside = np.zeros(2)
    trials = 400
    for _ in range(trials):
        values = rng.normal(1, 0.3, count)
        fitted = fit_distribution(np.exp(values) if name == "lognormal" else values, name)
        for k, ((_, low, high), true) in enumerate(((fitted.quantile(0.1, 0.9), truth), (fitted.spread(0.9), spread))):
            inside[k] += low < true < high
    assert (np.abs(inside / trials - 0.9) < 4 * np.sqrt(0.09 / trials)).all()


def test_auto_takes_the_better_law():
    values = np.random.default_rng(3).normal(5, 1.5, 500)
    assert fit_distribution(values[values > 0], "auto").name == "normal"
    assert fit_distribution(values - 8, "auto").name == "normal"


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        ([1, 2, 3], "weibull", "expected one of lognormal, normal, auto"),
        ([1, 2], "normal", "law: 2, 2 different"),
        ([2, 2, 2, 2], "lognormal", "4, 1 different"),
        ([1, 2, np.nan, np.inf], "normal", "law: 2, 2 different"),
        ([-1, 2, 3], "lognormal", "positive"),
    ],
)
def test_what_cannot_be_fitted(values, name, message):
    with pytest.raises(ValueError, match=message):
        fit_distribution(np.array(values), name)


def test_the_verb_groups_and_leaves_out_what_is_cut(add_classes):
    import particlespy_ml as pml

    table = add_classes(pml.data.gold_on_carbon().measure_particles())
    whole = table.fit_sizes()
    diameters = table["equivalent_circular_diameter"]
    assert whole.loc["all", "D50"] == pytest.approx(stats.gmean(diameters[~table["touches_border"]]))
    assert whole.attrs["units"] == "nm" and whole.loc["all", "distribution"] == "lognormal"
    split = table.fit_sizes("area", by="class", distribution="normal")
    assert list(split.index) == ["all", "icosahedron", "amorphous", "undefined"]
    assert split["count"].tolist() == [6, 2, 2, 2] and split.loc["amorphous"].isna()["D50"]
    assert split.attrs["units"] == "nm²" and set(split["unit"]) == {"nm²"} and "nm²" in split.to_string()


def test_particles_that_the_border_cuts(series):
    table = series.isig[30:, :].measure_particles(np.asarray(series.isig[30:, :].data) > 2.5)
    assert table["touches_border"].any()
    assert table.fit_sizes().loc["all", "count"] == np.count_nonzero(~table["touches_border"])


def test_no_particles(series):
    table = series.inav[1].measure_particles(np.asarray(series.inav[1].data) > 2.5)
    assert table.fit_sizes(distribution="auto").loc["all", "count"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "size"}, "no column of numbers 'size'"),
        ({"distribution": "gamma"}, "expected one of"),
        ({"confidence": 1.0}, "between 0 and 1"),
    ],
)
def test_bad_options(two_disks, options, message):
    with pytest.raises(ValueError, match=message):
        two_disks.measure_particles().fit_sizes(**options)
