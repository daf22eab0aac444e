"""Totals of particles without a library: how often the interval covers the truth, and how wide it is.

Cross-sections against numbers of atoms, in Å², simulated with abTEM by
`particlespy_ml.simulation.waves.column_cross_sections.simulate_column_library` (200 kV, 22 mrad, four thermal
configurations, which leave errors of some per cent), which the law of `particlespy_ml.counting.offset` was made
after: element, zone axis, detector in mrad.
"""

from __future__ import annotations

import numpy as np

from benchmarks.counting.particles import share

CURVES = {
    "Au <001> 50-80": (0.0126, 0.0250, 0.0362, 0.0479, 0.0631, 0.0738, 0.0815, 0.0891, 0.0978, 0.1077, 0.1194, 0.128),
    "Au <011> 50-80": (0.0127, 0.0279, 0.0427, 0.0549, 0.0685, 0.0806, 0.0886, 0.0933, 0.0999, 0.1080, 0.1196, 0.129),
    "Pt <111> 50-80": (0.0121, 0.0211, 0.0328, 0.0455, 0.0570, 0.0680, 0.0777, 0.0851, 0.0929, 0.1001, 0.1081, 0.1148),
    "Au <001> 30-80": (0.0442, 0.1197, 0.2003, 0.2635, 0.3107, 0.3416, 0.3609, 0.3793, 0.3965, 0.4136, 0.4316, 0.4461),
    "Pt <011> 30-80": (0.0441, 0.1194, 0.2066, 0.2920, 0.3621, 0.4106, 0.4436, 0.4691, 0.4887, 0.5169, 0.5470, 0.5782),
}

SETTINGS = {
    "increments of 4 to 9 widths": {},
    "4 % false columns, 10 % missing": {"false": 0.04, "missing": 0.1},
    "increments of 1.5 to 4 widths": {"apart": (1.5, 4.0)},
}


def origins() -> None:
    """Numbers of atoms of a component less its mean over the increment beyond it, of simulated cross-sections."""
    print("\nNumber of atoms less mean over increment (in brackets that ratio), of 1, 2, ... atoms")
    for name, curve in CURVES.items():
        unit = np.array([np.diff(curve)[n : n + 2].mean() for n in range(6)])
        ratio = np.array(curve[:6]) / unit
        print(f"  {name}:", "  ".join(f"{n + 1 - r:+.2f} ({r:.1f})" for n, r in enumerate(ratio)), flush=True)


def random_curve(rng: np.random.Generator) -> np.ndarray:
    """Cross-sections of 1 to 20 atoms over their first increments: straight, bent down, or rising late."""
    n = np.arange(1, 21)
    kind = int(rng.integers(3))
    increments = np.ones(len(n))
    if kind == 1:
        increments = 1 - rng.uniform(0.005, 0.015) * n
    if kind == 2:
        late, over = rng.uniform(0.1, 0.45), rng.uniform(0.8, 1.8)
        increments = (1 - late * np.exp(-(n - 1) / over)) * (1 - rng.uniform(0, 0.012) * n)
    curve = np.cumsum(increments)
    return curve / np.diff(curve)[:3].mean()


def draw_columns(rng: np.random.Generator, false: float = 0.0, missing: float = 0.0, apart: tuple = (4.0, 9.0)):
    """Cross-sections, errors, numbers of atoms (0 of false ones) and whether they are off the lattice.

    The thinnest columns have 1, 2 or 3 atoms; *apart* is the range of increments over widths, *false* and *missing* are
    fractions of the columns. An error of the background, 0.1 increments, moves all of them.
    """
    curve = random_curve(rng)
    first, components = int(rng.integers(1, 4)), int(rng.integers(4, 10))
    counts = np.repeat(np.arange(first, first + components), rng.integers(8, 30, components))
    counts = counts[rng.random(len(counts)) >= missing]
    mean = curve[counts - 1] + 0.1 * rng.normal()
    width = 1 / rng.uniform(*apart)
    errors = width * np.sqrt(0.5 + 0.5 * mean / mean.mean())
    values = mean + rng.normal(size=len(counts)) * np.hypot(errors, rng.uniform(0, 0.02) * mean)
    n_false = rng.binomial(len(counts), false)
    values = np.concatenate([values, rng.uniform(0.1, 0.5, n_false)])
    errors = np.concatenate([errors, np.full(n_false, errors.min())])
    off = np.concatenate([np.zeros(len(counts), bool), rng.random(n_false) < 0.7])
    counts = np.concatenate([counts, np.zeros(n_false, int)])
    kept = values > 0
    return values[kept], errors[kept], counts[kept], off[kept]


def counted_rows(values, errors, off, **options) -> np.ndarray:
    """Rows of a table of columns, counted with a mixture."""
    from particlespy_ml.columns.flags import Flag
    from particlespy_ml.columns.rows import column_dtype
    from particlespy_ml.counting.frame_counter import FrameCounter

    rows = np.zeros(len(values), column_dtype())
    rows["volume"], rows["volume_error"], rows["flags"] = values, errors, off * int(Flag.OFF_LATTICE)
    default = {"width": "shared", "n_components": None, "max_components": 14, "criterion": "icl"}
    default |= {"offset": None, "factors": (0.8, 1.25), "neighbours": True, "seed": 0}
    return FrameCounter("mixture", None, None, tuple({**default, **options}.items()), 0)(rows)


def total_of(rows) -> tuple[float, float, float]:
    """Total of counted rows with its 95 % interval."""
    from particlespy_ml.counting.counts import total_count

    return total_count(rows["expected_count"], rows["count_error"], 0.95, rows["shared_draws"])


def totals_part(trials: int) -> None:
    """Coverage and width of the intervals of totals."""
    import logging

    logging.getLogger("particlespy_ml.counting.frame_counter").setLevel(logging.ERROR)
    origins()
    print("\nTotals without a library, 4 to 9 components, the thinnest of 1 to 3 atoms: 95 % intervals hold the truth")
    for name, options in SETTINGS.items():
        covered, singles, thicker, unresolved = [], [], [], 0
        for seed in range(trials):
            values, errors, counts, off = draw_columns(np.random.default_rng([7, seed]), **options)
            rows = counted_rows(values, errors, off)  # components of one width, which is three times as fast
            _, low, high = total_of(rows)
            covered.append(low - 0.5 <= counts.sum() <= high + 0.5)
            unresolved += bool(np.all(rows["count"] < 0))
            (singles if counts[counts > 0].min() == 1 else thicker).append((high - low) / counts.sum())
        print(f"  {name}: {share(sum(covered), trials)}; not resolved in {unresolved};", end=" ")
        print(
            f"width over total (median, nine in ten below) {_quantiles(singles)} with single atoms, "
            f"{_quantiles(thicker)} without",
            flush=True,
        )


def _quantiles(values) -> str:
    return "{:.3f}, {:.3f}".format(*np.quantile(values, (0.5, 0.9))) if values else "none"
