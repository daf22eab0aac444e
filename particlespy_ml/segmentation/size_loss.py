"""What a limit of size leaves out: counted over the frames of a call, and warned of once."""

from __future__ import annotations

import threading
import uuid
import warnings
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from particlespy_ml.segmentation.grid import as_float, block_mean

# Share of all objects from which those left out are worth a warning.
WORTH = 0.1
# So many left out are worth it before all frames of a lazy series were seen.
SURE = 5
# With no more particles than FEW in the first frame smaller ones are looked for: MANY, and so many times as many.
FEW, MANY, TIMES = 12, 20, 5
SOME = 5  # dark particles, where hardly any is bright
# Pixels across the smallest of these.
SMALLEST = 10
# Pixels along each side of the middle of a frame that is looked at first: where it holds few, the whole is left alone.
PROBE = 1024
# Pixels of twice the size across the smallest particle, with which dark particles are looked for first.
COARSE_PIXELS = 6
# Robust relative spread of the distances of neighbours below which objects are the columns of a lattice.
LATTICE = 0.05


class SizeLoss:
    """Counts of particles and of what was left out for its size, over frames that may run side by side.

    The counts do not travel to other processes, but in each of them all copies count together.

    Parameters
    ----------
    min_diameter
        The limit, in nm.
    """

    def __init__(self, min_diameter: float):
        self.min_diameter = min_diameter
        self.series = 0  # frames of a lazy series; 0 where the counts are asked for once all frames were seen
        self._first: tuple | None = None
        self._said_at: tuple | None = None
        self._lock = threading.Lock()
        self._of_thread = threading.local()
        self._name = uuid.uuid4().hex
        self._clear()

    def _clear(self) -> None:
        self.kept = self.lost = self.frames = self.seen = 0

    def add(self, kept: int, lost: int) -> None:
        """Count those of one frame; of a lazy series they wait until `after` says which."""
        if self.series:
            self._of_thread.counts = kept, lost
            return
        with self._lock:
            self._sum(kept, lost)

    def _sum(self, kept: int, lost: int) -> None:
        self.kept, self.lost, self.frames = self.kept + kept, self.lost + lost, self.frames + (lost > 0)

    def __reduce__(self) -> tuple:
        return _of_process, (self._name, self.min_diameter, self.series)

    def report(self, frames: int, lazy: bool, stacklevel: int = 2) -> None:
        """Warn of the counts of so many frames: now or, where they are lazy, while they are computed."""
        self.series = frames * lazy
        if not lazy:
            self.warn(stacklevel + 1)

    def after(self, index: tuple) -> None:
        """Count a frame of a lazy series and warn once; what comes after a frame that comes again is counted anew."""
        if not self.series:
            return
        counts = getattr(self._of_thread, "counts", (0, 0))
        self._of_thread.counts = 0, 0  # a frame without particles adds none
        with self._lock:
            if index in (self._first, self._said_at):
                self._first = self._said_at = None
                self._clear()
            if self._said_at is not None:
                return
            if self._first is None:
                self._first = index
            self._sum(*counts)
            self.seen += 1
            text = self._text() if self.seen >= self.series or self.lost >= SURE else ""
            if text:
                self._said_at = index
        if text:
            warnings.warn(text, UserWarning, stacklevel=6)  # beyond this package

    def warn(self, stacklevel: int = 2) -> None:
        """Warn if many objects were left out, and count anew."""
        text = self._text()
        self._clear()
        if text:
            warnings.warn(text, UserWarning, stacklevel=stacklevel + 1)

    def _text(self) -> str:
        """What is said of the counts; empty where few were left out."""
        kept, lost = self.kept, self.lost
        if not lost or lost < WORTH * (kept + lost):
            return ""
        most = " Most objects lie below the limit: is the pixel size right?" if lost > kept else ""
        where = f" in {self.frames} frames" if self.frames > 1 else ""
        if self.seen < self.series:
            where = f" in the first {self.seen} frames computed" if self.seen > 1 else " in the first frame computed"
        return (
            f"{lost} object{'s' * (lost != 1)} smaller than min_diameter ({self.min_diameter:g} nm) left out{where}, "
            f"{kept} particle{'s' * (kept != 1)} kept.{most} Give a smaller min_diameter= where they are particles, or "
            "a larger smoothing= where they are noise."
        )


