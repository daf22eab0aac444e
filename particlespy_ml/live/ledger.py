"""What was done of a folder, in a file that a killed process leaves readable."""

from __future__ import annotations

import json
import os
from pathlib import Path


class Ledger:
    """Entries by file, each a line of JSON that is on disk before anything else is done.

    The last entry of a file counts. A line that was cut off, since the process was killed while it wrote, is left out.

    Parameters
    ----------
    path
        The file; it is made where it is missing.

    Raises
    ------
    ValueError
        If the file is none of these.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = Ledger(Path(folder, "ledger.jsonl"))
    ...     ledger.write("a.tif", {"status": "done"})
    ...     Ledger(Path(folder, "ledger.jsonl"))["a.tif"]["status"]
    'done'
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._entries: dict[str, dict] = {}
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        lines = content.split(b"\n")
        for number, line in enumerate(lines):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                self._entries[entry.pop("file")] = entry
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                if number < len(lines) - 1 and not _is_cut(line):
                    raise ValueError(
                        f"Line {number + 1} of {self.path} is no entry of a watcher: {error}. Give another folder."
                    ) from error
        if content and not content.endswith(b"\n"):
            with open(self.path, "ab") as file:  # the next entry starts a line of its own
                file.write(b"\n")

    def __getitem__(self, file: str) -> dict:
        return self._entries[file]

    def __contains__(self, file: object) -> bool:
        return file in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, file: str) -> dict | None:
        """Entry of a file; None where there is none."""
        return self._entries.get(file)

    def items(self):
        """Files and their entries, in the order in which the files came."""
        return list(self._entries.items())

    def write(self, file: str, entry: dict) -> None:
        """Write an entry, which is on the disk when this returns."""
        line = json.dumps({"file": file, **entry}, ensure_ascii=False, allow_nan=False)
        with open(self.path, "ab") as opened:
            opened.write(line.encode() + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        self._entries[file] = entry


def _is_cut(line: bytes) -> bool:
    """Whether a line looks like the beginning of an entry."""
    return line.startswith(b'{"file"')


class FolderLock:
    """A lock that one process holds on a folder; the system gives it back when the process ends, however it ends.

    Parameters
    ----------
    folder
        The folder.

    Raises
    ------
    ValueError
        If another process holds it.
    """

    def __init__(self, folder: Path):
        self._file = open(Path(folder) / ".lock", "a+b")  # noqa: SIM115 - held until close()
        try:
            _lock(self._file)
        except OSError as error:
            self._file.close()
            raise ValueError(
                f"Another watcher writes to {folder}; end it first, or give this one an output folder of its own."
            ) from error

    def close(self) -> None:
        """Give the lock back."""
        self._file.close()


def _lock(file) -> None:
    """Lock a file or raise OSError."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
