"""Tracks: who is who from frame to frame, by position and size."""

import hyperspy.api as hs
import numpy as np
import pytest

from particlespy_ml.particles.measure import column_units, measure_dtype
from particlespy_ml.particles.track_particles import default_displacement, link_particles


def frame(*particles):
    """Rows of particles given as (x, y, diameter)."""
    rows = np.zeros(len(particles), measure_dtype())
    for row, (x, y, diameter) in zip(rows, particles, strict=True):
        row["x"], row["y"], row["equivalent_circular_diameter"] = x, y, diameter
    return rows


def tracks_of(frames, **options):
    linked = link_particles(frames, **options)
    assert [len(tracks) for tracks in linked] == [len(rows) for rows in frames]
    assert all(tracks.dtype == np.int32 for tracks in linked)
    return [list(tracks) for tracks in linked]


def test_drifting_particles_keep_their_tracks():
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 100, (30, 2))
    frames, orders = [], []
    for step in range(10):
        order = rng.permutation(30)
        frames.append(frame(*[(x + 0.3 * step, y - 0.2 * step, 2.0) for x, y in start[order]]))
        orders.append(order)
    linked = tracks_of(frames, max_displacement=0.5)
    by_first = dict(zip(linked[0], orders[0], strict=True))
    for tracks, order in zip(linked, orders, strict=True):
        assert [by_first[track] for track in tracks] == list(order)


def test_crossing_particles_of_different_sizes():
    """Two particles run through each other; only their sizes tell which is which."""
    times = np.arange(-5, 6) * 0.6 + 0.3
    frames = [frame((t, 0, 2.0), (-t, 0, 5.0)) for t in times]
    frames = [rows if i % 2 else rows[::-1] for i, rows in enumerate(frames)]
    linked = tracks_of(frames, max_displacement=2)
    for rows, tracks in zip(frames, linked, strict=True):
        small = [t for t, d in zip(tracks, rows["equivalent_circular_diameter"], strict=True) if d == 2]
        first = [t for t, d in zip(linked[0], frames[0]["equivalent_circular_diameter"], strict=True) if d == 2]
        assert small == first
    sorted_by_place = [rows[np.argsort(rows["x"])] for rows in frames]
    bounced = tracks_of(sorted_by_place, max_displacement=2, size_weight=0, drift=None)
    assert bounced[-1] == [0, 1]  # they seem to bounce
    assert tracks_of(sorted_by_place, max_displacement=2)[-1] == [1, 0]


def test_tracks_survive_dropped_frames_up_to_the_memory():
    seen = frame((10, 10, 3), (30, 30, 3))
    frames = [seen, frame(), frame(), frame((10.2, 10, 3)), seen]
    first, _, _, third, last = tracks_of(frames, max_displacement=1, memory=3)
    assert third == first[:1] and last == first
    *_, third, last = tracks_of(frames, max_displacement=1, memory=1)
    assert not set(third) & set(first) and last[0] == third[0] and last[1] not in (*first, *third)


def test_frames_without_particles_at_both_ends():
    seen = frame((10, 10, 3))
    assert tracks_of([frame(), frame(), seen, frame(), seen, frame()], max_displacement=1) == [[], [], [0], [], [0], []]


def test_appearing_and_disappearing_particles():
    frames = [
        frame((0, 0, 2)),
        frame((0, 0, 2), (20, 20, 2)),
        frame((20, 20, 2)),
        frame((20, 20, 2), (40, 0, 2)),
    ]
    assert tracks_of(frames, max_displacement=2) == [[0], [0, 1], [1], [1, 2]]


def test_zero_or_one_particle():
    assert tracks_of([frame(), frame()]) == [[], []]
    assert tracks_of([frame((1, 2, 3))]) == [[0]]
    assert tracks_of([frame()]) == [[]]


def test_default_displacement():
    pair = frame((0, 0, 1), (6, 0, 1))
    assert default_displacement([pair, pair]) == 3
    assert default_displacement([frame((0, 0, 8), (6, 0, 8))]) == 4  # half the diameter
    assert default_displacement([frame((0, 0, 8))]) == 8
    assert tracks_of([pair, frame((2.5, 0, 1), (8.5, 0, 1))]) == [[0, 1], [0, 1]]


@pytest.mark.parametrize("options", [{"memory": -1}, {"size_weight": -0.1}, {"max_displacement": 0}])
def test_settings_out_of_range(options):
    with pytest.raises(ValueError, match="expected a displacement above zero"):
        link_particles([frame((0, 0, 1))], **options)


def test_linking_that_cannot_be_decided():
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 3, (60, 2))
    frames = [frame(*[(x, y, 1.0) for x, y in places + rng.normal(0, 0.01, places.shape)]) for _ in range(2)]
    with pytest.raises(ValueError, match="give a smaller one"):
        link_particles(frames, max_displacement=3.0)


