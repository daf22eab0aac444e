"""The ledger survives a process that is killed while it writes."""

from __future__ import annotations

import pytest

from particlespy_ml.live.ledger import FolderLock, Ledger


def test_the_last_entry_counts_and_a_cut_line_does_not(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    for file, number in (("a", 1), ("b", 1), ("a", 2)):
        ledger.write(file, {"number": number, "title": "Å"})
    whole = path.read_bytes()
    for cut in range(len(whole) - 20, len(whole)):
        path.write_bytes(whole[:cut])
        again = Ledger(path)
        assert again["a"]["number"] == (2 if cut == len(whole) - 1 else 1) and again["b"]["title"] == "Å"
        again.write("c", {"number": 3})
        after = Ledger(path)
        assert after["c"]["number"] == 3 and len(after) == 3 and after.get("d") is None and "a" in after
    assert [file for file, _ in Ledger(path).items()] == ["a", "b", "c"]


def test_another_file_is_refused(tmp_path):
    (tmp_path / "ledger.jsonl").write_text("my notes\nof today\n")
    with pytest.raises(ValueError, match="no entry of a watcher"):
        Ledger(tmp_path / "ledger.jsonl")


def test_one_watcher_a_folder(tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(ValueError, match="Another watcher"):
        FolderLock(tmp_path)
    lock.close()
    FolderLock(tmp_path).close()
