"""The scripts of the documentation, with stand-ins of the vendors' modules and files."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import h5py
import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs" / "live"


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def front(array, scale=0.04, unit="nm"):
    """An image as DigitalMicrograph's Python gives it."""
    calibration = lambda dimension, style: (0.0, scale, unit)  # noqa: E731
    return SimpleNamespace(GetNumArray=lambda: array, GetName=lambda: "Live: A", GetDimensionCalibration=calibration)


@pytest.fixture
def gatan(monkeypatch, shift):
    monkeypatch.setattr(sys, "argv", ["script"])
    module = ModuleType("DigitalMicrograph")
    module.GetFrontImage = lambda: front(shift)
    monkeypatch.setitem(sys.modules, "DigitalMicrograph", module)
    return load("gatan_front_image")


def test_the_front_image_is_sent(gatan, watching, shift, results):
    watcher = watching(port=0)
    runner = threading.Thread(target=watcher.run, kwargs={"seconds": 60})
    runner.start()
    row = gatan.send(sys.modules["DigitalMicrograph"].GetFrontImage(), watcher.address)
    assert row["count"] == 1 and row["pixel_size"] == 0.04 and row["image"] == "Live_A"
    while not watcher.is_idle:
        threading.Event().wait(0.02)
    watcher.stop()
    runner.join()
    assert results()[1] == {"Live_A.hspy": 1}


@pytest.mark.parametrize(("scale", "unit", "size"), [(4e-5, b"\xb5m", 0.04), (-0.4, "A", 0.04), (1, "", None)])
def test_units_of_the_front_image(gatan, scale, unit, size):
    assert gatan.pixel_size(front(None, scale, unit)) == pytest.approx(size)


def test_a_front_image_of_more_dimensions(gatan):
    with pytest.raises(ValueError, match="3 dimensions"):
        gatan.send(front(np.zeros((2, 3, 4))))


def write_velox(path, images, pixel=0.04e-9):
    """The groups of a Velox file that readers go by."""
    with h5py.File(path, "w") as file:
        file.create_dataset("Version", data=np.array([b'{"format": "Velox", "version": "11"}']))
        for number, (name, image) in enumerate(images.items()):
            key = f"{number:032x}"
            group = file.create_group(f"Data/Image/{key}")
            group.create_dataset("Data", data=image[:, :, None])
            size = {"width": str(pixel), "height": str(pixel)}
            told = {
                "BinaryResult": {"PixelSize": size, "PixelUnitX": "m", "PixelUnitY": "m", "DetectorIndex": str(number)},
                "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1700000000"}},
                "Core": {"MetadataDefinitionVersion": "7.9"},
                "Instrument": {"InstrumentModel": "stand-in"},
                "Detectors": {f"Detector-{number}": {"DetectorName": name}},
            }
            text = np.frombuffer(json.dumps(told).encode().ljust(2000, b"\0"), np.uint8)
            group.create_dataset("Metadata", data=text[:, None])


def test_the_folder_that_velox_exports_to(watching, shift, results, tmp_path, monkeypatch):
    script = load("velox_folder")
    monkeypatch.setattr(script, "Watcher", lambda folder, say, **settings: watching(**settings))
    write_velox(tmp_path / "export.emd", {"HAADF": shift})
    said = []
    watcher = script.watch(tmp_path, said.append, condition=None)
    watcher.run(until_idle=True)
    status, particles = results()
    assert status == {"export.emd": "done"} and particles == {"export.emd": 1}
    assert watcher.rows[0]["pixel_size"] == pytest.approx(0.04)
    assert said == ["few, move on"]


def test_advice():
    advise = load("velox_folder").advise
    row = {"image": "a", "status": "done", "focus": 0.9, "focus_reason": "edges", "particles": 5}
    assert "stay" in advise(row) and "focus, then" in advise({**row, "focus": 0.1})
    assert "no particles" in advise({**row, "particles": 0})
    assert "yourself" in advise({**row, "status": "failed", "reason": "not calibrated"})
