import dask.array as da
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from particlespy_ml.reconstruction.fourier import low_pass
from particlespy_ml.reconstruction.images import ImageBatches, split_in_halves
from particlespy_ml.reconstruction.initial import initial_volume
from particlespy_ml.reconstruction.matching import Poses
from particlespy_ml.reconstruction.refinement import refine, volume_of_poses
from particlespy_ml.reconstruction.registration import mirror_along_z, register_volume, rotate_volume
from particlespy_ml.reconstruction.resolution import (
    corrected_for_mask,
    fourier_shell_correlation,
    resolution_radius,
)
from particlespy_ml.reconstruction.rotations import point_group, pose_error
from tests.reconstruction.conftest import BOX, blobs, images_of

C1 = point_group("C1")


def test_refinement_goes_beyond_its_start(points):
    rotations = Rotation.random(80, random_state=6).as_matrix()
    images = images_of(points, rotations)
    images = images + np.random.default_rng(0).normal(size=images.shape) * 0.5 * images.std()
    truth = blobs(points)
    found = refine(ImageBatches(images, diameter=26), low_pass(truth, 4), C1, radius=4, max_iterations=5)
    assert np.median(pose_error(found.poses.rotations, rotations, C1)) < 3
    assert resolution_radius(fourier_shell_correlation(found.volume, truth), 0.5) > 6
    assert len(found.poses) == len(found.halves) == 80
    assert set(found.halves) == {0, 1}


def test_a_first_volume_is_found_from_images_alone(points):
    group = point_group("D2")
    particle = (points[:3] @ group.transpose(0, 2, 1)).reshape(-1, 3)
    images = images_of(particle, Rotation.random(120, random_state=7).as_matrix())
    truth = blobs(particle)
    found = initial_volume(ImageBatches(images, diameter=26), group, radius=6, starts=3)
    assert register_volume(found, truth, 5).correlation > 0.9


def test_volumes_are_turned_onto_each_other(points):
    truth = blobs(points)
    rotation = Rotation.from_rotvec([0.9, -0.4, 1.2]).as_matrix()
    turned = mirror_along_z(rotate_volume(truth, rotation, np.array([1.0, -1.0, 0.5])))
    found = register_volume(turned, truth, 8)
    assert found.mirrored
    assert found.correlation > 0.99
    assert np.corrcoef(found.volume.ravel(), truth.ravel())[0, 1] > 0.99


def test_rotating_a_volume_rotates_its_points(points):
    rotation = Rotation.from_rotvec([0.3, 0.5, -0.7]).as_matrix()
    assert rotate_volume(blobs(points), rotation) == pytest.approx(
        blobs(points @ rotation.T), abs=1e-3 * blobs(points).max() * 20
    )


def test_halves_share_no_image_and_leave_none_out():
    first, second = split_in_halves(11, 0)
    assert sorted([*first, *second]) == list(range(11))
    assert len(first) == 6


def test_batches_are_the_same_eager_and_lazy(points, rotations):
    images = images_of(points, rotations).astype(np.float32) + 3
    eager = ImageBatches(images, np.arange(1, 30, 2), 24)
    lazy = ImageBatches(da.from_array(images, chunks=(7, -1, -1)), np.arange(1, 30, 2), 24)
    one, many = (np.concatenate([batch for _, batch in source.batches()]) for source in (eager, lazy))
    assert one == pytest.approx(many)
    assert len(one) == 15
    assert np.abs(one[:, 0]).max() < 1e-6  # the background is gone


def test_the_extent_is_found_from_the_mean_image(points, rotations):
    found = ImageBatches(images_of(points, rotations)).diameter
    assert 18 < found < BOX - 2


def test_the_correlation_is_that_of_maps_without_a_mask(points, monkeypatch):
    """What a mask adds is taken out once: half maps that were masked before would hide it."""
    seen = []

    def heard(first, second, mask):
        seen.append((first, mask))
        return corrected_for_mask(first, second, mask)

    monkeypatch.setattr("particlespy_ml.reconstruction.refinement.corrected_for_mask", heard)
    rotations = Rotation.random(40, random_state=1).as_matrix()
    images = images_of(points, rotations)
    images = images + np.random.default_rng(0).normal(size=images.shape) * images.std()
    poses = Poses(rotations, np.zeros((40, 2)), np.ones(40))
    batches = ImageBatches(images, diameter=20)
    for found in (volume_of_poses(batches, poses, C1), refine(batches, blobs(points), C1, radius=4, max_iterations=1)):
        half, mask = seen.pop()
        assert np.abs(half[mask == 0]).max() > 0.1 * np.abs(half).max()
        assert np.abs(found.half_maps[:, mask == 0]).max() == 0
