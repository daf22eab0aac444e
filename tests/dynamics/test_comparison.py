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
