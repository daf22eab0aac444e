"""One decision for all frames of a series: polarity, background and outline, and frames that differ from it."""

from __future__ import annotations

import threading
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from particlespy_ml.core.frames import frame_name

NAMED = 5  # frames that differ and are named by their numbers


@dataclass(frozen=True)
class Decision:
    """What holds for all frames of a series; what is None is decided frame by frame.

    Parameters
    ----------
    polarity
        "bright" or "dark".
    on_support
        Whether the background is a support that shows.
    outline
        Of particles in HRTEM images, "atoms" or "level".
    differs
        Told of frames that do not look like the series.
    """

    polarity: str | None = None
    on_support: bool | None = None
    outline: str | None = None
    differs: DifferingFrames = field(default_factory=lambda: DifferingFrames(), compare=False)


class DifferingFrames:
    """Warns of frames that do not look like the series that they are treated as part of.

    A few are named, each once however often it is computed.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._name = uuid.uuid4().hex
        self._seen: set[tuple] = set()
        self._of_thread = threading.local()

    def __reduce__(self) -> tuple:
        return _of_process, (self._name,)

    def tell(self, reason: str) -> None:
        """Note why the frame that is being segmented in this thread differs; the first reason counts."""
        self._of_thread.reason = getattr(self._of_thread, "reason", "") or reason

    def after(self, index: tuple) -> None:
        """Warn of a frame that was segmented, if it differs."""
        reason, self._of_thread.reason = getattr(self._of_thread, "reason", ""), ""
        if not reason:
            return
        with self._lock:
            if index in self._seen or len(self._seen) > NAMED:
                return
            self._seen.add(index)
            more = len(self._seen) > NAMED
        rest = "; more such frames are not named" if more else ""
        warnings.warn(
            f"Frame {frame_name(index)} {reason}, unlike the series, and was treated as the series is{rest}.",
            UserWarning,
            stacklevel=6,  # beyond this package
        )


@lru_cache(64)
def _of_process(name: str) -> DifferingFrames:
    """The frames of a call in this process, which each task would begin anew."""
    frames = DifferingFrames()
    frames._name = name
    return frames


def more_evidence(frames: list, evidence: Callable[[np.ndarray], tuple[float, float]]) -> str | None:
    """Return of which polarity there is more evidence in some frames; None where there is none.

    Parameters
    ----------
    frames
        Of a series.
    evidence
        From a frame to the evidence of bright and of dark particles.
    """
    bright, dark = np.sum([evidence(frame) for frame in frames], axis=0) if frames else (0, 0)
    return None if bright == dark else "bright" if bright > dark else "dark"


def most(answers: list[bool | None]) -> bool | None:
    """Whether more than half say so of those that say anything; None where none does."""
    given = [answer for answer in answers if answer is not None]
    return 2 * sum(given) > len(given) if given else None
