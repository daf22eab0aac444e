"""Columns and counts on abTEM images with frozen phonons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from benchmarks.counting.particles import shot_noise_bound, volume_bound
from particlespy_ml.columns.fit.refine import refine_columns
from particlespy_ml.columns.search.in_image import find_columns_in
from particlespy_ml.columns.search.significance import column_significance
from particlespy_ml.counting.library import count_with_library
from particlespy_ml.counting.misfit import check_library
from particlespy_ml.counting.neighbours import count_with_neighbours, neighbour_pairs
from particlespy_ml.quality.noise import Noise

SOURCE = 0.8  # Å, full width at half maximum
DOSES = (1e3, 3e3, 1e4, 1e5)
AT_SITES = 0.02  # Å: how well the fit at the known sites knows them
HEAD = """
abTEM images, 0.8 Å source, {draws} draws of the noise. Known sites: the fit that is told where all columns are, the
bound of recall (as many significant there) and of counts. Exact counts of all columns with the simulated library: from
cross-sections alone, with neighbours, and with the best factor of the library. Ceiling: a classifier that knows the
mean cross-section of every number of atoms in this very image. Thermal configurations are few, so that columns of one
number of atoms differ by chance: by the scatter given. Bound: isolated columns with this scatter and shot noise alone,
how many there are of each number of atoms known;
then that of volumes whose overlap, places, width and background are found from the same electrons."""


def abtem_part(
    cache: Path, draws: int = 5, sizes: tuple[int, ...] | None = None, false_positives: float = 0.05
) -> None:
    """Counts on abTEM images that are in the cache."""
    from benchmarks.counting.simulations import CASES, PHONONS, SYMBOL, image, library

    print(HEAD.format(draws=draws))
    for size, zone in CASES:
        if sizes and size not in sizes:
            continue
        if not (cache / f"{SYMBOL}{size}-{zone.strip('<>')}-0.npz").exists():
            print(f"  {SYMBOL}{size} {zone}: not in {cache}; python -m benchmarks.counting.simulations makes it")
            continue
        case, made = image(cache, size, zone), library(cache, zone)
        known = made.cross_sections
        pixel, counts, positions = case["pixel"], case["counts"], case["positions"]
        library_error = np.mean((np.array(made.parameters.get("standard_errors", np.nan)) / known)[: counts.max()])
        clean = gaussian_filter(case["image"].astype(float), SOURCE / 2.355 / pixel)
        if counts.max() > len(known):
            raise ValueError(f"{SYMBOL}{size} {zone} has columns of {counts.max()} atoms, its library of {len(known)}.")
        values = refine_columns(clean, positions, noise=Noise.of_dose(1e6 * pixel**2)).volumes * pixel**2
        bias = np.mean(values) / np.mean(known[counts - 1])
        ceiling = np.mean(_nearest(values, _class_means(values, counts)) == counts)
        scatter = _class_scatter(values, counts)
        print(
            f"  {SYMBOL}{size} {zone}, {len(counts)} columns, 1 to {counts.max()} atoms, {PHONONS[size]} "
            f"configurations: cross-sections over library {bias:.3f} (known to {library_error:.3f}), "
            f"scatter {scatter:.3f}, ceiling without noise {ceiling:.3f}",
            flush=True,
        )
        for dose in DOSES:
            results = []
            for seed in range(draws):
                rng = np.random.default_rng([seed, int(dose)])
                seen = rng.poisson(np.maximum(clean, 0) * dose * pixel**2) / (dose * pixel**2)
                results.append(
                    _measure(seen, Noise.of_dose(dose * pixel**2), pixel, positions, counts, known, false_positives)
                )
            electrons = np.maximum(clean, 0) * dose * pixel**2
            alone = shot_noise_bound(counts, known, dose, scatter, np.random.default_rng(0))
            together = volume_bound(electrons, positions, counts, known * dose, scatter, np.random.default_rng(0))
            _print_line(dose, f"{alone:.3f} {together:.3f}", results)


def _measure(seen, noise, pixel: float, positions, counts, known, false_positives: float) -> dict:
    """What one image gives."""
    at_sites = refine_columns(seen, positions, 0.45 / pixel, noise=noise, tie=AT_SITES / pixel)
    found = find_columns_in(seen, pixel / 10, noise=noise, false_positives=false_positives)
    needed = found.threshold if found.fit is not None else 3.5
    sites = at_sites.volumes * pixel**2, at_sites.volume_errors * pixel**2
    result = {
        "known recall": np.mean(column_significance(seen, at_sites) > needed),
        "known": np.mean(_counted(*sites, known) == counts),
        "known with neighbours": np.mean(_counted(*sites, known, positions) == counts),
    }
    if found.fit is None:
        return {**result, "recall": 0.0, "precision": np.nan, "library": 0.0, "with neighbours": 0.0, "doubt": ""}
    values, errors = found.fit.volumes * pixel**2, found.fit.volume_errors * pixel**2
    distance, index = cKDTree(positions).query(found.fit.positions)
    near, truth = distance < 0.8 / pixel, counts[index]
    inside = near & (truth <= len(known))
    factor = np.median(values[inside] / known[truth[inside] - 1])

    def exact(counted):
        return np.sum((counted == truth) & near) / len(counts)

    result |= {"recall": len(np.unique(index[near])) / len(counts), "precision": near.mean(), "factor": factor}
    result["library"] = exact(_counted(values, errors, known))
    result["with neighbours"] = exact(_counted(values, errors, known, found.fit.positions))
    result["with the factor"] = exact(_counted(values, errors, factor * known, found.fit.positions))
    result["ceiling"] = exact(_nearest(values, _class_means(values[near], truth[near])))
    result["doubt"] = check_library(values, errors, known, count_with_library(values, errors, known)).reason
    return result


def _counted(values, errors, known, positions=None) -> np.ndarray:
    """Counts with a library, with the neighbours where positions are given."""
    found = count_with_library(values, errors, known)
    if positions is None:
        return found.posterior.argmax(1) + 1
    return count_with_neighbours(found.log_likelihoods, found.prior, neighbour_pairs(positions)).argmax(1) + 1


def _print_line(dose: float, bounds: str, results: list[dict]) -> None:
    def mean(name):
        return np.nanmean([result.get(name, np.nan) for result in results])

    doubts = [result["doubt"] for result in results if result["doubt"]]
    print(
        f"    {dose:6.0f} e/Å²: bounds {bounds}, recall {mean('recall'):.3f} (known sites {mean('known recall'):.3f}), "
        f"precision {mean('precision'):.3f}, library {mean('library'):.3f} (known sites {mean('known'):.3f}), "
        f"with neighbours {mean('with neighbours'):.3f} (known sites {mean('known with neighbours'):.3f}), "
        f"with the factor {mean('factor'):.3f} {mean('with the factor'):.3f}, ceiling {mean('ceiling'):.3f}"
        f"{f'; flagged in {len(doubts)}: {doubts[0]}' if doubts else ''}",
        flush=True,
    )


def _class_means(values, counts) -> dict[int, float]:
    return {int(n): float(values[counts == n].mean()) for n in np.unique(counts)}


def _class_scatter(values, counts) -> float:
    """Standard deviation within a number of atoms, relative, of those with three columns or more."""
    parts = [values[counts == n] for n in np.unique(counts) if np.sum(counts == n) > 2]
    return float(np.sqrt(np.mean([(part.std(ddof=1) / part.mean()) ** 2 for part in parts])))


def _nearest(values, means: dict[int, float]) -> np.ndarray:
    numbers = np.array(list(means))
    return numbers[np.abs(values[:, None] - np.array(list(means.values()))).argmin(1)]
