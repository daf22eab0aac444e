"""From what was typed to files: names of files, folders and patterns."""

from __future__ import annotations

import re
from glob import glob, has_magic
from pathlib import Path

from particlespy_ml.core.load_images import FORMATS


def find_files(given: list[Path], without: Path | None = None) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return the files that are meant by names of files, folders and patterns.

    Parameters
    ----------
    given
        Files, which are taken as they are; folders, of which the image files are taken, but not those in their own
        folders; and patterns such as ``movie_*.dm4``, for shells that leave them as they are.
    without
        Folder of results, nothing of which is taken of folders and patterns.

    Returns
    -------
    files : list of Path
        Each once, those of a folder or pattern in the order of the numbers in their names.
    empty : list of tuple
        Folders and patterns without any, and why.
    """
    found: dict[Path, None] = {}
    empty = []
    for path in given:
        if path.is_dir() and path.suffix.lower() != ".zspy":
            inside = [file for file in path.iterdir() if file.suffix.lower() in FORMATS and file.name[0] != "."]
            missing = f"the folder holds no image file ({', '.join(FORMATS)})"
        elif has_magic(str(path)) and not path.exists():
            inside = [Path(name) for name in glob(str(path), recursive=True)]
            missing = "no file fits the pattern"
        else:
            found[path] = None
            continue
        inside = [file for file in inside if without is None or file.resolve().parent != without.resolve()]
        if not inside:
            empty.append((path, missing))
        found |= dict.fromkeys(sorted(inside, key=natural_key))
    return list(found), empty


def natural_key(path: Path) -> list:
    """Sort names by the numbers in them: image 9 before image 10."""
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", str(path))]
