"""Movies of tracked particles: sequences, smoothing and rates from tables."""

import numpy as np
import pandas as pd
import pytest

from particlespy_ml.dynamics import compare_fractions, fit_enthalpies, markov
from particlespy_ml.dynamics.sequences import SECONDS, sequences, smooth_states
from particlespy_ml.particles.measure import column_units
from particlespy_ml.tables.table import make_table, object_array

CLASSES = ("icosahedron", "decahedron")
RATES = np.array([[-0.1, 0.1], [0.2, -0.2]])  # 1/s
DTYPE = [
    ("x", "f8"),
    ("track", "i4"),
    ("class_index", "i1"),
    ("probability", "f4"),
    *((f"probability_{name}", "f4") for name in CLASSES),
]


def movie(states, accuracy=0.9, missing=(), seed=0, units="s", scale=0.5):
    """A tracked table of particles with given states (S, T), seen by a classifier of a given accuracy."""
    rng = np.random.default_rng(seed)
    rows = []
    for frame in range(states.shape[1]):
        tracks = [track for track in range(len(states)) if (track, frame) not in missing]
        row = np.zeros(len(tracks), DTYPE)
        for item, track in zip(row, tracks, strict=True):
            truth = states[track, frame]
            seen = truth if rng.random() < accuracy else 1 - truth
            item["track"], item["class_index"], item["probability"] = track, seen, accuracy
            for k, name in enumerate(CLASSES):
                item[f"probability_{name}"] = accuracy if k == seen else 1 - accuracy
        rows.append(row)
    axis = {"name": "time", "size": len(rows), "scale": scale, "units": units, "navigate": True}
    table_units = {name: column_units("nm").get(name, "") for name, _ in DTYPE}
    record = {"classes": list(CLASSES)}
    return make_table(object_array(rows, (len(rows),)), [axis], table_units, record)


@pytest.fixture(scope="module")
def truth():
    """States of two particles at frames of 0.5 s."""
    rng = np.random.default_rng(1)
    return np.stack([markov.simulate_states(RATES, 1500, 0.5, rng) for _ in range(2)])


def test_sequences_keep_tracks_and_gaps(truth):
    found = sequences(movie(truth[:, :20], missing={(0, 3)}))
    assert found.frame_time == 0.5
    assert found.probabilities.shape == (2, 20, 2)
    assert np.isnan(found.probabilities[0, 3]).all()
    assert found.predicted[0, 3] == -1


def test_milliseconds_are_converted(truth):
    assert sequences(movie(truth[:, :5], units="ms", scale=20.0)).frame_time == pytest.approx(0.02)


def test_smoothing_mends_single_frames(truth):
    table = movie(truth, missing={(1, 7), (1, 8)})
    frame = table.class_sequence()
    smooth = frame.pivot(index="track", columns="frame", values="class")
    assert smooth.notna().all(axis=None)
    right = (smooth.to_numpy() == np.array(CLASSES, dtype=object)[truth]).mean()
    assert right > 0.95
    raw = table.class_sequence(smooth=False)
    assert len(raw) == truth.size - 2
    assert (raw["time"] == raw["frame"] * 0.5).all()


def test_rates_are_those_of_the_particles_not_of_the_labels(truth):
    found = movie(truth).transitions()
    frame = found.to_dataframe()
    rate = frame.set_index(["from", "to"])["rate"]
    assert rate["icosahedron", "decahedron"] == pytest.approx(0.1, rel=0.3)
    assert rate["decahedron", "icosahedron"] == pytest.approx(0.2, rel=0.3)
    assert ((frame["rate_low"] < frame["rate"]) & (frame["rate"] < frame["rate_high"])).all()
    np.testing.assert_allclose(frame["branching_ratio"], 1)
    np.testing.assert_allclose(found.dwell_times, [10, 5], rtol=0.3)


def test_movies_that_cannot_be_used_say_why(truth, two_disks):
    with pytest.raises(ValueError, match="not classified"):
        two_disks.measure_particles().transitions()
    with pytest.raises(ValueError, match="expected a time"):
        movie(truth[:, :5], units="K").transitions()
    table = movie(truth[:, :5])
    for index in range(5):
        table.data[index] = table.data[index][[name for name, _ in DTYPE if name != "track"]].copy()
    table.metadata.particlespy_ml.columns = [name for name, _ in DTYPE if name != "track"]
    with pytest.raises(ValueError, match="track_particles"):
        table.transitions()


BURSTS = np.concatenate([0.5 * np.arange(10) + 60.0 * burst for burst in range(30)])  # s


@pytest.fixture(scope="module")
def bursts(at_times, jump):
    """States of two particles in bursts of frames, and their table."""
    rng = np.random.default_rng(11)
    states = np.stack([jump(RATES, BURSTS, rng) for _ in range(2)])
    return states, at_times(movie(states, seed=4), BURSTS)


def frame_of(table):
    return table.transitions().to_dataframe().set_index(["from", "to"])


