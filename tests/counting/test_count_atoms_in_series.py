"""Columns followed over a series."""

import sys

import numpy as np
import pytest

from particlespy_ml.columns.flags import Flag
from particlespy_ml.counting.count_series import count_series, count_transition, count_transitions
from particlespy_ml.counting.link_columns import link_columns

LIBRARY = 0.0235 * 300 * 0.04 * np.arange(1, 9)


def test_columns_keep_their_track_through_drift_and_loss():
    rng = np.random.default_rng(0)
    places = np.array([(10.0 * i, 10.0 * j) for i in range(6) for j in range(6)])
    frames, truth = [], []
    for number in range(8):
        kept = np.sort(rng.choice(36, 30 if number else 36, replace=False))
        rng.shuffle(kept)
        frames.append(places[kept] + [1.5 * number, -number] + 0.3 * rng.normal(size=(len(kept), 2)))
        truth.append(kept)
    tracks = link_columns(frames)
    first = dict(zip(tracks[0], truth[0], strict=True))
    for track, kept in zip(tracks, truth, strict=True):
        assert [first[t] for t in track] == kept.tolist()


def test_new_columns_start_tracks():
    one = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    tracks = link_columns([one, np.vstack([one, [[10.0, 10.0]]]), np.empty((0, 2)), one[:1]])
    assert [len(t) for t in tracks] == [3, 4, 0, 1]
    assert sorted(tracks[1]) == [0, 1, 2, 3]
    assert link_columns([]) == []


def test_transitions_sum_to_one():
    matrix = count_transition(6, 0.1)
    np.testing.assert_allclose(matrix.sum(1), 1)
    np.testing.assert_allclose(np.diag(matrix), 0.9)
    assert matrix[2, 3] > matrix[2, 5] > 0
    assert count_transition(1, 0.1).tolist() == [[1.0]]


def test_frames_add_up():
    """Without changes the posterior is that of the mean of all frames."""
    rng = np.random.default_rng(0)
    values = 3 + 0.8 * rng.normal(size=(1, 12))
    counts = np.arange(1, 7)
    logs = -0.5 * ((values[..., None] - counts) / 0.8) ** 2
    posterior, rate = count_series(logs, np.full(6, 1 / 6), rate=0.0)
    expected = np.exp(-0.5 * ((values.mean() - counts) / 0.8) ** 2 * 12)
    np.testing.assert_allclose(posterior[0, 5], expected / expected.sum(), atol=1e-4)
    assert rate == 0


def test_a_change_is_followed():
    counts = np.arange(1, 7)
    truth = np.repeat([3, 4], 15)
    rng = np.random.default_rng(1)
    values = truth + 0.5 * rng.normal(size=(40, 30))
    logs = -0.5 * ((values[..., None] - counts) / 0.5) ** 2
    posterior, rate = count_series(logs, np.full(6, 1 / 6))
    single = np.mean(logs.argmax(-1) + 1 == truth)
    assert np.mean(posterior.argmax(-1) + 1 == truth) > max(0.95, single + 0.1)
    assert 0.003 <= rate <= 0.1  # one change in 29 steps
    with pytest.raises(ValueError, match="probability"):
        count_series(logs, np.full(6, 1 / 6), rate=2)
    with pytest.raises(ValueError, match="shape"):
        count_series(logs[0], np.full(6, 1 / 6))


@pytest.mark.parametrize("together", [True, False])
def test_a_series_is_counted_better_than_its_frames(make_columns, make_image, together):
    from scipy.spatial import cKDTree

    frames = [make_columns(dose=300, seed=seed)[0] for seed in range(10)]
    _, positions, counts = make_columns()
    s = make_image(np.stack(frames), scale=0.02, names=("time",))
    table = s.find_columns_in_series(dose="electrons") if together else s.find_columns(dose="electrons")
    found = table.count_atoms_in_series(LIBRARY)
    rows = found.data[4]
    distance, index = cKDTree(positions[:, ::-1] * 0.02).query(np.column_stack([rows["x"], rows["y"]]))
    right = np.sum((rows["count"] == counts[index]) & (distance < 0.08)) / len(counts)
    alone = s.inav[4].find_columns(dose="electrons").count_atoms(library=LIBRARY, neighbours=False)
    _, other = cKDTree(positions[:, ::-1] * 0.02).query(np.column_stack([alone["x"], alone["y"]]))
    assert right > np.sum(alone["count"] == counts[other]) / len(counts) + (0.3 if together else 0.0)
    assert right > 0.85 or not together
    assert "track" in found.columns and found.to_dataframe()["track"].nunique() >= 0.8 * len(counts)


