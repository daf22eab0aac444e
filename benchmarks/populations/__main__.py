"""``python -m benchmarks.populations``: clusters of particles and alignment, beside peers and bounds."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

from benchmarks.populations import align, clusters, speed

PARTS = {
    "clusters": clusters.populations,
    "single": clusters.single_population,
    "morphology": clusters.morphology,
    "speed": speed.run,
    "align": align.run,
}


def main(arguments: list[str] | None = None) -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.populations", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--seeds", type=int, default=6, help="samples of populations, and stacks")
    parser.add_argument("--particles", type=int, default=3000, help="of each sample")
    parser.add_argument("--rows", type=int, default=10_000, help="of the part speed")
    parser.add_argument("--cache", type=Path, default=Path("cache/populations"), help="folder of measured samples")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", module="hyperspy|sklearn")
    for name in options.parts:
        PARTS[name](options)


if __name__ == "__main__":
    main()
