"""The load of `benchmarks.watching`, small: files come in every way, and the watcher is killed halfway."""

from __future__ import annotations

import threading

from benchmarks.images import PIXEL_NM
from benchmarks.watching import Dropped, Process, check, drop, make_images, waits, when_slow
from particlespy_ml.live import Watcher, watch


def test_every_readable_file_once_though_the_watcher_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "FIRST_DELAY", 0.02)
    images, dropped = make_images(192, (1, 4)), Dropped()
    ways = ("at once", "halves", "renamed", "at once", "removed", "broken")
    first = Process(tmp_path, "--model", "none", "--no-page", "--no-pictures", "--poll", "0.05")
    assert first.wait_for(lambda lines: lines, 120)
    writer = threading.Thread(target=drop, args=(tmp_path, 18, 12, images, dropped, ways))
    writer.start()
    assert first.wait_for(lambda lines: sum("measured" in line for line in lines) >= 3, 120)
    first.kill()
    writer.join()
    assert dropped.removed and dropped.broken and len(dropped.particles) == 12
    second = Watcher(tmp_path, model=None, port=None, poll=0.05, pictures=False, pixel_size=PIXEL_NM)
    second.run(until_idle=True)
    assert check(tmp_path / "results", dropped) == []
    waited = waits(first.lines, dropped.written, "particles,")
    assert waited and min(waited.values()) > 0
    assert f"0 of {len(waited)}" in when_slow(waited, dropped.written, limit=1e6)
    assert f"{len(waited)} of {len(waited)}, saved at 0 to" in when_slow(waited, dropped.written, limit=0.0, apart=1e6)


def test_what_is_wrong_is_found(tmp_path):
    """The check can fail."""
    images = make_images(192, (1, 4))
    dropped = Dropped()
    drop(tmp_path, 3, 100, images, dropped)
    Watcher(tmp_path, model=None, port=None, poll=0.02, pictures=False, pixel_size=PIXEL_NM).run(until_idle=True)
    assert check(tmp_path / "results", dropped) == []
    name = next(iter(dropped.particles))
    dropped.particles |= {name: 5 - dropped.particles[name], "lost.tif": 1}
    dropped.broken.add("silent.tif")
    wrong = check(tmp_path / "results", dropped)
    assert sum("lost.tif" in line for line in wrong) == 2 and any("silent.tif: broken" in line for line in wrong)
    assert any(line.startswith(f"{name}:") for line in wrong)
