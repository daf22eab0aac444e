"""The mean structure of a movie: places, errors, and frames without a column."""

from __future__ import annotations

import numpy as np
import pytest

from particlespy_ml.columns.mean_places import mean_places
from particlespy_ml.columns.rows import column_dtype, column_units
from particlespy_ml.core.calibration import PixelGrid
from particlespy_ml.tables.table import make_table, object_array

SPACING = 0.25
GRID = PixelGrid((150, 150), (0.02, 0.02), (-1.5, -1.5), "nm")


def particle(radius=1.1):
    """Columns of a square lattice in a circle, in nm."""
    axis = SPACING * np.arange(-6, 7)
    sites = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    return sites[np.linalg.norm(sites, axis=1) < radius]


def drifting(sites, count, rng, noise=0.006, turn=0.0, step=0.1, missing=0.0, false=0):
    """Frames of places, the drift of each against the first, and which columns each has."""
    drift = np.cumsum(rng.normal(0, step, (count, 2)), 0)
    drift -= drift[0]
    there = rng.random((count, len(sites))) >= missing
    frames = []
    for number in range(count):
        angle = np.radians(turn * number)
        c, s = np.cos(angle), np.sin(angle)
        places = sites @ np.array([[c, s], [-s, c]]) + rng.normal(0, noise, sites.shape) + drift[number]
        others = rng.uniform(-1.4, 1.4, (false, 2))
        frames.append(rng.permutation(np.vstack([places[there[number]], others])))
    return frames, drift, there


def aligned(found, sites):
    """Differences of found places from the true sites, less what they have in common, and which site each is."""
    nearest = np.linalg.norm(found.places[:, None] - sites, axis=2).argmin(1)
    off = found.places - sites[nearest]
    return off - off.mean(0), nearest


@pytest.mark.parametrize("count", [3, 40])
def test_errors_are_those_of_the_means(count):
    rng, sites = np.random.default_rng(count), particle()
    z = []
    for _ in range(2 if count > 9 else 6):
        frames, _, _ = drifting(sites, count, rng, noise=np.array([0.004, 0.01]))
        found = mean_places(frames)
        off, nearest = aligned(found, sites)
        assert len(found.places) == len(sites) == len(set(nearest)) and not found.left_out
        z.append(off / found.errors)
    assert 0.85 < np.concatenate(z).std() < 1.15
    assert found.errors.mean(0) == pytest.approx(np.array([0.004, 0.01]) / count**0.5, rel=0.1)
    assert np.nanmean(found.scatter**2, 0) ** 0.5 == pytest.approx([0.004, 0.01], rel=0.15)


def test_drift_jumps_false_and_missing_columns_do_not_matter():
    rng, sites = np.random.default_rng(1), particle()
    frames, drift, there = drifting(sites, 30, rng, step=0.15, missing=0.15, false=3)
    frames[20:] = [places + [0.9, -0.4] for places in frames[20:]]
    frames.insert(5, np.empty((0, 2)))
    frames[2] = np.vstack([frames[2], [[np.nan, 0.1]]])
    found = mean_places(frames)
    off, nearest = aligned(found, sites)
    assert found.left_out == [5] and len(found.places) == len(sites)
    assert np.abs(off / found.errors).max() < 5
    more = (found.members >= 0).sum(0) - there.sum(0)[nearest]  # a false column may lie where one is missing
    assert more.min() >= 0 and more.sum() < 8
    for number in (0, 3, 25):
        at = found.members[number] >= 0
        moved = found.motions[number](frames[number][found.members[number, at]])
        assert np.abs(moved - found.places[at]).max() < 0.04
    shifts = np.array([motion.shift for motion in found.motions if motion is not None])
    known = drift + np.outer(np.arange(30) >= 20, [0.9, -0.4])
    assert np.abs(shifts + known - (shifts + known).mean(0)).max() < 0.01


def test_a_slow_turn_is_taken_out_where_asked():
    rng, sites = np.random.default_rng(2), particle()
    frames, _, _ = drifting(sites, 20, rng, turn=0.25)
    turned, still = mean_places(frames, rotation=True), mean_places(frames)
    assert turned.scatter.mean() == pytest.approx(0.006, rel=0.1) and still.scatter.mean() > 0.012
    angles = np.degrees([motion.angle for motion in turned.motions])
    np.testing.assert_allclose(angles, -0.25 * np.arange(20), atol=0.25)


def test_rare_columns_are_left_out_and_new_ones_come_in():
    rng, sites = np.random.default_rng(3), particle()
    frames, _, _ = drifting(sites, 10, rng, step=0)
    extra = np.array([[1.25, 0.0], [0.0, 1.25]])
    for number, places in enumerate(frames):
        frames[number] = np.vstack([places, extra[: 1 + (number < 3)] + rng.normal(0, 0.006, (1 + (number < 3), 2))])
    assert len(mean_places(frames).places) == len(sites) + 1
    assert len(mean_places(frames, min_share=0.2).places) == len(sites) + 2


