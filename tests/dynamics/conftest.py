"""Movies whose frames are at times of one's own, and trajectories of jump processes at any times."""

import numpy as np
import pytest

from particlespy_ml.dynamics import markov


def at_times(table, times):
    """A copy of a table whose frames are at given times."""
    table = table.deepcopy()
    axis = table.axes_manager[0]
    axis.convert_to_non_uniform_axis()
    axis.axis = np.asarray(times, dtype=float)
    return table


def jump(rates, times, rng):
    """States at given times of a jump process, simulated jump by jump (Gillespie) from its equilibrium."""
    rates = np.asarray(rates)
    state, now, states = int(rng.choice(len(rates), p=markov.stationary_distribution(rates))), times[0], []
    for time in times:
        while True:
            wait = rng.exponential(-1 / rates[state, state])
            if now + wait > time:  # the process has no memory, so that the next wait may begin at the frame
                now = time
                break
            now += wait
            ways = np.clip(rates[state], 0, None)
            state = int(rng.choice(len(rates), p=ways / ways.sum()))
        states.append(state)
    return np.array(states)


@pytest.fixture(name="at_times", scope="session")
def _at_times():
    return at_times


@pytest.fixture(name="jump", scope="session")
def _jump():
    return jump
