"""Files are given once they stand still, once for each content."""

from __future__ import annotations

import os

import pytest

from particlespy_ml.live import files as files_module
from particlespy_ml.live.files import Stamp, StillFiles, hash_of, image_files


def given(files, **keywords):
    return [path.name for path, _ in files.look(**keywords)]


def test_among_many_files_a_replaced_one_is_seen_a_little_later(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "MANY", 2)
    files, path = StillFiles(tmp_path), tmp_path / "a.tif"
    path.write_bytes(b"one")
    (tmp_path / "b.tif").write_bytes(b"one")
    assert [name for _ in range(3) for name in given(files)] == ["a.tif", "b.tif"]
    path.write_bytes(b"another")
    (tmp_path / "c.tif").write_bytes(b"new")
    assert [name for _ in range(2) for name in given(files)] == ["c.tif"]  # new ones as soon as ever
    assert [name for _ in range(files_module.GIVEN_EVERY) for name in given(files)] == ["a.tif"]
    path.unlink()
    assert not given(files) and path not in files._seen


def test_only_images_that_are_seen(tmp_path):
    for name in ("a.tif", "b.dm4", ".c.tif", "notes.txt", "results/d.tif", "inner/e.tif", "f.zspy/0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "g.tif").mkdir()
    names = [path.name for path in image_files(tmp_path, tmp_path / "results")]
    assert names == ["a.tif", "b.dm4", "f.zspy"]
    inner = [path.name for path in image_files(tmp_path, tmp_path / "results", recursive=True)]
    assert sorted(inner) == ["a.tif", "b.dm4", "e.tif", "f.zspy"]


def test_a_file_that_grows_is_given_at_its_end(tmp_path):
    files, path = StillFiles(tmp_path), tmp_path / "a.tif"
    path.write_bytes(b"")
    assert given(files) == given(files) == [] and files.waiting == 0  # empty
    for length in (1, 2, 3):
        path.write_bytes(b"x" * length)
        assert given(files) == []
    assert files.waiting == 1
    assert given(files) == ["a.tif"] and given(files) == [] and files.waiting == 0


def test_a_file_that_is_replaced_is_given_again(tmp_path):
    files, path = StillFiles(tmp_path), tmp_path / "a.tif"
    path.write_bytes(b"one")
    given(files)
    assert given(files) == ["a.tif"]
    before = path.stat()
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))  # as large and as old
    os.replace(other, path)
    assert given(files) == [] and given(files) == ["a.tif"]
    files.again(path)
    assert given(files) == [] and given(files) == ["a.tif"]
    path.unlink()
    assert given(files) == [] and Stamp.of(path) is None


def test_no_more_than_there_is_room_for(tmp_path):
    files = StillFiles(tmp_path)
    for number, name in enumerate("cab"):
        path = tmp_path / f"{name}.tif"
        path.write_bytes(b"x")
        os.utime(path, (number, number))
    given(files)
    assert given(files, most=0) == [] and len(given(files, most=2)) == 2 and len(given(files, most=2)) == 1


def test_a_folder_that_cannot_be_read(tmp_path):
    with pytest.raises(OSError):
        StillFiles(tmp_path / "none").look()


def test_hashes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_of(tmp_path / "a").startswith("ba7816bf")
    one, two = (hash_of_folder(tmp_path / name, inside) for name, inside in (("x", "1"), ("y", "2")))
    assert one != two == hash_of_folder(tmp_path / "z", "2")


def hash_of_folder(folder, inside):
    folder.mkdir()
    (folder / inside).write_bytes(b"abc")
    return hash_of(folder)
