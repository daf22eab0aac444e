"""What of a file is an image."""

from __future__ import annotations

import hyperspy.api as hs
import numpy as np
import pytest
from hyperspy.signals import ComplexSignal2D, Signal1D, Signal2D

from particlespy_ml.core.load_images import load_images


@pytest.fixture
def several(monkeypatch, tmp_path, two_disks):
    """A file of several signals, as Velox and Bruker write them."""
    image = Signal2D(np.asarray(two_disks.data), metadata={"General": {"title": "HAADF"}})
    other = Signal2D(np.asarray(two_disks.data), metadata={"General": {"title": "BF / 2"}})
    spectrum = Signal1D(np.zeros((3, 10)), metadata={"General": {"title": "EDS"}})
    wave = ComplexSignal2D(np.zeros((8, 8), complex), metadata={"General": {"title": "FFT"}})
    path = tmp_path / "velox.emd"
    path.write_bytes(b"")
    monkeypatch.setattr(hs, "load", lambda *args, **kwargs: [image, spectrum, other, wave])
    return path


def test_every_image_of_a_file_and_a_word_for_the_rest(several):
    images, skipped = load_images(several, "HAADF", 0.04)
    assert [name for name, _ in images] == ["velox HAADF", "velox BF_2"]
    assert all(type(image).__name__ == "HAADFImage" for _, image in images)
    assert all(image.axes_manager.signal_axes[0].scale == 0.04 for _, image in images)
    assert len(skipped) == 2 and "EDS: 1 signal dimensions" in skipped[0] and "FFT: complex" in skipped[1]


def test_nothing_but_spectra(monkeypatch, several):
    monkeypatch.setattr(hs, "load", lambda *args, **kwargs: [Signal1D(np.zeros((3, 10)))])
    with pytest.raises(ValueError, match="no image.*spectra"):
        load_images(several, "HAADF")


def test_tables_of_results_are_no_images(two_disks, tmp_path):
    two_disks.measure_particles().save(tmp_path / "table.hspy")
    with pytest.raises(ValueError, match="a table of results"):
        load_images(tmp_path / "table.hspy", "HAADF")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_become_grey(tmp_path, two_disks, suffix):
    from PIL import Image

    grey = (60 * np.asarray(two_disks.data)).clip(0, 255).astype(np.uint8)
    path = tmp_path / f"screen{suffix}"
    Image.fromarray(np.stack([grey] * 3, -1)).save(path)
    ((name, image),), skipped = load_images(path, "HAADF", 0.04)
    assert name == "screen" and skipped == [] and image.axes_manager.signal_shape == (160, 128)
    np.testing.assert_allclose(np.asarray(image.data), grey, atol=0.01)
    assert image.measure_particles(lazy_output=False).n_particles == 2
