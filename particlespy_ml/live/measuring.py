"""Images are measured and drawn beside the looks at others: in a process of its own, or in this one.

Threads of Python wait for each other, so that an image that is drawn would hold up the look at the next one. The other
process talks by its standard input and output, and ends with this one, however this one ends.
"""

from __future__ import annotations

import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from particlespy_ml.live.results import draw_picture, write_table
from particlespy_ml.live.session import Analysis, summarise

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal, Signal2D

_logger = logging.getLogger(__name__)

# By its name, since what the module defines is pickled by where it is.
_PROGRAM = "from particlespy_ml.live.measuring import main; main()"
_POLITE = 10  # by which the process gives way to looks
_LARGEST = 2**28  # bytes of an image that is sent to the other process
_PATIENCE = 60.0  # seconds that it has to end


class ProcessEnded(RuntimeError):
    """The process that measured an image ended before it was done."""


@dataclass(frozen=True)
class Measured:
    """What was measured of an image and written to its files.

    Parameters
    ----------
    summary
        What its row says; see `particlespy_ml.live.session.summarise`.
    frame
        Rows of its table, as in its .csv file.
    table
        The table as a dictionary of HyperSpy.
    """

    summary: dict
    frame: pd.DataFrame
    table: dict


class InThisProcess:
    """Measure and draw in this process.

    Parameters
    ----------
    analysis
        What is done with each image.
    out
        Folder of the results.
    """

    gives_way = True

    def __init__(self, analysis: Analysis, out: Path):
        self._analysis, self._out = analysis, Path(out)
        self._last: tuple[BaseSignal, Signal2D] | None = None

    def start(self) -> None:
        """Nothing has to be started."""

    def warm_up(self) -> None:
        """Load what the first image would have to wait for."""
        import pandas  # noqa: F401

        import particlespy_ml.particles.measure_particles
        import particlespy_ml.plotting.overlay  # noqa: F401

        self._analysis.warm_up()

    def measure(self, image: Signal2D, classify: bool, labels: Signal2D | None, name: str, file: str) -> Measured:
        """Measure an image and write its table; see `Analysis.analyse`."""
        self._last = None
        table = self._analysis.analyse(image, classify, labels)
        self._last = table, image
        return Measured(summarise(table), write_table(self._out, name, file, table), table._to_dictionary())

    def draw(self, name: str) -> None:
        """Draw the image that was measured last."""
        table, image = self._last
        draw_picture(self._out / f"{name}.png", table, image)

    def close(self) -> None:
        """Forget the last image."""
        self._last = None


