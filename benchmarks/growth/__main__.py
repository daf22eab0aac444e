"""``python -m benchmarks.growth``: processor time of every verb over pixels, particles, columns and frames."""

from __future__ import annotations

import argparse
import warnings

from benchmarks.growth import columns, images, stacks, tables
from benchmarks.growth.measure import STEEP, report

PARTS = {"images": images, "tables": tables, "columns": columns, "stacks": stacks}
# Why the time of a verb grows faster than what it is given.
REASONS = {
    "cluster_particles": "more particles show more detail, for which more components are tried, up to 16",
    "class_averages": "rounds of alignment end once the mean stays, after eight at most, later for more particles",
    "track_particles": "pairs of all particles of two frames tell their drift, up to 200 in the middle of one",
}


def main(arguments: list[str] | None = None) -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--quick", action="store_true", help="smaller sizes, less than three minutes in all")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    print(f"Processor time over size n, and p of time = a n**p on the larger sizes; the reason where p > {STEEP}")
    for name in options.parts:
        for growth in PARTS[name].GROWTHS:
            report(growth, options.quick, REASONS)
    print()


if __name__ == "__main__":
    main()
