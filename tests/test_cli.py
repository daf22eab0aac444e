"""The command line: many files in, one folder out, and what it says where something fails."""

import re

import hyperspy.api as hs
import numpy as np
import pandas as pd
import pytest
from hyperspy.signals import Signal1D, Signal2D

from particlespy_ml.cli import main
from particlespy_ml.models.load import list_models


@pytest.fixture
def classify(model_folder, tmp_path):
    """A function that runs ``classify`` on files with the random model and returns the exit status."""

    def run(*arguments, out=tmp_path / "out", model=model_folder):
        given = ["classify", *map(str, arguments), "--out", str(out)]
        return main([*given, "--model", str(model)] if model else given)

    run.out = tmp_path / "out"
    return run


@pytest.fixture
def files(tmp_path, two_disks, series, make_image, make_frame):
    """A still image, a series and an image without particles, saved."""
    folder = tmp_path / "data"
    still, movie, nothing = (folder / f"{name}.hspy" for name in ("still", "movie", "nothing"))
    two_disks.save(still)
    series.save(movie)
    make_image(make_frame([], [])).save(nothing)
    return still, movie, nothing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_become_tables_and_pictures(classify, files, capsys, two_disks, model_folder):
    assert classify(*files) == 0
    wanted = [f"{stem}{suffix}" for stem in ("movie", "nothing", "still") for suffix in (".csv", ".hspy", ".png")]
    assert names(classify.out) == sorted([*wanted, "particles.csv", "report.html"])
    assert "5 particles in 3 images" in capsys.readouterr().out
    table = hs.load(classify.out / "still.hspy")
    assert type(table).__name__ == "ParticleTable" and table.n_particles == 2
    expected = two_disks.classify_particles(model_folder)
    np.testing.assert_allclose(table["probability"], expected["probability"], atol=1e-6)
    still = pd.read_csv(classify.out / "still.csv")
    assert still["class"].tolist() == list(expected["class"])
    assert "area (nm²)" in still
    together = pd.read_csv(classify.out / "particles.csv")
    assert together["file"].value_counts().to_dict() == {str(files[0]): 2, str(files[1]): 3}
    assert together.loc[together["file"] == str(files[1]), "time (s)"].tolist() == [1.0, 1.0, 2.0]
    for stem in ("still", "movie", "nothing"):
        assert (classify.out / f"{stem}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("bad", ["missing", "damaged", "text", "spectrum", "uncalibrated", "nan", "folder"])
def test_one_bad_file_costs_only_itself(classify, files, tmp_path, capsys, bad):
    path = tmp_path / "data" / ("bad.txt" if bad == "text" else "bad.hspy")
    if bad == "damaged":
        path.write_bytes(files[0].read_bytes()[:1000])
    elif bad == "text":
        path.write_text("no image")
    elif bad == "spectrum":
        Signal1D(np.zeros((3, 10))).save(path)
    elif bad == "uncalibrated":
        Signal2D(np.random.default_rng(0).random((64, 64))).save(path)
    elif bad == "nan":
        image = hs.load(files[0])
        image.data[0, 0] = np.nan
        image.save(path)
    elif bad == "folder":
        path.mkdir()
    assert classify(files[0], path, files[1]) == 1
    printed = capsys.readouterr()
    reasons = {
        "missing": "no such file",
        "spectrum": "no image",
        "uncalibrated": "not calibrated.*--pixel-size NM",
        "nan": "not finite",
        "folder": "holds no image file",
    }
    assert re.search(rf"could not be done: {re.escape(str(path))}: .*{reasons.get(bad, '')}", printed.err)
    assert "5 particles in 2 images" in printed.out
    assert {"still.csv", "movie.csv", "particles.csv"} <= set(names(classify.out))
    assert not [name for name in names(classify.out) if name.startswith(("bad", "."))]


def test_only_bad_files(classify, tmp_path, capsys):
    assert classify(tmp_path / "one.hspy", tmp_path / "two.hspy") == 1
    printed = capsys.readouterr()
    assert "0 particles in 0 images" in printed.out
    assert printed.err.count("could not be done") == 2
    assert names(classify.out) == []


def test_the_same_name_in_two_folders(classify, two_disks, series, tmp_path):
    for folder, image in (("a", two_disks), ("b", series), ("c", two_disks)):
        image.save(tmp_path / folder / "image.hspy")
    assert classify(*(tmp_path / folder / "image.hspy" for folder in "abc")) == 0
    assert [hs.load(classify.out / f"{name}.hspy").n_particles for name in ("image", "image-2", "image-3")] == [2, 3, 2]
    assert len(pd.read_csv(classify.out / "particles.csv")) == 7


def test_a_file_called_particles(classify, two_disks, series, tmp_path):
    """The table of all files has that name."""
    two_disks.save(tmp_path / "particles.hspy")
    series.save(tmp_path / "other.hspy")
    assert classify(tmp_path / "particles.hspy", tmp_path / "other.hspy") == 0
    assert len(pd.read_csv(classify.out / "particles.csv")) == 5
    assert len(pd.read_csv(classify.out / "particles-2.csv")) == 2


@pytest.mark.parametrize("suffix", [".hspy", ".png"])
def test_results_never_replace_the_images(classify, two_disks, tmp_path, suffix, monkeypatch):
    path = tmp_path / f"image{suffix}"
    image = two_disks if suffix == ".hspy" else (two_disks * 60).deepcopy()
    image.change_dtype("float32" if suffix == ".hspy" else "uint8")
    image.save(path)
    before = path.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert classify(path.name, "--pixel-size", 0.04, out=".") == 0
    assert path.read_bytes() == before
    assert hs.load(tmp_path / "image-2.hspy").n_particles == 2


def test_pixel_size(classify, tmp_path, make_frame):
    path = tmp_path / "image.hspy"
    Signal2D(make_frame([(40, 40), (80, 110)], [14, 20])).save(path)
    assert classify(path) == 1
    assert classify(path, "--pixel-size", "0.04") == 0
    table = hs.load(classify.out / "image.hspy")
    assert table.n_particles == 2 and table.units["x"] == "nm"
    np.testing.assert_allclose(sorted(table["equivalent_circular_diameter"]), [28 * 0.04, 40 * 0.04], rtol=0.1)


def test_pixel_size_goes_over_the_files_own(classify, files):
    assert classify(files[0]) == 0
    first = hs.load(classify.out / "still.hspy")["area"]
    assert classify(files[0], "--pixel-size", "0.06") == 0
    np.testing.assert_allclose(hs.load(classify.out / "still.hspy")["area"], first * (6 / 4) ** 2, rtol=0.1)


@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf", "fine"])
def test_a_pixel_size_that_is_none(classify, files, capsys, size):
    with pytest.raises(SystemExit) as error:
        classify(files[0], f"--pixel-size={size}")
    assert error.value.code == 2
    assert "--pixel-size" in capsys.readouterr().err


def test_an_image_without_calibration_of_a_plain_format(classify, tmp_path, make_frame):
    path = tmp_path / "image.png"
    Signal2D((make_frame([(60, 70)], [18]) * 60).astype(np.uint8)).save(path)
    assert classify(path, "--pixel-size", "0.04") == 0
    assert len(pd.read_csv(classify.out / "image.csv")) == 1


def test_unknown_model(classify, files, capsys):
    assert classify(files[0], model="resnet") == 2
    message = capsys.readouterr().err
    assert "particlespy-ml: Unknown model 'resnet'" in message and "Traceback" not in message
    assert not classify.out.exists()


def test_without_a_default_model_particles_are_measured(classify, files, capsys):
    signal_type = "particle_image"
    assert classify(files[0], "--signal-type", signal_type, model=None) == 0
    assert f"no model for {signal_type} images" in capsys.readouterr().out
    assert "class" not in hs.load(classify.out / "still.hspy").columns
    assert classify(files[0], "--signal-type", signal_type) == 0
    assert hs.load(classify.out / "still.hspy").metadata.particlespy_ml.image.signal_type == signal_type


def test_unknown_signal_type(classify, files, capsys):
    with pytest.raises(SystemExit) as error:
        classify(files[0], "--signal-type", "EELS")
    assert error.value.code == 2
    assert re.search("HAADF.*HRTEM.*particle_image", capsys.readouterr().err)


def test_default_model(classify, files):
    assert "isomer-haadf" in list_models(), "weights/isomer-haadf is missing"
    assert classify(files[0], model=None) == 0
    assert hs.load(classify.out / "still.hspy").metadata.particlespy_ml.model.name == "isomer-haadf"


def test_options_reach_the_verb(classify, files, tmp_path, make_image, make_frame):
    path = tmp_path / "border.hspy"
    make_image(make_frame([(40, 40), (80, 158)], [14, 20])).save(path)
    assert classify(path, "--exclude-border", "--min-probability", "1", "--method", "otsu") == 0
    table = hs.load(classify.out / "border.hspy")
    assert not table["touches_border"].any() and len(table["area"]) >= 1
    assert set(table["class"]) == {"undefined"}
    assert table.metadata.particlespy_ml.segmentation.threshold == "otsu"


def test_an_out_that_is_a_file(classify, files, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert classify(files[0]) == 2
    message = capsys.readouterr().err
    assert "particlespy-ml: " in message and "out" in message
    assert (tmp_path / "out").read_text() == "mine"


def test_models(capsys):
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert list_models(), "no models are bundled"
    for name in list_models():
        assert re.search(rf"^{name}: (HAADF|HRTEM), .*(nm|any size)$", printed, re.MULTILINE)


def test_help_and_version(capsys):
    from particlespy_ml import __version__

    assert main([]) == 0
    assert "classify" in capsys.readouterr().out
    with pytest.raises(SystemExit) as error:
        main(["--version"])
    assert error.value.code == 0 and __version__ in capsys.readouterr().out
    with pytest.raises(SystemExit) as error:
        main(["classify"])
    assert error.value.code == 2


def test_unknown_method(classify, files, capsys):
    with pytest.raises(SystemExit):
        classify(*files, "--method", "ostu")
    assert "invalid choice: 'ostu'" in capsys.readouterr().err
