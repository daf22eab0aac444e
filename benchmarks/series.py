"""Lazy series of 50 and 400 frames: peak memory, reads of each frame, and the rate with classification.

``python -m benchmarks.series``. Each series runs in a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> None:
    """Print the comparison."""
    print("Lazy series of frames of 1024 x 1024 pixels with 100 particles each, classified")
    for count in (50, 400):
        command = [sys.executable, "-m", "benchmarks.series", str(count)]
        print("  " + subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    print()


def run(count: int) -> None:
    """Classify one series and print what it took."""
    import resource
    import threading
    import time

    import dask.array as da
    import numpy as np

    from benchmarks.images import calibrated, gold_frame

    frames = [gold_frame(seed=seed) for seed in range(4)]
    reads = np.zeros(count, int)
    lock = threading.Lock()

    def read(block_info=None):
        number = block_info[None]["chunk-location"][0]
        with lock:
            reads[number] += 1
        return frames[number % len(frames)][np.newaxis].copy()

    data = da.map_blocks(read, chunks=((1,) * count, (1024,), (1024,)), dtype=np.uint16)
    series = calibrated(data)
    series.inav[0].classify_particles(lazy_output=False, show_progressbar=False)  # imports and the model
    reads[:] = 0
    started = time.perf_counter()
    table = series.classify_particles()
    before = int(reads.sum())
    table.compute(show_progressbar=False)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    reads[[0, count // 2, count - 1]] -= 1  # which speak for the series before
    once = before == 0 and bool((reads == 1).all())
    print(
        f"{count:4d} frames: peak memory {peak:.2f} GB, frames read once, three twice: {once}, "
        f"{seconds / count:.3f} s a frame, {table.n_particles / seconds:.0f} particles a second from image to class"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(int(sys.argv[1]))
    else:
        main()
