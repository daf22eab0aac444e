"""The wheel, built from the checkout and used from another folder: what a user gets from pip."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKERS = Path("particlespy_ml/data/make")  # of the bundled data: for those who have the repository
HEAVY = ("torch", "abtem", "atomap", "particlespy", "particlespy_ml.signals")

# Run by a Python that finds the unpacked wheel before anything else.
CLIENT = f"""
import json, sys
import hyperspy.api as hs
heavy = [name for name in {HEAVY!r} if name in sys.modules]
hs.print_known_signal_types()

from importlib.metadata import version
from importlib.resources import files
import numpy as np
import particlespy_ml
classes = {{}}
for signal_type in ("particle_image", "HAADF", "haadf", "HAADF-STEM", "HRTEM", "hrtem"):
    for lazy in (False, True):
        signal = hs.signals.Signal2D(np.zeros((2, 8, 8)))
        signal = signal.as_lazy() if lazy else signal
        signal.set_signal_type(signal_type)
        classes[f"{{signal_type}} {{lazy}}"] = type(signal).__name__
table = np.empty(2, dtype=object)
table[:] = [np.zeros(3, dtype=[("x", float)]), np.zeros(0, dtype=[("x", float)])]
for lazy in (False, True):
    signal = hs.signals.BaseSignal(table, ragged=True)
    signal = signal.as_lazy() if lazy else signal
    signal.set_signal_type("particle_table")
    classes[f"particle_table {{lazy}}"] = type(signal).__name__
weights = files("particlespy_ml.weights")
print(json.dumps({{
    "heavy": heavy,
    "file": particlespy_ml.__file__,
    "versions": [particlespy_ml.__version__, version("particlespy-ml")],
    "classes": classes,
    "models": sorted(folder.name for folder in weights.iterdir() if folder.joinpath("model.safetensors").is_file()),
}}))
"""


def _files(folder):
    """Files below a folder, relative to it, without what Python leaves there."""
    return {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.is_file() and path.suffix != ".pyc"
    }


def _pip(*arguments):
    subprocess.run([sys.executable, "-m", "pip", *map(str, arguments)], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built in a copy of the checkout so that no older build is mixed into it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("particlespy_ml", "weights"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, source)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the installed wheel, and the environment in which Python finds it first."""
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder, {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def client(installed, tmp_path_factory):
    """What a Python in another folder prints and finds: (printed, found)."""
    folder, environment = installed
    result = subprocess.run(
        [sys.executable, "-c", CLIENT],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    *printed, found = result.stdout.splitlines()
    return "\n".join(printed), json.loads(found)


def test_setup_lists_every_package():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "particlespy_ml").rglob("*.py")}
    folders -= {MAKERS}
    assert listed == {".".join(folder.parts) for folder in folders} | {"particlespy_ml.weights"}


@pytest.mark.slow
def test_wheel_carries_every_file(wheel):
    expected = {f"particlespy_ml/{name}" for name in _files(ROOT / "particlespy_ml")}
    expected = {name for name in expected if not name.startswith(MAKERS.as_posix())}
    expected |= {f"particlespy_ml/weights/{name}" for name in _files(ROOT / "weights")}
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if not name.startswith("particlespy_ml-")}
    assert sorted(carried) == sorted(expected)


@pytest.mark.slow
def test_wheel_is_small(wheel):
    assert wheel.stat().st_size < 40 * 2**20


@pytest.mark.slow
def test_client_uses_the_wheel(installed, client):
    _, found = client
    assert Path(found["file"]).is_relative_to(installed[0])
    assert found["versions"][0] == found["versions"][1]


@pytest.mark.slow
def test_hyperspy_api_imports_nothing_heavy(client):
    _, found = client
    assert found["heavy"] == []


@pytest.mark.slow
def test_hyperspy_knows_the_signals(client):
    printed, found = client
    names = {
        "particle_image": "ParticleImage",
        "HAADF": "HAADFImage",
        "haadf": "HAADFImage",
        "HAADF-STEM": "HAADFImage",
        "HRTEM": "HRTEMImage",
        "hrtem": "HRTEMImage",
        "particle_table": "ParticleTable",
    }
    expected = {f"{key} False": name for key, name in names.items()}
    expected |= {f"{key} True": f"Lazy{name}" for key, name in names.items()}
    assert found["classes"] == expected
    for signal_type in ("particle_image", "HAADF", "HRTEM", "particle_table"):
        assert signal_type in printed


@pytest.mark.slow
def test_wheel_has_the_models(client):
    _, found = client
    assert found["models"] == sorted(path.parent.name for path in (ROOT / "weights").glob("*/model.safetensors"))
    assert "isomer-haadf" in found["models"]


@pytest.mark.slow
def test_command_lists_the_models(installed, tmp_path):
    folder, environment = installed
    command = [sys.executable, folder / "bin" / "particlespy-ml", "models"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "isomer-haadf" in result.stdout
