"""One frame, 1024 x 1024 with 100 particles: time, memory and areas beside ParticleSpy's, in the same run.

``python -m benchmarks.frames``
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np

from benchmarks.images import gold_image
from particlespy_ml.particles.measure import find_bbox_pixels


def main() -> None:
    """Print the comparison."""
    from particlespy.particle_analysis import parameters, particle_analysis

    image = gold_image()
    image.change_dtype("float64")  # ParticleSpy's Gaussian rounds integers to integers
    options = {"gaussian": 2, "min_size": 50}
    settings = parameters()
    settings.generate(threshold="otsu", **options)

    started = time.perf_counter()
    tracemalloc.start()
    theirs = particle_analysis(image, settings)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    started = time.perf_counter()
    theirs = particle_analysis(image, settings)
    their_time = time.perf_counter() - started

    otsu_time, table = _best_of(5, lambda: image.measure_particles(method="otsu", exclude_border=True, **options))
    auto_time, automatic = _best_of(5, image.measure_particles)
    classify_time, classified = _best_of(3, image.classify_particles)

    their_areas = np.sort([item.properties["area"]["value"] for item in theirs.list])
    areas = np.sort(table["area"])
    same = len(areas) == len(their_areas) and np.allclose(areas, their_areas, rtol=1e-9)
    memory = _table_and_masks(table, image)
    print("One frame of 1024 x 1024 pixels with 100 particles")
    print(f"  ParticleSpy particle_analysis, Otsu: {their_time:8.3f} s, {len(theirs.list)} particles")
    print(f"  measure_particles, the same Otsu:    {otsu_time:8.3f} s, {table.n_particles} particles")
    print(f"    times faster: {their_time / otsu_time:.0f}; same areas: {same}")
    print(f"  measure_particles, default:          {auto_time:8.3f} s, {automatic.n_particles} particles")
    print(f"    times faster: {their_time / auto_time:.0f}")
    print(f"  classify_particles, default:         {classify_time:8.3f} s, {classified.n_particles} particles")
    rate = classified.n_particles / max(classify_time - auto_time, 1e-9)
    print(f"    classification alone: {rate:.0f} particles a second")
    print(f"  kept in memory: ParticleSpy {kept / 1e6:.0f} MB, table and masks {memory / 1e6:.2f} MB\n")


def _best_of(times: int, function):
    """Shortest time of some calls, and the last result."""
    best = np.inf
    for _ in range(times):
        started = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - started)
    return best, result


def _table_and_masks(table, image) -> int:
    """Bytes of the table and of one boolean mask in the bounding box of every particle."""
    from particlespy_ml.core.calibration import pixel_grid

    rows = table.data[0]
    top, left, bottom, right = find_bbox_pixels(rows, pixel_grid(image))
    return rows.nbytes + int(((bottom - top) * (right - left)).sum())


if __name__ == "__main__":
    main()