def test_rates_of_bursts_are_those_of_the_true_steps(bursts):
    _, table = bursts
    found = table.transitions()
    frame = found.to_dataframe()
    truth = frame["from"].map({"icosahedron": 0.1, "decahedron": 0.2})
    assert ((frame["rate_low"] <= truth) & (truth <= frame["rate_high"])).all()
    np.testing.assert_allclose(frame["rate"], truth, rtol=0.5)
    assert frame.attrs["units"] == {"rate": "1/s", "rate_low": "1/s", "rate_high": "1/s"}
    assert "1/s" in repr(found) and "1/s" in found.plot().get_title()
    # the median step for every step would give three times as much, outside of its intervals
    wrong = movie(bursts[0], seed=4).transitions().to_dataframe()
    assert not ((wrong["rate_low"] <= truth) & (truth <= wrong["rate_high"])).any()


@pytest.mark.parametrize("kind", ["uneven", "even"])
def test_frames_in_the_opposite_order_have_the_same_rates(bursts, truth, kind):
    table = bursts[1] if kind == "uneven" else movie(truth[:, :300], missing={(0, 3), (1, 8)})
    turned = table.inav[::-1]
    assert turned.axes_manager[0].axis[0] > turned.axes_manager[0].axis[-1]
    pd.testing.assert_frame_equal(frame_of(turned), frame_of(table))
    expected = table.class_sequence().set_index(["track", "time"])["class"].sort_index()
    found = turned.class_sequence()
    assert (found["time"] == turned.axes_manager[0].axis[found["frame"]]).all()
    pd.testing.assert_series_equal(found.set_index(["track", "time"])["class"].sort_index(), expected)
    pd.testing.assert_frame_equal(
        turned.class_fractions(per="series"), table.class_fractions(per="series"), check_exact=False, rtol=1e-6
    )


def test_frames_in_any_order_are_put_into_that_of_time(bursts):
    states, table = bursts
    mixed = np.random.default_rng(0).permutation(len(BURSTS))
    shuffled = table.deepcopy()
    shuffled.data = table.data[mixed]
    shuffled.axes_manager[0].axis = BURSTS[mixed]
    pd.testing.assert_frame_equal(frame_of(shuffled), frame_of(table))
    sequence = shuffled.class_sequence()
    smooth = sequence.pivot(index="track", columns="frame", values="class").to_numpy()
    assert (smooth == np.array(CLASSES, dtype=object)[states[:, mixed]]).mean() > 0.9


def test_smoothing_trusts_neighbours_by_their_times(at_times, jump):
    rng = np.random.default_rng(3)
    times = np.concatenate([0.01 * np.arange(30) + 1000.0 * burst for burst in range(15)])
    states = np.stack([jump(RATES, times, rng) for _ in range(4)])
    table = at_times(movie(states, accuracy=0.75, seed=1), times)
    smooth = table.class_sequence().pivot(index="track", columns="frame", values="class").to_numpy()
    right = smooth == np.array(CLASSES, dtype=object)[states]
    assert right.mean() > 0.97
    # the state before a pause of many changes says nothing of that behind it
    changes = smooth[:, 1:] != smooth[:, :-1]
    pauses = np.diff(times) > 1
    assert changes[:, ~pauses].mean() < 0.01 < 0.2 < changes[:, pauses].mean()


@pytest.mark.parametrize("expression", ["x**2", "100 - x"])
def test_functional_axes(truth, expression, at_times):
    table = movie(truth[:, :200])
    table.axes_manager[0].convert_to_functional_data_axis(expression=expression)
    axis = table.axes_manager[0].axis
    other = at_times(movie(truth[:, :200]), axis)
    pd.testing.assert_frame_equal(frame_of(table), frame_of(other))
    found = sequences(table)
    np.testing.assert_array_equal(found.times, axis)
    assert np.isnan(found.frame_time) == (expression == "x**2")


def test_slices_keep_their_times(truth, at_times):
    table = movie(truth[:, :600])
    times = table.axes_manager[0].axis
    every = table.inav[::3]
    assert sequences(every).frame_time == pytest.approx(1.5)
    some = np.flatnonzero(np.random.default_rng(0).random(600) < 0.5)
    part = movie(truth[:, some])
    part.data = table.data[some]
    part = at_times(part, times[some])
    for thinned in (every, part):
        frame = thinned.transitions().to_dataframe()
        expected = frame["from"].map({"icosahedron": 0.1, "decahedron": 0.2})
        assert ((frame["rate_low"] <= expected) & (expected <= frame["rate_high"])).all()
    # frames that are left out of the movie, or empty in it, are the same
    gone = set(range(600)) - set(some)
    empty = movie(truth[:, :600])
    for frame in gone:
        empty.data[frame] = empty.data[frame][:0]
    for frame in some:
        empty.data[frame] = table.data[frame]
    np.testing.assert_allclose(frame_of(empty)["rate"], frame_of(part)["rate"], rtol=0.02)


