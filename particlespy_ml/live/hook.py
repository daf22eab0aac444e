"""A command, or a function, of the user's that is told of every image."""

from __future__ import annotations

import json
import logging
import queue
import shlex
import subprocess
import threading
from collections.abc import Callable

_logger = logging.getLogger(__name__)

WAITING, SECONDS = 100, 60.0  # calls that may wait, and how long one may take


class Hook:
    """Calls a command with each row as JSON on its standard input, one after the other, beside all other work.

    Parameters
    ----------
    command
        A command line, which is not run by a shell, or a function of the row.
    seconds
        After which a command is ended.

    Raises
    ------
    ValueError
        If the command is empty or cannot be split into words.
    """

    def __init__(self, command: str | Callable[[dict], object], seconds: float = SECONDS):
        if not callable(command):
            words = shlex.split(command)
            if not words:
                raise ValueError("The hook is empty; expected a command.")
            self._words = words
        self._call = command if callable(command) else self._run
        self._seconds = seconds
        self._rows: queue.Queue = queue.Queue(WAITING)
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._work, name="hook", daemon=True)
        self._thread.start()

    def __call__(self, row: dict) -> bool:
        """Tell of a row; False where too many wait, and this one is left out."""
        try:
            self._rows.put_nowait(dict(row))
        except queue.Full:
            self._failed(row, f"left out, since {WAITING} rows wait for the hook")
            return False
        return True

    def close(self, seconds: float = 5.0) -> None:
        """Let the calls that wait be made, for some seconds."""
        try:
            self._rows.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def _work(self) -> None:
        while (row := self._rows.get()) is not None:
            try:
                self._call(row)
            except Exception as error:  # the user's code; it must not end the watch
                self._failed(row, f"{type(error).__name__}: {error}")

    def _run(self, row: dict) -> None:
        text = json.dumps(row, ensure_ascii=False).encode()
        done = subprocess.run(self._words, input=text, timeout=self._seconds, check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f"{self._words[0]} ended with {done.returncode}")

    def _failed(self, row: dict, why: str) -> None:
        self.failures.append(why)
        del self.failures[:-20]
        _logger.warning("The hook failed for %s: %s", row.get("image") or row.get("file"), why)
