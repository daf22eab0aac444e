"""Columns in HRTEM images beside peers and bounds.

``python -m benchmarks.columns_hrtem`` prints, on structures, microscopes and cameras that the networks were never
trained on: columns found and placed by dose with and without a carbon film, beside maxima of a filtered image and
atomap's finder, both with the settings and the sign of the contrast that are best when the truth is known; surface
columns by their height; false columns in frames without any; and the time that a frame takes. The structures are
simulated into ``--cache`` first, which takes a minute. The parts ``fitted`` and ``fitted-ceria``, which are printed
when asked for, fit the lens and the waves behind columns to single images and focal series: half a minute for each.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.columns_hrtem import images, peers
from benchmarks.columns_hrtem.ceria import print_occupancies
from benchmarks.columns_hrtem.curves import print_curves
from benchmarks.columns_hrtem.fitted import print_fitted, print_fitted_ceria, print_fitted_series
from benchmarks.columns_hrtem.graphene import print_graphene
from benchmarks.columns_hrtem.heights import print_heights
from benchmarks.columns_hrtem.scores import best_of_peer, by_network, interval, outcomes
from particlespy_ml.models.load import load_model
from particlespy_ml.training.columns.evaluate import recall_by_output, score_columns

DOSES = (1e2, 3e2, 1e3, 3e3, 1e4)
FITTED = ("fitted", "fitted-series", "fitted-ceria")
PARTS = ("accuracy", "false", "bound", "curves", "ceria", "graphene", "heights", "speed")


def print_accuracy(folder, count: int, model) -> None:
    """Columns by dose, with film and without, beside the peers; surface columns by height."""
    print(
        f"Au <110> and <001>, {count} structures of 1.6 to 3 nm, tilt up to 2 degrees, half of them on 1 to 3 nm of C"
    )
    print(f"  {'e/Å²':>7}  {'':22} {'F1':24} {'recall':>7} {'precision':>9} {'rms (pm)':>8} {'exact':>6}")
    for dose in DOSES:
        recordings = images.recordings(folder, count, dose)
        groups = {
            "all": recordings,
            "vacuum": [pair for pair in recordings if not pair[1]["film"]],
            "film": [pair for pair in recordings if pair[1]["film"]],
        }
        for name, group in groups.items():
            results = outcomes(group, by_network(model))
            _print_row(dose, f"network, {name}", score_columns(results))
            if name == "vacuum":
                recalls = recall_by_output(results, 12)[:4]
                print(
                    f"  {'':>7}  recall of 1, 2, 3, 4 atoms: {', '.join(f'{r:.3f}' for r in recalls if r is not None)}"
                )
        for way in peers.WAYS:
            setting, number, scores = best_of_peer(recordings, way)
            _print_row(dose, f"{way}, all", scores)
            print(f"  {'':>7}  {'':22} {setting}, the best of {number}")


def _print_row(dose: float, name: str, scores: dict) -> None:
    rms = f"{100 * scores['misplacement']:.1f}" if scores["misplacement"] is not None else ""
    recall, precision, exact = (scores[key]["value"] for key in ("recall", "precision", "exact"))
    print(f"  {dose:7g}  {name:22} {interval(scores['f1']):24} {recall:7.3f} {precision:9.3f} {rms:>8} {exact:6.3f}")


def print_false(count: int, model) -> None:
    """Columns found where there are none."""
    find = by_network(model)
    print(f"False columns in {count} frames of 4 nm at 10 to 1e5 e/Å² each")
    for name, frames in images.empty_images(count).items():
        counts = np.array([len(find(frame[None], 0.2).places) for frame in frames])
        print(f"  {name:15} {counts.mean():.3f} a frame, at most {counts.max()}, none in {np.mean(counts == 0):.3f}")


def print_bound(count: int) -> None:
    """Error of the place and doses that tell a column's presence, for an ideal detector with known optics."""
    from benchmarks.columns_hrtem.bound import columns_information

    known = columns_information(count)
    print("Bound of an ideal detector with known optics")
    print(f"  {'atoms':>5}  {'columns':>7}  {'place at 1e3 e/Å² (pm)':>23}  {'dose for recall .95 (e/Å²)':>27}")
    for height in sorted({one.height for one in known}):
        own = [one for one in known if one.height == height]
        place = 100 * np.median([1 / np.sqrt(1e3 * one.of_place) for one in own])
        dose = np.median([4.7**2 / one.of_presence for one in own])
        print(f"  {height:5}  {len(own):7}  {place:23.2f}  {dose:27.0f}")


def print_speed(model) -> None:
    """Seconds for one large frame and frames a minute of a movie, reading to rows."""
    import hyperspy.api as hs

    rng = np.random.default_rng(0)
    for shape in ((1, 512, 512), (40, 256, 256)):
        signal = hs.signals.Signal2D(rng.poisson(40.0, shape).astype(np.float32))
        for axis in signal.axes_manager.signal_axes:
            axis.scale, axis.units = 0.02, "nm"
        signal.set_signal_type("HRTEM")
        signal.inav[:1].find_columns(model=model, show_progressbar=False)
        started = time.perf_counter()
        signal.find_columns(model=model, show_progressbar=False)
        seconds = (time.perf_counter() - started) / shape[0]
        print(f"  {shape[1]} x {shape[2]}: {seconds:.2f} s a frame, {60 / seconds:.0f} frames a minute")


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.columns_hrtem", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=(*PARTS, *FITTED), default=list(PARTS))
    parser.add_argument("--cache", default="cache/columns-benchmark", help="folder of the simulations")
    parser.add_argument("--structures", type=int, default=40)
    parser.add_argument("--series", type=int, default=24, help="focal series of each set of the part fitted-series")
    parser.add_argument("--frames", type=int, default=200, help="frames without columns, of each sort")
    parser.add_argument("--model", default="columns-hrtem", help="name or folder of the network of metals")
    parser.add_argument("--ceria", default="ceria-hrtem", help="that of ceria")
    parser.add_argument("--graphene", default="graphene-hrtem", help="that of graphene")
    parser.add_argument("--heights", default="heights-hrtem", help="that of focal series")
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    folder, structures = options.cache, options.structures
    gold = images.fields(folder, "gold", images.GOLD, structures) if {"accuracy", "curves"} & set(options.parts) else ""
    parts = {
        "accuracy": lambda: print_accuracy(gold, structures, model),
        "false": lambda: print_false(options.frames, model),
        "bound": lambda: print_bound(12),
        "curves": lambda: print_curves(gold, structures, model),
        "ceria": lambda: print_occupancies(folder, structures, load_model(options.ceria)),
        "graphene": lambda: print_graphene(folder, max(structures // 2, 1), load_model(options.graphene)),
        "heights": lambda: print_heights(folder, structures, load_model(options.heights)),
        "fitted": lambda: print_fitted(folder, structures),
        "fitted-series": lambda: print_fitted_series(folder, options.series),
        "fitted-ceria": lambda: print_fitted_ceria(folder, structures),
        "speed": lambda: print_speed(model),
    }
    for name in options.parts:
        parts[name]()


if __name__ == "__main__":
    main()
