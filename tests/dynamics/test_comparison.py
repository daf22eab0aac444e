"""Fractions over the steps of a table and of several tables."""

import numpy as np
import pandas as pd
import pytest

from particlespy_ml.dynamics import compare_fractions, markov

RATES = np.array([[-0.1, 0.1], [0.3, -0.3]])


@pytest.fixture(scope="module")
def states():
    rng = np.random.default_rng(0)
    return np.stack([markov.simulate_states(RATES, 60, 0.5, rng) for _ in range(2)])


@pytest.fixture(scope="module")
def stepped(states, make_movie):
    """A movie without errors of two particles that are always in one state in the first half."""
    states = states.copy()
    states[:, :30] = 0
    return make_movie(states, accuracy=1.0 - 1e-9), states


def test_steps_by_one_value_for_each_frame(stepped):
    table, states = stepped
    steps = pd.Series(np.repeat([500.0, 300.0], 30), name="temperature")
    frame = table.class_fractions(per=steps)
    assert list(frame.columns[:5]) == ["temperature", "class", "fraction", "low", "high"]
    assert list(frame["temperature"].unique()) == [300, 500]
    assert (frame["observations"] == 60).all()
    indexed = frame.set_index(["temperature", "class"])["fraction"]
    assert indexed[500.0, "icosahedron"] == 1
    assert indexed[300.0, "decahedron"] == pytest.approx(states[:, 30:].mean())
    hot = frame[frame["temperature"] == 500]
    assert (hot["effective_samples"] == 2).all()  # two particles that do not change
    assert (frame["low"] <= frame["fraction"]).all() and (frame["fraction"] <= frame["high"]).all()


def test_the_only_step_is_the_series(stepped):
    table, _ = stepped
    series = table.class_fractions(per="series")
    frame = table.class_fractions(per=["all"] * 60)
    pd.testing.assert_frame_equal(frame[series.columns], series)


def test_frames_without_a_value_are_left_out_and_empty_steps_are_nan(states, make_movie):
    table = make_movie(states[:1, :4], missing={(0, 2), (0, 3)})
    frame = table.class_fractions(per=np.array([1.0, np.nan, 2.0, 2.0]))
    assert list(frame["observations"]) == [1, 1, 0, 0]
    assert frame.loc[2:, ["fraction", "low", "high", "corrected"]].isna().all(axis=None)


def test_windows_of_frames_stand_at_their_middle(stepped):
    frame = stepped[0].class_fractions(per=20)
    assert list(frame["time"].unique()) == [4.75, 14.75, 24.75]
    assert frame.attrs["label"] == "Time (s)"


def test_steps_of_a_navigation_axis(grid, add_classes):
    image = grid.inav[:, 0]  # two frames, one of them without particles
    table = add_classes(image.measure_particles(np.asarray(image.data) > 2.5))
    with pytest.raises(ValueError, match="track_particles"):
        table.class_fractions(per="time")
    frame = table.track_particles().class_fractions(per="time")
    assert list(frame["time"].unique()) == list(image.axes_manager[0].axis)
    assert frame["fraction"].isna().sum() == 2


@pytest.mark.parametrize("per", ["hour", 0, [1, 2, 3], True])
def test_steps_that_are_none(stepped, per):
    with pytest.raises(ValueError, match="expected|Expected"):
        stepped[0].class_fractions(per=per)


def test_tables_beside_each_other(stepped, states, make_movie):
    table, _ = stepped
    short = make_movie(states[:1, :20], accuracy=1.0 - 1e-9)
    frame = compare_fractions({"cold": table, "hot": short, "both": [table, short]}, name="sample")
    assert list(frame["sample"].unique()) == ["cold", "hot", "both"]
    assert list(frame.groupby("sample", sort=False)["observations"].first()) == [120, 20, 140]
    rows = frame[frame["class"] == "icosahedron"].set_index("sample")
    mean = np.average(rows["fraction"][["cold", "hot"]], weights=rows["observations"][["cold", "hot"]])
    assert rows["fraction"]["both"] == pytest.approx(mean)


def test_images_need_no_tracks(two_disks, add_classes):
    table = add_classes(two_disks.measure_particles(np.asarray(two_disks.data) > 2.5))
    frame = compare_fractions({300: table, 500: [table, table]}, name="temperature")
    assert list(frame["observations"]) == [2, 2, 4, 4]
    assert frame["temperature"].dtype.kind == "i"
    np.testing.assert_allclose(frame["fraction"], 0.5)
    np.testing.assert_allclose(frame["effective_samples"], frame["observations"])


