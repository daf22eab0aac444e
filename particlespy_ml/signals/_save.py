"""Saving that never damages the file it replaces."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_STORES = (".hspy", ".nxs", ".zspy")


class SafeSaveMixin:
    """Saves beside the old file and then takes its place, so that a save that fails leaves the old file whole."""

    def save(self, filename=None, overwrite=None, extension=None, **kwargs):
        """Save the signal as HyperSpy does; an existing file is replaced only once the new one is whole.

        Parameters
        ----------
        filename, overwrite, extension, **kwargs
            See `hyperspy.signal.BaseSignal.save`.
        """
        target = None if filename is None else Path(filename)
        if target is not None and not target.suffix and extension is None:
            target = target.with_suffix(".hspy")
        if (
            target is None
            or extension is not None
            or target.suffix not in _STORES
            or not (target.exists() and overwrite)
        ):
            return self._save_new(target if target is not None else filename, overwrite, extension, **kwargs)
        part = target.with_name(f".{target.stem}.part{target.suffix}")
        try:
            super().save(part, overwrite=True, **kwargs)
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(part, target)
        finally:
            if part.is_dir():
                shutil.rmtree(part)
            elif part.exists():
                part.unlink()
        self.tmp_parameters.set_item("filename", target.stem)
        return None

    def _save_new(self, filename, overwrite, extension, **kwargs):
        """Save where nothing is replaced; a save that fails leaves no broken file."""
        existed = filename is None or Path(filename).exists()
        try:
            return super().save(filename, overwrite=overwrite, extension=extension, **kwargs)
        except BaseException:
            if not existed and Path(filename).is_file():
                Path(filename).unlink()
            raise
