"""Pairs of sites that exchange a column, and surfaces of two movies, from made results."""

import numpy as np
import pytest

from particlespy_ml.dynamics.compare_surfaces import compare_surfaces
from particlespy_ml.dynamics.markov import simulate_states
from particlespy_ml.dynamics.site_paths import draw_paths
from tests.plotting.made_results import made_surface


def simulated(rates, count, seed, frames=250):
    """States of sites with the same rates on and off in 1/frame, shape (count, frames)."""
    on, off = rates
    rng = np.random.default_rng(seed)
    return np.array([simulate_states(np.array([[-on, on], [off, -off]]), frames, 1.0, rng) for _ in range(count)])


def test_exchanges_are_told_from_independent_neighbours():
    states = simulated((0.06, 0.06), 6, 1)
    states[1] = 1 - states[0]
    found = made_surface(states)
    pairs = found.coupled_events().set_index(["site_1", "site_2"])
    assert pairs.loc[(0, 1), "coupled"] and pairs["coupled"].sum() == 1
    events = np.abs(np.diff(states[0])).sum()
    assert pairs.loc[(0, 1), "moves"] == pytest.approx(events, abs=0.5)
    assert pairs.loc[(0, 1), "expected"] < 0.3 * events
    assert len(made_surface(states[:1]).coupled_events()) == 0


def test_chance_couples_no_more_than_it_should():
    p_values = np.concatenate(
        [made_surface(simulated((0.05, 0.08), 8, seed)).coupled_events()["p_value"] for seed in range(6)]
    )
    assert (p_values < 0.05).mean() < 0.12 and len(p_values) > 30


def test_one_event_of_each_may_meet_by_chance():
    states = np.ones((2, 200), int)
    states[0, 80:] = states[1, :80] = 0
    pairs = made_surface(states).coupled_events()
    assert 1 / 250 < pairs["p_value"][0] < 1 / 100


def with_rates(states, seed):
    seen = 8.0 * states[..., None] + np.random.default_rng(seed).normal(size=(*states.shape, 1))
    means = np.tile(np.array([[0.0], [8.0]]), (len(states), 1, 1))
    return made_surface(states, draw_paths(seen, means, np.ones(len(states)), np.arange(states.shape[1]) * 1.0, seed))


def test_movies_with_other_rates_differ():
    slow, fast, same = (
        with_rates(simulated(r, 6, s), s) for r, s in (((0.02, 0.02), 1), ((0.1, 0.1), 2), ((0.02, 0.02), 3))
    )
    frame = compare_surfaces({"vacuum": slow, "oxygen": fast}).set_index("quantity")
    assert frame.loc["event_rate", "p_value"] < 0.01 and frame.loc["event_rate", "low"] > 0
    assert frame.loc["event_rate", "vacuum"] == pytest.approx(0.02, rel=0.4)
    assert frame.loc["event_rate", "oxygen"] == pytest.approx(0.1, rel=0.3)
    other = compare_surfaces({"vacuum": slow, "again": same}).set_index("quantity")
    assert other.loc["event_rate", "p_value"] > 0.02
    assert other.loc["occupancy", "low"] < 0 < other.loc["occupancy", "high"]


def test_what_cannot_be_compared():
    one = made_surface(simulated((0.05, 0.05), 2, 1))
    with pytest.raises(ValueError, match="1 movies"):
        compare_surfaces({"a": one})
    with pytest.raises(ValueError, match="nothing to compare"):
        compare_surfaces({"a": one, "b": made_surface(np.ones((3, 40), int))})
