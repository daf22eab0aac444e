"""Rows of a watch: one for each image, on disk as soon as it is known."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from particlespy_ml.core.files import replacing
from particlespy_ml.live.files import Stamp, free_name
from particlespy_ml.live.ledger import FolderLock, Ledger
from particlespy_ml.live.results import GrowingResults
from particlespy_ml.live.session import Analysis, check_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from particlespy_ml.live.measuring import Measured

DONE, SEEN, FAILED, UNREADABLE, GONE = "done", "seen", "failed", "unreadable", "gone"
DIAMETER, BORDER = "equivalent_circular_diameter (nm)", "touches_border"
REMOVED = "the file was removed before it was measured"


@dataclass(frozen=True)
class Job:
    """A file to look at, as it was when it was found."""

    path: Path
    stamp: Stamp


class Rows:
    """Rows by file, in a folder of results; all of it may be used from several threads.

    Parameters
    ----------
    folder
        The folder that is watched.
    out
        The folder of results.
    analysis
        What is done with each image.
    """

    def __init__(self, folder: Path, out: Path, analysis: Analysis):
        self._folder = folder
        self.results = GrowingResults(out)
        self._lock = threading.RLock()
        self._guard = FolderLock(out)
        try:
            check_settings(out, analysis)
            self._ledger = Ledger(out / "ledger.jsonl")
        except BaseException:
            self._guard.close()
            raise
        self._rows: OrderedDict[str, list[dict]] = OrderedDict()
        self._diameters: dict[str, np.ndarray] = {}
        self._stamps: dict[str, Stamp] = {}  # of the files that rows are of
        self.picture = ""
        self._changed = time.monotonic()
        self._restore()

    def _restore(self) -> None:
        """Take up the rows and results of an earlier run."""
        names = {}
        for file, entry in self._ledger.items():
            self._rows[file] = [dict(row) for row in entry["images"]]
            if entry["status"] != DONE and Stamp.of(self._folder / file) is None:
                for row in self._rows[file]:
                    row |= {"status": GONE, "reason": REMOVED}
            if entry["status"] == DONE:
                names |= {row["image"]: file for row in entry["images"] if row["status"] == DONE}
        for lost in self.results.restore(names):
            self._ledger.write(names[lost], {**self._ledger[names[lost]], "status": SEEN})
        particles = self.results.columns_of_all((DIAMETER, BORDER))
        if len(particles):
            self._diameters = {str(name): _diameters_of(rows) for name, rows in particles.groupby("image")}
        for name in reversed(self.results.names):
            if self.results.path(name, ".png").is_file():
                self.picture = f"{name}.png"
                break

    def key(self, path: Path) -> str:
        """Name of a file in the ledger: relative to the folder."""
        return path.relative_to(self._folder).as_posix()

    def is_done(self, path: Path, stamp: Stamp) -> bool:
        """Whether a file was done as it is now, by its size and time."""
        entry = self._ledger.get(self.key(path))
        if entry is None or entry["status"] != DONE:
            return False
        return (entry["size"], entry["modified"]) == (stamp.size, stamp.modified)

    def seen(self, path: Path, stamp: Stamp) -> list[dict]:
        """Rows of a file that an earlier run looked at as it is now, and did not finish; none of any other file."""
        with self._lock:
            entry = self._ledger.get(self.key(path))
            if entry is None or entry["status"] != SEEN or not self._rows.get(self.key(path)):
                return []
            if (entry["size"], entry["modified"]) != (stamp.size, stamp.modified):
                return []
            self._stamps[self.key(path)] = stamp
            return [dict(row) for row in self._rows[self.key(path)]]

    def is_same(self, job: Job, sha256: str) -> bool:
        """Whether a file was done before with the same content: then its new time is written down."""
        with self._lock:
            entry = self._ledger.get(self.key(job.path))
            if entry is None or entry["status"] != DONE or entry["sha256"] != sha256:
                return False
            self._ledger.write(self.key(job.path), {**entry, "size": job.stamp.size, "modified": job.stamp.modified})
            return True

    def begin(self, job: Job, sha256: str, names: list[str], looks: list[dict]) -> list[dict]:
        """Add the rows of the images of a file after the first look, in place of those of an earlier file."""
        with self._lock:
            key = self.key(job.path)
            old = [row["image"] for row in self._rows.get(key, []) if row.get("image")]
            chosen: list[str] = []
            others = {row["image"] for rows in self._rows.values() for row in rows if row.get("image")} - set(old)
            for number, name in enumerate(names):
                chosen.append(old[number] if number < len(old) else self.results.name_for(name, {*others, *chosen}))
            for name in old[len(names) :]:
                self.results.forget(name)
                self._diameters.pop(name, None)
            saved = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(job.stamp.modified / 1e9))
            rows = [
                {"file": key, "image": name, "saved": saved, "status": SEEN, "reason": "", **look}
                for name, look in zip(chosen, looks, strict=True)
            ]
            self._rows[key] = rows
            self._stamps[key] = job.stamp
            self._write(key, job, sha256, SEEN)
            return [dict(row) for row in rows]

    def _are_of(self, job: Job) -> bool:
        """Whether the rows of a file are of the file as it was found, and not of one that replaced it."""
        return self._stamps.get(self.key(job.path)) == job.stamp

    def save(self, name: str, job: Job, number: int, measured: Measured) -> dict | None:
        """Add what was measured of an image and return its row; None where the file was replaced meanwhile."""
        with self._lock:
            key = self.key(job.path)
            if not self._are_of(job):
                self.results.discard(name)
                return None
            row = self._rows[key][number]
            row |= {"status": DONE, "reason": "", **measured.summary}
            self.results.add(name, key, measured.frame, measured.table)
            self._diameters[name] = _diameters_of(measured.frame)
            self._changed = time.monotonic()
            return dict(row)

    def drawn(self, name: str) -> None:
        """Note that the picture of an image was written."""
        self.picture = f"{name}.png"
        self._changed = time.monotonic()

    def fail(self, job: Job, number: int, reason: str) -> dict | None:
        """Note that an image could not be measured, and return its row; None where the file was replaced meanwhile."""
        with self._lock:
            if not self._are_of(job):
                return None
            row = self._rows[self.key(job.path)][number]
            row |= {"status": FAILED, "reason": reason}
            self.results.forget(row["image"])  # of an earlier file of that name
            self._diameters.pop(row["image"], None)
            self._changed = time.monotonic()
            return dict(row)

    def gone(self, job: Job) -> None:
        """Note that a file was removed before it was measured; one that was replaced is looked at by itself."""
        with self._lock:
            if Stamp.of(job.path) is not None:
                return
            for row in self._rows[self.key(job.path)]:
                if row["status"] == SEEN:
                    row |= {"status": GONE, "reason": REMOVED}
            self._changed = time.monotonic()

    def end(self, job: Job) -> None:
        """Write down that a file is done."""
        with self._lock:
            key = self.key(job.path)
            if self._are_of(job):
                self._write(key, job, self._ledger[key]["sha256"], DONE)

    def failed(self, job: Job, reason: str, tries: int) -> None:
        """Note that a file could not be read; rows of what it was before stay until it is read."""
        with self._lock:
            key = self.key(job.path)
            if any(row["status"] == DONE for row in self._rows.get(key, [])):
                return
            self._rows[key] = [{"file": key, "image": "", "status": UNREADABLE, "reason": reason, "tries": tries}]
            self._write(key, job, "", UNREADABLE)

    def is_current(self, job: Job) -> bool:
        """Whether a file is still the one that was found."""
        return Stamp.of(job.path) == job.stamp

    def of_file(self, path: Path) -> dict | None:
        """First row of a file; None before its first look."""
        with self._lock:
            rows = [row for row in self._rows.get(self.key(path), []) if row["status"] != UNREADABLE]
            return dict(rows[0]) if rows else None

    def plain(self) -> list[dict]:
        """Rows of all images."""
        with self._lock:
            return [dict(row) for rows in self._rows.values() for row in rows]

    def diameters(self) -> np.ndarray:
        """Diameters in nm of all particles that no border cuts."""
        with self._lock:
            return np.concatenate([np.zeros(0), *self._diameters.values()])

    def read_picture(self, name: str) -> bytes | None:
        """The picture of an image by its file's name; None where there is none."""
        with self._lock:
            known = name.removesuffix(".png") in self.results.names and name.endswith(".png")
        path = self.results.path(name.removesuffix(".png"), ".png")
        return path.read_bytes() if known and path.is_file() else None

    def changed_since(self, moment: float) -> bool:
        """Whether anything changed since a moment of the monotonic clock."""
        return self._changed >= moment

    def write_images(self) -> None:
        """Write the table of images."""
        self.results.write_images(self.plain())

    def write_particles(self, rest: Callable[[float], object] = lambda seconds: None) -> None:
        """Write the table of all particles; for *rest* see `GrowingResults.write_particles`."""
        self.results.write_particles(self._lock, rest)

    def save_array(self, array: np.ndarray, name: str, pixel_size: float | None) -> Path:
        """Save an array to the watched folder, under a name that is free, and return its file."""
        from hyperspy.signals import Signal2D

        image = Signal2D(array)
        if pixel_size is not None:
            image.axes_manager.signal_axes.set(scale=pixel_size, units="nm")
        with self._lock:
            taken = {path.stem for path in self._folder.glob("*.hspy")} | {Path(key).stem for key in self._rows}
            path = self._folder / f"{free_name(name, taken)}.hspy"
            with replacing(path) as part:
                image.save(part, overwrite=True)
        return path

    def close(self) -> None:
        """Give the folder of results back."""
        self._guard.close()

    def _write(self, key: str, job: Job, sha256: str, status: str) -> None:
        entry = {"size": job.stamp.size, "modified": job.stamp.modified, "sha256": sha256, "status": status}
        self._ledger.write(key, {**entry, "images": self._rows[key]})
        self._changed = time.monotonic()


def _diameters_of(frame: pd.DataFrame) -> np.ndarray:
    """Diameters in nm of the particles of an image's table that no border cuts."""
    if DIAMETER not in frame or BORDER not in frame:
        return np.zeros(0)
    return frame.loc[~frame[BORDER].astype(bool), DIAMETER].dropna().to_numpy(float)
