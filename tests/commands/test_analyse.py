"""The commands `measure`, `track` and `count`, and one table of files with different units."""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
import pandas as pd
import pytest

import particlespy_ml as pml
from particlespy_ml.cli import main
from particlespy_ml.counting.library import save_library
from tests.conftest import TWO, disk_frame


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_files_of_different_units_in_one_table_in_nm(tmp_path, two_disks):
    other = two_disks.deepcopy()
    other.axes_manager.signal_axes.set(scale=0.4, units="Å")
    two_disks.save(tmp_path / "nm.hspy")
    other.save(tmp_path / "angstrom.hspy")
    assert run("measure", tmp_path, "--out", tmp_path / "out", "--no-report") == 0
    table = pd.read_csv(tmp_path / "out" / "particles.csv", encoding="utf-8-sig")
    assert table["image"].tolist() == ["angstrom"] * 2 + ["nm"] * 2
    np.testing.assert_allclose(table["area (nm²)"][:2], table["area (nm²)"][2:], rtol=1e-9)
    assert "area (Å²)" in pd.read_csv(tmp_path / "out" / "angstrom.csv")
    assert not (tmp_path / "out" / "report.html").exists()


def test_options_of_the_segmentation(tmp_path, two_disks):
    two_disks.save(tmp_path / "still.hspy")
    given = ("--min-diameter", 1.3, "--polarity", "bright", "--no-split", "--smoothing", 0.1)
    with pytest.warns(UserWarning, match="1 object smaller than min_diameter"):
        assert run("measure", tmp_path / "still.hspy", *given, "--out", tmp_path / "out") == 0
    table = hs.load(tmp_path / "out" / "still.hspy")
    assert table.n_particles == 1
    used = table.metadata.particlespy_ml.segmentation.as_dictionary()
    assert (used["min_diameter"], used["polarity"], used["split"], used["smoothing"]) == (1.3, "bright", False, 0.1)
    assert run("measure", tmp_path / "still.hspy", "--gaussian", 2, "--out", tmp_path / "out") == 1  # of thresholds


def test_a_network_of_ones_own(tmp_path, two_disks, capsys):
    two_disks.save(tmp_path / "still.hspy")
    given = ("--finder", "particles-stem", "--out", tmp_path / "out", "--no-report")
    for command in ("measure", "classify"):
        assert run(command, tmp_path / "still.hspy", *given) == 0
        table = hs.load(tmp_path / "out" / "still.hspy")
        assert table.n_particles == 2 and ("detection_probability" in table.columns) == (command == "measure")
    assert run("measure", tmp_path / "still.hspy", *given, "--method", "otsu") == 2
    assert "goes with --method network" in capsys.readouterr().err


def test_a_mask(tmp_path, two_disks):
    from PIL import Image

    two_disks.save(tmp_path / "still.hspy")
    mask = np.zeros(two_disks.data.shape, np.uint8)
    mask[:, :75] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    given = ("--mask", tmp_path / "mask.png", "--out", tmp_path / "out")
    assert run("measure", tmp_path / "still.hspy", *given) == 0
    assert hs.load(tmp_path / "out" / "still.hspy").n_particles == 1
    assert run("measure", tmp_path / "still.hspy", "--mask", tmp_path / "none.png", "--out", tmp_path / "out") == 2


@pytest.fixture
def frames(tmp_path):
    """Six single images of two particles that drift."""
    for number in range(6):
        centres = [(row, column + number) for row, column in TWO[0]]
        image = hs.signals.Signal2D(disk_frame(centres, TWO[1], seed=number))
        image.axes_manager.signal_axes.set(scale=0.04, units="nm")
        image.save(tmp_path / f"frame {number + 7}.hspy")
    return tmp_path / "frame *.hspy"


def test_single_images_are_followed_together(frames, tmp_path):
    assert run("track", frames, "--together", "--time-step", 0.5, "--out", tmp_path / "out") == 0
    (path,) = (file for file in (tmp_path / "out").glob("*.hspy"))
    table = hs.load(path)
    assert table.data.shape == (6,) and len(set(table["track"])) == 2
    assert table.axes_manager[0].units == "s" and table.axes_manager[0].axis[-1] == 2.5
    shift = table.to_dataframe().groupby("track")["x"].agg(lambda x: x.iloc[-1] - x.iloc[0])
    np.testing.assert_allclose(shift, 5 * 0.04, atol=0.02)


