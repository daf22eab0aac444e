"""``python -m benchmarks.populations``: clusters, alignment and reconstruction, beside peers, truths and bounds."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

from benchmarks.populations import align, clusters, overlap, reconstruction, speed

PARTS = {
    "clusters": clusters.populations,
    "single": clusters.single_population,
    "overlap": overlap.run,
    "morphology": clusters.morphology,
    "speed": speed.run,
    "align": align.run,
    "poses": lambda options: reconstruction.poses(),
    "ab_initio": lambda options: reconstruction.ab_initio(),
    "prism": lambda options: reconstruction.prism(),
    "mixture": lambda options: reconstruction.mixture(),
    "projections": lambda options: reconstruction.projections(options.projections),
    "memory": lambda options: reconstruction.memory(),
}


def main(arguments: list[str] | None = None) -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.populations", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--seeds", type=int, default=6, help="samples of populations, and stacks")
    parser.add_argument("--particles", type=int, default=3000, help="of each sample")
    parser.add_argument("--rows", type=int, default=10_000, help="of the part speed")
    parser.add_argument("--projections", type=Path, help="folder of hand.mrcs, hand_rot.npy and hand-vol.mrc")
    parser.add_argument("--cache", type=Path, default=Path("cache/populations"), help="folder of measured samples")
    options = parser.parse_args(arguments)
    if options.projections is None:
        options.parts = [name for name in options.parts if name != "projections"]
    warnings.filterwarnings("ignore", module="hyperspy|sklearn")
    for name in options.parts:
        PARTS[name](options)


if __name__ == "__main__":
    main()
