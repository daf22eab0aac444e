import dask.array as da
import hyperspy.api as hs
import numpy as np
import pandas as pd
import pytest

from particlespy_ml import reconstruct
from particlespy_ml.reconstruction import point_group, pose_error
from tests.reconstruction.conftest import BOX, as_stack, blobs, images_of


@pytest.fixture
def stack(points, rotations):
    return as_stack(images_of(points, rotations))


@pytest.mark.parametrize("lazy", [False, True])
def test_known_rotations_give_back_the_volume(stack, points, rotations, lazy):
    found = (stack.as_lazy() if lazy else stack).reconstruct(poses=rotations, diameter=2.6, show_progressbar=False)
    truth = blobs(points)
    assert np.corrcoef(found.volume.data.ravel(), truth.ravel())[0, 1] > 0.97
    assert found.volume.axes_manager.signal_axes[0].units == "nm"
    assert found.volume.axes_manager.navigation_axes[0].scale == pytest.approx(0.1)
    assert found.half_maps.data.shape == (2, BOX, BOX, BOX)
    assert found.resolution < 0.6
    assert pose_error(found.rotations, rotations, point_group("C1")).max() < 1e-3
    assert "40 particles" in repr(found)


def test_a_known_model_gives_the_poses(stack, points, rotations):
    found = stack.reconstruct(blobs(points), max_iterations=0, diameter=2.6, show_progressbar=False)
    assert np.median(pose_error(found.rotations, rotations, point_group("C1"))) < 1
    again = stack.reconstruct(poses=found.poses, diameter=2.6, show_progressbar=False)
    assert np.corrcoef(again.volume.data.ravel(), found.volume.data.ravel())[0, 1] > 0.999


def test_each_cluster_is_reconstructed_for_itself(stack, rotations):
    labels = np.repeat([0, 1, -1], [18, 18, 4])
    found = stack.reconstruct(poses=rotations, clusters=labels, diameter=2.6, show_progressbar=False)
    assert sorted(found) == [0, 1]
    assert list(found[1].poses["particle"]) == list(range(18, 36))


def test_volumes_go_to_hspy_and_mrc(stack, rotations, tmp_path):
    import mrcfile

    found = stack.reconstruct(poses=rotations, diameter=2.6, show_progressbar=False)
    found.volume.save(tmp_path / "volume.hspy")
    again = hs.load(tmp_path / "volume.hspy")
    assert again.metadata.particlespy_ml.reconstruction.point_group == "C1"
    found.save_mrc(tmp_path / "volume.mrc")
    with mrcfile.open(tmp_path / "volume.mrc") as file:
        assert file.voxel_size.x == pytest.approx(1.0)
        assert file.data == pytest.approx(found.volume.data)
    assert (tmp_path / "volume_half2.mrc").exists()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        found.save_mrc(tmp_path / "volume.mrc")


def test_atoms_are_models():
    from ase.cluster import Octahedron

    from particlespy_ml.reconstruction import project, volume_of_atoms

    atoms = Octahedron("Au", 4, 1)
    volume = volume_of_atoms(atoms, 40, 0.5)
    assert volume.sum() == pytest.approx(len(atoms) * 79**1.7, rel=1e-3)
    rotations = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 3, 3)))[0]
    rotations *= np.linalg.det(rotations)[:, None, None]
    stack = as_stack(project(volume, rotations), scale=0.05)
    found = stack.reconstruct(atoms, point_group="Oh", max_iterations=0, show_progressbar=False)
    assert np.median(pose_error(found.rotations, rotations, point_group("Oh"))) < 1


def _bad_stacks(points, rotations):
    images = images_of(points, rotations)
    yield as_stack(images[:1]), {}, "4 or more particles"
    yield as_stack(np.repeat(images[:1], 9, 0)), {}, "identical"
    yield as_stack(images[:, :, :-4]), {}, "square images"
    yield as_stack(images, signal_type="HRTEM"), {}, "no projections"
    uneven = as_stack(images)
    uneven.axes_manager.signal_axes[0].scale = 0.12
    yield uneven, {}, "square pixels"
    broken = images.copy()
    broken[0, 0, 0] = np.nan
    yield as_stack(broken), {}, "Particle 0: 1 of 1024 pixels are not finite"
    yield as_stack(broken, lazy=True), {"diameter": 2.6}, "Particle 0: 1 of 1024 pixels are not finite"
    good = as_stack(images)
    yield good, {"engine": "relion"}, "matching, aspire"
    yield good, {"point_group": "Q"}, "expected one of"
    yield good, {"model": np.zeros((8, 8, 8))}, "box of the stack"
    yield good, {"model": blobs(points), "point_group": "Oh"}, "not symmetric in Oh"
    yield good, {"poses": rotations[:5]}, "40 rotations"
    yield good, {"poses": np.ones((40, 3, 3))}, "determinant 1"
    yield good, {"clusters": np.zeros(3)}, "value for each"
    yield good, {"clusters": np.arange(40)}, "4 at least in each"
    yield good, {"diameter": 3.4}, "larger box"
    yield good, {"initial_resolution": 9.0}, "coarser than the box"
    yield good, {"max_shift": 16}, "less than half of the box"
    yield good, {"max_shift": 1.6}, "less than half of the box"
    yield good, {"max_shift": -1}, "less than half of the box"
    yield good, {"max_shift": float("nan")}, "finite length"
    yield good, {"criterion": 2.0}, "correlation between 0 and 1"
    yield good, {"max_iterations": -1}, "0 or more iterations"
    yield good, {"clusters": np.full(40, "a")}, "whole numbers, below 0"
    lost = rotations.copy()
    lost[7] = np.nan
    yield good, {"poses": lost}, "pose of particle 7 is not finite"
    volume = blobs(points)
    volume[0, 0, 0] = np.inf
    yield good, {"model": volume}, "The model: 1 of 32768 pixels are not finite"


