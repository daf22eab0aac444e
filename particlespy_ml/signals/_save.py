"""Saving that never damages the file it replaces."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# Formats that are one file or folder each, and nothing beside it, so that it can be renamed.
_REPLACEABLE = (".hspy", ".hdf5", ".nxs", ".zspy", ".tif", ".tiff")
_SUFFIXES = {"hspy": ".hspy", "zspy": ".zspy"}


class SafeSaveMixin:
    """Saves beside the file and then takes its place, so that a save that fails changes nothing on disk."""

    def save(self, filename=None, overwrite=None, extension=None, **kwargs):
        """Save the signal as HyperSpy does, but under its name only once the file is whole.

        Parameters
        ----------
        filename, overwrite, extension, **kwargs
            See `hyperspy.signal.BaseSignal.save`.
        """
        target = self._save_target(filename, extension, kwargs.get("file_format"))
        if target is None or overwrite not in (None, True, False):
            return super(SafeSaveMixin, self._to_save()).save(filename, overwrite, extension, **kwargs)
        if target.exists():
            if overwrite is None:
                from rsciio.utils.path import overwrite as ask

                overwrite = ask(target)
            if not overwrite:
                return None
        part = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
        try:
            if kwargs.get("write_dataset", True) is False or kwargs.get("mode", "w") == "a":
                _copy(target, part)  # what the new file takes from the old one
            super(SafeSaveMixin, self._to_save()).save(part, overwrite=True, **kwargs)
            _move(part, target)
        finally:
            _remove(part)
        for key, value in (("folder", target.parent), ("filename", target.stem), ("extension", target.suffix)):
            self.tmp_parameters.set_item(key, value)
        return None

    def _to_save(self):
        """The signal that is written."""
        return self

    def _save_target(self, filename, extension, file_format) -> Path | None:
        """The file that HyperSpy would write; None where that is left to HyperSpy."""
        known = self.tmp_parameters.as_dictionary()
        stem = known.get("filename")
        own = str(known.get("extension") or "hspy")
        if filename is None:
            if not stem or not known.get("folder") or extension is not None or file_format is not None:
                return None
            target = Path(known["folder"], f"{stem}.{own.lstrip('.')}")
        elif not isinstance(filename, (str, os.PathLike)):
            return None  # a zarr store
        else:
            target = Path(filename)
            suffix = f".{extension.lstrip('.')}" if extension else _SUFFIXES.get(str(file_format).lower())
            if file_format is not None and suffix is None:
                return None
            if target.is_dir() and target.suffix != ".zspy" and stem:
                target = target / f"{stem}{suffix or '.' + own.lstrip('.')}"
            elif extension:
                target = target.with_suffix(suffix)
            elif not target.suffix:
                target = target.with_suffix(suffix or ".hspy")
        return target.resolve() if target.suffix in _REPLACEABLE else None


def _move(part: Path, target: Path) -> None:
    """Give a file or folder the name of another, which it replaces."""
    if not target.is_dir():
        os.replace(part, target)
        return
    # A folder cannot be replaced in one step: the old one steps aside, and back if the new one cannot move in.
    aside = target.with_name(f".{target.stem}.{os.getpid()}.old{target.suffix}")
    os.replace(target, aside)
    try:
        os.replace(part, target)
    except BaseException:
        os.replace(aside, target)
        raise
    _remove(aside)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy2(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
