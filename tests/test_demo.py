"""`make demo` without make."""

import hyperspy.api as hs
import pandas as pd
import pytest

from particlespy_ml import data, demo
from particlespy_ml.models.load import list_models


@pytest.fixture(autouse=True)
def bundled_model():
    assert "isomer-haadf" in list_models(), "weights/isomer-haadf is missing"


@pytest.fixture
def measured():
    try:
        data.measured_gold_path()
    except FileNotFoundError as error:
        assert "pip install --no-deps temul-toolkit" in str(error)
        pytest.skip("temul-toolkit is not installed")


def check(folder, name, capsys):
    table = hs.load(folder / f"{name}.hspy")
    frame = pd.read_csv(folder / f"{name}.csv", encoding="utf-8-sig")
    assert type(table).__name__ == "ParticleTable"
    assert len(frame) == table.n_particles > 0
    assert frame["class"].tolist() == list(table["class"])
    assert (folder / f"{name}.png").stat().st_size > 20000
    return table


@pytest.mark.slow
def test_demo(measured, tmp_path, capsys, monkeypatch):
    about_particle = data.measured_gold(lazy=True).isig[1050:1950, 450:1350]  # the whole takes half a minute
    monkeypatch.setattr(data, "measured_gold", lambda lazy: about_particle)
    demo.main(["--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    gold = check(tmp_path / "out", "measured_gold", capsys)
    whole = ~gold["touches_border"]
    assert whole.sum() >= 1, "the image has one whole particle"
    assert 2 < gold["equivalent_circular_diameter"][whole].max() < 12
    movie = check(tmp_path / "out", "isomer_movie", capsys)
    assert movie.n_particles == 48
    assert (tmp_path / "out" / "isomer_movie_fractions.png").is_file()
    assert "Simulated: 22 particles" in printed and "Simulated: two particles in 24 frames" in printed
    assert "LazyHAADFImage" in printed and "probability" in printed and str(tmp_path / "out") in printed


def test_demo_of_the_simulated_movie(tmp_path, capsys):
    demo.classify(data.isomer_movie(lazy=True), tmp_path, "isomer_movie")
    assert "equivalent_circular_diameter" in capsys.readouterr().out
    assert check(tmp_path, "isomer_movie", capsys).n_particles == 48


def test_measured_image(measured):
    """Its own calibration, lazily."""
    image = data.measured_gold()
    assert type(image).__name__ == "LazyHAADFImage"
    assert image.data.shape == (2048, 2048)
    for axis in image.axes_manager.signal_axes:
        assert axis.units == "nm" and axis.scale == pytest.approx(0.0075, rel=0.02)


def test_the_measured_image_is_missing(monkeypatch):
    monkeypatch.setattr("particlespy_ml.data._examples.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps temul-toolkit"):
        data.measured_gold()


@pytest.mark.parametrize("load", [data.gold_on_carbon, data.isomer_movie])
@pytest.mark.parametrize("lazy", [False, True])
def test_bundled_images(load, lazy):
    image = load(lazy=lazy)
    assert type(image).__name__ == ("LazyHAADFImage" if lazy else "HAADFImage")
    assert [axis.units for axis in image.axes_manager.signal_axes] == ["nm", "nm"]
    assert [axis.scale for axis in image.axes_manager.signal_axes] == [0.04, 0.04]
    assert image.metadata.Simulation.pixel_size_nm == 0.04
