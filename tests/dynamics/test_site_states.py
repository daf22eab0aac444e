"""States of sites: what is learnt of chains whose truth is known."""

import numpy as np
import pytest

from particlespy_ml.dynamics.markov import simulate_states
from particlespy_ml.dynamics.site_paths import draw_paths
from particlespy_ml.dynamics.site_states import fit_states, whitening

FRAMES, SITES = 200, 24
RATES = np.array([[-0.05, 0.05], [0.08, -0.08]])


@pytest.fixture(scope="module")
def chains():
    """States, and features three standard deviations apart in a direction of its own for each site."""
    rng = np.random.default_rng(5)
    states = np.array([simulate_states(RATES, FRAMES, 1.0, rng) for _ in range(SITES)])
    states[: SITES // 3] = 0
    change = rng.normal(scale=0.3, size=(SITES, 5)) + [1.0, 1, 1, 0, 0]
    change *= 3 / np.linalg.norm(change, axis=1)[:, None]
    return states, rng.normal(size=(SITES, FRAMES, 5)) + states[..., None] * change[:, None]


@pytest.fixture(scope="module")
def fitted(chains):
    return fit_states(chains[1], np.array([1.0, 1, 1, 0, 0]), 2, SITES)


def test_noise_is_made_white():
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(5, 5))
    steps = rng.normal(size=(30, 200, 5)) @ mixed + 7.0
    white = steps @ whitening(steps)
    np.testing.assert_allclose(np.cov(white.reshape(-1, 5).T), np.eye(5), atol=0.12)


def test_sites_that_change_are_told(chains, fitted):
    states, _ = chains
    changed = (states.mean(1) > 0.05) & (states.mean(1) < 0.95)
    np.testing.assert_array_equal(fitted.evidence > 0, changed)
    error = np.abs(fitted.posterior[..., 1] - states).mean(1)[changed]
    assert error.max() < 0.06 and error.mean() < 0.025


def test_no_state_is_made_of_noise():
    rng = np.random.default_rng(2)
    found = fit_states(rng.normal(size=(150, 120, 5)), np.ones(5), 2, 150)
    assert (found.evidence < 0).all()


def test_intervals_hold_the_truth(chains, fitted):
    states, features = chains
    which = np.flatnonzero(fitted.evidence > 0)
    paths = draw_paths(features[which], fitted.means[which], fitted.variance[which], np.arange(FRAMES) * 1.0, 1)
    truth = states[which].mean(1), (np.diff(states[which], axis=1) != 0).sum(1)
    for draws, true in zip((paths.occupancy, paths.changes), truth, strict=True):
        low, high = np.quantile(draws, (0.025, 0.975), axis=1)
        assert ((low <= true) & (true <= high)).mean() > 0.8
    assert np.abs(paths.occupancy.mean(1) - truth[0]).max() < 0.05
    rates = np.median(paths.rates[..., 0, 1], 1)
    assert 0.6 < np.median(rates) / RATES[0, 1] < 1.7
    np.testing.assert_allclose(paths.probability.sum(-1), 1)
    np.testing.assert_allclose(paths.steps.sum((1, 2, 3)), paths.changes.mean(1), atol=1e-4)


def test_missing_and_uneven_frames(chains, fitted):
    states, features = chains
    site = np.flatnonzero(fitted.evidence > 0)[:3]
    kept = np.sort(np.random.default_rng(0).choice(FRAMES, 120, replace=False))
    seen = features[site].copy()
    seen[:, kept[::5]] = np.nan
    settings = fitted.means[site], fitted.variance[site]
    paths = draw_paths(seen[:, kept], *settings, kept.astype(float))
    right = paths.probability[..., 1].round() == states[site][:, kept]
    assert right.mean() > 0.93
    assert np.isfinite(paths.rates).all()
    for step in (60.0, 0.4e-9):
        other = draw_paths(seen[:, kept], *settings, step * kept)
        np.testing.assert_allclose(
            np.median(other.rates[..., 0, 1], 1) * step, np.median(paths.rates[..., 0, 1], 1), rtol=0.35
        )


def test_three_states():
    rng = np.random.default_rng(4)
    levels = np.repeat([0, 1, 2, 1, 0, 2], 30)
    seen = (3.5 * levels)[None, :, None] * np.array([1.0, 0]) + rng.normal(size=(1, 180, 2))
    found = fit_states(seen, np.array([1.0, 0]), 3)
    paths = draw_paths(seen, found.means, found.variance, np.arange(180.0))
    assert (paths.probability.argmax(-1) == levels).mean() > 0.98
    np.testing.assert_allclose(paths.occupancy.mean(), levels.mean() / 2, atol=0.01)
    assert np.median(paths.changes) == 5


def test_frames_in_which_a_site_is_not_seen_are_no_state():
    """As at the rim of a frame, where drift takes a site out of view for half of the movie."""
    rng = np.random.default_rng(1)
    truth = np.repeat([1, 0, 1, 0, 1], [60, 20, 80, 20, 120])
    seen = rng.normal(size=(1, 300, 2)) + [20.0, -7.0] + truth[:, None] * [9.0, -4.0]
    seen[0, 40:60] = seen[0, 90:220] = np.nan
    found = fit_states(seen, np.array([1.0, -0.3]))
    known = np.isfinite(seen[0, :, 0])
    assert found.evidence[0] > 0
    assert np.abs(found.posterior[0, known, 1] - truth[known]).max() < 0.01
