"""``python -m benchmarks.crystallinity``: the networks for HRTEM images beside thresholds, bounds and the literature.

It needs the exit waves of ``particlespy-ml simulate crystallinity-hrtem --cache cache/hrtem --count 3933``; those held
out are all that is measured on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.crystallinity import accuracy, ceiling, end_to_end, other_make, segmentation, selective, speed, transfer

PARTS = ("other", "accuracy", "selective", "ceiling", "frames", "transfer", "segmentation", "speed")


def main(arguments: list[str] | None = None) -> None:
    """Print the tables of the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crystallinity", description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("cache/hrtem"), help="folder of the exit waves")
    parser.add_argument("--other-cache", type=Path, default=Path("cache/other-make"), help="folder of the part other")
    parser.add_argument("--particles", type=int, default=150, help="particles of the part other")
    parser.add_argument(
        "--model", type=Path, default=Path("weights/crystallinity-hrtem"), help="folder of a classifier"
    )
    parser.add_argument("--finder", type=Path, default=Path("weights/particles-hrtem"), help="folder of a model")
    parser.add_argument("--realisations", type=int, default=4, help="images of each particle under each condition")
    parser.add_argument("--frames", type=int, default=60, help="held-out fields for the segmentation")
    parser.add_argument("--steps", type=int, default=1200, help="steps of each training of the transfer table")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches for it")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--write", action="store_true", help="keep numbers of the parts other and selective on the card"
    )
    options = parser.parse_args(arguments)
    if "other" in options.parts:
        other_make.main(options.model, options.other_cache, options.particles, options.write)
    if "accuracy" in options.parts:
        accuracy.main(options.model, options.cache, options.realisations)
    if "selective" in options.parts:
        selective.main(options.model, options.cache, options.realisations, options.write)
    if "ceiling" in options.parts:
        ceiling.main(options.model, options.cache)
    if "frames" in options.parts:
        end_to_end.main(options.model, options.finder, options.cache, options.frames)
    if "transfer" in options.parts:
        transfer.main(options.cache, options.steps, options.workers)
    if "segmentation" in options.parts:
        segmentation.main(options.finder, options.cache, options.frames)
    if "speed" in options.parts:
        speed.main()


if __name__ == "__main__":
    main()
