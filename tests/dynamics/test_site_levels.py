"""Numbers of states of sites, and paths between those that each has."""

import numpy as np
import pytest

from particlespy_ml.dynamics.site_levels import draw_some_paths, fit_some_states

LEVELS = np.array([np.repeat([0, 3, 0, 3], 30), np.repeat([0, 1, 3, 2], 30), np.repeat([3, 2, 0, 2], 30), [0] * 120])


@pytest.fixture(scope="module")
def fitted():
    seen = 4.0 * LEVELS[..., None] * [1, 0.5] + np.random.default_rng(0).normal(size=(4, 120, 2))
    return seen, fit_some_states(seen, np.array([1.0, 0.5]), 4, 4)


def test_states_that_a_site_has(fitted):
    found = fitted[1]
    assert found.used[:3].astype(int).tolist() == [[1, 0, 0, 1], [1, 1, 1, 1], [1, 0, 1, 1]]
    assert (found.evidence > 0).tolist() == [True, True, True, False]
    for own, levels in zip(found.posterior[:3], LEVELS, strict=False):
        assert (own.argmax(-1) == levels).mean() > 0.98
    assert (np.diff(found.means[..., 0], axis=1)[:3] >= 0).all()  # absent ones are as those below


def test_paths_stay_among_them(fitted):
    seen, found = fitted
    paths = draw_some_paths(seen[:3], found.chosen(slice(3)), np.arange(120.0))
    np.testing.assert_allclose(paths.occupancy.mean(1), LEVELS[:3].mean(1) / 3, atol=0.01)
    np.testing.assert_allclose(np.median(paths.changes, axis=1), 3, atol=1)
    assert (paths.probability[~np.broadcast_to(found.used[:3, None], (3, 120, 4))] == 0).all()
    assert np.isnan(paths.rates[0, :, 1, 0]).all() and np.isfinite(paths.rates[0, :, 0, 3]).all()
    assert paths.steps[2, :, :, 1].max() == 0 and paths.steps[2, 29, 3, 2] > 0.5


def test_two_states_are_those_of_one_fit(fitted):
    from particlespy_ml.dynamics.site_states import fit_states

    seen = fitted[0]
    one, other = fit_some_states(seen, np.ones(2), 2), fit_states(seen, np.ones(2), 2)
    np.testing.assert_array_equal(one.means, other.means)
    assert one.used.all()
