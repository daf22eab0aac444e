"""A file or folder is replaced whole or not at all, and nothing is left beside it."""

import os

import pytest

from particlespy_ml.core import files
from particlespy_ml.core.files import replacing


def write(path, text, kind):
    if kind == "folder":
        path.mkdir()
        path = path / "data"
    path.write_text(text)


def read(path):
    return (path / "data" if path.is_dir() else path).read_text()


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "old"])
class TestReplacing:
    def test_what_was_written_takes_the_place(self, tmp_path, kind, there):
        path = tmp_path / "image.zspy"
        if there:
            write(path, "old", kind)
        with replacing(path) as part:
            assert (part.parent, part.suffix) == (tmp_path, ".zspy") and not part.exists()
            write(part, "new", kind)
            assert read(path) == "old" if there else not path.exists()
        assert read(path) == "new" and list(tmp_path.iterdir()) == [path]

    def test_an_error_changes_nothing(self, tmp_path, kind, there):
        path = tmp_path / "image.zspy"
        if there:
            write(path, "old", kind)
        with pytest.raises(KeyboardInterrupt), replacing(path) as part:
            write(part, "half", kind)
            raise KeyboardInterrupt
        assert list(tmp_path.iterdir()) == [path] * there
        assert not there or read(path) == "old"

    def test_nothing_written_is_an_error(self, tmp_path, kind, there):
        path = tmp_path / "image.zspy"
        if there:
            write(path, "old", kind)
        with pytest.raises(FileNotFoundError), replacing(path):
            pass
        assert list(tmp_path.iterdir()) == [path] * there
        assert not there or read(path) == "old"

    def test_what_a_killed_process_left_is_removed(self, tmp_path, kind, there):
        path = tmp_path / "image.zspy"
        write(tmp_path / f".image.{os.getpid()}.part.zspy", "left", "folder" if there else "file")
        with replacing(path) as part:
            write(part, "new", kind)
        assert read(path) == "new" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_move_in_leaves_the_old_one(tmp_path, monkeypatch):
    """The old folder has stepped aside when the new one fails to take its place."""
    path = tmp_path / "image.zspy"
    write(path, "old", "folder")
    replace = os.replace

    def fail(source, target):
        if ".part" in source.name:
            raise PermissionError("in use")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(PermissionError, match="in use"), replacing(path) as part:
        write(part, "new", "folder")
    assert read(path) == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["card.json", "model", "a.b.npz"])
def test_names_are_given_as_words_too(tmp_path, name):
    with replacing(str(tmp_path / name)) as part:
        part.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_two_files_of_one_result_come_in_order(tmp_path):
    """The inner one first: the outer one, which names it, is not there without it."""
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.star") as star, replacing(tmp_path / "a.mrcs"):
        star.write_text("names a.mrcs")
    assert list(tmp_path.iterdir()) == []
