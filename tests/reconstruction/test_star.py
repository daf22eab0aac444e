import numpy as np
import pandas as pd
import pytest

import particlespy_ml as pml
from particlespy_ml.core.calibration import pixel_grid
from particlespy_ml.reconstruction.arguments import known_poses
from tests.reconstruction.conftest import as_stack, images_of


@pytest.fixture
def stack(points, rotations):
    return as_stack(5 + images_of(points, rotations))


@pytest.fixture
def poses(rotations):
    table = pd.DataFrame(pml.reconstruction.to_euler(rotations), columns=["rot", "tilt", "psi"])
    table["shift_x"], table["shift_y"] = 0.03, -0.02
    table["half"] = np.arange(len(table)) % 2
    return table


@pytest.mark.parametrize("lazy", [False, True])
def test_stacks_and_angles_round_trip(stack, poses, tmp_path, lazy):
    labels = np.arange(len(poses)) % 3 - 1
    source = stack.as_lazy() if lazy else stack
    source.save_star(tmp_path / "particles.star", poses, clusters=labels, diameter=2.6, normalise=False)
    found, particles = pml.load_star(tmp_path / "particles.star", lazy=lazy)
    assert found._lazy == lazy
    assert found.metadata.Signal.signal_type == "HAADF"
    assert found.axes_manager.signal_axes[0].scale == pytest.approx(0.1)
    expected = stack.data - 5
    assert np.asarray(found.data) == pytest.approx(expected, abs=0.02 * float(expected.max()))
    columns = ["rot", "tilt", "psi", "shift_x", "shift_y"]
    assert np.abs(particles[columns].to_numpy() - poses[columns].to_numpy()).max() < 1e-4
    assert particles["rlnOriginXAngst"].iloc[0] == pytest.approx(-0.3)
    assert list(particles["rlnRandomSubset"][:2]) == [1, 2]
    assert list(particles["rlnClassNumber"][:3]) == [0, 1, 2]


def test_images_are_normalised_as_relion_wants(stack, tmp_path):
    rng = np.random.default_rng(0)
    stack.data = (stack.data + rng.normal(size=stack.data.shape) * 0.01).astype(np.float32)
    stack.save_star(tmp_path / "a.star", diameter=2.6)
    found, _ = pml.load_star(tmp_path / "a.star", lazy=False)
    corner = found.data[:, :4, :4]
    assert abs(corner.mean()) < 0.1
    assert corner.std() == pytest.approx(1, abs=0.1)


def test_the_file_says_what_relion_needs(stack, tmp_path):
    import mrcfile
    import starfile

    stack.save_star(tmp_path / "a.star", voltage=200, diameter=2.6)
    blocks = starfile.read(tmp_path / "a.star", always_dict=True)
    optics = blocks["optics"].iloc[0]
    assert (optics["rlnVoltage"], optics["rlnImagePixelSize"], optics["rlnImageSize"]) == (200, 1.0, 32)
    assert optics["rlnAmplitudeContrast"] == 1
    assert blocks["particles"]["rlnImageName"].iloc[1] == "000002@a.mrcs"
    with mrcfile.open(tmp_path / "a.mrcs") as file:
        assert file.is_image_stack()
        assert file.voxel_size.x == pytest.approx(1.0)


def test_the_reader_of_aspire_agrees(stack, poses, tmp_path):
    source = pytest.importorskip("aspire.source")
    stack.save_star(tmp_path / "a.star", poses, diameter=2.6)
    read = source.RelionSource(tmp_path / "a.star", data_folder=str(tmp_path))
    angles = np.degrees(read.angles)
    assert np.abs((angles - poses[["rot", "tilt", "psi"]] + 180) % 360 - 180).max().max() < 1e-4


def test_files_are_not_replaced_unasked(stack, tmp_path):
    stack.save_star(tmp_path / "a.star", diameter=2.6)
    before = (tmp_path / "a.mrcs").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        stack.save_star(tmp_path / "a.star")
    with pytest.raises(ValueError, match="ends in .star"):
        stack.save_star(tmp_path / "a.mrcs")
    with pytest.raises(ValueError, match="pose for each"):
        stack.save_star(tmp_path / "b.star", pd.DataFrame({"rot": [0.0]}))
    assert (tmp_path / "a.mrcs").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mrcs", "a.star"]


