"""``python -m benchmarks.counting``: finding columns and counting atoms, beside atomap and the bounds.

The part "abtem" simulates what the cache lacks first, see `benchmarks.counting.simulations`; "measured" needs the
image of StatSTEM, which is no part of the project.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.counting.images import abtem_part
from benchmarks.counting.particles import (
    BACKGROUND,
    INCREMENT,
    LIBRARY,
    PIXEL,
    WIDTH,
    draw,
    interval,
    share,
    shot_noise_bound,
    truncated_octahedron,
    volume_bound,
)
from benchmarks.counting.supports import supports_part
from benchmarks.counting.totals import totals_part
from benchmarks.counting.zone_axes import zone_axis_part
from particlespy_ml.columns.fit.refine import gaussian_columns, measure_volumes, refine_columns
from particlespy_ml.columns.search.in_image import find_columns_in
from particlespy_ml.columns.search.significance import column_significance
from particlespy_ml.counting.library import count_with_library
from particlespy_ml.counting.neighbours import count_with_neighbours, neighbour_pairs
from particlespy_ml.quality.noise import Noise

SIZES = ((16, 5), (21, 6), (41, 13))  # edge and cut of octahedra: 381, 697 and 2605 columns
PARTS = (
    "counts",
    "positions",
    "components",
    "zone_axis",
    "speed",
    "memory",
    "series",
    "measured",
    "abtem",
    "totals",
    "supports",
)


def match(found, positions, counted, counts) -> np.ndarray:
    """Count found for every true column, -1 where it was missed."""
    out = np.full(len(counts), -1)
    distance, index = cKDTree(positions).query(found)
    near = distance < 0.8 / PIXEL
    out[index[near]] = counted[near]
    return out


def counts_part(trials: int) -> None:
    """Exact counts given a library, beside atomap and the shot-noise bound; reliability of the probabilities."""
    from particlespy_ml.counting.atomap_mixture import count_with_atomap

    print("Exact counts of 381 columns, 2406 atoms, given the library")
    print(
        "  shot noise: isolated columns of known places on nothing; volumes: overlap, unknown places, width, background"
    )
    print(
        "  dose  scatter  shot noise  volumes  cross-sections alone         with neighbours              atomap (once)"
    )
    reliability = {"cross-sections alone": [], "with neighbours": []}
    for scatter in (0.0, 0.03):
        for dose in (1e3, 3e3, 1e4, 1e5):
            alone, together, known, atomap = [], [], [], np.nan
            for seed in range(trials):
                image, positions, _, counts = draw(dose, seed, scatter)
                fit = find_columns_in(image, PIXEL / 10, noise=Noise(1.0, 0.0)).fit
                values, errors = fit.volumes / dose, fit.volume_errors / dose
                found = count_with_library(values, errors, LIBRARY)
                posterior = count_with_neighbours(found.log_likelihoods, found.prior, neighbour_pairs(fit.positions))
                alone.append(np.mean(match(fit.positions, positions, found.posterior.argmax(1) + 1, counts) == counts))
                together.append(np.mean(match(fit.positions, positions, posterior.argmax(1) + 1, counts) == counts))
                distance, index = cKDTree(positions).query(fit.positions)
                best = measure_volumes(image, positions, WIDTH / PIXEL, noise=Noise(1.0, 0.0))
                best = count_with_library(best.volumes / dose, best.volume_errors / dose, LIBRARY).posterior
                known.append(np.mean(best.argmax(1) + 1 == counts))
                for name, chance in zip(reliability, (found.posterior, posterior), strict=True):
                    right = (chance.argmax(1) + 1 == counts[index]) & (distance < 0.8 / PIXEL)
                    reliability[name].append(np.column_stack([chance.max(1), right]))
                if seed == 0:
                    ranked, _, _ = count_with_atomap(values, max_components=16)
                    atomap = np.mean(match(fit.positions, positions, ranked, counts) == counts)
            bound = shot_noise_bound(counts, LIBRARY, dose, scatter, np.random.default_rng(0))
            clean, places, _, counts = draw(dose, 0, noise=False)
            volumes = volume_bound(clean, places, counts, LIBRARY * dose, scatter, np.random.default_rng(0))
            line = f"  {dose:6.0f}  {scatter:.2f}  {bound:.3f}  {volumes:.3f}  {np.mean(known):.3f}  {interval(alone)}"
            print(f"{line}  {interval(together)}  {atomap:.3f}", flush=True)
    for name, found in reliability.items():
        _print_reliability(name, np.vstack(found))


def _print_reliability(name: str, pairs: np.ndarray) -> None:
    print(f"  reliability, {name}: probability, fraction right, columns")
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.97), (0.97, 1.01)):
        inside = (pairs[:, 0] >= low) & (pairs[:, 0] < high)
        if inside.any():
            print(f"    {pairs[inside, 0].mean():.3f} {pairs[inside, 1].mean():.3f} {inside.sum()}", flush=True)


def cramer_rao(positions, volumes, shape, background: float) -> float:
    """Root mean square bound of a coordinate, from a dense matrix of the neighbourhood of every sixth column."""
    clean = gaussian_columns(shape, positions, volumes, WIDTH / PIXEL, background)
    s, bounds = WIDTH / PIXEL, []
    tree = cKDTree(positions)
    rows, columns = np.indices(shape)
    for k in range(0, len(positions), 6):
        near = tree.query_ball_point(positions[k], 14 * s)
        near = [k, *(n for n in near if n != k)]
        box = tuple(slice(max(0, int(p - 18 * s)), int(p + 18 * s)) for p in positions[k])
        jacobian = []
        for n in near:
            dy, dx = rows[box] - positions[n, 0], columns[box] - positions[n, 1]
            g = np.exp(-(dy**2 + dx**2) / (2 * s**2)) / (2 * np.pi * s**2)
            jacobian += [(volumes[n] * g * dy / s**2).ravel(), (volumes[n] * g * dx / s**2).ravel(), g.ravel()]
        jacobian = np.array(jacobian)
        inverse = np.linalg.inv((jacobian / clean[box].ravel()) @ jacobian.T)
        bounds += [inverse[0, 0], inverse[1, 1]]
    return float(np.sqrt(np.mean(bounds)))


def positions_part(trials: int) -> None:
    """Positions beside the Cramer-Rao bound and atomap; recall and precision of columns."""
    print("\nPositions (root mean square of a coordinate, pm), recall and precision of columns")
    for dose in (1e3, 3e3, 1e4, 1e5):
        errors, hits, of, found_all, right = [], 0, 0, 0, 0
        for seed in range(trials):
            image, positions, volumes, _ = draw(dose, seed)
            fit = find_columns_in(image, PIXEL / 10).fit
            distance, index = cKDTree(positions).query(fit.positions)
            near = distance < 0.8 / PIXEL
            errors.append(fit.positions[near] - positions[index[near]])
            hits, of = hits + len(np.unique(index[near])), of + len(positions)
            found_all, right = found_all + len(near), right + near.sum()
        error = 100 * PIXEL * np.sqrt(np.mean(np.vstack(errors) ** 2))
        bound = 100 * PIXEL * cramer_rao(positions, volumes, image.shape, BACKGROUND * dose * PIXEL**2)
        atomap = 100 * PIXEL * np.sqrt(np.mean(_atomap_positions(image, positions) ** 2)) if dose >= 1e4 else np.nan
        print(
            f"  {dose:6.0f} e/Å²: {error:.2f}, bound {bound:.2f}, ratio {error / bound:.2f}, atomap {atomap:.2f};",
            end=" ",
        )
        print(f"recall {share(hits, of)}, precision {share(right, found_all)}", flush=True)


def _atomap_positions(image, positions) -> np.ndarray:
    """Errors of atomap's Gaussian refinement from the true positions, in pixels."""
    from atomap.api import Sublattice

    sublattice = Sublattice(positions[:, ::-1], image=image)
    sublattice.find_nearest_neighbors()
    sublattice.refine_atom_positions_using_2d_gaussian(show_progressbar=False)
    found = np.array([(atom.pixel_y, atom.pixel_x) for atom in sublattice.atom_list])
    return found - positions