class InAnotherProcess:
    """Measure and draw in another process, which gives way to this one.

    What cannot be sent there, such as a function of a notebook or a movie of gigabytes, is used in this process. If the
    other process dies, the image that it measured fails, and the next one gets a new process.

    Parameters
    ----------
    analysis, out
        As for `InThisProcess`.
    """

    def __init__(self, analysis: Analysis, out: Path):
        self._analysis, self._out = analysis, Path(out)
        self._process: subprocess.Popen | None = None
        self._here: InThisProcess | None = None
        self._aside = InThisProcess(analysis, out)
        self._last_aside = False

    @property
    def gives_way(self) -> bool:
        """Whether measurements must wait for looks."""
        return self._here is not None or self._last_aside

    def start(self) -> None:
        """Start the other process."""
        if self._process is not None or self._here is not None:
            return
        settings = {one.name: getattr(self._analysis, one.name) for one in fields(self._analysis)}
        if hasattr(settings["mask"], "axes_manager"):
            settings["mask"] = np.asarray(settings["mask"].data)
        paths = [path or os.getcwd() for path in sys.path]
        try:
            if "python" not in Path(sys.executable or "").name.lower():
                raise RuntimeError(f"{sys.executable or 'this program'} is no Python that could be started again")
            whole = pickle.dumps((settings, str(self._out)))
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # nothing of the folder that happens to be the current one is imported
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"},
                start_new_session=True,  # what ends the watcher is not meant for it
            )
            self._ask(whole)
        except Exception as error:  # what cannot be pickled says so in many ways
            _logger.warning("Images are measured in the process that looks at others, which is slower: %s", error)
            self.close()
            self._here = self._aside

    def measure(self, image: Signal2D, classify: bool, labels: Signal2D | None, name: str, file: str) -> Measured:
        """Measure an image and write its table; see `Analysis.analyse`."""
        self.start()
        size = sum(one.data.nbytes for one in (image, labels) if one is not None)
        self._last_aside = self._here is not None or size > _LARGEST
        if self._last_aside:
            return self._aside.measure(image, classify, labels, name, file)
        images = [None if one is None else one._to_dictionary() for one in (image, labels)]
        return self._ask(pickle.dumps(("measure", (*images, classify, name, file)), protocol=5))

    def draw(self, name: str) -> None:
        """Draw the image that was measured last."""
        if self._last_aside:
            self._aside.draw(name)
        else:
            self._ask(pickle.dumps(("draw", (name,))))

    def close(self) -> None:
        """End the other process."""
        self._aside.close()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.stdin.close()
            process.wait(_PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()

    def _ask(self, message: bytes) -> Any:
        """Send a message and return the answer; raise what was raised there."""
        try:
            _write(self._process.stdin, message)
            answer = _read(self._process.stdout)
        except (OSError, EOFError):
            process, self._process = self._process, None
            process.kill()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    stream.close()
            raise ProcessEnded(f"the process that measures images ended, with status {process.wait()}") from None
        value, error = pickle.loads(answer)
        if error is not None:
            raise RuntimeError(error)
        return value


def _write(stream: BinaryIO, message: bytes) -> None:
    stream.write(len(message).to_bytes(8, "little"))
    stream.write(message)
    stream.flush()


def _read(stream: BinaryIO) -> bytes:
    head = stream.read(8)
    message = stream.read(int.from_bytes(head, "little")) if len(head) == 8 else b""
    if len(head) < 8 or len(message) < int.from_bytes(head, "little"):
        raise EOFError
    return message


def main() -> None:
    """Answer messages until there is no one left who sends any."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the watcher, which ends this process in time
        signal.signal(number, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_POLITE)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is printed is no answer
    settings, out = pickle.loads(_read(asked))
    worker = _Worker(settings, out)
    gc.collect()
    gc.freeze()  # what was loaded stays: it is not looked through for garbage again and again
    _write(answers, pickle.dumps((None, None)))
    while True:
        try:
            what, arguments = pickle.loads(_read(asked))
        except EOFError:
            return
        try:
            answer = pickle.dumps((getattr(worker, what)(*arguments), None), protocol=5)
        except Exception as error:  # one bad image must not cost the others
            answer = pickle.dumps((None, f"{type(error).__name__}: {error}"))
        arguments = None
        try:
            _write(answers, answer)
        except OSError:  # the watcher was killed meanwhile
            return


def _end_with(parent: int, seconds: float = 0.5) -> None:
    """End once the watcher was killed: another one may take over, and write the same files."""
    while os.getppid() == parent:
        time.sleep(seconds)
    os._exit(1)


class _Worker:
    """The other end of `InAnotherProcess`."""

    def __init__(self, settings: dict, out: str):
        from hyperspy.io import dict2signal

        import particlespy_ml  # noqa: F401 - registers the signals

        self._signal = dict2signal
        self._here = InThisProcess(Analysis(**settings), Path(out))
        self._here.warm_up()

    def measure(self, image: dict, labels: dict | None, classify: bool, name: str, file: str) -> Measured:
        labels = None if labels is None else self._signal(labels)
        return self._here.measure(self._signal(image), classify, labels, name, file)

    def draw(self, name: str) -> None:
        self._here.draw(name)
