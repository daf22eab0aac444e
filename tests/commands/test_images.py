"""Files, folders and patterns."""

from __future__ import annotations

import pytest

from particlespy_ml.commands.images import find_files


@pytest.fixture
def folder(tmp_path):
    for name in ("frame 10.tif", "frame 9.tif", "notes.txt", ".hidden.tif", "still.hspy", "out/old.hspy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_folders_and_patterns(folder):
    files, empty = find_files([folder], folder / "out")
    assert [file.name for file in files] == ["frame 9.tif", "frame 10.tif", "still.hspy"] and empty == []
    files, _ = find_files([folder / "frame*.tif", folder / "frame 9.tif", folder / "missing.tif"])
    assert [file.name for file in files] == ["frame 9.tif", "frame 10.tif", "missing.tif"]
    assert find_files([folder / "**" / "*.hspy"], folder / "out")[0] == [folder / "still.hspy"]
    (folder / "empty").mkdir()
    files, empty = find_files([folder / "empty", folder / "*.dm4"])
    assert files == [] and [path.name for path, _ in empty] == ["empty", "*.dm4"]
    assert "holds no image" in empty[0][1] and "pattern" in empty[1][1]
