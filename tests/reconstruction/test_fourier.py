import numpy as np
import pytest
import torch

from particlespy_ml.reconstruction import fourier
from particlespy_ml.reconstruction.fourier import (
    BackProjection,
    Disk,
    FourierVolume,
    ball_mask,
    low_pass,
    project,
    split_group,
)
from particlespy_ml.reconstruction.rotations import point_group
from tests.reconstruction.conftest import BOX, blobs, images_of


def test_projections_are_those_of_gaussians(points, rotations):
    found, exact = project(blobs(points), rotations[:6]), images_of(points, rotations[:6])
    assert np.abs(found - exact).max() < 0.03 * exact.max()
    assert found.sum((1, 2)) == pytest.approx(exact.sum((1, 2)), rel=1e-3)


def test_the_disk_has_one_of_each_pair(points, rotations):
    disk = Disk(BOX, 9)
    pairs = {tuple(f) for f in disk.frequencies}
    assert not pairs & {(-x, -y) for x, y in pairs}
    assert (0, 0) not in pairs
    assert len(pairs) == len(disk.frequencies) == disk.count(9)
    assert (disk.shells[: disk.count(5)] <= 5).all()
    assert (disk.shells[disk.count(5) :] > 5).all()


def test_phases_move_images(points, rotations):
    disk, shift = Disk(BOX, 9), np.array([[1.3, -0.6]])
    still, moved = images_of(points, rotations[:1]), images_of(points, rotations[:1], shift)
    expected = disk.transform(still) * disk.phases(shift)
    assert torch.abs(disk.transform(moved) - expected).max() < 1e-4 * torch.abs(expected).max()


@pytest.mark.parametrize("name", ["C1", "D2", "C3v", "D5h", "Td", "Oh"])
def test_back_projection_undoes_projection(name, points, rotations):
    group = point_group(name)
    particle = (points[: max(1, 8 // len(group))] @ group.transpose(0, 2, 1)).reshape(-1, 3)
    volume, disk = blobs(particle), Disk(BOX, BOX // 2 - 1)
    frequencies = torch.from_numpy(disk.frequencies.astype(np.float32))
    sums = BackProjection(BOX, disk.radius, group)
    spectra = disk.transform(images_of(particle, rotations))
    poses = torch.from_numpy(rotations.astype(np.float32))
    sums.insert(spectra, torch.ones(spectra.shape), poses, frequencies)
    inside = ball_mask(BOX, 12, 3) > 0.5
    assert np.corrcoef(sums.volume()[inside], volume[inside])[0, 1] > 0.98


def test_slices_of_a_point_off_centre_are_plane_waves():
    volume = np.zeros((BOX,) * 3)
    at = np.array([3, -2, 5])  # x, y, z
    volume[tuple(BOX // 2 + at[::-1])] = 1
    disk = Disk(BOX, 8)
    rotation = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]], np.float32)
    frequencies = torch.from_numpy(disk.frequencies.astype(np.float32))
    found = FourierVolume(volume, 8).slices(torch.from_numpy(rotation)[None], frequencies)[0].numpy()
    expected = np.exp(-2j * np.pi * disk.frequencies @ (rotation @ at)[:2] / BOX)
    assert np.abs(found - expected).max() < 0.05


def test_low_pass_keeps_what_is_slow():
    axis = np.arange(BOX)
    slow, fast = (np.cos(2 * np.pi * k * axis / BOX)[None, None] * np.ones((BOX, BOX, 1)) for k in (3, 10))
    assert low_pass(slow + fast, 6) == pytest.approx(slow, abs=1e-5)


@pytest.mark.parametrize(("name", "count"), [("C1", 1), ("C3", 1), ("D5h", 4), ("Oh", 48), ("Ih", 24)])
def test_groups_are_products_of_exchanges_and_representatives(name, count):
    group = point_group(name)
    exchanges, representatives = split_group(group)
    assert len(exchanges) == count
    products = (representatives[:, None] @ exchanges).reshape(-1, 9)
    distance = np.abs(products[:, None] - group.reshape(1, -1, 9)).max(2)
    assert (distance.argmin(1)[None] == np.arange(len(group))[:, None]).any(1).all()
    assert distance.min(1).max() < 1e-9


@pytest.mark.parametrize("box", [24, 25])
@pytest.mark.parametrize("radius", [2, 5, 10])
def test_sums_over_few_frequencies_are_fast_transforms(box, radius):
    half = 2 * radius + 2
    volume = np.random.default_rng(0).normal(size=(box,) * 3).astype(np.float32)
    few, whole = fourier._few_frequencies(volume, half), fourier._all_frequencies(volume, half)
    assert few.dtype == whole.dtype == np.complex64
    np.testing.assert_allclose(few, whole, atol=1e-5 * np.abs(whole).max())
    back, other = fourier._few_to_volume(whole, box), fourier._all_to_volume(whole, box)
    np.testing.assert_allclose(back, other, atol=1e-5 * np.abs(other).max())
