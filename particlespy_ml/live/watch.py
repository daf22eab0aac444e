"""A folder that is watched while a microscope saves images into it."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.live.files import StillFiles
from particlespy_ml.live.hook import Hook
from particlespy_ml.live.measuring import InAnotherProcess, InThisProcess
from particlespy_ml.live.page import REFRESH, write_page
from particlespy_ml.live.results import PAGE
from particlespy_ml.live.rows import Job, Rows
from particlespy_ml.live.serve import PageServer
from particlespy_ml.live.session import Analysis
from particlespy_ml.live.workers import Analyser, Looker, Task

_logger = logging.getLogger(__name__)

LOOKERS = 2  # files that are looked at side by side
QUEUE = 32  # files that wait for their first look; others wait in the folder
TRIES, FIRST_DELAY = 6, 0.5  # of files that cannot be read, and seconds before the second try, which double
PAGE_EVERY, TABLE_EVERY, ROWS_EVERY = 2.0, 60.0, 1.0  # seconds between writes of what grows, at least
SHARE, LONGEST = 0.04, 300.0  # of the time that each of these writes may take, and seconds that one waits at most
# Seconds after which a thread lets another one go on. With Python's own, 5 ms, each of the hundreds of NumPy calls of a
# look waits that long for a thread that does not leave Python, such as the one that joins tables.
SWITCH = 5e-5
RESTS = 4.0  # times what it took to read a table, before the next one is read


class Watcher:
    """Watch a folder: every image saved there is looked at, measured, classified and added to tables, once.

    A file is taken once its size and time stand still for two looks and it loads. The first look at an image says at
    once whether there are particles, whether it is in focus, and what went wrong; measuring and classifying go on
    beside it, so that a slow image does not hold up the list. What was done is written down as it is done
    (``ledger.jsonl``): a watcher that was ended, or killed, goes on where it was when it is started again. A file that
    is replaced by another is done again, and its rows are replaced. Files that cannot be read are tried again.

    Parameters
    ----------
    folder
        Where the microscope saves.
    out
        Folder of the results; by default "results" in the folder. It has ``images.csv``, a row each image;
        ``particles.csv`` and ``particles.hspy``, a row each particle; a table (.hspy, .csv) and a picture of each
        image; and ``index.html``, the page.
    signal_type
        "HAADF", "HRTEM" or "particle_image".
    hook
        A command line, or a function, that is told of each image once it is done: the row as JSON on the standard
        input of the command, or as a dictionary. It runs beside all other work, one call after the other.
    port
        Of the page on this machine, which no other reaches; 0 for any free one, None for no server.
    poll
        Seconds between two looks at the folder.
    recursive
        Whether to look into folders of the folder.
    pictures
        Whether a picture of each image is drawn, with the outlines of its particles.
    own_process
        Whether images are measured in a process of its own, so that first looks do not wait for it.
    say
        Called with a line of text for each thing that happens; by default they are logged.
    **analysis
        As for `particlespy_ml.live.session.Analysis`: *model*, *condition*, *pixel_size*, *min_probability*,
        *lattice_constant*, *method*, *mask*, *exclude_border*, *options*.

    Raises
    ------
    ValueError
        If an argument is not as it must be, another watcher writes to *out*, or *out* holds results of other settings.
    NotADirectoryError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import particlespy_ml as pml
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pml.data.gold_on_carbon().save(Path(folder, "gold.hspy"))
    ...     with pml.live.Watcher(folder, model=None, port=None, poll=0.05) as watcher:
    ...         watcher.run(until_idle=True)
    ...     rows = watcher.rows
    >>> rows[0]["image"], rows[0]["status"], rows[0]["particles"]
    ('gold', 'done', 6)
    """

    def __init__(
        self,
        folder: str | Path,
        out: str | Path | None = None,
        signal_type: str = "HAADF",
        *,
        hook: str | Callable[[dict], object] | None = None,
        port: int | None = 0,
        poll: float = 0.25,
        recursive: bool = False,
        pictures: bool = True,
        own_process: bool = True,
        say: Callable[[str], object] | None = None,
        **analysis: Any,
    ):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder; expected the one that images are saved to.")
        if not 0 < poll < 3600:
            raise ValueError(f"poll={poll}; expected seconds above zero.")
        self.analysis = Analysis(signal_type, **analysis)
        self.out = Path(out) if out is not None else self.folder / "results"
        self._say = say or _logger.info
        self._hook = None if hook is None else Hook(hook)
        self._rows = Rows(self.folder, self.out, self.analysis)
        self._files = StillFiles(self.folder, self.out, recursive)
        self._poll = poll
        self._stop = threading.Event()
        self._jobs: queue.Queue[Job] = queue.Queue(QUEUE)
        self._retries: queue.PriorityQueue[tuple[float, Path]] = queue.PriorityQueue()
        self._tries: dict[Path, int] = {}
        self._inside: set[Path] = set()
        measuring = (InAnotherProcess if own_process else InThisProcess)(self.analysis, self.out)
        self._analyser = Analyser(
            self._rows,
            self.analysis,
            measuring,
            self._finished,
            self._stop,
            pictures,
            lambda: any(one.is_busy for one in self._lookers),
            lambda: all(one.is_busy for one in self._lookers),
        )
        self._lookers = [
            Looker(self._rows, self.analysis, self._jobs, self._analyser.put, self._looked, self._stop)
            for _ in range(LOOKERS)
        ]
        self._written = dict.fromkeys(("page", "tables", "rows"), time.monotonic())
        self._took = dict.fromkeys(self._written, 0.0)
        self._joining: threading.Thread | None = None
        self._server = None
        if port is not None:
            self._server = PageServer(self.page, lambda: self.rows, self._picture, self.receive, port)
        self._closed = self._warm = False

    @property
    def rows(self) -> list[dict]:
        """A row of each image, in the order in which they came."""
        return self._rows.plain()

    @property
    def address(self) -> str:
        """Address of the page; empty without a server."""
        return "" if self._server is None else self._server.address

    def run(self, until_idle: bool = False, seconds: float | None = None) -> None:
        """Watch until `stop` is called, or Ctrl-C is pressed; everything is readable then.

        Parameters
        ----------
        until_idle
            End once nothing is left to do.
        seconds
            End after so long.
        """
        quiet, interval = 0, sys.getswitchinterval()
        try:
            sys.setswitchinterval(SWITCH)
            self._analyser.start()
            self.warm_up()
            for worker in self._lookers:
                worker.start()
            ends = None if seconds is None else time.monotonic() + seconds
            while not self._stop.is_set() and (ends is None or time.monotonic() < ends):
                self._look()
                self._write(force=False)
                quiet = quiet + 1 if self.is_idle else 0
                if until_idle and quiet > self._files.polls:
                    break
                self._stop.wait(self._poll)
        except KeyboardInterrupt:
            self._say("Ending; what is being measured is finished first.")
        finally:
            self.close()
            sys.setswitchinterval(interval)

    def warm_up(self) -> None:
        """Load what the first image would have to wait for; `run` does so first."""
        if not self._warm:
            self._warm = True
            self.analysis.warm_up()

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._stop.set()

    def close(self) -> None:
        """Finish the images that are being worked on, and write everything; `run` does so at its end."""
        if self._closed:
            return
        self._closed = True
        self._stop.set()
        for worker in (*self._lookers, self._analyser):
            if worker.ident is not None:  # it was started
                worker.join()
        if self._server is not None:
            self._server.close()
        if self._hook is not None:
            self._hook.close()
        try:
            self._write(force=True)
        finally:
            self._rows.close()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do of what was seen so far."""
        return not (self._files.waiting or self._inside or self._retries.qsize() or self._analyser.waiting)

    def page(self, refresh: int = REFRESH) -> str:
        """Return the page as HTML, which a browser loads again after *refresh* seconds."""
        waiting = self._files.waiting + len(self._inside) + self._analyser.waiting
        return write_page(
            self.rows,
            self._rows.diameters(),
            title=f"Watching {self.folder.resolve().name}",
            picture=self._rows.picture,
            state=f"{waiting} wait." if waiting else "Nothing waits.",
            refresh=refresh,
        )

    def receive(self, array: np.ndarray, name: str, pixel_size: float | None = None, seconds: float = 30.0) -> dict:
        """Take an image that is in no file yet: it is saved to the folder, and so done as all others are.

        Parameters
        ----------
        array : numpy.ndarray
            Shape (rows, columns).
        name
            Name of its file.
        pixel_size
            In nm.
        seconds
            How long to wait for the row.

        Returns
        -------
        dict
            Its row after the first look, or only its name where that takes longer.
        """
        path = self._rows.save_array(array, name, pixel_size)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not self._stop.is_set():
            row = self._rows.of_file(path)
            if row is not None:
                return row
            time.sleep(0.02)
        return {"file": path.name, "status": "waiting"}

    def _look(self) -> None:
        """Give files that are whole to the first look, as many as there is room for."""
        now = time.monotonic()
        while not self._retries.empty() and self._retries.queue[0][0] <= now:
            self._files.again(self._retries.get()[1])
        try:
            found = self._files.look(self._jobs.maxsize - self._jobs.qsize())
        except OSError as error:  # a network share that is away for a while
            self._say(f"{self.folder} cannot be read, and is tried again: {error}")
            return
        for path, stamp in found:
            if self._rows.is_done(path, stamp):
                continue
            rows = self._rows.seen(path, stamp)
            if rows:  # by a watcher that ended before it was measured
                self._analyser.put(Task(Job(path, stamp), rows, None))
                continue
            self._inside.add(path)
            self._jobs.put(Job(path, stamp))

    def _looked(self, job: Job, rows: list[dict], error: str) -> None:
        """After the first look at a file: say what was seen, or try again later."""
        if error == "again":  # it changed while it was read, and is given once it is still
            self._retries.put((0.0, job.path))
        elif error:
            tries = self._tries[job.path] = self._tries.get(job.path, 0) + 1
            if tries < TRIES:
                self._retries.put((time.monotonic() + FIRST_DELAY * 2 ** (tries - 1), job.path))
            else:
                self._tries.pop(job.path, None)
            self._rows.failed(job, error, tries)
            if tries in (1, TRIES):
                last = "" if tries < TRIES else f" {tries} times; it is tried again once it changes"
                self._say(f"{_now()} {job.path.name}: cannot be read{last}: {error}")
        else:
            self._tries.pop(job.path, None)
            for row in rows:
                self._say(f"{_now()} {describe(row)}")
        self._inside.discard(job.path)

    def _finished(self, row: dict) -> None:
        """After an image was measured."""
        self._say(f"{_now()} {describe(row)}")
        if self._hook is not None:
            self._hook(row)

    def _picture(self, name: str) -> bytes | None:
        return self._rows.read_picture(name)

    def _write(self, force: bool) -> None:
        """Write what grows, each at its own pace; what takes long does so beside the looks at the folder."""
        now = time.monotonic()
        if force and self._joining is not None:
            self._joining.join()
        for what, every, write in (
            ("rows", ROWS_EVERY, self._rows.write_images),
            ("page", PAGE_EVERY, self._write_page),
            ("tables", TABLE_EVERY, self._write_particles if not force else self._rows.write_particles),
        ):
            last = self._written[what]
            busy = what == "tables" and self._joining is not None and self._joining.is_alive()
            every = max(every, min(self._took[what] / SHARE, LONGEST))
            if force or (now > last + every and not busy and self._rows.changed_since(last)):
                self._written[what], began = now, time.monotonic()
                write()
                if what != "tables":  # these are written beside
                    self._took[what] = time.monotonic() - began

    def _write_particles(self) -> None:
        self._joining = threading.Thread(target=self._join, name="table of all", daemon=True)
        self._joining.start()

    def _join(self) -> None:
        began, work = time.monotonic(), []

        def rest(seconds: float) -> None:
            work.append(seconds)
            self._stop.wait(RESTS * seconds)

        try:
            self._rows.write_particles(rest)
        except Exception as error:  # the disk is full, or a spreadsheet holds the file: it is written again
            _logger.warning("The table of all particles could not be written, and is written again: %s", error)
        finally:  # tables are read once
            self._took["tables"] = max(time.monotonic() - began - (1 + RESTS) * sum(work), 0.0)

    def _write_page(self) -> None:
        with replacing(self.out / PAGE) as part:
            part.write_text(self.page(0 if self._stop.is_set() else REFRESH), encoding="utf-8")


def _now() -> str:
    return f"{datetime.now():%H:%M:%S}"


def describe(row: dict) -> str:
    """Return a row as a line of text."""
    name = row.get("image") or row.get("file")
    if row.get("status") == "seen":
        what = "no calibration" if row.get("count") is None else f"{row['count']} particles"
        covered = "" if row.get("coverage") is None else f", coverage {row['coverage']:.2f}"
        focus = "" if row.get("focus") is None else f", focus {row['focus']:.2f} ({row['focus_reason']})"
        flags = f"; {row['flags']}" if row.get("flags") else ""
        return f"{name}: {what}{covered}{focus}{flags}"
    if row.get("status") != "done":
        return f"{name}: {row.get('status')}: {row.get('reason')}"
    spread = "" if row.get("diameter_spread") is None else f" ± {row['diameter_spread']:.2f}"
    size = "" if row.get("mean_diameter") is None else f", {row['mean_diameter']:.2f}{spread} nm"
    classes = "; " + ", ".join(f"{key} {count}" for key, count in row["classes"].items()) if row.get("classes") else ""
    return f"{name}: {row['particles']} measured{size}{classes}"
