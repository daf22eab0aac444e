"""Times over growing sizes, and the power of the size that they grow with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEEP = 1.2
# The larger sizes tell: what a call costs whatever its size hides the growth of small ones.
FITTED = 3


@dataclass(frozen=True)
class Growth:
    """A verb and what grows.

    Parameters
    ----------
    verb
        Name of the verb.
    of
        What grows: "pixels", "particles" ...
    make
        From a number to what is timed, a function without arguments. It makes the data, which is not timed.
    sizes
        Numbers, each about twice the one before.
    quick
        Smaller ones, for a run of few minutes.
    """

    verb: str
    of: str
    make: Callable[[int], Callable[[], object]]
    sizes: tuple[int, ...]
    quick: tuple[int, ...]


def seconds(run: Callable[[], object], enough: float = 1.0) -> float:
    """Shortest processor time of a call in all threads, of as many as take some time together, five at most.

    On a machine that others use too it is steadier than what a clock on the wall shows.
    """
    best, spent = np.inf, 0.0
    for _ in range(5):
        started = time.process_time()
        run()
        taken = time.process_time() - started
        best, spent = min(best, taken), spent + taken
        if spent > enough:
            break
    return best


def exponent(sizes: list[int], times: list[float]) -> float:
    """Power p of time = a size**p, fitted to the larger sizes."""
    return float(np.polyfit(np.log(sizes[-FITTED:]), np.log(times[-FITTED:]), 1)[0])


def report(growth: Growth, quick: bool, reasons: dict[str, str]) -> None:
    """Time a verb and print a line."""
    sizes = list(growth.quick if quick else growth.sizes)
    growth.make(sizes[0])()  # imports, models and what is kept of them
    times = []
    for size in sizes:
        times.append(seconds(growth.make(size), 0.3 if quick else 1.0))
    power = exponent(sizes, times)
    steep = f"  > {STEEP}: {reasons.get(growth.verb, 'no reason is known')}" if power > STEEP else ""
    listed = "  ".join(f"{size}: {taken:.3g} s" for size, taken in zip(sizes, times, strict=True))
    print(f"  {growth.verb:24s} {growth.of:9s} {power:5.2f}  {listed}{steep}", flush=True)