def test_times_of_large_offsets_are_even(truth):
    table = movie(truth[:, :200])
    late = movie(truth[:, :200])
    late.axes_manager[0].offset = 1.7e9  # seconds since 1970
    pd.testing.assert_frame_equal(frame_of(late), frame_of(table))
    assert sequences(late).frame_time == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0, 1, 1, 2, 3], "Frames 1 and 2 have the same time"),
        ([0, 3, 1, 2, 3], "Frames 1 and 4 have the same time"),
        ([0, 1, np.nan, 2, 3], "Frame 2 has the time nan"),
        ([0, 1, 2, np.inf, 3], "Frame 3 has the time inf"),
    ],
)
@pytest.mark.parametrize(
    "verb",
    [
        lambda table: table.transitions(),
        lambda table: table.class_sequence(),
        lambda table: table.class_sequence(smooth=False),
        lambda table: table.class_fractions(per="series"),
        lambda table: table.class_fractions(per=[0, 0, 0, 1, 1]),
        lambda table: table.free_energy_differences(300.0),
        lambda table: fit_enthalpies([table, table], [300.0, 400.0]),
        lambda table: compare_fractions({"a": [table, table]}),
        lambda table: table.plot_class_sequence(),
    ],
)
def test_frames_without_a_time_of_their_own_are_named(truth, times, message, verb, at_times):
    with pytest.raises(ValueError, match=message):
        verb(at_times(movie(truth[:, :5]), times))


def test_a_scale_of_zero_is_no_time(truth):
    with pytest.raises(ValueError, match="same time"):
        movie(truth[:, :5], scale=0.0).transitions()


@pytest.mark.parametrize("unit", ["us", "min", "h", "ns"])
def test_units_of_time(bursts, unit, at_times):
    states, table = bursts
    scaled = at_times(movie(states, seed=4, units=unit), BURSTS)
    expected = frame_of(table)["rate"] / SECONDS[unit]
    np.testing.assert_allclose(frame_of(scaled)["rate"], expected, rtol=1e-3)


def test_one_frame_has_classes_and_no_rates(truth):
    table = movie(truth[:, :1])
    with pytest.raises(ValueError, match="one frame"):
        table.transitions()
    assert list(table.class_sequence()["class"]) == list(table.class_sequence(smooth=False)["class"])
    assert len(table.class_fractions(per="series")) == 2


def test_two_frames(truth, at_times):
    even, later = (at_times(movie(truth[:, :2]), times) for times in ([0, 0.5], [3, 4]))
    np.testing.assert_allclose(frame_of(even)["count"], frame_of(later)["count"])
    assert len(later.class_sequence()) == 4


@pytest.mark.parametrize("times", [None, [0, 1, 2, 3, 50]])
def test_movies_without_particles_or_classes(truth, times, at_times):
    empty, undefined = movie(truth[:, :5]), movie(truth[:, :5])
    for frame in range(5):
        empty.data[frame] = empty.data[frame][:0]
        undefined.data[frame]["class_index"] = -1
        for name in CLASSES:
            undefined.data[frame][f"probability_{name}"] = np.nan
    for table in (empty, undefined):
        table = table if times is None else at_times(table, times)
        assert frame_of(table)["rate"].isna().all()
        assert (frame_of(table)["count"] == 0).all()
        assert table.transitions().plot().patches
        for smooth in (True, False):
            assert list(table.class_sequence(smooth)) == [
                "track",
                "frame",
                "time",
                "class",
                *(f"probability_{name}" for name in CLASSES),
            ]
            assert len(table.class_sequence(smooth)) == 0
    assert (smooth_states(sequences(undefined))[0] == -1).all()


def test_tracks_that_begin_late_and_end_early(bursts, at_times):
    states, table = bursts
    parts = {(0, frame) for frame in range(100)} | {(1, frame) for frame in range(200, len(BURSTS))}
    cut = at_times(movie(states, missing=parts, seed=4), BURSTS)
    frame = cut.transitions(0.995).to_dataframe()
    truth = frame["from"].map({"icosahedron": 0.1, "decahedron": 0.2})
    assert ((frame["rate_low"] <= truth) & (truth <= frame["rate_high"])).all()
    assert frame["count"].sum() < frame_of(table)["count"].sum()
    # the time of the tracks alone
    assert cut.transitions().fit.occupation.sum() == pytest.approx(BURSTS[-1] - BURSTS[100] + BURSTS[199] - BURSTS[0])


def test_fractions_of_an_axis_that_is_no_time_are_of_frames(truth, at_times):
    table = at_times(movie(truth[:, :50], units="K"), np.arange(50.0) ** 2)
    frames = movie(truth[:, :50])
    pd.testing.assert_frame_equal(table.class_fractions(per="series"), frames.class_fractions(per="series"))
    assert not sequences(table, timed=False).timed
    # one that is called time and has no unit is one, but for rates
    unnamed = at_times(movie(truth[:, :50], units=""), np.arange(50.0) ** 2)
    timed = at_times(movie(truth[:, :50]), np.arange(50.0) ** 2)
    pd.testing.assert_frame_equal(unnamed.class_fractions(per="series"), timed.class_fractions(per="series"))
    with pytest.raises(ValueError, match="expected a time"):
        unnamed.transitions()
