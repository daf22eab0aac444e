"""Progress bars inside of one frame, for frames that take long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

_shown: ContextVar[bool] = ContextVar("bars_shown", default=False)
DELAY = 2.0  # seconds, so that short work shows none


@contextmanager
def bars_shown(shown: bool) -> Iterator[None]:
    """Show the bars of work done inside, in this thread; others, which work on frames of a series, have none.

    Parameters
    ----------
    shown
        Whether bars are shown.
    """
    token = _shown.set(bool(shown))
    try:
        yield
    finally:
        _shown.reset(token)


def bar(total: int, description: str, unit: str) -> tqdm:
    """Return a bar that appears after two seconds where bars are shown, and never otherwise.

    Parameters
    ----------
    total
        Number of steps.
    description, unit
        What is done, and what a step is called.

    Examples
    --------
    >>> from particlespy_ml.core.progress import bar
    >>> with bar(3, "Counting", "number") as steps:  # nothing is shown
    ...     for _ in range(3):
    ...         _ = steps.update()
    >>> steps.n
    0
    """
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=description, unit=unit, disable=not _shown.get(), delay=DELAY, leave=False)
