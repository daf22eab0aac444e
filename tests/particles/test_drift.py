"""The common shift of particles: right where it can be told, and not told where it cannot."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from particlespy_ml.particles.drift import find_drift
from particlespy_ml.particles.measure import measure_dtype
from particlespy_ml.particles.track_particles import default_displacement, link_particles

SIDE = 100.0


def rows_of(places, diameters):
    rows = np.zeros(len(places), measure_dtype())
    rows["x"], rows["y"] = np.reshape(places, (-1, 2)).T
    rows["equivalent_circular_diameter"] = diameters
    return rows


def plane(kind, count, rng):
    """Places over nine fields of a side of 100, of which each holds about *count*."""
    spacing = SIDE / np.sqrt(count)
    if kind == "random":
        return rng.uniform(-SIDE, 2 * SIDE, (9 * count, 2))
    grid = np.stack(np.meshgrid(*2 * [np.arange(-SIDE, 2 * SIDE, spacing)]), -1).reshape(-1, 2)
    return grid + rng.uniform(0, spacing, 2) + rng.normal(0, 0.1 * spacing, grid.shape)


def movie(kind, count, jump, seed, frames=8, missing=0.05, motion=0.04):
    """Rows and true identities of frames through which a field of particles moves, and its true place in each.

    Lengths are in mean distances of neighbours. Each particle is missed in a frame with a probability, and those that
    leave the field do not come back unless it does.
    """
    rng = np.random.default_rng(seed)
    spacing = SIDE / np.sqrt(count)
    places = plane(kind, count, rng)
    diameters = 0.3 * spacing * np.exp(rng.normal(0, 0.15, len(places)))
    angle = rng.uniform(0, 2 * np.pi)
    shifts = np.zeros((frames, 2))
    shifts[rng.integers(1, frames) :] = jump * spacing * np.array([np.cos(angle), np.sin(angle)])
    rows, identities = [], []
    for shift in shifts:
        places = places + rng.normal(0, motion * spacing, places.shape)
        moved = places + shift
        seen = ((moved > 0) & (moved < SIDE)).all(1) & (rng.random(len(places)) >= missing)
        which = rng.permutation(np.flatnonzero(seen))
        rows.append(rows_of(moved[which], diameters[which] * np.exp(rng.normal(0, 0.02, len(which)))))
        identities.append(which)
    return rows, identities, shifts


def links(tracks, identities):
    """Numbers of links that join the same particle, that were made, and that could be made with a memory of 3."""
    owner, last, right, made, possible = {}, {}, 0, 0, 0
    for frame, (numbers, particles) in enumerate(zip(tracks, identities, strict=True)):
        for number, particle in zip(numbers.tolist(), particles.tolist(), strict=True):
            made += number in owner
            right += owner.get(number) == particle
            possible += particle in last and frame - last[particle] <= 4
        owner |= dict(zip(numbers.tolist(), particles.tolist(), strict=True))
        last |= dict.fromkeys(particles.tolist(), frame)
    return right, made, possible


@pytest.mark.parametrize("kind", ["random", "lattice"])
@pytest.mark.parametrize("count", [25, 80])
def test_links_are_right_through_jumps(kind, count):
    """At least .98 of the links through jumps of 0.3 to 3 neighbour distances, where without it hundreds are wrong."""
    total, without = np.zeros(3), np.zeros(3)
    for seed, jump in enumerate((0.3, 0.6, 1.0, 1.7, 3.0)):
        rows, identities, shifts = movie(kind, count, jump, seed)
        total += links(link_particles(rows), identities)
        without += links(link_particles(rows, drift=None), identities)
        found = find_drift(rows, default_displacement(rows))
        assert found.breaks == () and set(found.parts) == {0}
        np.testing.assert_allclose(found.positions, shifts, atol=0.06 * SIDE / np.sqrt(count))
    right, made, possible = total
    assert right / made > 0.98 and right / possible > 0.98
    assert without[0] / without[2] < 0.96


@pytest.mark.parametrize("kind", ["random", "lattice"])
def test_few_particles_are_followed_or_their_tracks_end(kind):
    """Of five to ten particles few may be left after a jump; then tracks end, but none becomes its neighbour's."""
    total = np.zeros(3)
    for seed, (count, jump) in enumerate([(c, j) for c in (5, 10) for j in (0.6, 1.0, 2.0, 3.0)]):
        rows, identities, _ = movie(kind, count, jump, seed, missing=0.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            total += links(link_particles(rows), identities)
    assert total[0] / total[1] > 0.98 and total[0] / total[2] > 0.95


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from([0.0, 0.6, 1.4]), st.sampled_from([1.0, 10.0, 1e-3]))
def test_what_must_not_matter(seed, jump, unit):
    """Tracks are the same partition of the rows in the reversed, mirrored, moved movie, and in other units."""
    rows, _, _ = movie("random", 30, jump, seed, frames=5, missing=0.0, motion=0.02)

    def changed(frame):
        other = frame.copy()
        other["x"], other["y"] = 1e6 - unit * frame["x"], unit * frame["y"] - 1e6
        other["equivalent_circular_diameter"] *= unit
        return other

    expected = partition(link_particles(rows))
    assert partition(link_particles(rows[::-1])[::-1]) == expected
    assert partition(link_particles([changed(frame) for frame in rows])) == expected