def components_part(trials: int) -> None:
    """The number of components of mixtures, in and out of the range where it can be told."""
    from particlespy_ml.counting.selection import choose_mixture

    rng = np.random.default_rng(11)
    rows = []
    for _ in range(trials):
        n = int(rng.integers(3, 13))
        ratio, size = rng.uniform(1.5, 8), int(rng.integers(3, 25))
        sizes = size + rng.integers(0, 15, n)
        means = np.arange(1, n + 1) * (1 - rng.uniform(0, 0.01) * np.arange(1, n + 1))
        means /= np.diff(means).min()
        values = np.repeat(means, sizes) + rng.normal(size=sizes.sum()) / ratio
        chosen = choose_mixture(values, 24).chosen
        rows.append((n, ratio, size, 0 if chosen is None else len(chosen.means)))
    rows = np.array(rows)
    inside = (rows[:, 1] >= 5) & (rows[:, 2] >= 12)
    wrong = (rows[:, 3] > 0) & (rows[:, 3] != rows[:, 0])
    print("\nNumber of components, 3 to 12 of them, increments of 1.5 to 8 widths, 3 or more columns each")
    print(
        f"  resolved (5 widths, 12 columns each): right {share((rows[:, 3] == rows[:, 0])[inside].sum(), inside.sum())}"
    )
    print(f"  elsewhere: wrong {share(wrong[~inside].sum(), (~inside).sum())},", end=" ")
    print(f"not counted {share((rows[:, 3] == 0)[~inside].sum(), (~inside).sum())}", flush=True)


