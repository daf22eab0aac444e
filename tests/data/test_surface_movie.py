"""The movie of a surface with a known truth."""

import numpy as np
import pytest

import particlespy_ml as pml


def test_frames_are_lazy_and_the_same_in_any_order():
    movie = pml.data.surface_movie("oxygen", frames=30, seed=2)
    assert movie._lazy and movie.data.shape == (30, 120, 120) and movie.metadata.Signal.signal_type == "HRTEM"
    whole = movie.data.compute()
    np.testing.assert_array_equal(pml.data.surface_movie("oxygen", frames=30, seed=2).data[25].compute(), whole[25])
    assert not np.array_equal(pml.data.surface_movie("oxygen", frames=30, seed=3).data[25].compute(), whole[25])
    assert whole.mean() == pytest.approx(310 * 0.25**2, rel=0.1)


def test_a_column_is_where_the_truth_says():
    movie = pml.data.surface_movie("vacuum", frames=60, dose=1e4)
    truth, frames = movie.metadata.Simulation, movie.data.compute()
    states = np.array(truth.states)
    site = int(np.argmax(np.array(truth.heights)))
    bright = []
    for number, frame in enumerate(frames):
        angle = np.radians(truth.turns[number])
        x, y = truth.x_nm[site] - 1.4875, truth.y_nm[site] - 1.4875
        column = (np.cos(angle) * x - np.sin(angle) * y + truth.drift_x_nm[number] + 1.4875) / 0.025
        row = (np.sin(angle) * x + np.cos(angle) * y + truth.drift_y_nm[number] + 1.4875) / 0.025
        bright.append(frame[int(row) - 1 : int(row) + 3, int(column) - 1 : int(column) + 3].mean())
    bright = np.array(bright)
    assert bright[states[site] == 1].min() > 1.1 * bright[states[site] == 0].max()


def test_conditions_differ_and_the_pair_exchanges():
    slow, fast = (pml.data.surface_movie(name, frames=400).metadata.Simulation for name in ("vacuum", "oxygen"))
    events = [np.abs(np.diff(np.array(one.states), axis=1)).sum() for one in (slow, fast)]
    assert events[1] > 1.3 * events[0]
    pair = slow.groups[slow.kinds.index("exchanging")]
    np.testing.assert_array_equal(np.array(slow.states)[pair].sum(0), 1)


@pytest.mark.parametrize("wrong", [{"condition": "argon"}, {"frames": 0}, {"dose": 0}])
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        pml.data.surface_movie(**wrong)
