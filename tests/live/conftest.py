"""Images in a folder, and a watcher that looks at it often."""

from __future__ import annotations

import json

import numpy as np
import pytest

from particlespy_ml.live import watch
from particlespy_ml.live.watch import Watcher
from tests.conftest import TWO, as_image, disk_frame

ONE, THREE = ([(60, 70)], [18]), ([(40, 40), (80, 110), (95, 40)], [14, 20, 12])


@pytest.fixture
def save(tmp_path):
    """A function that saves an image of some disks to the folder and returns its file."""

    def write(name, disks=TWO, seed=0, scale=0.04):
        path = tmp_path / name
        as_image(disk_frame(*disks, seed=seed), "HAADF", scale=scale).save(path, overwrite=True)
        return path

    return write


@pytest.fixture
def watching(tmp_path, monkeypatch):
    """A function that makes a watcher of the folder that measures alone and keeps what it says."""
    monkeypatch.setattr(watch, "FIRST_DELAY", 0.02)
    made = []

    def make(**settings):
        said = []
        defaults = {
            "model": None,
            "port": None,
            "poll": 0.02,
            "pictures": False,
            "own_process": False,
            "say": said.append,
        }
        made.append(Watcher(tmp_path, **{**defaults, **settings}))
        made[-1].said = said
        return made[-1]

    yield make
    for watcher in made:
        watcher.close()


@pytest.fixture
def results(tmp_path):
    """A function that returns what the tables of the folder say: status by file, and rows of particles by file."""
    import pandas as pd

    def read():
        out = tmp_path / "results"
        images = pd.read_csv(out / "images.csv", encoding="utf-8-sig", keep_default_na=False)
        assert images["file"].is_unique
        status = dict(zip(images["file"], images["status"], strict=True))
        if not (out / "particles.csv").is_file():
            return status, {}
        particles = pd.read_csv(out / "particles.csv", encoding="utf-8-sig")
        return status, particles["file"].value_counts().to_dict()

    return read


@pytest.fixture
def entries(tmp_path):
    """A function that returns the lines of the ledger."""
    return lambda: [json.loads(line) for line in (tmp_path / "results" / "ledger.jsonl").read_text().splitlines()]


@pytest.fixture
def shift():
    """An array of an image."""
    return np.asarray(disk_frame(*ONE), np.float32)
