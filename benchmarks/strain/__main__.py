"""Strain of columns by structural template matching, beside analytic truth and bounds.

``python -m benchmarks.strain`` prints: the error on an analytic field and the time that 10,201 columns take; the spread
of exx over that of the places beside the Cramér-Rao bound; how often error bars cover the truth; the shares of columns
that are told right at steps, vacancies, in a decahedron, in strained crystals and at surfaces, and between grains; and
what amorphous points are taken for.
Times are of the processor, which those of an idle machine are. ``--record`` writes what the first four parts measured
into ``benchmarks/records/strain.json``, which pages are compared with.

``python -m benchmarks.strain --parts accuracy --cache FOLDER`` prints how far strain from simulated images of gold
particles is from that of their atoms. Molecular dynamics and multislice take an hour or two of one core the first time;
what is in the folder is taken from there.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks import records
from benchmarks.strain import grains, structures
from particlespy_ml.strain import measure_strain, template
from particlespy_ml.strain.deformation import NAMES

PARTS = ("field", "bound", "coverage", "structures", "gradients", "grains", "random")
LONG = ("accuracy",)  # only where asked for
AMORPHOUS = 1000


def values(frame) -> np.ndarray:
    """Strain and rotation, shape (n, 5)."""
    return frame[list(NAMES)].to_numpy()


def errors(frame) -> np.ndarray:
    """Their standard errors, shape (n, 5)."""
    return frame[[f"{name}_error" for name in NAMES]].to_numpy()


def timed(places, *arguments, **options):
    """The strain, and the least of three times."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        frame = measure_strain(places, *arguments, **options)
        seconds.append(time.process_time() - started)
    return frame, min(seconds)


def print_field() -> dict:
    """Mean error on the analytic field by its width, and the time."""
    results = {}
    print("Analytic field, 101 x 101 columns, largest strain .01: mean error, and largest, over exx, eyy and exy")
    for width in (12.0, 25.0, 50.0):
        field = structures.Field(width=width)
        truth = structures.polar_truth(field.gradient())
        for neighbours in (8, 4):
            frame, seconds = timed(field.places(), "square", neighbours=neighbours, scale=1)
            away = np.abs(values(frame)[:, :3] - truth)
            known = np.isfinite(away[:, 0])
            results[f"{width:.0f} columns, {neighbours} neighbours"] = {"mean error": away[known].mean()}
            print(
                f"  width {width:4.0f} columns, {neighbours} neighbours: {away[known].mean():.1e}, "
                f"{away[known].max():.1e}; {seconds:.2f} s; {known.mean():.4f} of the columns"
            )
    _, seconds = timed(structures.Field().places())
    print(f"  template chosen by itself: {seconds:.2f} s")
    return results


def print_bound(draws: int) -> dict:
    """Spread of the strain of columns inside, over that of the places in distances between neighbours."""
    results = {}
    print(f"sd(exx) over sd(place) / distance of neighbours, {draws} draws, beside the Cramér-Rao bound")
    cases = (
        ("hexagonal", None, 6, 0.01, "seven points"),
        ("square", None, 8, 0.01, "nine points"),
        # variance .05 at 20 pixels between neighbours
        ("square", None, 8, 0.05**0.5 / 20, "noise variance .05 px²"),
        ("graphene", "<0001>", 9, 0.01, "ten points"),
    )
    for name, axis, number, noise, told in cases:
        site = template(name, neighbours=number).sites[0]
        points = np.vstack([[0, 0], site.neighbours / site.radii[0]])
        centred = points - points.mean(0)
        bound = np.sqrt(np.linalg.inv(centred.T @ centred)[0, 0])
        places = structures.lattice(name, 6.0, axis)
        inside = np.linalg.norm(places, axis=1) < 3.5
        rng = np.random.default_rng(0)
        scale = 1 / site.radii[0]
        drawn = np.array(
            [
                measure_strain(places + rng.normal(0, noise, places.shape), name, neighbours=number, scale=scale)[
                    "exx"
                ].to_numpy()[inside]
                for _ in range(draws)
            ]
        )
        found = np.nanstd(drawn) / noise
        results[f"{name}, {told}"] = {"found": found, "bound": bound, "sd in %": 100 * found * noise}
        print(
            f"  {name:10} {told:24} {found:.3f}, bound {bound:.3f}, ratio {found / bound:.3f}; "
            f"sd {100 * found * noise:.3f} %"
        )
    return results


def print_coverage(draws: int) -> dict:
    """Shares of the truth within 1.96 standard errors, rim included."""
    results = {}
    print("Truth within 1.96 standard errors, rim included: " + ", ".join(NAMES))
    for name, axis in (("square", None), ("hexagonal", None), ("fcc", "<011>"), ("graphene", "<0001>")):
        wanted = "fcc<110>" if name == "fcc" else name
        places = structures.lattice(name, 7.0, axis)
        for noise in (0.003, 0.01, 0.03, 0.05):
            rng = np.random.default_rng(0)
            truth = values(measure_strain(places, wanted))
            inside, matched = [], []
            for _ in range(draws):
                frame = measure_strain(places + rng.normal(0, noise, places.shape), wanted, errors=noise)
                known = (frame["template"] == wanted).to_numpy() & np.isfinite(truth[:, 0])
                inside.append((np.abs(values(frame) - truth) < 1.96 * errors(frame))[known])
                matched.append(known.mean())
            shares = ", ".join(f"{share:.3f}" for share in np.vstack(inside).mean(0))
            results[f"{wanted}, noise {noise}"] = dict(zip(NAMES, np.vstack(inside).mean(0), strict=True))
            print(f"  {wanted:10} noise {noise:5.3f} of the distance: {shares}; matched {np.mean(matched):.3f}")
    every = [share for row in results.values() for share in row.values()]
    return results | {"least and most": [min(every), max(every)]}


