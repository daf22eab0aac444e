"""Drift and rotation are those that the frames were made with."""

import numpy as np
import pytest

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
    frames[7][3, 3] = np.nan
    frames[20] = np.random.default_rng(2).poisson(frames[21].mean(), SHAPE).astype(float)
    motion = find_motion(frames, PIXEL)
    assert np.flatnonzero(~motion.used).tolist() == [0, 7, 20]
    assert "not finite" in motion.reasons[7] and "blank" in motion.reasons[0] and "blurred" in motion.reasons[20]
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
