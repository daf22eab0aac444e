"""Sites of a made movie: which are full, when, and how often they change."""

from dataclasses import replace

import hyperspy.api as hs
import numpy as np
import pytest

import particlespy_ml as pml
from particlespy_ml.columns.fit.gaussians import gaussian_columns
from particlespy_ml.columns.movie.facets import FACETS
from particlespy_ml.core.calibration import pixel_grid
from particlespy_ml.dynamics.site_evidence import empty_neighbours
from particlespy_ml.dynamics.site_features import Rigid, crosstalk, frame_features
from particlespy_ml.tables.table import make_table, object_array

FRAMES, NEAR, SHAPE = 90, 9.0, (76, 80)
rows, columns = np.mgrid[:5, :5]
PLACES = np.column_stack([20 + NEAR * rows.ravel(), 21 + NEAR * columns.ravel()])
CORNER, EDGE, ABOVE, NEVER = 0, 14, 25, 26  # sites that change, one that is not in the table, one that is never full
ALL = np.vstack([PLACES, [(20 - NEAR, 21 + 2 * NEAR), (20 + 5 * NEAR, 21 + NEAR)]])


def made_states():
    """A corner that is full for half of the time, an edge that is emptied twice, a place above seldom full."""
    full = np.ones((27, FRAMES), int)
    full[NEVER] = full[ABOVE] = 0
    full[ABOVE, 40:52] = 1
    full[CORNER] = np.arange(FRAMES) // 12 % 2
    full[EDGE, 20:30] = full[EDGE, 60:78] = 0
    return full


def signal_of(frames, scale=0.02, units="nm"):
    s = hs.signals.Signal2D(frames)
    s.axes_manager.signal_axes.set(scale=scale, units=units)
    s.axes_manager[0].name, s.axes_manager[0].units, s.axes_manager[0].scale = "time", "s", 0.5
    s.set_signal_type("HRTEM")
    return s


def table_of(signal, shifts, sites=PLACES):
    """The table that `track_columns` would make."""
    dtype = [("track", "i4"), *((name, "f8") for name in ("x", "y", "x_error", "y_error", "mean_x", "mean_y"))]
    grid = pixel_grid(signal)
    frames = []
    for shift in shifts:
        one = np.zeros(len(sites), dtype)
        one["track"] = np.arange(len(sites))
        one["x"], one["y"] = grid.to_xy(*(sites + shift).T)
        one["mean_x"], one["mean_y"] = grid.to_xy(*sites.T)
        frames.append(one)
    axes = [axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes]
    units = {name: "" if name == "track" else grid.units for name, _ in dtype}
    return make_table(object_array(frames, (len(frames),)), axes, units, {"image": grid.as_dict()}, kind="column_table")


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    states, shifts = made_states(), rng.normal(scale=0.3, size=(FRAMES, 2)).cumsum(0).clip(-4, 4)
    frames = [
        rng.poisson(gaussian_columns(SHAPE, ALL + shift, 60.0 * full, 1.9) + 2.0).astype(np.float32)
        for shift, full in zip(shifts, states.T, strict=True)
    ]
    signal = signal_of(np.array(frames))
    return signal, table_of(signal, shifts), states


@pytest.fixture(scope="module")
def found(made):
    return made[1].surface_dynamics(made[0])


def row_of(frame, site):
    """The row of a site, by its place."""
    away = np.hypot(frame["x"] - 0.02 * ALL[site, 1], frame["y"] - 0.02 * ALL[site, 0])
    return frame.loc[away.idxmin()] if away.min() < 0.05 else None


@pytest.mark.parametrize("site", [CORNER, EDGE, ABOVE])
def test_sites_that_change(made, found, site):
    truth = made[2][site]
    row = row_of(found.to_dataframe(), site)
    assert row["change"] == "column"
    assert abs(row["occupancy"] - truth.mean()) < 0.02
    assert row["occupancy_low"] <= truth.mean() + 0.005 and truth.mean() - 0.005 <= row["occupancy_high"]
    events = np.abs(np.diff(truth)).sum() / found.duration
    assert abs(row["event_rate"] - events) * found.duration < max(0.15 * events * found.duration, 0.7)
    assert row["event_rate_low"] <= events <= row["event_rate_high"]
    assert row["rate_on_low"] < row["rate_on"] < row["rate_on_high"]
    assert row["raw_event_rate"] > 0.99 * events  # frames one by one overstate them
    number = int(row["site"])
    assert (found.states[number] == truth).mean() > 0.98