def test_bad_input_says_what_was_expected(points, rotations):
    for stack, arguments, message in _bad_stacks(points, rotations):
        with pytest.raises(ValueError, match=message):
            reconstruct(stack, **arguments, show_progressbar=False)
    with pytest.raises(TypeError, match="ASE atoms"):
        as_stack(images_of(points, rotations)).reconstruct("model.mrc")


def test_models_of_other_pixels_are_refused(stack, points):
    from hyperspy.signals import Signal2D

    model = Signal2D(blobs(points))
    for axis in model.axes_manager._axes:
        axis.scale, axis.units = 0.2, "nm"
    with pytest.raises(ValueError, match="resample"):
        stack.reconstruct(model)


def test_series_of_series_are_refused(points, rotations):
    from hyperspy.signals import Signal2D

    images = images_of(points, rotations)
    grid = Signal2D(images.reshape(5, 8, BOX, BOX))
    grid.axes_manager.signal_axes.set(scale=0.1, units="nm")
    grid.set_signal_type("HAADF")
    with pytest.raises(ValueError, match="one navigation axis"):
        grid.reconstruct()


def test_a_lazy_stack_is_never_read_whole(points, rotations):
    images = images_of(points, rotations).astype(np.float32)
    largest = []

    def read(block):
        largest.append(len(block))
        return block

    stack = as_stack(images, lazy=True)
    stack.data = da.from_array(images, chunks=(4, -1, -1)).map_blocks(read, dtype=np.float32, meta=images[:0])
    stack.reconstruct(poses=pd.DataFrame(np.zeros((40, 3)), columns=["rot", "tilt", "psi"]), diameter=2.6)
    assert max(largest) <= 4


def test_axes_that_run_backwards_make_no_difference(stack, points, rotations):
    """Neither the volume nor its hand, nor the shifts of known poses, nor a model whose axes run backwards."""
    expected = stack.reconstruct(poses=rotations, diameter=2.6, show_progressbar=False)
    flipped = stack.isig[::-1, :].reconstruct(poses=rotations, diameter=2.6, show_progressbar=False)
    np.testing.assert_array_equal(flipped.volume.data, expected.volume.data)
    model = expected.volume.isig[::-1, ::-1]
    turned = stack.isig[:, ::-1].reconstruct(model, max_iterations=0, diameter=2.6, show_progressbar=False)
    plain = stack.reconstruct(expected.volume, max_iterations=0, diameter=2.6, show_progressbar=False)
    np.testing.assert_array_equal(turned.poses, plain.poses)


def test_a_shift_at_the_limit_is_warned_of_and_not_used(points, rotations):
    shifts = np.zeros((40, 2))
    shifts[5] = 3.4, 0
    stack = as_stack(images_of(points, rotations, shifts))
    settings = {"max_iterations": 0, "diameter": 2.6, "show_progressbar": False}
    with pytest.warns(UserWarning, match=r"1 of 40 particles \(5\) are shifted by 0.2 nm.*left out of the volume"):
        found = stack.reconstruct(blobs(points), max_shift="2 px", **settings)
    assert found.poses.index[~found.poses["used"]].tolist() == [5]
    others = np.delete(np.arange(40), 5)
    without = stack.reconstruct(poses=found.poses, diameter=2.6, show_progressbar=False)
    assert np.abs(without.volume.data - found.volume.data).max() > 0
    allowed = stack.reconstruct(blobs(points), max_shift="5 px", **settings)
    assert allowed.poses["used"].all() and allowed.poses["shift_x"][5] == pytest.approx(0.34, abs=0.02)
    np.testing.assert_allclose(allowed.poses["shift_x"][others], 0, atol=0.03)