def speed_part() -> None:
    """Time of the refinement of 381 columns beside atomap's."""
    image, positions, *_ = draw(1e4, 0)
    start = positions + np.random.default_rng(0).normal(scale=0.5, size=positions.shape)
    refine_columns(image, start)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        refine_columns(image, start)
        times.append(time.perf_counter() - began)
    began = time.perf_counter()
    _atomap_positions(image, start)
    atomap = time.perf_counter() - began
    ours = float(np.median(times))
    print(
        f"\nRefinement of 381 columns: {ours:.2f} s, atomap's Gaussians {atomap:.1f} s: {atomap / ours:.0f} "
        f"times faster"
    )
    print("Columns found and refined, beside atomap's refinement of columns whose places it is told; wall time")
    for size in SIZES:
        image, positions, *_ = draw(1e4, 0, size=size)
        began = time.perf_counter()
        found = find_columns_in(image, PIXEL / 10, noise=Noise(1.0, 0.0))
        ours = time.perf_counter() - began
        began = time.perf_counter()
        _atomap_positions(image, positions)
        atomap = time.perf_counter() - began
        print(
            f"  {len(positions):5d} columns ({image.shape[0]} x {image.shape[1]} pixels): {len(found)} found in "
            f"{ours:.1f} s, {1e3 * ours / len(positions):.1f} ms each; atomap {atomap:.1f} s, "
            f"{1e3 * atomap / len(positions):.1f} ms each",
            flush=True,
        )


def memory_part() -> None:
    """Largest memory of the columns of lazy stacks, each in a process of its own."""
    print("\nColumns and counts of a lazy stack of images of 384 x 384 pixels, largest memory of the process")
    for n in (50, 200):
        code = f"from benchmarks.counting.__main__ import lazy_stack; lazy_stack({n})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        print(f"  {n:3d} particles: {done.stdout.strip()}", flush=True)


