"""From a file to its images: what HyperSpy reads of it, less spectra, complex signals and tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from particlespy_ml.core.calibration import set_pixel_size

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal

EAGER_FORMATS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")  # which HyperSpy cannot load lazily
# What is taken of a folder: formats of images, of those that HyperSpy reads.
FORMATS = (
    *EAGER_FORMATS,
    *(".dm3", ".dm4", ".emd", ".emi", ".ser", ".bcf", ".tif", ".tiff", ".mrc", ".mib", ".hspy", ".zspy", ".nxs"),
    *(".rpl", ".prz", ".h5", ".hdf5", ".tvips", ".dens", ".img", ".sur"),
)
TABLES = ("particle_table", "column_table")


def load_images(
    path: Path, signal_type: str, pixel_size: float | None = None, lazy: bool = True
) -> tuple[list[tuple], list[str]]:
    """Return the images of a file, and what of it is none.

    Parameters
    ----------
    path
        A file that HyperSpy reads.
    signal_type
        What the images become: "HAADF", "HRTEM" or "particle_image".
    pixel_size
        In nm, over the file's own.
    lazy
        Whether images are read when they are needed, where their format can be: the file stays open until then.

    Returns
    -------
    images : list of tuple
        Name for its results, and signal, of each. Files of several signals, such as Velox .emd and Bruker .bcf, name
        them by their titles.
    skipped : list of str
        What was left out, and why.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If nothing of it is an image.
    """
    import hyperspy.api as hs

    if not path.exists():
        raise FileNotFoundError("there is no such file")
    loaded = hs.load(path, lazy=lazy and path.suffix.lower() not in EAGER_FORMATS)
    signals = loaded if isinstance(loaded, list) else [loaded]
    kept, skipped = [], []
    for number, signal in enumerate(signals):
        title = str(signal.metadata.get_item("General.title", "")) or f"signal {number}"
        reason = _is_no_image(signal)
        if reason:
            skipped.append(f"{title}: {reason}")
            continue
        if signal.data.dtype.fields is not None:
            signal = _grey(signal)
        if pixel_size is not None:
            set_pixel_size(signal, pixel_size)
        signal.set_signal_type(signal_type)
        kept.append((title, signal))
    if not kept:
        raise ValueError("the file holds no image" + (f" ({'; '.join(skipped)})" if skipped else ""))
    if len(kept) == 1:
        return [(path.stem, kept[0][1])], skipped
    return [(f"{path.stem} {_as_name(title)}", image) for title, image in kept], skipped


def _is_no_image(signal: BaseSignal) -> str:
    """Why a signal is no image; empty where it is one."""
    if signal.metadata.get_item("Signal.signal_type", "") in TABLES:
        return "a table of results"
    if signal.axes_manager.signal_dimension != 2:
        return f"{signal.axes_manager.signal_dimension} signal dimensions, such as spectra have"
    if signal.data.dtype.kind == "c":
        return "complex numbers, such as a Fourier transform"
    if signal.data.dtype.fields is None and signal.data.dtype.kind not in "biuf":
        return f"no numbers but {signal.data.dtype}"
    return ""


def _grey(signal: BaseSignal) -> BaseSignal:
    """The mean of red, green and blue, which screenshots and exports hold, with the image's axes."""
    from hyperspy.signals import Signal2D

    mean = sum(signal.data[colour].astype("f4") for colour in "RGB") / 3
    manager = signal.axes_manager
    axes = [axis.get_axis_dictionary() for axis in (*manager.navigation_axes[::-1], *manager.signal_axes[::-1])]
    grey = Signal2D(mean, axes=axes, metadata=signal.metadata.as_dictionary())
    return grey.as_lazy() if signal._lazy else grey


def _as_name(title: str) -> str:
    """A title as part of a file's name."""
    return re.sub(r"[^\w.+-]+", "_", title).strip("_")[:60] or "image"