def test_nothing_is_printed(capfd):
    seen = frame((10, 10, 3), (30, 30, 3))
    link_particles([seen] * 4, max_displacement=1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("lazy", [False, True])
def test_the_verb_adds_a_column(series, same_rows, lazy):
    image = series.as_lazy() if lazy else series
    table = image.measure_particles(series.data > 2.5)
    tracked = table.track_particles(max_displacement=0.5, memory=2)
    assert tracked._lazy == lazy
    assert (
        tracked.columns[-4:] == ["track", "drift_x", "drift_y", "unusual_frame"] and tracked["track"].dtype == np.int32
    )
    assert list(tracked["track"]) == [0, 1, 2]
    assert tracked.metadata.particlespy_ml.tracking.memory == 2
    assert tracked.axes_manager.navigation_axes[0].name == "time"
    assert "track" not in table.columns
    again = tracked.track_particles(max_displacement=0.5, memory=2)  # replaces the column
    same_rows(tracked._computed(), again._computed())


def jumping_disks(lazy=False, scale=0.2, units="nm", offset=0.0):
    """Disks, 6 x 6 of them about 10 px apart, in frames of which the field jumps by 6 px in x before the third."""
    rng = np.random.default_rng(3)
    places = np.stack(np.meshgrid(np.arange(6), np.arange(6)), -1).reshape(-1, 2) * 10.0 + 8
    places += rng.uniform(-1.5, 1.5, places.shape)
    rows, columns = np.mgrid[:66, :66]
    frames = np.zeros((4, 66, 66))
    for frame, jump in zip(frames, (0, 0, 6, 6), strict=True):
        for x, y in places + rng.normal(0, 0.1, places.shape):
            frame += 100.0 * (np.hypot(rows - y, columns - x - jump) < 3)
    image = hs.signals.Signal2D(frames)
    for axis, sign in zip(image.axes_manager.signal_axes, (1, -1), strict=True):
        axis.scale, axis.units, axis.offset = sign * scale, units, offset
    image.set_signal_type("particle_image")
    return (image.as_lazy() if lazy else image), places * scale * (1, -1) + offset


@pytest.mark.parametrize(
    ("lazy", "scale", "units", "offset"), [(False, 0.2, "nm", 0), (True, 0.2, "nm", 1e6), (False, 2e-4, "µm", -1e3)]
)
def test_tracks_through_a_jump_of_the_stage(lazy, scale, units, offset):
    """Every track holds one disk, told by its place, though after the jump it is nearer to its neighbour's place."""
    image, places = jumping_disks(lazy, scale, units, offset)
    table = image.measure_particles(image.data > 50)
    tracked = table.track_particles()
    assert tracked._lazy == lazy
    drift = np.array([(rows["drift_x"][0], rows["drift_y"][0]) for rows in np.asarray(tracked.data)])
    if not lazy:
        np.testing.assert_array_equal(tracked.metadata.particlespy_ml.tracking.drift, drift)
    np.testing.assert_allclose(drift, [[0, 0], [0, 0], [6 * scale, 0], [6 * scale, 0]], atol=0.1 * scale)
    identity = {}
    for rows, jump in zip(np.asarray(tracked.data), (0, 0, 6 * scale, 6 * scale), strict=True):
        distances = np.hypot(*(np.column_stack([rows["x"] - jump, rows["y"]])[:, None] - places).T)
        assert len(rows) >= 30
        for track, disk in zip(rows["track"], distances.argmin(0), strict=True):
            assert identity.setdefault(int(track), disk) == disk
    assert len(identity) <= 37
    by_position = np.concatenate([rows["track"] for rows in np.asarray(table.track_particles(drift=None).data)])
    assert not np.array_equal(by_position, tracked["track"])
    given = table.track_particles(drift=drift)
    np.testing.assert_array_equal(given["track"], tracked["track"])


def test_a_jump_that_cannot_be_told_ends_tracks_and_says_so():
    grid = np.stack(np.meshgrid(np.arange(10), np.arange(10)), -1).reshape(-1, 2) * 10.0
    frames = [frame(*[(x + jump, y, 3.0) for x, y in grid]) for jump in (0, 0)]
    moved = (grid + (6, 0)) % 100  # those that leave on one side are as those that enter on the other
    frames += [frame(*[(x, y, 3.0) for x, y in moved])] * 2
    with pytest.warns(UserWarning, match=r"frames 1 to 2 (?=.*\(6, 0\) and)(?=.*\(-4, 0\) and).* equally well"):
        linked = tracks_of(frames)
    assert linked[0] == linked[1] and linked[2] == linked[3] and not set(linked[1]) & set(linked[2])


def test_frames_that_nothing_links_end_tracks_and_say_so():
    rng = np.random.default_rng(0)
    one, other = (frame(*[(x, y, 3.0) for x, y in rng.uniform(0, 100, (40, 2))]) for _ in range(2))
    with pytest.warns(UserWarning, match=r"between frames 1 to 2 \(no common shift explains more than \d+ of 40"):
        linked = tracks_of([one, one, other, other])
    assert linked[0] == linked[1] == list(range(40)) and linked[2] == linked[3] == list(range(40, 80))
    with pytest.warns(UserWarning, match="frames 1 to 2.*, 2 to 3"):  # one bad frame ends no tracks but its own
        linked = tracks_of([one, one, other, one])
    assert linked[0] == linked[1] == linked[3] and not set(linked[0]) & set(linked[2])


@pytest.mark.parametrize("drift", ["yes", np.zeros((3, 2)), [[0, 0], [np.nan, 0]]])
def test_drift_that_does_not_fit(drift):
    with pytest.raises(ValueError, match="drift"):
        link_particles([frame((0, 0, 1)), frame((0, 0, 1))], drift=drift)


def test_given_drift_may_be_unknown_without_particles():
    frames = [frame((0, 0, 1)), frame(), frame((50, 0, 1))]
    assert tracks_of(frames, max_displacement=1, drift=[[0, 0], [np.nan, np.nan], [50, 0]]) == [[0], [], [0]]
    assert tracks_of(frames, max_displacement=1) == [[0], [], [1]]  # one particle tells no shift


def test_given_drift_counts_from_the_first_frame(series):
    table = series.measure_particles(lazy_output=False)
    known = np.cumsum(np.ones((table.data.size, 2)), axis=0)
    tracked = table.track_particles(drift=known)
    assert tracked["drift_x"].min() == 0 and tracked["drift_x"].max() == table.data.size - 1


@pytest.mark.parametrize("column", ["x", "y", "equivalent_circular_diameter"])
def test_positions_that_are_not_finite(column):
    rows = frame((0, 0, 1), (5, 5, 1))
    rows[column][1] = np.nan
    with pytest.raises(ValueError, match="Frame 1 has 1 particles"):
        link_particles([frame((0, 0, 1)), rows])


def test_sequences_of_tracks_that_ended(add_classes):
    image, _ = jumping_disks()
    image.data[2:] = image.data[2:][..., ::-1, ::-1].transpose(0, 2, 1)  # turned about: no shift explains it
    axis = image.axes_manager.navigation_axes[0]
    axis.name, axis.units = "time", "s"
    table = add_classes(image.measure_particles(image.data > 50))
    with pytest.warns(UserWarning, match="frames 1 to 2"):
        tracked = table.track_particles()
    assert tracked.metadata.particlespy_ml.tracking.breaks == [2]
    sequence = tracked.class_sequence(smooth=False)
    spans = sequence.groupby("track")["frame"].agg(["min", "max"])
    assert ((spans["max"] < 2) | (spans["min"] >= 2)).all()
    assert tracked.transitions().fit.counts.shape == (len(table.classes),) * 2


def test_what_was_removed_is_saved(tmp_path):
    image, _ = jumping_disks()
    tracked = image.measure_particles(image.data > 50).track_particles()
    tracked.save(tmp_path / "tracked.hspy")
    loaded = hs.load(tmp_path / "tracked.hspy")
    kept, saved = (table.metadata.particlespy_ml.tracking for table in (tracked, loaded))
    np.testing.assert_array_equal(saved.drift, kept.drift)
    assert list(saved.breaks) == kept.breaks == []


def test_grids_cannot_be_tracked(grid):
    table = grid.measure_particles(grid.data > 2.5)
    with pytest.raises(ValueError, match="followed along one axis.*has 2.*inav"):
        table.track_particles()


@pytest.mark.parametrize("lazy", [False, True])
def test_tracks_go_through_blurred_frames(lazy):
    """A quarter of the particles is seen in six frames of twenty, in runs longer than the memory."""
    from particlespy_ml.tables.table import make_table, object_array

    rng = np.random.default_rng(0)
    x, y = (20.0 * part.ravel() + rng.uniform(-4, 4, 144) for part in np.mgrid[:12, :12])
    blurred = [4, 9, 10, 11, 12, 16]
    frames, owners = [], []
    for number in range(20):
        seen = rng.random(144) < (0.25 if number in blurred else 1)
        owners.append(np.flatnonzero(seen))
        moved = [part[seen] + 0.8 * number + rng.normal(scale=0.2, size=seen.sum()) for part in (x, y)]
        frames.append(rows_at(*moved))
    tracks = link_particles(frames, memory=2)
    for track, owner in zip(tracks, owners, strict=True):
        np.testing.assert_array_equal(tracks[0][owner], track)
    image = {"shape": [300, 300], "scale": [1.0, 1.0], "offset": [0.0, 0.0], "units": "nm"}
    axes = [{"name": "time", "size": 20, "navigate": True}]
    table = make_table(object_array(frames, (20,)), axes, column_units("nm"), {"image": image})
    tracked = (table.as_lazy() if lazy else table).track_particles(memory=2)
    marked = tracked.to_dataframe().groupby("frame")["unusual_frame"].first()
    assert marked[marked].index.tolist() == blurred == tracked.unusual_frames()["frame"].tolist()


def rows_at(x, y, diameter=5.0):
    rows = np.zeros(len(x), measure_dtype())
    rows["x"], rows["y"], rows["equivalent_circular_diameter"] = x, y, diameter
    return rows
