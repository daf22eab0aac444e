"""What a run of the command line has made so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from hyperspy.signals import BaseSignal


@dataclass
class Results:
    """What was made of the images of a run.

    Parameters
    ----------
    names, files, tables
        Of each image: the name of its results, its file, and its table.
    failures
        Files, or images of them, that could not be done, and why.
    """

    names: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    tables: list[BaseSignal] = field(default_factory=list)
    failures: list[tuple[Path, str]] = field(default_factory=list)

    def to_dataframe(self) -> pd.DataFrame:
        """All rows, lengths in nm, with the file and the name of the image of each."""
        import pandas as pd

        frames = []
        for name, path, table in zip(self.names, self.files, self.tables, strict=True):
            frame = table.to_dataframe(length_unit="nm", units_in_names=True)
            frame.insert(0, "file", str(path))
            frame.insert(1, "image", name)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def older_results(out: Path, suffixes: tuple[str, ...], named: tuple[str, ...]) -> set[str]:
    """Return the names of files in a folder that a run has made: of images, which have all suffixes, and named ones.

    Parameters
    ----------
    out
        The folder.
    suffixes
        Of the files that a run makes of each image.
    named
        Files that it makes of all images.
    """
    there = {path.name for path in out.iterdir() if path.is_file()}
    stems = {name.removesuffix(suffixes[0]) for name in there if name.endswith(suffixes[0])}
    found = [{f"{stem}{suffix}" for suffix in suffixes} for stem in stems]
    return set().union(*(names for names in found if names <= there), there & set(named))
