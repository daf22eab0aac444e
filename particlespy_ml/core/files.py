"""Files and folders that are replaced whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a name beside a file or folder, and what was written there takes its place at the end.

    After an error, or when nothing was written, the old file or folder is as it was and nothing else is left.

    Parameters
    ----------
    path
        The file or folder to make or to replace.

    Yields
    ------
    Path
        The name to write to: hidden, in the same folder, with the same suffix, since writers go by it.

    Raises
    ------
    FileNotFoundError
        If nothing was written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from particlespy_ml.core.files import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "notes.txt")) as part:
    ...         _ = part.write_text("gold")
    ...     [file.name for file in Path(folder).iterdir()]
    ['notes.txt']
    """
    path = Path(path)
    part = _beside(path, "part")
    _remove(part)  # of a process that was killed and had the same number
    try:
        yield part
        _move(part, path)
    finally:
        _remove(part)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.stem}.{os.getpid()}.{what}{path.suffix}")


def _move(part: Path, path: Path) -> None:
    """Give a file or folder the name of another, which it replaces."""
    if not path.is_dir():
        os.replace(part, path)
        return
    # A folder cannot be replaced in one step: the old one steps aside, and back if the new one cannot move in.
    aside = _beside(path, "old")
    os.replace(path, aside)
    try:
        os.replace(part, path)
    except BaseException:
        os.replace(aside, path)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
