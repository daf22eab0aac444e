"""``python -m benchmarks.isomers``: the isomer network beside an atlas of templates, out of range, and its speed.

Structures that the cache lacks are simulated first, some ten seconds each; a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.isomers import compare, distorted, refusal, selective, speed
from benchmarks.isomers.simulations import FOREIGN, simulated
from particlespy_ml.models.load import load_model
from particlespy_ml.simulation.atoms.out_of_range import OUT_OF_RANGE

PARTS = ("hard", "sizes", "range", "selective", "distorted", "speed")


def main(arguments: list[str] | None = None) -> None:
    """Print the tables of the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.isomers", description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("cache/isomers"), help="folder of the PRISM images")
    parser.add_argument("--model", default="isomer-haadf", help="name of a bundled model, or a folder")
    parser.add_argument("--structures", type=int, default=100, help="hard structures; fewer than 12 miss some")
    parser.add_argument("--realisations", type=int, default=12, help="images of each at each dose")
    parser.add_argument("--matched", type=int, default=3, help="how many of these the atlas gets")
    parser.add_argument("--step", type=float, default=5.0, help="degrees between the orientations of the atlas")
    parser.add_argument("--in-range", type=int, default=60, help="isomers that the kinds out of range are held against")
    parser.add_argument("--each-kind", type=int, default=12, help="structures of each kind out of range")
    parser.add_argument("--workers", type=int, default=None, help="processes that simulate; by default all cores")
    parser.add_argument(
        "--held-out",
        type=Path,
        help="simulations of held-out isomers, for the parts selective and distorted",
    )
    parser.add_argument("--write", action="store_true", help="keep the thresholds of the part selective on the card")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args(arguments)
    if "selective" in options.parts and options.held_out is not None:
        selective.main(options.model, options.held_out, options.realisations, options.write)
    elif "selective" in options.parts:
        print("The part selective is left out: it needs --held-out.")
    if "distorted" in options.parts:
        distorted.main(options.model, options.realisations, options.held_out)
        distorted.print_agreement(options.realisations)
    if set(options.parts) <= {"selective", "distorted"}:
        return
    model = load_model(options.model)
    wanted = {"hard": options.structures} if "hard" in options.parts else {}
    if "range" in options.parts:
        kinds = dict.fromkeys((*OUT_OF_RANGE, *FOREIGN), options.each_kind)
        wanted |= kinds
    if {"sizes", "range"} & set(options.parts):
        wanted["in_range"] = options.in_range
    sets = simulated(options.cache, wanted, options.workers)
    print(f"Model {model.name}, {'with' if model.rejects else 'without'} an output for what is none of its classes\n")
    compared = {name: sets[name] for part, name in (("hard", "hard"), ("sizes", "in_range")) if part in options.parts}
    if compared:
        matched = min(options.matched, options.realisations)
        compare.main(compared, model, options.realisations, matched, options.step)
    sets.pop("hard", None)
    if "range" in options.parts:
        refusal.main(sets, model, options.realisations)
    if "speed" in options.parts:
        speed.main(model)


if __name__ == "__main__":
    main()
