"""The library of simulations: seeded, resumable, and never half-written."""

import json
from concurrent.futures import Future

import numpy as np
import pytest

from particlespy_ml.simulation.datasets import isomers as isomer_library
from particlespy_ml.simulation.datasets import store as library
from particlespy_ml.simulation.datasets.isomers import IsomerLibraryRecipe, load_entries, simulate_library

SMALL = IsomerLibraryRecipe(n_atoms=(18, 22), held_out_phonons=1)


def test_held_out_rounds_have_all_classes():
    recipe = IsomerLibraryRecipe()
    held = [index for index in range(200) if recipe.is_held_out(index)]
    assert len(held) == 40
    assert sorted({index % len(recipe.classes) for index in held}) == list(range(len(recipe.classes)))


def test_what_is_no_isomer_is_the_last_class():
    assert IsomerLibraryRecipe().isomers == ("icosahedron", "decahedron", "cuboctahedron", "amorphous")
    with pytest.raises(ValueError, match="must be the last"):
        IsomerLibraryRecipe(classes=("other", "icosahedron"))


def test_recipe_from_a_mapping():
    recipe = IsomerLibraryRecipe.from_dict({"symbol": "Pt", "n_atoms": [100, 200]})
    assert recipe.symbol == "Pt"
    assert recipe.n_atoms == (100, 200)
    with pytest.raises(ValueError, match="Unknown simulation settings"):
        IsomerLibraryRecipe.from_dict({"sybmol": "Pt"})


@pytest.mark.filterwarnings("ignore::Warning:abtem")
def test_library_is_made_resumed_and_refused(tmp_path, monkeypatch):
    pytest.importorskip("abtem")
    files = simulate_library(tmp_path, 2, SMALL, workers=1, show_progressbar=False)
    assert [path.name for path in files] == ["000000.npz", "000001.npz"]
    stamps = [path.stat().st_mtime_ns for path in files]
    simulate_library(tmp_path, 2, SMALL, workers=1, show_progressbar=False)
    assert [path.stat().st_mtime_ns for path in files] == stamps
    entries = load_entries(tmp_path)
    assert [entry["label"] for entry in entries] == [0, 1]
    again = isomer_library.simulate_isomer(SMALL, 1)
    np.testing.assert_array_equal(again["images"], entries[1]["images"])
    assert json.loads(again["parameters"])["class"] == "decahedron"
    # positions are those of the image: the centre of intensity is the centre of the atoms
    total = entries[0]["images"].sum(0)
    rows, columns = np.indices(total.shape)
    centre = np.array([(columns * total).sum(), (rows * total).sum()]) / total.sum() * 0.3
    np.testing.assert_allclose(centre, entries[0]["positions"][:, :2].mean(0), atol=0.5)
    with pytest.raises(ValueError, match="another recipe"):
        simulate_library(tmp_path, 3, IsomerLibraryRecipe(seed=5), workers=1, show_progressbar=False)


def test_only_what_is_held_out(tmp_path, monkeypatch):
    made = []

    class InThisProcess:
        def __init__(self, *args, **kwargs): ...

        def __enter__(self):
            return self

        def __exit__(self, *error): ...

        def submit(self, function, *args):
            made.append(args[3])
            future = Future()
            future.set_result(None)
            return future

    monkeypatch.setattr(library, "ProcessPoolExecutor", InThisProcess)
    files = simulate_library(tmp_path, 60, SMALL, show_progressbar=False, held_out_only=True)
    assert made == [20, 21, 22, 23, 24, 45, 46, 47, 48, 49]
    assert [int(path.stem) for path in files] == made


def test_a_part_is_no_entry(tmp_path):
    (tmp_path / "000003.77.part").write_bytes(b"half")
    assert load_entries(tmp_path) == []