def test_stable_sites_and_places_that_are_never_full(made, found):
    frame = found.to_dataframe()
    assert (frame["change"] != "none").sum() == 3 and len(frame) == 26
    assert row_of(frame, NEVER) is None
    stable = frame[frame["change"] == "none"]
    assert (stable["occupancy"] == 1).all() and (stable["event_rate"] == 0).all()
    assert (stable["event_rate_high"] > 0).all() and (stable["occupancy_low"] < 1).all()
    assert row_of(frame, ABOVE)["track"] == -1
    assert frame.attrs["units"]["event_rate"] == "1/s" and frame.attrs["units"]["x"] == "nm"
    assert row_of(frame, 12)["layer"] == 3 and row_of(frame, 12)["facet"] == "bulk"


def test_groups(found):
    summary = found.summary()
    assert summary["sites"].sum() == 26 and set(summary["facet"]) <= set(FACETS)
    assert (
        (summary["occupancy_low"] <= summary["occupancy"]) & (summary["occupancy"] <= summary["occupancy_high"])
    ).all()
    assert found.summary("layer")["changing"].sum() == 3
    # of sites that show no change as much is unknown as of one site that was seen for as long as all of them
    steady = found.summary("layer").set_index("layer").query("changing == 0").iloc[0]
    few = -np.log(0.05) / steady["sites"]
    assert steady["event_rate_high"] == pytest.approx(few / found.duration, rel=0.05)
    assert steady["occupancy_low"] == pytest.approx(1 - few / FRAMES, abs=2e-3)
    with pytest.raises(ValueError, match="expected one of facet, layer"):
        found.summary("row")


def test_storage_does_not_matter(made, found):
    """A lazy movie whose rows descend, in pieces, without places beside the columns."""
    signal, table, _ = made
    wanted = found.to_dataframe()
    wanted = wanted[wanted["track"] >= 0]
    lazy = signal.isig[:, ::-1].as_lazy()
    lazy.data = lazy.data.rechunk((7, -1, -1))
    frame = table_like(table, lazy).surface_dynamics(lazy, empty_sites=False).to_dataframe()
    assert row_of(frame, ABOVE) is None
    np.testing.assert_allclose(np.sort(frame["occupancy"]), np.sort(wanted["occupancy"]), atol=2e-2)
    np.testing.assert_array_equal(np.sort(frame["change"]), np.sort(wanted["change"]))


def table_like(table, signal):
    """The same rows, as a table of an image with other axes."""
    from particlespy_ml.core.provenance import METADATA_NODE

    own = table.deepcopy()
    own.metadata.set_item(f"{METADATA_NODE}.image", pixel_grid(signal).as_dict())
    return own


def test_missing_frames_and_time_in_frames(made):
    signal, table, states = made
    table = table.deepcopy()
    for number in (0, 1, 30, 31, 77):
        table.data[number] = table.data[number][:0]
    table.axes_manager[0].units, table.axes_manager[0].name = "", "frame"
    found = table.surface_dynamics(signal)
    assert found.rate_unit == "1/frame" and found.duration == FRAMES - 3
    assert len(found.times) == FRAMES - 2 and (~found.used).sum() == 3
    row = row_of(found.to_dataframe(), CORNER)
    assert abs(row["occupancy"] - states[CORNER, 2:].mean()) < 0.03
    atoms = found.to_atoms("Pt")
    assert len(atoms) == FRAMES - 2 and atoms[0].info["frame"] == 2
    full = made_states()[:, 2:].sum(0)
    assert np.abs(np.array([len(one) for one in atoms]) - full).max() <= 1


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f - f.mean(),
        lambda f: (f - f.mean((1, 2), keepdims=True)) / f.std((1, 2), keepdims=True),
        lambda f: (7 * f - 3000).astype(np.int16),
    ],
)
def test_constants_and_factors_do_not_matter(made, found, change):
    signal, table, states = made
    other = signal_of(change(signal.data))
    frame = table_like(table, other).surface_dynamics(other).to_dataframe()
    for site in (CORNER, EDGE, ABOVE):
        row = row_of(frame, site)
        assert row["change"] == "column" and abs(row["occupancy"] - states[site].mean()) < 0.02
    assert (frame["change"] != "none").sum() == 3 and len(frame) == len(found)


def test_spikes_do_not_matter(made, found):
    signal, table, states = made
    spiked, rng = signal.data.copy(), np.random.default_rng(3)
    at = np.rint(PLACES[CORNER] + 2).astype(int)
    spiked[::3, at[0], at[1]] = 900
    for frame in spiked:
        frame[rng.integers(0, SHAPE[0], 3), rng.integers(0, SHAPE[1], 3)] += 500
    frame = table.surface_dynamics(signal_of(spiked)).to_dataframe()
    assert (frame["change"] != "none").sum() == 3
    assert abs(row_of(frame, CORNER)["occupancy"] - states[CORNER].mean()) < 0.02


