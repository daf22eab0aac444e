"""A series on one and on two worker processes of dask.distributed: time, and the same table.

``python -m benchmarks.cluster``
"""

from __future__ import annotations

import time

import dask.array as da
import numpy as np

from benchmarks.images import calibrated, gold_frame

FRAMES = 32


def read(block_info=None) -> np.ndarray:
    """One frame, made where it is used, as a file would be read there."""
    return gold_frame(seed=block_info[None]["chunk-location"][0])[np.newaxis]


def series():
    """A lazy series of frames."""
    return calibrated(da.map_blocks(read, chunks=((1,) * FRAMES, (1024,), (1024,)), dtype=np.uint16))


def run(workers: int) -> tuple[float, np.ndarray]:
    """Time of a run on a warm cluster, and the probabilities found."""
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(workers)
        client.run(_warm)
        started = time.perf_counter()
        table = series().classify_particles()
        table.compute(show_progressbar=False)
        seconds = time.perf_counter() - started
    names = [name for name in table.columns if name.startswith("probability_")]
    return seconds, np.column_stack([table["area"], *(table[name] for name in names)])


def _warm() -> None:
    """Import and load on a worker what its first frame would have to."""
    from benchmarks.images import gold_image

    gold_image(4, 256).classify_particles()


def main() -> None:
    """Print the comparison."""
    one, expected = run(1)
    two, found = run(2)
    difference = np.nanmax(np.abs(expected - found)) if expected.shape == found.shape else np.inf
    print(f"dask.distributed, {FRAMES} frames of 1024 x 1024 pixels with 100 particles each, classified")
    print(f"  one worker process {one:.1f} s, two {two:.1f} s: {one / two:.2f} times as fast")
    print(f"  largest difference between the tables: {difference:.1e}\n")


if __name__ == "__main__":
    main()