def partition(tracks):
    """The sets of rows, (frame, row), that are one track."""
    sets = {}
    for frame, numbers in enumerate(tracks):
        for row, number in enumerate(numbers.tolist()):
            sets.setdefault(number, set()).add((frame, row))
    return sorted(map(sorted, sets.values()))


def test_drift_adds_up_and_goes_on_behind_blank_frames():
    rng = np.random.default_rng(0)
    places, diameters = rng.uniform(0, SIDE, (30, 2)), rng.uniform(3, 6, 30)
    speed = np.array([1.5, -0.7])
    rows = [rows_of(places + k * speed, diameters) for k in range(12)]
    for blank in (3, 4, 7):
        rows[blank] = rows[blank][:0]
    found = find_drift(rows, 3.0)
    seen = np.array([len(frame) > 0 for frame in rows])
    np.testing.assert_allclose(found.positions[seen], np.arange(12)[seen, None] * speed, atol=1e-9)
    assert np.isnan(found.positions[~seen]).all() and (found.parts == np.where(seen, 0, -1)).all()
    assert all((numbers == np.arange(30)).all() for numbers, s in zip(link_particles(rows), seen, strict=True) if s)
    # memory counts frames, so that two blank ones end tracks where it is 1
    short = link_particles(rows, memory=1)
    assert short[2].tolist() == list(range(30)) and short[5].tolist() == list(range(30, 60))
    assert short[8].tolist() == short[6].tolist()


@pytest.mark.parametrize("counts", [[], [0], [0, 0], [1], [0, 1, 1, 0], [20], [0, 20, 0], [1, 20, 20, 1]])
def test_frames_of_no_and_one_particle(counts):
    places = np.random.default_rng(0).uniform(0, SIDE, (20, 2))
    rows = [rows_of(places[:count], np.full(count, 3.0)) for count in counts]
    found = find_drift(rows, 1.0)
    expected = np.where(np.array(counts, int)[:, None] > 0, np.zeros(2), np.nan)
    np.testing.assert_allclose(found.positions, expected, atol=1e-9)
    assert found.breaks == ()
    assert [numbers.tolist() for numbers in link_particles(rows, drift="auto")] == [list(range(n)) for n in counts]


def test_a_single_particle_between_frames_that_jumped_is_not_linked():
    places = np.random.default_rng(0).uniform(0, SIDE, (20, 2))
    rows = [rows_of(p, np.full(len(p), 3.0)) for p in (places, places[:1], places + 30)]
    found = find_drift(rows, 5.0)
    np.testing.assert_allclose(found.positions[[0, 2]], [[0, 0], [30, 30]], atol=1e-9)
    assert found.parts[0] == found.parts[2] != found.parts[1]
    assert [(one.before, one.frame) for one in found.breaks] == [(0, 1), (1, 2)]


def test_a_turned_or_magnified_field_has_no_shift():
    rng = np.random.default_rng(0)
    places, diameters = rng.uniform(-50, 50, (60, 2)), np.full(60, 3.0)
    turn = np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]])
    for moved in (places @ turn, 1.5 * places):
        (one,) = find_drift([rows_of(places, diameters), rows_of(moved, diameters)], 3.0).breaks
        assert (one.before, one.frame, len(one.rivals), one.particles) == (0, 1, 0, 60)


def test_sizes_tell_which_shift_of_a_lattice_is_right():
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(-1, 2) * 10.0
    diameters = np.random.default_rng(0).uniform(2, 5, len(grid))
    rows = [rows_of(grid, diameters), rows_of(grid + (6, 0), diameters)]
    rows[1] = rows[1][rows[1]["x"] < 75]
    rows[1] = np.concatenate([rows[1], rows_of([(-4.0, 10.0 * y) for y in range(8)], np.full(8, 3.0))])
    found = find_drift(rows, 5.0)
    np.testing.assert_allclose(found.positions, [[0, 0], [6, 0]], atol=1e-9)
    assert len(find_drift(rows, 5.0, size_weight=0).breaks) == 1


def test_merging_particles_do_not_move_the_others():
    rng = np.random.default_rng(1)
    places = rng.uniform(0, SIDE, (30, 2))
    diameters = np.full(30, 4.0)
    merged = np.concatenate([places[2:], places[:2].mean(0, keepdims=True)]) + (12, 5)
    rows = [rows_of(places, diameters), rows_of(merged, [*diameters[2:], 5.7])]
    np.testing.assert_allclose(find_drift(rows, 4.0).positions[1], [12, 5], atol=0.01)


def test_sizes_that_change_together_and_cut_particles():
    """A third of the particles is cut by the border anew, and a lower threshold makes all others larger."""
    rng = np.random.default_rng(2)
    places, diameters = rng.uniform(10, 90, (12, 2)), rng.uniform(6, 16, 12)
    moved, larger = places + (-9, 4), diameters * 1.15
    cut = np.argsort(places[:, 0])[:4]
    moved[cut] += rng.uniform(0.5, 3, (4, 2))
    larger[cut] *= rng.uniform(0.3, 0.7, 4)
    rows = [rows_of(places, diameters)] * 3 + [rows_of(moved, larger)]
    np.testing.assert_allclose(find_drift(rows, 6.0).positions[3], [-9, 4], atol=0.2)