@lru_cache(64)
def _of_process(name: str, min_diameter: float, series: int) -> SizeLoss:
    """The counts of a call in this process, which each task would begin anew."""
    loss = SizeLoss(min_diameter)
    loss._name, loss.series = name, series
    return loss


def small_text(
    frame: np.ndarray, labels: np.ndarray, pixel: tuple[float, float], options: dict
) -> tuple[str, np.ndarray]:
    """What to say of a frame of few particles with many objects below the limit, as a wrong calibration makes it.

    Parameters
    ----------
    frame
        Shape (rows, columns).
    labels
        What was found in it.
    pixel
        Rows and columns in nm.
    options
        Of `particlespy_ml.segmentation.automatic.segment_automatic`.

    Returns
    -------
    text, others
        The text is empty for all other frames; others are the labels of what it is about.
    """
    from particlespy_ml.segmentation.automatic import segment_automatic

    limit = options["min_diameter"]
    times = limit / (SMALLEST * max(pixel))
    found = int(labels.max(initial=0))
    if found > FEW or times < 2:
        return "", labels
    # seen as if its pixels were larger, all lengths in proportion
    larger = {**options, "smoothing": None, "background_diameter": None}
    wanted = max(MANY, TIMES * found)
    middle = tuple(slice(max(0, (n - PROBE) // 2), (n + PROBE) // 2) for n in frame.shape)
    for part in (middle, (slice(None), slice(None))) if max(frame.shape) > PROBE else (middle,):
        small = segment_automatic(frame[part], tuple(times * size for size in pixel), **larger)
        numbers = np.unique(small[(small > 0) & (labels[part] == 0)])
        share = 1 if small.size == frame.size else 0.5 * small.size / frame.size
        sizes = np.sqrt(4 / np.pi * np.bincount(small.ravel())[numbers] * np.prod(pixel))
        below = sizes < limit
        if len(numbers) < max(share * wanted, 1) or below.mean() < 0.5 or _is_lattice(small, numbers):
            return "", labels
    text = (
        f"{found} particle{'s' * (found != 1)} found, but {np.count_nonzero(below)} objects of about "
        f"{np.median(sizes[below]):.2g} nm lie below min_diameter ({limit:g} nm). Is the pixel size, {max(pixel):.3g} "
        "nm, right? If it is, give a smaller min_diameter=."
    )
    return text, small


def dark_text(
    frame: np.ndarray, labels: np.ndarray, pixel: tuple[float, float], options: dict
) -> tuple[str, np.ndarray]:
    """What to say of a frame in which bright particles were looked for and many are dark instead.

    Parameters and result are those of `small_text`.
    """
    from particlespy_ml.segmentation.automatic import segment_automatic

    found = int(labels.max(initial=0))
    if found > FEW or options["polarity"] != "bright":
        return "", labels
    wanted, options = max(SOME, TIMES * found), {**options, "polarity": "dark"}
    if options["min_diameter"] >= COARSE_PIXELS * 2 * max(pixel) and min(frame.shape) > COARSE_PIXELS * 16:
        # first with pixels of twice the size, which takes a quarter of the time
        coarse = block_mean(as_float(frame), np.array([2, 2]))
        if segment_automatic(coarse, tuple(2 * size for size in pixel), **options).max(initial=0) < 0.5 * wanted:
            return "", labels
    others = segment_automatic(frame, pixel, **options)
    dark = int(others.max(initial=0))
    if dark < wanted:
        return "", labels
    text = (
        f"{found} bright particle{'s' * (found != 1)} found, but {dark} that are darker than their support. If the "
        'image is no HAADF image, call set_signal_type("particle_image"); or give polarity="dark".'
    )
    return text, others


def _is_lattice(labels: np.ndarray, numbers: np.ndarray) -> bool:
    """Whether objects lie as evenly as atomic columns; a handful does not tell."""
    from scipy.ndimage import center_of_mass

    if len(numbers) <= 5:
        return False
    centres = np.array(center_of_mass(labels > 0, labels, numbers))
    fourth = cKDTree(centres).query(centres, k=5)[0][:, 4]  # the nearest alone is as even where particles keep apart
    middle = np.median(fourth)
    return bool(1.4826 * np.median(np.abs(fourth - middle)) < LATTICE * middle)