def test_changes_follow_the_time_of_a_step():
    one = count_transition(6, 0.02)
    found = count_transitions(6, 0.02, np.array([1.0, 2.0, 0.5, 1e6]))
    np.testing.assert_allclose(found.sum(-1), 1)
    np.testing.assert_allclose(found[0], one, atol=2e-4)  # two changes in a step apart
    np.testing.assert_allclose(found[0] @ found[0], found[1], atol=1e-12)
    np.testing.assert_allclose(found[2] @ found[2], found[0], atol=1e-12)
    assert found[3].max() < 0.4  # nothing is left of what it was
    assert count_transitions(1, 0.1, np.array([1.0, 3.0])).tolist() == [[[1.0]], [[1.0]]]


def test_counts_over_uneven_steps():
    seen = np.log(np.where(np.arange(3) == 0, 0.8, 0.1))
    other = np.log(np.where(np.arange(3) == 1, 0.5, 0.25))
    logs = np.stack([seen, seen, seen, other])[None]
    prior = np.full(3, 1 / 3)
    near, far = (count_series(logs, prior, 0.02, [1.0, 1.0, step])[0][0, -1] for step in (1.5, 1e4))
    assert near.argmax() == 0  # three frames before say so
    forgotten = np.linalg.matrix_power(count_transition(3, 0.02), 10_000)[0] * np.exp(other)
    np.testing.assert_allclose(far, forgotten / forgotten.sum(), atol=1e-6)  # they were too long ago
    equal = count_series(logs, prior, 0.02, [3.0, 3.0, 3.0])[0]
    np.testing.assert_array_equal(equal, count_series(logs, prior, 0.02)[0])


def test_the_time_axis_gives_the_steps(make_columns, make_image, monkeypatch):
    frames = np.stack([make_columns(edge=4, dose=1e4, seed=seed)[0] for seed in range(3)])
    s = make_image(frames, scale=0.02, names=("time",))
    s.axes_manager[0].units = "s"
    table = s.find_columns(dose="electrons")
    given = []

    def count(emissions, prior, rate=None, times=None):
        given.append((emissions, times))
        return count_series(emissions, prior, rate, times)

    module = sys.modules[
        "particlespy_ml.counting.count_atoms_in_series"
    ]  # the room has the function of this name, not the file
    monkeypatch.setattr(module, "count_series", count)
    even = table.count_atoms_in_series(LIBRARY)
    table.axes_manager[0].convert_to_non_uniform_axis()
    table.axes_manager[0].axis = np.array([8.0, 2.0, 0.0])  # backwards
    found = table.count_atoms_in_series(LIBRARY)
    assert given[0][1] is None
    np.testing.assert_allclose(given[1][1], [0.5, 1.5])  # over their median
    np.testing.assert_array_equal(given[1][0], given[0][0][:, ::-1])
    for one, other in zip(found.data, even.data, strict=True):
        np.testing.assert_array_equal(one["count"], other["count"])
    table.axes_manager[0].axis = np.array([8.0, 2.0, 2.0])
    with pytest.raises(ValueError, match="Frames 1 and 2 have the same time"):
        table.count_atoms_in_series(LIBRARY)


def test_what_is_no_column_is_not_counted_in_any_frame(make_columns, make_image):
    frames = [make_columns(dose=3000, seed=seed)[0] for seed in range(4)]
    s = make_image(np.stack(frames), scale=0.02, names=("time",))
    table = s.find_columns(dose="electrons").count_atoms("mixture", max_components=6)  # whose flags do not matter
    library = 10 * LIBRARY
    whole = table.count_atoms_in_series(library)
    assert (whole["count"] > 0).mean() > 0.95 and not np.any(whole["flags"] & int(Flag.UNRESOLVED))
    track = whole.data[0]["track"][7]
    for rows, tracked in zip(table.data, whole.data, strict=True):
        own = tracked["track"] == track
        rows["volume"][own], rows["volume_error"][own] = 0.2 * library[0] / 100, 0.05 * library[0] / 100
    found = table.count_atoms_in_series(library)
    own = found["track"] == track
    assert own.any() and (found["count"][own] == -1).all() and (found["best_count"][own] == 0).all()
    assert (found["flags"][own] & int(Flag.OUTLIER) != 0).all()
    assert np.isfinite(found.total_counts()["total"]).all()
