"""Drift and rotation are those that the frames were made with."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from particlespy_ml.columns.fit.gaussians import gaussian_columns
from particlespy_ml.columns.movie.motion import find_motion, turn

SHAPE = (84, 90)
MIDDLE = (np.array(SHAPE) - 1) / 2
PIXEL = 0.025
rows, columns = np.mgrid[-2:3, -2:3]
PLACES = np.column_stack([9.0 * rows.ravel(), 10.0 * columns.ravel()])
PLACES = PLACES[np.abs(PLACES).sum(1) < 37]  # corners lack, so that a shift by a lattice vector is seen


def made(shifts, angles, height=12.0, seed=0):
    """Frames in counts whose lattice is shifted and turned about the middle."""
    rng = np.random.default_rng(seed)
    places = [MIDDLE + shift + PLACES @ turn(angle).T for shift, angle in zip(shifts, angles, strict=True)]
    return [rng.poisson(gaussian_columns(SHAPE, one, height * 25, 2.0) + 4).astype(float) for one in places]


def errors(motion, shifts, angles, which=slice(None)):
    """What is off, less what is the same in all frames: pixels of the middle, and degrees."""
    places = [motion.in_frame(motion.middle[None], k)[0] for k in range(len(shifts))]
    off = (np.array(places) - MIDDLE - shifts)[which]
    return off - off.mean(0), np.degrees(motion.angles - angles)[which] - np.degrees(motion.angles - angles)[
        which
    ].mean()


@pytest.fixture(scope="module")
def movie():
    rng = np.random.default_rng(1)
    shifts = rng.normal(scale=0.25, size=(25, 2)).cumsum(0)
    shifts[12:] += (8.6, -7.4)  # a jump of nearly a lattice vector
    angles = np.radians(rng.normal(scale=0.15, size=25).cumsum())
    return shifts, angles


def test_drift_jump_and_rotation(movie):
    motion = find_motion(made(*movie), PIXEL)
    off, turned = errors(motion, *movie)
    assert np.sqrt((off**2).mean()) < 0.06 and np.sqrt((turned**2).mean()) < 0.25
    assert motion.used.all()
    # standard errors are what they say, within what so many frames tell
    assert 0.6 < np.sqrt((off**2).mean()) / np.median(motion.shift_errors) < 1.6
    assert 0.6 < turned.std() / np.degrees(np.median(motion.angle_errors)) < 1.6


def test_bad_frames_are_left_out(movie):
    frames = made(*movie)
    frames[0] = np.zeros(SHAPE)
    frames[7][3:60] = np.nan
    frames[20] = np.random.default_rng(2).poisson(frames[21].mean(), SHAPE).astype(float)
    motion = find_motion(frames, PIXEL)
    assert np.flatnonzero(~motion.used).tolist() == [0, 7, 20]
    assert "not recorded" in motion.reasons[7] and "blank" in motion.reasons[0] and "blurred" in motion.reasons[20]
    off, _ = errors(motion, *movie, motion.used)
    assert np.sqrt((off**2).mean()) < 0.06


def test_units_of_the_image_do_not_matter(movie):
    shifts, angles = (one[:6] for one in movie)
    frames = made(shifts, angles)
    one, other = find_motion(frames, PIXEL), find_motion([1e3 * f for f in frames], PIXEL)
    np.testing.assert_allclose(one.shifts, other.shifts, atol=1e-9)
    flipped = find_motion([frame[:, ::-1] for frame in frames], PIXEL)
    np.testing.assert_allclose(flipped.shifts, one.shifts * [1, -1], atol=1e-3)
    np.testing.assert_allclose(flipped.angles, -one.angles, atol=1e-4)


def test_frames_that_show_nothing_are_refused():
    with pytest.raises(ValueError, match="No two frames"):
        find_motion([np.ones((32, 32))] * 3, PIXEL)


@pytest.mark.parametrize(
    "spoilt", [lambda rng, one: rng.poisson(one.mean(), SHAPE), lambda rng, one: ndi.gaussian_filter(one, 5.0)]
)
def test_the_mean_lies_as_the_first_good_frame(movie, spoilt):
    movie = [one[:10] for one in movie]
    frames = made(*movie)
    frames[0] = spoilt(np.random.default_rng(4), frames[0]).astype(float)
    motion = find_motion(frames, PIXEL)
    assert np.flatnonzero(~motion.used).tolist() == [0]
    off, _ = errors(motion, *movie, motion.used)
    assert np.sqrt((off**2).mean()) < 0.08  # of ten frames; astray is a lattice vector
    assert np.abs(motion.shifts[1]).max() < 0.2


def test_a_particle_that_leaves_the_frame_is_followed(movie):
    """Half of it is out of sight in the last frames: they are as good where they see it."""
    shifts = np.zeros((12, 2))
    shifts[:, 0] = np.linspace(0, 42, 12)
    motion = find_motion(made(shifts, np.zeros(12)), PIXEL)
    assert motion.used.all()
    off, _ = errors(motion, shifts, np.zeros(12))
    assert np.sqrt((off**2).mean()) < 0.12
    assert motion.shift_errors[-1] > 1.2 * motion.shift_errors[0]


@pytest.mark.parametrize("change", [lambda f: f - f.mean(), lambda f: (f - f.mean()) / f.std(), lambda f: 3 * f + 1e4])
def test_constants_and_factors_do_not_matter(movie, change):
    frames = np.array(made(*(one[:6] for one in movie)))
    one, other = find_motion(frames, PIXEL), find_motion(change(frames), PIXEL)
    np.testing.assert_allclose(other.shifts, one.shifts, atol=2e-3)
    assert other.used.all()


def test_pixels_that_were_not_recorded_do_not_hold_the_lattice(movie):
    """A movie that was aligned before, with borders that move where the particle rests."""
    frames = made(np.zeros((25, 2)), np.zeros(25))
    for frame, shift in zip(frames, np.rint(movie[0] * 2).astype(int), strict=True):
        for axis, own in enumerate(shift):
            lines = np.moveaxis(frame, axis, 0)
            lines[: max(own, 0)] = lines[len(lines) + min(own, 0) :] = np.nan
    motion = find_motion(frames, PIXEL)
    off, _ = errors(motion, np.zeros((25, 2)), np.zeros(25))
    assert motion.used.all() and np.sqrt((off**2).mean()) < 0.06