def test_tables_that_cannot_be_compared(states, make_movie):
    table = make_movie(states[:, :5])
    with pytest.raises(ValueError, match="by condition"):
        compare_fractions([table])
    three = make_movie(np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="has the classes"):
        compare_fractions({"a": table, "b": three})
    with pytest.raises(ValueError, match="different models"):
        compare_fractions({"a": [table, make_movie(states[:, :5], known=False)]})


def test_steps_of_unevenly_spaced_frames_are_of_time(make_movie, at_times):
    # a burst in the first state, then as long in the second with a tenth of the frames
    states = np.repeat([[0, 1]], [100, 10], axis=1)
    times = np.concatenate([np.arange(100) / 10, 10 + np.arange(10.0)])
    table = at_times(make_movie(states, accuracy=1 - 1e-9), times)
    for per in ("series", ["all"] * 110, 110):
        fraction = table.class_fractions(per=per).set_index("class")["fraction"]
        np.testing.assert_allclose(fraction[["icosahedron", "decahedron"]], 0.5, atol=0.05)
    halves = np.repeat([1.0, np.nan, 2.0], [40, 40, 30])
    frame = table.class_fractions(per=halves).set_index(["step", "class"])
    assert frame.loc[(1.0, "icosahedron"), "fraction"] == 1
    # of the second step 2 s are in the first state, and 10 in the second
    assert frame.loc[(2.0, "decahedron"), "fraction"] == pytest.approx(10 / 12, abs=0.1)
    assert frame.loc[(2.0, "decahedron"), "observations"] == 30
    each = table.class_fractions(per="time")
    assert (each["observations"] == 1).all()
    assert list(each["time"].unique()) == list(times)


def test_windows_stand_at_the_middle_of_their_frames(make_movie, at_times):
    times = np.array([0.0, 1, 2, 50, 51, 99, 100])
    table = at_times(make_movie(np.zeros((1, 7), int)), times)
    assert list(table.class_fractions(per=3)["time"].unique()) == [1, 74.5, 100]
    assert list(table.inav[::-1].class_fractions(per=3)["time"].unique()) == [0, 25.5, 75.5]


def test_movies_of_different_frame_times_are_pooled_by_time(make_movie):
    # as long in either state: in one movie with ten times the frames
    fast = make_movie(np.zeros((1, 1000), int), accuracy=1 - 1e-9, scale=0.1)
    slow = make_movie(np.ones((1, 100), int), accuracy=1 - 1e-9, scale=1.0)
    frame = compare_fractions({"both": [fast, slow], "fast": fast})
    fraction = frame.set_index(["condition", "class"])["fraction"]
    np.testing.assert_allclose(fraction["both"], 0.5, atol=0.01)
    assert fraction["fast"]["icosahedron"] == 1
    assert frame[frame["condition"] == "both"]["observations"].iloc[0] == 1100
    in_ms = make_movie(np.zeros((1, 1000), int), accuracy=1 - 1e-9, scale=100.0, units="ms")
    other = compare_fractions({"both": [in_ms, slow], "fast": in_ms})
    np.testing.assert_allclose(other["fraction"], frame["fraction"])


def test_intervals_of_pooled_movies_cover(make_movie, jump):
    covered = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        tables = []
        for scale, frames in ((0.2, 600), (3.0, 60), (1.0, 1)):
            states = jump(RATES, scale * np.arange(frames), rng)[None]
            tables.append(make_movie(states, accuracy=1 - 1e-9, scale=scale))
        row = compare_fractions({"all": tables}).iloc[0]
        covered += row["low"] <= 0.75 <= row["high"]
    assert covered >= 16


def test_movies_without_a_time_are_pooled_by_frames_or_not_at_all(make_movie, at_times):
    plain = make_movie(np.zeros((1, 10), int), accuracy=1 - 1e-9, units="K")
    even = make_movie(np.ones((1, 10), int), accuracy=1 - 1e-9, scale=5.0)
    np.testing.assert_allclose(compare_fractions({"both": [plain, even]})["fraction"], 0.5)
    with pytest.raises(ValueError, match="no unit of time"):
        compare_fractions({"both": [plain, at_times(even, np.arange(10.0) ** 2)]})
