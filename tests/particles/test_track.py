"""Tracks: who is who from frame to frame, by position and size."""

import numpy as np
import pytest

from particlespy_ml.particles.measure import measure_dtype
from particlespy_ml.particles.track import default_displacement, link_particles


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
    assert tracks_of(sorted_by_place, max_displacement=2, size_weight=0)[-1] == [0, 1]  # they seem to bounce
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
    frames = [frame(*[(x, y, 1.0) for x, y in rng.uniform(0, 3, (60, 2))]) for _ in range(2)]
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
    assert tracked.columns[-1] == "track" and tracked["track"].dtype == np.int32
    assert list(tracked["track"]) == [0, 1, 2]
    assert tracked.metadata.particlespy_ml.tracking.memory == 2
    assert tracked.axes_manager.navigation_axes[0].name == "time"
    assert "track" not in table.columns
    again = tracked.track_particles(max_displacement=0.5, memory=2)  # replaces the column
    same_rows(tracked, again)


def test_grids_cannot_be_tracked(grid):
    table = grid.measure_particles(grid.data > 2.5)
    with pytest.raises(ValueError, match="followed along one axis.*has 2.*inav"):
        table.track_particles()