def test_missing_and_mixed_files_are_errors(stack, tmp_path):
    import starfile

    with pytest.raises(FileNotFoundError, match=r"no file .*none\.star"):
        pml.load_star(tmp_path / "none.star")
    stack.save_star(tmp_path / "a.star", diameter=2.6)
    (tmp_path / "a.mrcs").rename(tmp_path / "elsewhere.mrcs")
    with pytest.raises(FileNotFoundError, match=r"a\.mrcs"):
        pml.load_star(tmp_path / "a.star")
    (tmp_path / "elsewhere.mrcs").rename(tmp_path / "a.mrcs")
    blocks = starfile.read(tmp_path / "a.star", always_dict=True)
    second = blocks["optics"].assign(rlnOpticsGroup=2, rlnImagePixelSize=2.0)
    blocks["optics"] = pd.concat([blocks["optics"], second])
    blocks["particles"].loc[3, "rlnOpticsGroup"] = 2
    starfile.write(blocks, tmp_path / "mixed.star")
    with pytest.raises(ValueError, match="pixel sizes"):
        pml.load_star(tmp_path / "mixed.star")
    starfile.write({"optics": blocks["optics"]}, tmp_path / "empty.star")
    with pytest.raises(ValueError, match="no table 'particles'"):
        pml.load_star(tmp_path / "empty.star")


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("diameter", [None, 2.6])
def test_an_image_that_is_not_finite_leaves_no_file(points, tmp_path, lazy, diameter):
    """The seventieth image is in none of the batches that are looked at to check a stack."""
    import dask.array as da
    from scipy.spatial.transform import Rotation

    images = images_of(points, Rotation.random(70, random_state=0).as_matrix()).astype(np.float32)
    images[69, 0, 0] = np.nan
    stack = as_stack(images, lazy=lazy)
    if lazy:
        stack.data = da.from_array(images, chunks=(8, -1, -1))
    with pytest.raises(ValueError, match="Particle 69: 1 of 1024 pixels are not finite"):
        stack.save_star(tmp_path / "a.star", diameter=diameter)
    assert list(tmp_path.iterdir()) == []


def test_poses_and_labels_that_are_not_finite_leave_no_file(stack, poses, tmp_path):
    poses.loc[3, "psi"] = np.nan
    with pytest.raises(ValueError, match="pose of particle 3 is not finite"):
        stack.save_star(tmp_path / "a.star", poses, diameter=2.6)
    with pytest.raises(ValueError, match="no tilt, psi"):
        stack.save_star(tmp_path / "a.star", poses[["rot"]], diameter=2.6)
    for labels in (np.full(40, np.nan), np.full(40, "a"), np.full(40, 0.5)):
        with pytest.raises(ValueError, match=r'whole numbers.*by="cluster"'):
            stack.save_star(tmp_path / "a.star", clusters=labels, diameter=2.6)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flip", [np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1]])
def test_files_hold_images_whose_axes_ascend(stack, tmp_path, flip):
    stack.save_star(tmp_path / "a.star", diameter=2.6)
    stack.isig[flip].save_star(tmp_path / "b.star", diameter=2.6)
    assert (tmp_path / "a.mrcs").read_bytes()[1024:] == (tmp_path / "b.mrcs").read_bytes()[1024:]


@pytest.fixture
def write_star(tmp_path):
    """A function that writes a star file of images named in some way, each file one image or a stack of three."""
    import mrcfile
    import starfile

    def write(names, groups=None, optics=None, files=("p0.mrc", "p1.mrc", "three.mrcs"), **columns):
        rng = np.random.default_rng(0)
        data = {}
        for name in files:
            data[name] = rng.normal(size=(3, 32, 32) if "three" in name else (32, 32)).astype(np.float32)
            with mrcfile.new(tmp_path / name, overwrite=True) as file:
                file.set_data(data[name])
        groups = [1] * len(names) if groups is None else groups
        optics = {"rlnOpticsGroup": [1], "rlnImagePixelSize": [0.5]} if optics is None else optics
        particles = pd.DataFrame({"rlnImageName": names, "rlnOpticsGroup": groups, **columns})
        starfile.write({"optics": pd.DataFrame(optics), "particles": particles}, tmp_path / "p.star")
        return tmp_path / "p.star", data

    return write


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_names_without_a_number_are_files_of_one_image(write_star, tmp_path, lazy):
    path, data = write_star(["p1.mrc", "2@three.mrcs", str(tmp_path / "p0.mrc"), f"000003@{tmp_path}/three.mrcs"])
    stack, _ = pml.load_star(path, lazy=lazy)
    expected = [data["p1.mrc"], data["three.mrcs"][1], data["p0.mrc"], data["three.mrcs"][2]]
    np.testing.assert_array_equal(np.asarray(stack.data), expected)


