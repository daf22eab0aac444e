"""Seconds for a frame of 1024 x 1024 pixels, and the memory of lazy series."""

from __future__ import annotations

import subprocess
import sys
import time


def main() -> None:
    """Print the time of a frame and the peak memory of two series."""
    frame = _frame()
    frame.classify_particles(show_progressbar=False)  # imports and models
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        table = frame.classify_particles(show_progressbar=False)
        seconds.append(time.perf_counter() - started)
    print(
        f"HRTEM frame of 1024 x 1024 pixels, segmented and classified: {min(seconds):.2f} s, "
        f"{table.n_particles} particles"
    )
    for count in (8, 40):
        command = [sys.executable, "-m", "benchmarks.crystallinity.speed", str(count)]
        print("  " + subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    print()


def _frame(size: int = 1024, pixel_size: float = 0.04):
    """A simulated-looking frame: fringes in disks on noise."""
    import hyperspy.api as hs
    import numpy as np

    rng = np.random.default_rng(0)
    image = 100 + 10 * rng.standard_normal((size, size))
    y, x = np.mgrid[:size, :size] * pixel_size
    for row in range(8):
        for column in range(8):
            middle = (np.array([row, column]) + 0.5) * size * pixel_size / 8 + rng.uniform(-0.5, 0.5, 2)
            inside = np.hypot(y - middle[0], x - middle[1]) < rng.uniform(0.8, 1.6)
            angle = rng.uniform(0, np.pi)
            fringes = np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / 0.235)
            image[inside] += -20 + 15 * fringes[inside]
    signal = hs.signals.Signal2D(image.astype(np.float32))
    signal.axes_manager.signal_axes.set(scale=pixel_size, units="nm")
    signal.set_signal_type("HRTEM")
    return signal


def run(count: int) -> None:
    """Classify a lazy series and print what it took."""
    import resource

    import dask.array as da
    import hyperspy.api as hs
    import numpy as np

    frame = _frame()
    data = da.map_blocks(
        lambda block_info=None: frame.data[np.newaxis].copy(), chunks=((1,) * count, (1024,), (1024,)), dtype=np.float32
    )
    series = hs.signals.Signal2D(data).as_lazy()
    series.axes_manager.signal_axes.set(scale=0.04, units="nm")
    series.set_signal_type("HRTEM")
    started = time.perf_counter()
    table = series.classify_particles()
    table.compute(show_progressbar=False)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{count:3d} frames, lazy: {seconds / count:.2f} s a frame, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    run(int(sys.argv[1]))