def test_a_file_that_cannot_be_read_leaves_a_gap_in_time(frames, tmp_path):
    (tmp_path / "frame 9.hspy").write_bytes(b"broken")
    assert run("track", frames, "--together", "--time-step", 0.5, "--out", tmp_path / "out") == 1
    (path,) = (file for file in (tmp_path / "out").glob("*.hspy"))
    np.testing.assert_allclose(hs.load(path).axes_manager[0].axis, [0, 0.5, 1.5, 2, 2.5])


def test_the_time_step_of_a_series_in_one_file(frames, tmp_path):
    hs.stack([hs.load(path) for path in sorted(frames.parent.glob("frame *.hspy"))]).save(tmp_path / "movie.hspy")
    assert run("track", tmp_path / "movie.hspy", "--time-step", 0.2, "--out", tmp_path / "out") == 0
    axis = hs.load(tmp_path / "out" / "movie.hspy").axes_manager[0]
    assert (axis.name, axis.units, axis.scale) == ("time", "s", 0.2)


def test_single_images_that_are_no_series(frames, tmp_path, capsys):
    assert run("track", frames, "--out", tmp_path / "out") == 1
    assert "--together" in capsys.readouterr().err
    hs.signals.Signal2D(np.zeros((20, 20))).save(tmp_path / "frame 99.hspy")
    assert run("track", frames, "--together", "--out", tmp_path / "out") == 2
    assert "one size" in capsys.readouterr().err


def test_frames_of_other_pixels_or_detectors_are_no_series(frames, tmp_path, capsys):
    image = hs.load(frames.parent / "frame 7.hspy")
    image.axes_manager.signal_axes.set(scale=0.08)
    image.save(tmp_path / "frame 98.hspy")
    assert run("track", frames, "--together", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "one pixel size" in said and "0.08 nm" in said and "frame 98" in said
    given = ("--pixel-size", 0.04)
    assert run("track", frames, "--together", *given, "--out", tmp_path / "out") == 0


def test_a_file_of_several_images_is_no_frame(frames, tmp_path, capsys, monkeypatch):
    from particlespy_ml.commands import analyse

    single = analyse.load_images

    def twice(path, *options):
        images, skipped = single(path, *options)
        return (images * 2 if "frame 8" in path.name else images), skipped

    monkeypatch.setattr(analyse, "load_images", twice)
    assert run("track", frames, "--together", "--out", tmp_path / "out") == 1
    said = "".join(capsys.readouterr())
    assert "frame 8.hspy" in said and "holds 2 images" in said


def test_columns_are_counted(tmp_path):
    image = pml.data.columns_of_platinum()
    image.save(tmp_path / "platinum.hspy")
    library = tmp_path / "library.json"
    save_library(pml.data.platinum_library(), library)
    assert run("count", tmp_path / "platinum.hspy", "--library", library, "--out", tmp_path / "out") == 0
    counted = hs.load(tmp_path / "out" / "platinum.hspy")
    assert type(counted).__name__ == "ColumnTable" and (counted["count"] > 0).sum() > 0.8 * counted.n_rows
    table = pd.read_csv(tmp_path / "out" / "columns.csv", encoding="utf-8-sig")
    assert {"volume (nm²)", "count", "file"} <= set(table) and len(table) == counted.n_rows
    assert "total" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_results_of_an_earlier_run_are_named_and_left(tmp_path, two_disks, capsys):
    for name in ("one", "two"):
        two_disks.save(tmp_path / f"{name}.hspy")
    out = tmp_path / "out"
    assert run("measure", tmp_path / "one.hspy", "--out", out) == 0
    (out / "notes.csv").write_text("mine")
    assert "earlier run" not in capsys.readouterr().err
    assert run("measure", tmp_path / "one.hspy", "--out", out) == 0
    assert "earlier run" not in capsys.readouterr().err  # all were replaced
    assert run("measure", tmp_path / "two.hspy", "--out", out, "--no-report") == 0
    said = capsys.readouterr().err
    assert f"warning: {out} also holds results of an earlier run" in said and "--out of its own" in said
    assert "one.csv, one.hspy, one.png, report.html" in said
    assert "two" not in said and "particles.csv" not in said and "notes" not in said
    assert {"one.csv", "one.hspy", "one.png", "report.html", "notes.csv"} < {path.name for path in out.iterdir()}


def test_images_in_the_folder_of_results_are_no_results(tmp_path, two_disks, capsys):
    two_disks.save(tmp_path / "one.hspy")
    for suffix in (".csv", ".png"):
        (tmp_path / f"one{suffix}").write_text("mine")
    assert run("measure", tmp_path / "one.hspy", "--out", tmp_path) == 0
    assert "one.hspy" not in capsys.readouterr().err