def test_a_folder_with_an_at(write_star, tmp_path):
    (tmp_path / "a@b").mkdir()
    path, data = write_star(["a@b/p0.mrc", "1@a@b/p0.mrc"], files=("a@b/p0.mrc",))
    np.testing.assert_array_equal(pml.load_star(path, lazy=False)[0].data, [data["a@b/p0.mrc"]] * 2)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("three.mrcs", ValueError, "Row 2 names three.mrcs without the number.*it has 3"),
        ("0@three.mrcs", ValueError, "Row 2 names image 0 of three.mrcs, which has the images 1 to 3"),
        ("4@three.mrcs", ValueError, "Row 2 names image 4 of three.mrcs, which has the images 1 to 3"),
        ("2@p0.mrc", ValueError, "Row 2 names image 2 of p0.mrc, which has the images 1 to 1"),
        ("none.mrc", FileNotFoundError, "names the stack none.mrc, which is not beside it"),
        ("/nowhere/p0.mrc", FileNotFoundError, "names the stack /nowhere/p0.mrc, which does not exist"),
        ("1@", FileNotFoundError, "names the stack 1@"),
        ("x@p0.mrc", FileNotFoundError, "names the stack x@p0.mrc"),
    ],
)
def test_names_of_no_image_are_refused(write_star, name, error, message):
    path, _ = write_star(["p0.mrc", name])
    with pytest.raises(error, match=message):
        pml.load_star(path)


def test_each_optics_group_counts(write_star):
    both = {"rlnOpticsGroup": [1, 2, 3], "rlnImagePixelSize": [0.5, 0.7, 0.5000001]}
    names = ["p0.mrc", "p1.mrc"]
    path, _ = write_star(names, [1, 3], both)
    assert pml.load_star(path)[0].axes_manager.signal_axes[0].scale == pytest.approx(0.05)
    path, _ = write_star(names, [2, 2], both)
    assert pml.load_star(path)[0].axes_manager.signal_axes[0].scale == pytest.approx(0.07)
    for groups, optics, message in (
        ([1, 2], both, "pixel sizes"),
        ([1, 4], both, r"optics groups \[4\]"),
        ([1, 1], {"rlnOpticsGroup": [1], "rlnImagePixelSize": [0.0]}, "above zero"),
        ([1, 1], {"rlnOpticsGroup": [1]}, "no table 'optics' with rlnImagePixelSize"),
    ):
        path, _ = write_star(names, groups, optics)
        with pytest.raises(ValueError, match=message):
            pml.load_star(path)


def test_blocks_without_a_loop(write_star):
    """A block of one row may be written as a list of names and values."""
    path, data = write_star(["p0.mrc"])
    path.write_text(
        "data_optics\n\n_rlnOpticsGroup 1\n_rlnImagePixelSize 0.5\n\n"
        "data_particles\n\n_rlnImageName p0.mrc\n_rlnOpticsGroup 1\n"
    )
    stack, _ = pml.load_star(path, lazy=False)
    np.testing.assert_array_equal(stack.data, [data["p0.mrc"]])


def test_poses_have_their_own_unit(points, rotations, poses, tmp_path):
    """Shifts of a file are in nm, also for a stack in ångströms."""
    stack = as_stack(5 + images_of(points, rotations))
    stack.axes_manager.signal_axes.set(scale=1.0, units="Å")
    poses[["shift_x", "shift_y"]] *= 10  # in the stack's unit
    stack.save_star(tmp_path / "a.star", poses)
    _, particles = pml.load_star(tmp_path / "a.star")
    assert particles["shift_x"].iloc[0] == pytest.approx(0.03) and particles.attrs["units"]["shift_x"] == "nm"
    grid = pixel_grid(stack)
    found = known_poses(particles, len(poses), grid)
    np.testing.assert_allclose(found.shifts, [[0.3, -0.2]] * len(poses), atol=1e-5)
    stack.save_star(tmp_path / "b.star", particles)
    again = pml.load_star(tmp_path / "b.star")[1]
    np.testing.assert_allclose(again[["shift_x", "shift_y"]], particles[["shift_x", "shift_y"]], atol=1e-6)
    particles.attrs["units"]["shift_x"] = "°"
    with pytest.raises(ValueError, match="shift_x in '°'"):
        known_poses(particles, len(poses), grid)
