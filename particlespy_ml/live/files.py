"""Which files of a folder are whole: saved to their end, and not done yet."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR

from particlespy_ml.core.load_images import FORMATS

_BLOCK = 1 << 20
# Of many files those that were given are looked at again after so many looks: they take longer than those that are new.
MANY, GIVEN_EVERY = 200, 3
FOLDER_FORMATS = (".zspy",)  # which are folders


@dataclass(frozen=True)
class Stamp:
    """What changes when a file is written.

    Parameters
    ----------
    size
        In bytes.
    modified
        Time of the last change in ns.
    number
        The file system's number of the file: another where one file was renamed over another.
    """

    size: int
    modified: int
    number: int = 0

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """Stamp of a file, or of a format that is a folder; None where there is none or it is empty."""
        try:
            found = os.stat(path)  # once: thousands of files are asked for, several times a second
            if S_ISDIR(found.st_mode):
                stats = [file.stat() for file in path.rglob("*") if file.is_file()]
                if not stats:
                    return None
                return cls(sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats))
        except OSError:
            return None
        return cls(found.st_size, found.st_mtime_ns, found.st_ino) if found.st_size else None


def image_files(folder: Path, without: Path | None = None, recursive: bool = False) -> Iterator[Path]:
    """Yield the image files of a folder, hidden ones left out.

    Parameters
    ----------
    folder
        Where to look.
    without
        A folder, such as that of the results, of which nothing is taken.
    recursive
        Whether to look into folders of the folder.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    without = None if without is None else without.resolve()
    if folder.resolve() == without:
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        suffix = os.path.splitext(entry.name)[1].lower()
        if entry.name.startswith("."):
            continue
        try:
            is_folder = entry.is_dir()
        except OSError:
            continue
        if is_folder and suffix not in FOLDER_FORMATS:
            if recursive:
                try:
                    yield from image_files(Path(entry.path), without, recursive)
                except OSError:
                    continue  # removed since, or not ours to read
        elif suffix in FORMATS and is_folder == (suffix in FOLDER_FORMATS):
            path = Path(entry.path)
            if not entry.is_symlink() or path.resolve().parent != without:
                yield path


def hash_of(path: Path) -> str:
    """SHA-256 of a file, or of the files of a folder with their names, as hexadecimal digits."""
    found = hashlib.sha256()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            found.update(file.relative_to(path).as_posix().encode())
        with open(file, "rb") as opened:
            while block := opened.read(_BLOCK):
                found.update(block)
    return found.hexdigest()


@dataclass
class _Seen:
    stamp: Stamp
    still: int = 1
    given: bool = False


@dataclass
class StillFiles:
    """Files of a folder that have stopped changing.

    A file counts as still once its size, time and number were the same in *polls* successive looks. That is all that
    can be told everywhere: news of closed files exist on some systems alone, and not on network shares. Whether the
    file is whole too shows when it is loaded.

    Parameters
    ----------
    folder, without, recursive
        As for `image_files`.
    polls
        Looks in which a file must be the same.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = StillFiles(Path(folder))
    ...     _ = Path(folder, "a.tif").write_bytes(b"whole")
    ...     [[path.name for path, _ in files.look()] for _ in range(3)]
    [[], ['a.tif'], []]
    """

    folder: Path
    without: Path | None = None
    recursive: bool = False
    polls: int = 2
    _seen: dict[Path, _Seen] = field(default_factory=dict)
    _looks: int = 0

    def look(self, most: int | None = None) -> list[tuple[Path, Stamp]]:
        """Return the files that are still now and were not given since they changed, with their stamps.

        Parameters
        ----------
        most
            No more than so many; others are given at the next look.

        Raises
        ------
        OSError
            If the folder cannot be read.
        """
        present = list(image_files(self.folder, self.without, self.recursive))
        for path in self._seen.keys() - set(present):
            del self._seen[path]
        self._looks += 1
        only_new = len(present) >= MANY and self._looks % GIVEN_EVERY
        found = []
        for path in present:
            known = self._seen.get(path)
            if only_new and known is not None and known.given:
                continue
            stamp = Stamp.of(path)
            if stamp is None:
                self._seen.pop(path, None)
                continue
            if known is None or known.stamp != stamp:
                known = self._seen[path] = _Seen(stamp)
            else:
                known.still += 1
            if known.still >= self.polls and not known.given and (most is None or len(found) < most):
                known.given = True
                found.append((path, stamp))
        # those saved first come first
        return sorted(found, key=lambda pair: (pair[1].modified, pair[0].name))

    def again(self, path: Path) -> None:
        """Give a file once more, when it is still."""
        self._seen.pop(path, None)

    @property
    def waiting(self) -> int:
        """Number of files that were seen and not given yet."""
        return sum(not known.given for known in list(self._seen.values()))


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that is not taken, by a number at its end.

    Examples
    --------
    >>> free_name("frame", {"frame", "frame-2"})
    'frame-3'
    """
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free