def lazy_stack(n: int) -> None:
    """Find and count the columns of a lazy stack and print the memory that it took."""
    import resource

    import dask.array as da
    import hyperspy.api as hs

    hs.preferences.General.show_progressbar = False
    rows, columns = np.mgrid[:5, :6]
    places = np.column_stack([192 + 11.0 * rows.ravel(), 180 + 10.0 * columns.ravel()])

    def make(block_info=None):
        rng = np.random.default_rng(block_info[None]["chunk-location"][0])
        clean = gaussian_columns((384, 384), places, 200.0 * rng.integers(1, 8, len(places)), 2.1, 1.0)
        return rng.poisson(clean)[None].astype(np.float32)

    stack = da.map_blocks(make, chunks=((1,) * n, (384,), (384,)), dtype=np.float32)
    s = hs.signals.Signal2D(stack).as_lazy()
    s.axes_manager.signal_axes.set(scale=PIXEL / 10, units="nm")
    s.set_signal_type("HAADF")
    table = s.find_columns(dose="electrons").count_atoms(library=200.0 * PIXEL**2 * np.arange(1, 9))
    table.compute()
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{largest:.0f} MiB, {int(np.sum(table.total_counts()['counted']))} columns counted")


def series_part(frames: int = 20) -> None:
    """Exact counts of a series of few electrons."""
    import hyperspy.api as hs

    hs.preferences.General.show_progressbar = False
    dose = 300.0
    places, counts = truncated_octahedron()
    rng = np.random.default_rng(5)
    images, drift = [], np.zeros(2)
    for _ in range(frames):
        drift = drift + rng.normal(scale=0.7, size=2)
        positions = places / PIXEL + 8 / PIXEL + drift
        clean = gaussian_columns(
            (310, 310), positions, INCREMENT * counts * dose, WIDTH / PIXEL, 0.002 * dose * PIXEL**2
        )
        images.append((rng.poisson(clean), positions))
    s = hs.signals.Signal2D(np.stack([image for image, _ in images]))
    s.axes_manager.signal_axes.set(scale=PIXEL / 10, units="nm")
    s.set_signal_type("HAADF")
    table = s.find_columns_in_series(dose="electrons").count_atoms_in_series(LIBRARY * dose * PIXEL**2)
    exact = []
    for rows, (_, positions) in zip(table.data, images, strict=True):
        found = np.column_stack(table.grid.to_pixels(rows["x"], rows["y"]))
        exact.append(np.mean(match(found, positions, rows["count"], counts) == counts))
    alone = s.inav[0].find_columns(dose="electrons").count_atoms(library=LIBRARY * dose * PIXEL**2, neighbours=False)
    found = np.column_stack(table.grid.to_pixels(alone["x"], alone["y"]))
    single = np.mean(match(found, images[0][1], alone["count"], counts) == counts)
    print(
        f"\nSeries of {frames} frames of 300 e/Å², drifting: exact counts {np.mean(exact):.3f} in every frame;", end=" "
    )
    print(f"one frame alone {single:.3f}", flush=True)


