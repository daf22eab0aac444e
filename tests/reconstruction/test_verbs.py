import dask.array as da
import hyperspy.api as hs
import numpy as np
import pandas as pd
import pytest

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
    found = stack.reconstruct(poses=rotations, by=labels, diameter=2.6, show_progressbar=False)
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
    yield as_stack(images[:1]), {}, "4 particles at least"
    yield as_stack(np.repeat(images[:1], 9, 0)), {}, "identical"
    yield as_stack(images[:, :, :-4]), {}, "square images"
    yield as_stack(images, signal_type="HRTEM"), {}, "no projections"
    uneven = as_stack(images)
    uneven.axes_manager.signal_axes[0].scale = 0.12
    yield uneven, {}, "square pixels"
    broken = images.copy()
    broken[0, 0, 0] = np.nan
    yield as_stack(broken), {}, "not finite"
    good = as_stack(images)
    yield good, {"engine": "relion"}, "matching, aspire"
    yield good, {"point_group": "Q"}, "expected one of"
    yield good, {"model": np.zeros((8, 8, 8))}, "box of the stack"
    yield good, {"model": blobs(points), "point_group": "Oh"}, "not symmetric in Oh"
    yield good, {"poses": rotations[:5]}, "40 rotations"
    yield good, {"poses": np.ones((40, 3, 3))}, "determinant 1"
    yield good, {"by": np.zeros(3)}, "label for each"
    yield good, {"by": np.arange(40)}, "4 at least in each"
    yield good, {"diameter": 3.4}, "larger box"
    yield good, {"initial_resolution": 9.0}, "coarser than the box"


def test_bad_input_says_what_was_expected(points, rotations):
    for stack, arguments, message in _bad_stacks(points, rotations):
        with pytest.raises(ValueError, match=message):
            stack.reconstruct(**arguments, show_progressbar=False)
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
