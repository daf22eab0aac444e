"""A folder is watched: each image once, whatever happens to its file and to the watcher."""

from __future__ import annotations

import os
import sys
import threading
import time

import hyperspy.api as hs
import numpy as np
import pytest
from hyperspy.signals import Signal2D

from particlespy_ml.live import Watcher, workers
from particlespy_ml.live.files import Stamp
from particlespy_ml.live.rows import Job
from particlespy_ml.live.workers import Analyser
from tests.live.conftest import ONE, THREE


def test_images_become_rows_tables_and_pictures(save, watching, results, tmp_path, model_folder):
    save("two.hspy")
    save("three.hspy", THREE)
    Signal2D(np.zeros((8, 8))).save(tmp_path / "uncalibrated.hspy")
    told = []
    watcher = watching(model=model_folder, condition="count > 2", hook=told.append, pictures=True)
    watcher.run(until_idle=True)
    status, particles = results()
    assert status == {"two.hspy": "done", "three.hspy": "done", "uncalibrated.hspy": "failed"}
    assert particles == {"two.hspy": 2, "three.hspy": 3}
    out = tmp_path / "results"
    for name in ("two", "three"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert hs.load(out / f"{name}.hspy").n_particles == particles[f"{name}.hspy"]
    table = hs.load(out / "particles.hspy")
    assert table.n_particles == 5 and set(table["source"]) == {"two", "three"}
    by_name = dict(zip(table.names["source"], (table.data[0], table.data[1]), strict=True))
    assert np.isnan(by_name["two"]["probability"]).all() and (by_name["two"]["class_index"] == -1).all()
    assert np.isfinite(by_name["three"]["probability"]).all()
    assert hs.load(out / "two.hspy").metadata.particlespy_ml.segmentation.method == "auto"
    rows = {row["image"]: row for row in watcher.rows}
    assert rows["two"]["classify"] is False and "classes" not in rows["two"]
    assert sum(rows["three"]["classes"].values()) == 3 and rows["three"]["mean_diameter"] > 1
    assert "pixel" in rows["uncalibrated"]["flags"] and "calibrated" in rows["uncalibrated"]["reason"]
    assert sorted(row["image"] for row in told) == ["three", "two", "uncalibrated"]
    assert sum("particles, coverage" in line for line in watcher.said) == 2
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "refresh" not in page and "two.png" in page or "three.png" in page


def test_a_series_and_names_that_are_taken(series, save, watching, results, tmp_path):
    series.save(tmp_path / "movie.hspy")
    save("movie.tif")
    save("particles.hspy", ONE)
    watcher = watching()
    watcher.run(until_idle=True)
    assert results()[1] == {"movie.hspy": 3, "movie.tif": 2, "particles.hspy": 1}
    assert sorted(row["image"] for row in watcher.rows) == ["movie", "movie-2", "particles-2"]
    assert {row["frames"] for row in watcher.rows} == {1, 3}


def test_a_second_start_does_what_is_new(save, watching, results, entries, tmp_path):
    save("one.hspy", ONE)
    replaced, touched = save("two.hspy"), save("three.hspy", THREE)
    watching().run(until_idle=True)
    first = len(entries())
    again = watching()
    again.run(until_idle=True)
    assert again.said == [] and len(again.rows) == 3 and len(entries()) == first
    save("new.hspy", ONE, seed=1)
    replaced.unlink()
    save("two.hspy", THREE, seed=1)
    os.utime(touched, (1, 1))
    (tmp_path / "one.hspy").unlink()
    last = watching()
    last.run(until_idle=True)
    assert results()[1] == {"one.hspy": 1, "two.hspy": 3, "three.hspy": 3, "new.hspy": 1}
    assert {line.split()[1] for line in last.said} == {"new:", "two:"}
    assert hs.load(tmp_path / "results" / "particles.hspy").n_particles == 8


@pytest.mark.parametrize("step", ["begin", "save", "end"])
def test_whatever_a_watcher_had_begun_is_done_once(save, watching, results, monkeypatch, step):
    """As if it had been killed at some step, and its last words lost."""
    from particlespy_ml.live.rows import Rows

    save("one.hspy", ONE)
    save("two.hspy")
    whole = getattr(Rows, step)

    def die(self, *arguments):
        if arguments[0] == "two" or getattr(arguments[0], "path", None) == self._folder / "two.hspy":
            first.stop()
            raise SystemExit  # ends the thread without a word
        return whole(self, *arguments)

    monkeypatch.setattr(Rows, step, die)
    first = watching()
    first.run(seconds=60)
    monkeypatch.undo()
    watching().run(until_idle=True)
    assert results() == ({"one.hspy": "done", "two.hspy": "done"}, {"one.hspy": 1, "two.hspy": 2})


def test_files_that_cannot_be_read_are_tried_again_and_named(save, watching, results, tmp_path):
    whole = save("late.hspy").read_bytes()
    (tmp_path / "late.hspy").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bad.tif").write_bytes(b"nothing")
    watcher = watching()
    runner = threading.Thread(target=watcher.run, kwargs={"seconds": 30})
    runner.start()
    wait_until(lambda: sum(row["status"] == "unreadable" for row in watcher.rows) == 2)
    (tmp_path / "late.hspy").write_bytes(whole)
    wait_until(lambda: any("6 times" in line for line in watcher.said) and watcher.is_idle)
    watcher.stop()
    runner.join()
    assert results() == ({"late.hspy": "done", "bad.tif": "unreadable"}, {"late.hspy": 2})
    assert any("bad.tif: cannot be read 6 times" in line for line in watcher.said)


def test_a_slow_image_does_not_hold_up_the_list(save, watching, monkeypatch):
    going, measured = threading.Event(), []
    whole = Analyser._do

    def slow(self, task):
        going.wait(20)
        measured.append(task.images is not None)
        whole(self, task)

    monkeypatch.setattr(Analyser, "_do", slow)
    monkeypatch.setattr(workers, "KEPT", 500_000)  # a few of these images
    for number in range(7):
        save(f"frame {number}.hspy", ONE, seed=number)
    watcher = watching()
    runner = threading.Thread(target=watcher.run, kwargs={"until_idle": True})
    runner.start()
    wait_until(lambda: [row["status"] for row in watcher.rows] == ["seen"] * 7)
    going.set()
    runner.join()
    assert [row["particles"] for row in watcher.rows] == [1] * 7
    assert 0 < measured.count(False) < 7  # those that waited were read again, and not kept in memory


def test_a_file_that_is_replaced_while_it_is_measured(save, watching, results, tmp_path, monkeypatch):
    """What was measured of the old file is none of the new one's, even if the watcher ends before that is measured."""
    from particlespy_ml.live.rows import Rows

    save("one.hspy", ONE)
    first = watching()
    whole = Rows.save

    def replaced(self, name, job, number, measured):
        if measured.summary["particles"] == 1:
            path = save("new.hspy", THREE, seed=1)
            os.replace(path, tmp_path / "one.hspy")
            job_of_new = Job(tmp_path / "one.hspy", Stamp.of(tmp_path / "one.hspy"))
            self.begin(job_of_new, "another", ["one"], [{"count": 3, "classify": False}])
            first.stop()
        return whole(self, name, job, number, measured)

    monkeypatch.setattr(Rows, "save", replaced)
    first.run(seconds=60)
    assert [row["status"] for row in first.rows] == ["seen"]
    monkeypatch.undo()
    watching().run(until_idle=True)
    assert results() == ({"one.hspy": "done"}, {"one.hspy": 3})


def test_a_table_of_all_that_could_not_be_written_is_written_again(save, watching, tmp_path, monkeypatch, caplog):
    from particlespy_ml.live import results as module

    save("two.hspy")
    watcher = watching()
    watcher.run(until_idle=True)
    (tmp_path / "results" / "particles.hspy").unlink()
    rows = watcher._rows
    rows.results._changed = True
    with monkeypatch.context() as context:
        context.setattr(module, "join_tables", lambda tables: 1 / 0)
        watcher._join()
    assert "written again" in caplog.text
    watcher._join()
    assert hs.load(tmp_path / "results" / "particles.hspy").n_particles == 2


def test_ctrl_c_leaves_everything_readable(save, watching, results, monkeypatch):
    save("two.hspy")
    watcher = watching()

    def look():
        if any(row["status"] == "done" for row in watcher.rows):
            raise KeyboardInterrupt
        return whole()

    whole = watcher._look
    monkeypatch.setattr(watcher, "_look", look)
    watcher.run()
    assert results() == ({"two.hspy": "done"}, {"two.hspy": 2})
    assert any("Ending" in line for line in watcher.said)


def test_settings_and_folders_that_do_not_go(save, watching, tmp_path):
    save("one.hspy", ONE)
    first = watching()
    with pytest.raises(ValueError, match="Another watcher"):
        watching()
    first.close()
    with pytest.raises(ValueError, match="other settings.*pixel_size"):
        watching(pixel_size=0.1)
    watching().close()
    with pytest.raises(NotADirectoryError, match="no folder"):
        Watcher(tmp_path / "none")
    for wrong in ({"signal_type": "EELS"}, {"poll": 0}, {"condition": "count > 1"}, {"model": "resnet"}):
        with pytest.raises(ValueError, match="EELS|poll|no model|Unknown model"):
            Watcher(tmp_path, tmp_path / "other", **{"model": None, **wrong})


def wait_until(true, seconds=20):
    ends = time.monotonic() + seconds
    while not true() and time.monotonic() < ends:
        time.sleep(0.01)
    assert true()


def test_threads_take_turns_quickly_while_a_folder_is_watched(save, watching):
    before, seen = sys.getswitchinterval(), []
    save("two.hspy")
    watching(say=lambda text: seen.append(sys.getswitchinterval())).run(until_idle=True)
    assert seen and max(seen) < 0.1 * before and sys.getswitchinterval() == before