def measured_part(path: Path) -> None:
    """StatSTEM's measured image beside its own columns and counts."""
    if not path.exists():
        print(f"\n{path} is not there: the measured part is left out")
        return
    with np.load(path) as file:
        image, pixel = file["image"], float(file["dx_angstrom"])
        library, theirs, scs = file["library_scs"], file["count_nearest_library"], file["scs"]
        reference = file["coords_fit_A"][:, ::-1] / pixel - 1
    found = find_columns_in(image, pixel / 10)
    residual = (image - found.fit.model)[found.fit.region]
    statstem = {"background": -1, "noise": Noise(0.0, residual.var())}  # Gaussians alone, all pixels of one weight
    for fit, name in (
        (found.fit, "default"),
        (refine_columns(image, found.fit.positions, **statstem), "these columns, StatSTEM's model"),
        (refine_columns(image, reference, **statstem), "StatSTEM's columns and model"),
    ):
        distance, index = cKDTree(reference).query(fit.positions)
        near = distance < 8
        error = (fit.positions[near] - reference[index[near]]) * pixel * 100
        more = f" (significance {column_significance(image, fit)[~near].min():.1f} or more)" if (~near).any() else ""
        values, errors = fit.volumes * pixel**2, fit.volume_errors * pixel**2
        nearest = np.abs(values[:, None] - library).argmin(1) + 1
        counted = count_with_library(values, errors, library)
        same = [np.mean(c[near] == theirs[index[near]]) for c in (nearest, counted.posterior.argmax(1) + 1)]
        within = np.mean(np.abs(nearest[near] - theirs[index[near]]) <= 1)
        print(
            f"\nMeasured Pt-Ir, {name}: {near.sum()} of StatSTEM's {len(reference)} columns and {(~near).sum()} more"
            f"{more};",
            end=" ",
        )
        print(f"positions {np.sqrt(np.mean(error**2)):.1f} pm from its own;")
        print(
            f"  same counts {same[0]:.3f} by the nearest cross-section ({within:.3f} within one), "
            f"{same[1]:.3f} a posteriori;"
        )
        step = np.gradient(library)[theirs - 1]
        off = (scs - library[theirs - 1]) / step
        apart = (values[near] - scs[index[near]]) / step[index[near]]
        print(f"  StatSTEM's cross-sections lie {off.std():.3f} increments off its library (0.289 by chance alone),")
        agrees = nearest[near] == theirs[index[near]]
        sure = np.abs(off[index[near]]) < 0.35
        by_chance = 1 - np.mean(np.minimum(np.abs(apart), 1))
        error = np.median(errors[near] / step[index[near]])
        print(
            f"  {by_chance:.3f} would agree by chance alone of cross-sections that differ by as much and are spread "
            f"evenly; {np.mean(agrees[sure]):.3f} of those do that StatSTEM has within 0.35 increments of its library; "
            f"standard error of ours {error:.3f} increments;"
        )
        print(
            f"  ours {np.median(np.abs(apart)):.3f} (median) off StatSTEM's; where they disagree StatSTEM's lie "
            f"{np.median(np.abs(off[index[near]][nearest[near] != theirs[index[near]]])):.2f} off: half is a tie",
            flush=True,
        )


def main(arguments: list[str] | None = None) -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counting", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--trials", type=int, default=10, help="images at each dose")
    parser.add_argument("--mixtures", type=int, default=200)
    parser.add_argument("--particles", type=int, default=100, help="of each zone axis")
    parser.add_argument("--draws", type=int, default=5, help="of the noise of abTEM images")
    parser.add_argument("--false-positives", type=float, default=0.05, help="columns found by chance in abTEM images")
    parser.add_argument("--sizes", type=int, nargs="+", help="of the particles of abTEM images; by default all")
    parser.add_argument("--cache", type=Path, default=Path("cache/counting"))
    parser.add_argument("--measured", type=Path, default=Path("../shared/data/ptir_haadf.npz"))
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", module="hyperspy|atomap|sklearn")
    parts = {
        "counts": lambda: counts_part(options.trials),
        "positions": lambda: positions_part(options.trials),
        "components": lambda: components_part(options.mixtures),
        "zone_axis": lambda: zone_axis_part(options.particles),
        "speed": speed_part,
        "memory": memory_part,
        "series": series_part,
        "measured": lambda: measured_part(options.measured),
        "totals": lambda: totals_part(options.mixtures),
        "supports": lambda: supports_part(options.trials),
        "abtem": lambda: abtem_part(options.cache, options.draws, options.sizes, options.false_positives),
    }
    for name in options.parts:
        parts[name]()


if __name__ == "__main__":
    main()
