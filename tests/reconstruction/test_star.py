import numpy as np
import pandas as pd
import pytest

import particlespy_ml as pml
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
    source.save_star(tmp_path / "particles.star", poses, by=labels, diameter=2.6, normalise=False)
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