def print_structures(draws: int) -> dict:
    """Shares of columns that are told right."""
    results = {}
    print("Columns told right: template, domain, and none at boundaries")
    for noise in (0.0, 0.01, 0.02, 0.03):
        rng = np.random.default_rng(0)
        shares = np.array([_shares(rng, noise) for _ in range(draws if noise else 1)])
        step, vacancy, domains, apart = shares.mean(0)
        told = {"step": step, "vacancy": vacancy, "decahedron": domains}
        results[f"noise {noise:g}"] = told | {"domains off 36 degrees": apart}
        print(
            f"  noise {noise:4.2f}: step {step:.4f}, at the vacancy {vacancy:.4f}, decahedron {domains:.4f}, its "
            f"domains {apart:.3f} degrees off 36 at most"
        )
    return results


def _shares(rng, noise: float) -> tuple[float, ...]:
    places, exx = structures.step()
    frame = measure_strain(places + rng.normal(0, noise, places.shape), "square", scale=1)
    known = np.isfinite(exx)
    matched = (frame["template"] == "square").to_numpy()
    within = np.abs(frame["exx"].to_numpy() - exx) < np.maximum(4 * frame["exx_error"].to_numpy(), 1e-9)
    x, y = places.T
    # the vacancy is in the middle of y, and the third from the end of x
    around = (np.abs(y - 15) < 1.5) & (np.abs(x - (15 + 12 * 1.03)) < 1.6) & known
    return (
        float((matched & within)[known].mean()),
        float(matched[around].mean()),
        *_decahedron(rng, noise),
    )


def _decahedron(rng, noise: float) -> tuple[float, float]:
    grains = structures.decahedron()
    places = grains.places + rng.normal(0, noise, grains.places.shape)
    frame = measure_strain(places, ["fcc<110>", "fcc<110> twin"])
    named = frame["template"].astype(str).to_numpy()
    rotation = frame["rotation"].to_numpy()
    away = (rotation - grains.turns[grains.grain] + 90) % 180 - 90
    right = np.where(grains.grain >= 0, (named == "fcc<110>") & (np.abs(away) < 10), named == "fcc<110> twin")
    right[0] = named[0] == "undefined"
    of_domain = [
        grains.turns[number] + np.mean(away[(grains.grain == number) & (named == "fcc<110>")]) for number in range(5)
    ]
    apart = np.diff(np.sort(np.mod(of_domain, 180)))
    return float(right.mean()), float(np.abs(apart - 36).max())


def print_random() -> None:
    """What is made of points without order."""
    rng = np.random.default_rng(0)
    packed = np.empty((0, 2))
    for place in rng.random((9000, 2)) * 31.6:
        if not len(packed) or np.linalg.norm(packed - place, axis=1).min() > 0.85:
            packed = np.vstack([packed, place])
    for told, places in (("at random", rng.random((AMORPHOUS, 2)) * 31.6), ("packed", packed)):
        for wanted in ("auto", ["square", "hexagonal", "fcc<110>", "graphene"]):
            frame, seconds = timed(places, wanted)
            share = (frame["template"] != "undefined").mean()
            name = wanted if wanted == "auto" else "four templates"
            print(f"  {len(places)} points {told}, {name}: {seconds:.2f} s, {share:.4f} matched")


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strain", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS + LONG, default=list(PARTS))
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--cache", default="cache/strain", help="folder of what takes long")
    parser.add_argument("--sizes", nargs="+", type=int, choices=(2, 4, 6), default=[2, 4, 6], help="of particles in nm")
    parser.add_argument("--snapshots", type=int, help="of each particle; by default 40, of 6 nm 16")
    parser.add_argument("--haadf-snapshots", type=int, default=16, help="in HAADF images (default: 16)")
    parser.add_argument("--record", action="store_true", help="write what was measured into benchmarks/records")
    options = parser.parse_args(arguments)
    if "accuracy" in options.parts:
        from benchmarks.strain.accuracy import print_accuracy

        print_accuracy(options.cache, options.sizes, options.snapshots, min(options.draws, 4), options.haadf_snapshots)
    runs = {
        "field": print_field,
        "bound": lambda: print_bound(options.draws),
        "coverage": lambda: print_coverage(options.draws),
        "structures": lambda: print_structures(min(options.draws, 10)),
    }
    for part in (part for part in runs if part in options.parts):
        results = runs[part]()
        if options.record:
            records.save("strain", part, results, f"--draws {options.draws}")
    if "gradients" in options.parts:
        grains.print_gradients(min(options.draws, 10))
    if "grains" in options.parts:
        grains.print_grains(min(options.draws, 10))
    if "random" in options.parts:
        print_random()


if __name__ == "__main__":
    main()
