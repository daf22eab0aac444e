import numpy as np
import pytest

from particlespy_ml.reconstruction.matching import Matcher, shift_grid
from particlespy_ml.reconstruction.rotations import point_group, pose_error
from tests.reconstruction.conftest import blobs, images_of


def test_poses_and_shifts_are_found(points, rotations):
    shifts = np.random.default_rng(0).uniform(-1.5, 1.5, (len(rotations), 2))
    images = images_of(points, rotations, shifts)
    found = Matcher(blobs(points), 10, point_group("C1"), diameter=24).find(images)
    error = pose_error(found.rotations, rotations, point_group("C1"))
    assert np.median(error) < 1.0
    assert np.mean(error < 5) > 0.9
    good = error < 5
    assert np.abs(found.shifts - shifts)[good].mean() < 0.15
    assert found.scores[good].min() > 0.98


def test_noise_costs_a_few_degrees(points, rotations):
    images = images_of(points, rotations)
    noise = np.sqrt(images.var((1, 2)) / 0.5)[:, None, None]  # signal to noise 0.5
    noisy = images + np.random.default_rng(1).normal(size=images.shape) * noise
    found = Matcher(blobs(points), 8, point_group("C1"), diameter=24).find(noisy)
    assert np.median(pose_error(found.rotations, rotations, point_group("C1"))) < 8


def test_symmetric_particles_are_found_modulo_their_group(points, rotations):
    group = point_group("D5h")
    particle = (points[:2] @ group.transpose(0, 2, 1)).reshape(-1, 3)
    found = Matcher(blobs(particle), 10, group, diameter=24).find(images_of(particle, rotations))
    assert np.median(pose_error(found.rotations, rotations, group)) < 1.0


def test_the_power_of_the_noise_weights_the_shells(points, rotations):
    rng = np.random.default_rng(2)
    images = images_of(points, rotations)
    axis = np.arange(images.shape[1])
    stripes = np.cos(2 * np.pi * 7 * axis / len(axis) + rng.uniform(0, 6, (len(images), 1, 1))) * 3 * images.max()
    power = np.ones(11)
    power[7] = 1e6
    white, weighted = (
        Matcher(blobs(points), 10, point_group("C1"), noise=noise, diameter=24).find(images + stripes)
        for noise in (None, power)
    )
    errors = [np.median(pose_error(p.rotations, rotations, point_group("C1"))) for p in (white, weighted)]
    assert errors[1] < 2 < errors[0]


def test_refinement_from_near_by_stays_and_sharpens(points, rotations):
    from scipy.spatial.transform import Rotation

    images = images_of(points, rotations)
    matcher = Matcher(blobs(points), 10, point_group("C1"), diameter=24)
    found = matcher.find(images)
    near = Rotation.from_rotvec(np.radians([3.0, 0, 0])).as_matrix() @ found.rotations
    refined = matcher.refine(images, type(found)(near, found.shifts, found.scores), 3.0)
    assert np.median(pose_error(refined.rotations, found.rotations, point_group("C1"))) < 0.8


@pytest.mark.parametrize(("largest", "stride", "count"), [(0, 1, 1), (2, 1, 25), (1.5, 1, 9)])
def test_shift_grids_hold_no_shift(largest, stride, count):
    grid = shift_grid(largest, stride)
    assert len(grid) == count
    assert (grid == 0).all(1).any()