def test_sites_have_as_many_states_as_they_need(made):
    """Of four that are allowed: a site that is full or empty has two, whose occupancy is that of two."""
    signal, table, states = made
    found = table.surface_dynamics(signal, states=4)
    frame = found.to_dataframe()
    assert (frame["change"] != "none").sum() == 3
    row = row_of(frame, CORNER)
    assert abs(row["occupancy"] - states[CORNER].mean()) < 0.02
    assert row["event_rate_low"] <= np.abs(np.diff(states[CORNER])).sum() / found.duration <= row["event_rate_high"]


def test_smoothed_movie_and_mean(made, found):
    signal, _, states = made
    smooth = found.smoothed(signal, 5)
    assert smooth._lazy and smooth.data.shape == signal.data.shape
    mean = found.mean_image(signal)
    assert mean.data.shape == SHAPE and abs(mean.data[20, 30] / mean.data[38, 39] - 1) < 0.5
    at = tuple(np.rint(ALL[CORNER]).astype(int))
    values = smooth.data[:, at[0], at[1]].compute()
    assert np.corrcoef(values[3:-3], states[CORNER, 3:-3])[0, 1] > 0.7
    with pytest.raises(ValueError, match="odd"):
        found.smoothed(signal, 4)


def test_frames_and_times_without_a_unit_are_the_same(made, found):
    """An axis of time without a unit counts frames; a pause in a movie is one in the smoothed movie too."""
    signal, table, _ = made
    table, signal = table.inav[:40].deepcopy(), signal.inav[:40]
    table.axes_manager[0].units = ""
    own = table.surface_dynamics(signal, empty_sites=False)
    assert own.rate_unit == "1/frame" and own.duration == 39
    np.testing.assert_allclose(own.smoothed(signal, 3).axes_manager[0].axis, np.arange(40))
    paused = replace(found, times=found.times + 100.0 * (np.arange(FRAMES) >= 20))
    axis = paused.smoothed(made[0], 3).axes_manager[0]
    np.testing.assert_allclose(axis.axis, paused.times)
    assert str(axis.units) == "s"
    even = found.smoothed(made[0], 3).axes_manager[0]
    assert even.scale == pytest.approx(0.5) and even.offset == 0


def test_what_cannot_be_is_refused(made):
    signal, table, _ = made
    for options, said in (({"states": 1}, "states=1"), ({"confidence": 2.0}, "confidence=2.0")):
        with pytest.raises(ValueError, match=said):
            table.surface_dynamics(signal, **options)
    with pytest.raises(ValueError, match="expected the movie"):
        table.surface_dynamics(signal.isig[:-1, :])
    with pytest.raises(TypeError, match="column table"):
        pml.surface_dynamics(signal, signal)
    with pytest.raises(ValueError, match="expected 20 or more"):
        table.inav[:10].surface_dynamics(signal.inav[:10])


def test_features_follow_the_turn_of_the_lattice():
    places = np.array([(40.3, 38.8)])
    frame = gaussian_columns((80, 80), places, 100.0, 2.0) + gaussian_columns((80, 80), places + (0, 4.0), 40.0, 2.0)
    one = frame_features(frame, places, np.eye(2), 9.0)
    turned, matrix = frame[::-1].T, np.array([[0.0, 1.0], [-1.0, 0.0]])  # by 90 degrees
    other = frame_features(turned, np.array([(38.8, 79 - 40.3)]), matrix, 9.0)
    np.testing.assert_allclose(other, one, atol=2e-2 * np.abs(one).max())
    assert np.isnan(frame_features(frame, np.array([(1.0, 40.0)]), np.eye(2), 9.0)).all()


def test_crosstalk_is_what_a_column_adds_to_its_neighbour():
    places = np.array([(40.0, 40.0), (40.0, 49.0)])
    empty = np.full((90, 90), 3.0)
    added = gaussian_columns((90, 90), places[1:], 50.0, 2.2)
    change = frame_features(empty + added, places, np.eye(2), 9.0) - frame_features(empty, places, np.eye(2), 9.0)
    said = crosstalk(places[1] - places[0], change[1], 9.0)
    assert np.linalg.norm(said - change[0]) < 0.25 * np.linalg.norm(change[0])


def test_places_beside_columns():
    beside = empty_neighbours(PLACES, NEAR, SHAPE)
    assert len(beside) == 20  # above, below, left and right of five columns each
    assert len(empty_neighbours(PLACES[:1], NEAR, SHAPE)) == 0
    rigid = Rigid.between(PLACES, PLACES @ np.array([[0.0, 1], [-1, 0]]).T + 3)
    np.testing.assert_allclose(rigid.matrix, [[0, 1], [-1, 0]], atol=1e-12)
