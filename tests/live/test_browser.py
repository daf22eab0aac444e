"""The page in a browser: Chromium, where PyQtWebEngine is installed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.live.conftest import ONE

pytest.importorskip("PyQt5.QtWebEngineWidgets", reason="the extra 'browser' is not installed", exc_type=ImportError)


class Browser:
    """A browser in a process of its own, and what it saw each time that it loaded the page by itself."""

    def __init__(self, address: str, seconds: float):
        command = [sys.executable, Path(__file__).with_name("browse.py"), address, str(seconds)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.seen: list[dict] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        self.seen += map(json.loads, iter(self.process.stdout.readline, ""))

    def shows(self, *names: str, seconds: float = 40) -> dict:
        """Wait until the page lists images of these names, and nothing else."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and self.process.poll() is None:
            for seen in self.seen[::-1]:
                if set(seen.get("names", ())) == set(names):
                    return seen
            time.sleep(0.05)
        raise AssertionError(f"{names} did not appear; the browser saw {self.seen}")


def test_a_row_appears_without_a_hand(save, watching):
    save("first & one.hspy")
    watcher = watching(port=0, pictures=True, poll=0.1)
    runner = threading.Thread(target=watcher.run, kwargs={"seconds": 90})
    runner.start()
    browser = Browser(watcher.address, 90)
    try:
        before = browser.shows("first & one")
        save("second.hspy", ONE, seed=1)
        after = browser.shows("first & one", "second")
        loads = len(browser.seen)
        assert loads >= 2 and before["whole"] and after["names"] == ["second", "first & one"]  # the newest first
        while not watcher.is_idle:
            time.sleep(0.02)
        browser.seen.clear()
        last = browser.shows("first & one", "second")
        assert last["bars"] >= 4 and last["pictures"] == [["second", last["pictures"][0][1]]]
        assert last["pictures"][0][1] > 100
        assert all(name.startswith(watcher.address) for name in last["fetched"])  # nothing of other machines
    finally:
        browser.process.kill()
        browser.process.wait()
        watcher.stop()
        runner.join()