@pytest.mark.parametrize("frames", [[np.empty((0, 2))] * 3, [np.zeros((1, 2))] * 3, [np.zeros((3, 2))] * 2])
def test_frames_with_too_few_columns_make_no_sites(frames):
    found = mean_places(frames)
    assert found.places.shape == (0, 2) and found.members.shape == (len(frames), 0)


def movie(shape, rng=None, frames=None, **more):
    """A table of a movie, or of several."""
    rng = rng or np.random.default_rng(0)
    rows = []
    for places in frames or drifting(particle(), int(np.prod(shape)), rng, **more)[0]:
        one = np.zeros(len(places), column_dtype())
        one["x"], one["y"] = places.T
        rows.append(one)
    names = ("temperature", "time")[-len(shape) :]
    axes = [{"name": name, "size": size, "navigate": True} for name, size in zip(names, shape, strict=True)]
    record = {"image": GRID.as_dict()}
    return make_table(object_array(rows, shape), axes, column_units("nm"), record, kind="column_table")


def test_a_movie_becomes_a_table_of_one_frame_with_strain():
    table = movie((25,))
    mean = table.mean_columns()
    assert mean.data.shape == (1,) and mean.n_columns == len(particle()) and set(mean["n_frames"]) == {25}
    assert mean.units["x_scatter"] == "nm" and mean.units["n_frames"] == ""
    assert mean.metadata.particlespy_ml.mean.frames == 25
    assert len(set(zip(mean["site_a"], mean["site_b"], strict=True))) == mean.n_columns
    strain = mean.measure_strain("square", scale=SPACING)
    single = table.inav[0].measure_strain("square", scale=SPACING)
    assert np.nanstd(strain["exx"]) < 0.3 * np.nanstd(single["exx"])
    assert 0.7 < np.nanstd(strain["exx"] / strain["exx_error"]) < 1.3


@pytest.mark.parametrize("axis", ["time", 0, "temperature", 1])
def test_lazy_is_eager_for_movies_of_movies(axis, same_rows):
    table = movie((2, 3))
    lazy = table.as_lazy()
    lazy.data = lazy.data.rechunk(1)
    one, other = table.mean_columns(axis), lazy.mean_columns(axis)
    assert other._lazy and one.data.shape == other.data.shape == ((2,) if axis in ("time", 0) else (3,))
    other.compute(show_progressbar=False)
    same_rows(one, other)
    assert [a.name for a in one.axes_manager.navigation_axes] == ["temperature" if axis in ("time", 0) else "time"]
    strained = one.measure_strain("square")
    assert strained.data.shape == one.data.shape and np.isfinite(strained["exx"]).all()


def test_columns_out_of_sight_are_not_missing():
    sites = particle(0.9)
    beyond = [sites, sites, sites + [0.75, 0]]
    frames = [places[places[:, 0] < 1.48] for places in beyond]
    mean = movie((3,), frames=frames).mean_columns()
    lost = len(frames[0]) - len(frames[2])
    assert lost > 0 and (mean["n_frames"] == 2).sum() == lost and not mean["n_frames_missing"].any()
    frames[2] = frames[2][1:]
    mean = movie((3,), frames=frames).mean_columns()
    assert mean["n_frames_missing"].sum() == 1


def test_flags_of_most_frames_stay():
    table = movie((3,), step=0, frames=[particle()] * 3)
    for number, rows in enumerate(table.data):
        rows["flags"][0], rows["flags"][1] = 2, 2 * (number == 0)
    assert table.mean_columns()["flags"][:2].tolist() == [2, 0]


def test_frames_that_are_not_used_are_named():
    frames = [particle(), particle()[:2], particle()]
    table = movie((3,), frames=frames)
    with pytest.warns(UserWarning, match="1 of 3 frames are not used: 1"):
        mean = table.mean_columns()
    assert set(mean["n_frames"]) == {2}


def test_what_is_refused():
    table = movie((2, 3))
    for arguments, message in (
        ({}, "say over which to average"),
        ({"axis": "tilt"}, "no navigation axis 'tilt'"),
        ({"axis": 2}, "no navigation axis 2"),
        ({"axis": 0, "max_shift": 0}, "above zero"),
        ({"axis": 0, "min_share": 0}, "above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            table.mean_columns(**arguments)
    with pytest.raises(ValueError, match="two frames or more"):
        movie((1,)).mean_columns()
    fitted = movie((3,))
    tracked = movie((3,))
    tracked.metadata.set_item("particlespy_ml.finding", {"movie": True})
    with pytest.raises(ValueError, match=r"one fit to all frames \(track_columns\)"):
        tracked.mean_columns()
    fitted.metadata.set_item("particlespy_ml.finding", {"series": True})
    with pytest.raises(ValueError, match="one fit to all frames"):
        fitted.mean_columns()
