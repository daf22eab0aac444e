"""The hands of a watch: some look at every image at once, another measures them one after the other."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from particlespy_ml.core.load_images import load_images
from particlespy_ml.live.files import hash_of
from particlespy_ml.live.measuring import InAnotherProcess, InThisProcess, Measured, ProcessEnded
from particlespy_ml.live.rows import Job, Rows
from particlespy_ml.live.session import Analysis

_logger = logging.getLogger(__name__)

# HyperSpy asks to report files that it cannot read, which files that are still written are not meant by.
_READER = logging.getLogger("hyperspy.io")
PATIENCE = 1.0  # seconds that each step of a measurement waits for first looks at most
KEPT = 2**28  # bytes of images and labels in memory that wait to be measured; others are read again


@dataclass
class Task:
    """Images of a file that wait to be measured; *images* are None where they are to be read again."""

    job: Job
    rows: list[dict]
    images: list[tuple[Any, Any]] | None

    @property
    def size(self) -> int:
        """Bytes of its images and labels in memory."""
        return sum(one.data.nbytes for pair in self.images or () for one in pair if one is not None)


class _Quiet:
    """Read files without a word, in any number of threads: what cannot be read is said by the watch."""

    def __init__(self):
        self._lock, self._inside, self._level = threading.Lock(), 0, logging.NOTSET

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._level = _READER.level
                _READER.setLevel(logging.CRITICAL + 1)
            self._inside += 1

    def __exit__(self, *exception) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _READER.setLevel(self._level)


_quiet = _Quiet()


class Looker(threading.Thread):
    """Takes a first look at each file.

    Parameters
    ----------
    rows
        Where rows are kept.
    analysis
        What is done with images.
    jobs
        Files to look at.
    give
        Called with what is to be measured: file, rows, and images with their labels.
    looked
        Called after each file, with its rows, or with why it could not be read: "again" where it has changed.
    stop
        Ends the thread.
    """

    def __init__(
        self,
        rows: Rows,
        analysis: Analysis,
        jobs: queue.Queue,
        give: Callable[[Task], None],
        looked: Callable[[Job, list[dict], str], None],
        stop: threading.Event,
    ):
        super().__init__(name="first look", daemon=True)
        self._rows, self._analysis, self._jobs = rows, analysis, jobs
        self._give, self._looked, self._ended = give, looked, stop
        self._at_work = False

    @property
    def is_busy(self) -> bool:
        """Whether there is a file to look at."""
        return self._at_work or not self._jobs.empty()

    def run(self) -> None:
        """Look at files until the end."""
        while not self._ended.is_set():
            try:
                job = self._jobs.get(timeout=0.05)
            except queue.Empty:
                continue
            rows, error, self._at_work = [], "", True
            try:
                rows, error = self._look(job)
            except Exception as problem:  # any reader may fail in any way, and must not end the watch
                _logger.debug("%s", job.path, exc_info=True)
                error = "again" if not self._rows.is_current(job) else f"{type(problem).__name__}: {problem}"
            self._at_work = False
            self._looked(job, rows, error)

    def _look(self, job: Job) -> tuple[list[dict], str]:
        sha256 = hash_of(job.path)
        if self._rows.is_same(job, sha256):
            return [], ""
        with _quiet:
            images, skipped = load_images(job.path, self._analysis.signal_type, self._analysis.pixel_size, lazy=False)
        for reason in skipped:
            _logger.info("Left out of %s: %s", job.path.name, reason)
        looks, kept = [], []
        for _, image in images:
            row, labels = self._analysis.look(image)
            looks.append(row)
            kept.append((image, labels))
        if not self._rows.is_current(job):
            return [], "again"
        rows = self._rows.begin(job, sha256, [name for name, _ in images], looks)
        self._give(Task(job, rows, kept))
        return rows, ""


class Analyser(threading.Thread):
    """Measures and classifies the images that were looked at, and draws them.

    Parameters
    ----------
    rows, analysis, stop
        As for `Looker`.
    measuring
        Who measures and draws.
    finished
        Called with the row of each image that was measured, or could not be.
    pictures
        Whether images are drawn.
    gives_way
        Whether first looks have work to do: they go first where both are done in one process.
    all_busy
        Whether all who look are at work: then a processor more is not there, and looks go first wherever images are
        measured.
    """

    def __init__(
        self,
        rows: Rows,
        analysis: Analysis,
        measuring: InThisProcess | InAnotherProcess,
        finished: Callable[[dict], None],
        stop: threading.Event,
        pictures: bool = True,
        gives_way: Callable[[], bool] = lambda: False,
        all_busy: Callable[[], bool] = lambda: False,
    ):
        super().__init__(name="analysis", daemon=True)
        self._pictures, self._gives_way, self._measuring = pictures, gives_way, measuring
        self._all_busy = all_busy
        self._rows, self._analysis, self._finished, self._ended = rows, analysis, finished, stop
        self._tasks: deque[Task] = deque()
        self._ready = threading.Condition()
        self._busy = False

    @property
    def waiting(self) -> int:
        """Number of files that are not done."""
        with self._ready:
            return len(self._tasks) + self._busy

    def put(self, task: Task) -> None:
        """Add the images of a file; those of many files do not stay in memory."""
        with self._ready:
            if sum(one.size for one in self._tasks) + task.size > KEPT:
                task.images = None
            self._tasks.append(task)
            self._ready.notify()

    def run(self) -> None:
        """Measure images until the end; what waits then is done after the next start."""
        self._measuring.start()
        try:
            self._work()
        finally:
            self._measuring.close()

    def _work(self) -> None:
        while not self._ended.is_set():
            with self._ready:
                if not self._tasks:
                    self._ready.wait(0.05)
                    continue
                task = self._tasks.popleft()
                self._busy = True
            try:
                self._do(task)
            except Exception:  # the disk is full, or the file went away: it is done after the next start
                _logger.exception("%s could not be finished", task.job.path.name)
            finally:
                self._busy = False

    def _give_way(self) -> None:
        """Wait for first looks, though not for ever."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends and not self._ended.is_set():
            if not (self._gives_way() if self._measuring.gives_way else self._all_busy()):
                return
            time.sleep(0.01)

    def _measure(self, *image) -> Measured:
        """Measure an image; once more where the process that did so died."""
        try:
            return self._measuring.measure(*image)
        except ProcessEnded:
            if self._ended.is_set():
                raise
            return self._measuring.measure(*image)

    def _do(self, task: Task) -> None:
        job, images = task.job, task.images
        self._give_way()
        if images is None:
            if not self._rows.is_current(job):
                self._rows.gone(job)
                return
            loaded, _ = load_images(job.path, self._analysis.signal_type, self._analysis.pixel_size, lazy=False)
            images = [(image, None) for _, image in loaded]
        if not self._rows.is_current(job):
            self._rows.gone(job)
            return
        for number, (row, (image, labels)) in enumerate(zip(task.rows, images, strict=True)):
            started = time.monotonic()
            name = row["image"]
            try:
                measured = self._measure(image, row["classify"], labels, name, self._rows.key(job.path))
            except Exception as error:  # one bad image must not cost the others
                if isinstance(error, ProcessEnded) and self._ended.is_set():
                    return  # it is done after the next start
                said = str(error) if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}"
                failed = self._rows.fail(job, number, said)
                if failed is not None:
                    self._finished(failed)
                continue
            self._give_way()
            done = self._rows.save(name, job, number, measured)
            if done is None:  # the file was replaced meanwhile
                return
            self._finished(done)
            if not self._pictures:
                continue
            self._give_way()
            try:
                self._measuring.draw(name)
                self._rows.drawn(name)
            except Exception as error:  # a picture less
                _logger.warning("%s could not be drawn: %s", name, error)
            _logger.debug("%s took %.2f s", name, time.monotonic() - started)
        self._rows.end(job)
