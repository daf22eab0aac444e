"""A measured camera as a file, in recipes, and on images."""

from dataclasses import replace

import numpy as np
import pytest

from particlespy_ml.quality.mtf import MTF
from particlespy_ml.simulation.recording.camera import Camera, load_camera
from particlespy_ml.simulation.recording.columns import ColumnImagingRecipe, _Camera

CAMERA = Camera(0.07, 0.196, 2.29, (0.01, 0.004, 0.1), gain=60.0, offset=100.0, name='"K" of 2018')


def test_file_gives_the_same_camera(tmp_path):
    CAMERA.save(tmp_path / "camera.toml")
    assert load_camera(tmp_path / "camera.toml") == CAMERA


@pytest.mark.parametrize("text", ["", "[camera]\nfloor = 0.1", "[camera]\nspeed = 3", "[camera]\nfloor = 'x'", "[["])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "camera.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="no file of a camera"):
        load_camera(path)
    with pytest.raises(ValueError, match="There is no camera file"):
        load_camera(tmp_path / "other.toml")


def test_cameras_that_cannot_be():
    with pytest.raises(ValueError, match="floor"):
        Camera(-0.1, 0.2, 2.0)
    with pytest.raises(ValueError, match="errors"):
        Camera(0.1, 0.2, 2.0, errors=(0.1, -1, 0))


def test_record_keeps_mean_and_has_the_spectrum_of_its_transfer():
    image = CAMERA.record(np.full((256, 256), 20.0), np.random.default_rng(0))
    assert image.mean() == pytest.approx(100 + 60 * 20, rel=0.01)
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2 / image.size
    q = 2 * np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    for low, high in ((0.05, 0.1), (0.3, 0.4), (0.8, 0.9)):
        ring = (q > low) & (q < high)
        expected = 60**2 * 20 * np.mean(CAMERA.transfer(q[ring] / 2) ** 2)
        assert power[ring].mean() == pytest.approx(expected, rel=0.1)


def test_camera_of_an_estimate():
    made = Camera.from_mtf(MTF(0.07, 0.2, 2.0, (0.01, 0.01, 0.1), gain=50.0), offset=3.0, name="one")
    assert (made.half_width, made.gain, made.offset, made.name) == (0.2, 50.0, 3.0, "one")


def test_recipes_take_the_file(tmp_path):
    path = tmp_path / "camera.toml"
    replace(CAMERA, errors=(0.0, 0.0, 0.0)).save(path)
    recipe = ColumnImagingRecipe.from_dict({"camera": str(path)})
    drawn = _Camera.drawn(recipe, np.random.default_rng(0))
    assert (drawn.floor, drawn.half_width, drawn.exponent) == (0.07, 0.196, 2.29)
    assert drawn.blurs_image and drawn.blurs_noise
    CAMERA.save(tmp_path / "spread.toml")
    recipe = ColumnImagingRecipe(camera=str(tmp_path / "spread.toml"))
    widths = [_Camera.drawn(recipe, np.random.default_rng(seed)).half_width for seed in range(40)]
    assert np.std(widths) == pytest.approx(0.004, rel=0.4)
