"""Saving that never damages the file it replaces."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import numpy as np

from particlespy_ml.core.files import replacing

# Formats that are one file or folder each, and nothing beside it, so that it can be renamed.
_REPLACEABLE = (".hspy", ".hdf5", ".zspy", ".tif", ".tiff", ".emd")
_SUFFIXES = {"hspy": ".hspy", "zspy": ".zspy"}
# Formats, as HyperSpy calls them, that can give back images with their calibration.
_FORMATS = {
    ".hspy": "hspy",
    ".hdf5": "hspy",
    ".zspy": "zspy",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".emd": "emd",
    ".rpl": "ripple",
    ".png": "png",  # the pixels alone
}


class SafeSaveMixin:
    """Saves beside the file and then takes its place, so that a save that fails changes nothing on disk."""

    def save(self, filename=None, overwrite=None, extension=None, **kwargs):
        """Save the signal as HyperSpy does, but under its name only once the file is whole.

        Parameters
        ----------
        filename, overwrite, extension, **kwargs
            See `hyperspy.signal.BaseSignal.save`.

        Raises
        ------
        ValueError
            If the file could not be read back, or not with all of the data and their calibration. Nothing is written
            then. .hspy and .zspy keep everything; .tif, .emd and .rpl keep pixels and calibration alone.

        Warns
        -----
        UserWarning
            If only the pixels are kept, as in .png.
        """
        target = self._save_target(filename, extension, kwargs.get("file_format"))
        kind = self._check_format(target, kwargs.get("file_format"))
        if target is None or target.suffix not in _REPLACEABLE or overwrite not in (None, True, False):
            return super(SafeSaveMixin, self._to_save(kind)).save(filename, overwrite, extension, **kwargs)
        if target.exists():
            if overwrite is None:
                from rsciio.utils.path import overwrite as ask

                overwrite = ask(target)
            if not overwrite:
                return None
        with replacing(target) as part:
            if kwargs.get("write_dataset", True) is False or kwargs.get("mode", "w") == "a":
                _copy(target, part)  # what the new file takes from the old one
            super(SafeSaveMixin, self._to_save(kind)).save(part, overwrite=True, **kwargs)
        for key, value in (("folder", target.parent), ("filename", target.stem), ("extension", target.suffix)):
            self.tmp_parameters.set_item(key, value)
        return None

    def _to_save(self, kind: str):
        """The signal that is written."""
        if kind == "ripple" and self._lazy:  # HyperSpy would write half of the files
            signal = self.deepcopy()
            signal.compute()
            return signal
        return self

    def _check_format(self, target: Path | None, file_format) -> str:
        """Return the format of a file, or raise ValueError if it could not be read back as what it is."""
        if target is None and file_format is None:
            return ""  # a zarr store, or no name at all, of which HyperSpy complains
        name = str(file_format) if target is None else target.name
        kind = _FORMATS.get(target.suffix.lower(), "") if file_format is None else str(file_format).lower()
        reason = self._lost_in(kind)
        if reason:
            raise ValueError(f"{type(self).__name__} cannot be saved as {name}: {reason}. Save it as {self._saved_as}.")
        if kind == "png":
            warnings.warn(
                f"{name} holds the pixels but not their size, to be given again after loading; .hspy keeps both.",
                UserWarning,
                stacklevel=3,
            )
        return kind

    _saved_as = ".hspy, or first make it a plain image with s.set_signal_type(''), which HyperSpy saves as it can"

    def _lost_in(self, kind: str) -> str:
        """What a format would lose, in words; empty where nothing that matters."""
        axes = self.axes_manager
        if kind in ("hspy", "zspy"):
            return ""
        if kind not in _FORMATS.values():
            return "HyperSpy reads nothing back from that format, or neither all pixels nor their calibration"
        if kind == "png":
            whole = self.data.dtype in (np.uint8, np.uint16) and not axes.navigation_axes
            return "" if whole else "it holds single images of uint8 or uint16"
        if kind == "emd" and axes.navigation_axes:
            return "the navigation axes of a series are lost in it"
        if len(axes.navigation_axes) > 1 or any(axis.size == 1 for axis in axes.navigation_axes):
            return f"the navigation shape {axes.navigation_shape} is lost in it"
        if kind == "tiff" and any(axis.is_uniform and axis.scale < 0 for axis in axes.signal_axes):
            return "it has no axes that run backwards"
        return ""

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
        return target.resolve()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy2(source, target)
