"""Surface dynamics of simulated movies beside frames taken one by one.

``python -m benchmarks.surface`` prints, on movies of gold particles along <110> by multislice whose surface sites are
filled and emptied by known Markov chains, with drift, jumps, rotation, a camera and shot noise: how well changes of
sites add up; occupancies, event rates and coverage of the intervals; false events of stable columns; drift and
rotation; the same by the odds of a network instead of filters; pairs that exchange their column; columns of ceria that
lose some of their atoms; thresholds, atomap and trackpy beside; speed and memory. Waves and movies are simulated into
``--cache`` first, which takes a minute.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc

import numpy as np

from benchmarks.surface import peers
from benchmarks.surface.ceria import print_ceria
from benchmarks.surface.movies import FRAME_TIME, RATES, Movie, movie, signal_of
from benchmarks.surface.particles import additivity
from benchmarks.surface.scores import drift_errors, score
from particlespy_ml.dynamics.markov import simulate_states
from particlespy_ml.dynamics.site_paths import draw_paths

DOSES = (310.0, 1000.0)
PARTS = ("sums", "accuracy", "coverage", "evidence", "pairs", "ceria", "peers", "speed")


def print_sums(seeds, folder) -> None:
    """How well changes of the wave of sites add up, against full multislice."""
    errors = [error for seed in seeds[:2] for _, error in additivity(seed, folder)]
    print(
        f"Sum of the changes of single sites against full multislice: {100 * max(errors):.2f} % of the change at most"
    )


def analysed(one: Movie, dose: float, evidence: str = "filters"):
    """Table and result of a movie."""
    signal = signal_of(one.recorded(dose), one.pixel)
    table = signal.track_columns(show_progressbar=False)
    return table, table.surface_dynamics(signal, evidence=evidence)


def print_accuracy(movies: dict[int, Movie], doses, results) -> None:
    """Occupancies, event rates, intervals, false events and drift by dose."""
    print(
        f"  {'e/Å²':>5} {'movie':>5} {'sites':>6} {'found':>6} {'occupancy':>10} {'events':>7} {'drift':>6} {'turn':>6}"
    )
    for dose in doses:
        every = []
        for seed, one in movies.items():
            table, found = results(seed, dose)
            own = score(one, table, found.to_dataframe())
            every.append(own)
            drift, turned = drift_errors(one, table)
            rms = np.sqrt(np.mean(np.subtract(*own.occupancy.T) ** 2))
            print(
                f"  {dose:5g} {seed:5} {len(own.listed):6} {own.listed.sum():6} {rms:10.4f} {_off(own.events):7.3f} "
                f"{drift:6.3f} {turned:6.3f}"
            )
        occupancy, events = (np.concatenate([getattr(s, n) for s in every]) for n in ("occupancy", "events"))
        listed = np.concatenate([s.listed for s in every])
        covered, processes = (np.concatenate([getattr(s, n) for s in every]) for n in ("covered", "processes"))
        false = np.concatenate([s.false_events for s in every])
        difference = np.subtract(*occupancy.T)
        away = sum(int((~s.inside).sum()) for s in every)
        print(f"  {dose:5g} all: {listed.sum()} of {len(listed)} changing sites found, {away} more leave the view")
        print(f"         occupancy, rms error {np.sqrt((difference**2).mean()):.4f} {_bootstrap(difference)}")
        print(f"         of the sites found to change {np.sqrt((difference[listed] ** 2).mean()):.4f}")
        print(f"         event rate, median error {_off(events):.3f} {_bootstrap_median(events)}")
        for name, values in (("occupancies", covered[:, 0]), ("event rates", covered[:, 1]), ("rates", processes)):
            print(f"         intervals of {name} that hold the truth: {values.mean():.3f} of {values.size}")
        print(f"         stable columns: {false.mean():.5f} events a frame, one in {1 / max(false.mean(), 1e-9):.0f}; ")
        print(f"         {sum(s.false_sites for s in every)} sites listed where there is none, ", end="")
        print(f"{np.mean([s.missed for s in every]):.3f} of the stable columns not listed")


def print_coverage(sites: int = 300, frames: int = 300) -> None:
    """Intervals of many chains whose features are made, so that there are enough to tell how often they hold."""
    rng = np.random.default_rng(3)
    states, rates = [], []
    while len(states) < sites:
        on, off = np.exp(rng.uniform(*np.log(RATES), 2)) / FRAME_TIME
        chain = simulate_states(np.array([[-on, on], [off, -off]]), frames, FRAME_TIME, rng)
        if 3 <= chain.sum() <= frames - 3:
            states.append(chain)
            rates.append((on, off))
    states, rates = np.array(states), np.array(rates)
    truth = {"occupancies": states.mean(1), "numbers of events": (np.diff(states, axis=1) != 0).sum(1)}
    truth |= {"rates on": rates[:, 0], "rates off": rates[:, 1]}
    for apart in (2.0, 3.0, 4.0, 8.0):
        features = apart * states[..., None] + rng.normal(size=(*states.shape, 1))
        means = np.tile([[0.0], [apart]], (sites, 1, 1))
        found = draw_paths(features, means, np.ones(sites), np.arange(frames) * FRAME_TIME)
        drawn = (found.occupancy, found.changes, found.rates[:, :, 0, 1], found.rates[:, :, 1, 0])
        told = []
        for (name, true), draws in zip(truth.items(), drawn, strict=True):
            low, high = np.quantile(draws, (0.025, 0.975), axis=1)
            told.append(f"{name} {((low <= true + 1e-9) & (true <= high + 1e-9)).mean():.3f}")
        print(f"  {sites} chains, {apart:g} standard deviations apart, intervals that hold: {', '.join(told)}")


def print_evidence(movies: dict[int, Movie], doses, results) -> None:
    """How far full and empty are apart in a frame by filters and by the network, and what comes of it."""
    for dose in doses:
        for evidence in ("filters", "network"):
            every, apart = [], {"1 atom": [], "more": []}
            for seed, one in movies.items():
                table, found = results(seed, dose, evidence)
                frame = found.to_dataframe()
                own = score(one, table, frame)
                every.append(own)
                heights = one.heights[own.inside]
                for height, separation in zip(heights[own.listed], own.separation[own.listed], strict=True):
                    apart["1 atom" if height == 1 else "more"].append(separation)
            difference, events = (np.concatenate([getattr(s, n) for s in every]) for n in ("occupancy", "events"))
            listed, false = (np.concatenate([getattr(s, n) for s in every]) for n in ("listed", "false_events"))
            told = ", ".join(f"{np.median(values):.1f} ({name})" for name, values in apart.items() if values)
            rms = np.sqrt((np.subtract(*difference.T) ** 2).mean())
            print(
                f"  {dose:5g} {evidence:8} standard deviations apart, median {told}; {listed.sum()} of {len(listed)} "
                f"sites found to change, occupancy rms {rms:.4f}, events {_off(events):.3f}, of stable columns "
                f"{false.mean():.5f} a frame"
            )


def _off(events: np.ndarray) -> float:
    """Median over sites with events of the relative error of the rate."""
    seen = events[:, 0] > 0
    return float(np.median(np.abs(events[seen, 1] / events[seen, 0] - 1)))


def _bootstrap(values: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    draws = [np.sqrt((rng.choice(values, len(values)) ** 2).mean()) for _ in range(1000)]
    return "({:.4f} to {:.4f})".format(*np.quantile(draws, (0.025, 0.975)))


def _bootstrap_median(events: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    draws = [_off(events[rng.integers(len(events), size=len(events))]) for _ in range(1000)]
    return "({:.3f} to {:.3f})".format(*np.quantile(draws, (0.025, 0.975)))


def print_pairs(movies: dict[int, Movie], doses, results) -> None:
    """Neighbours that exchange their column, and those that change on their own."""
    from scipy.spatial import cKDTree

    from benchmarks.surface.scores import reference_places

    for dose in doses:
        said = {"exchanging": [], "independent": []}
        for seed, one in movies.items():
            table, found = results(seed, dose)
            frame, pairs = found.to_dataframe(), found.coupled_events()
            places, _ = reference_places(one, table)
            own = cKDTree(frame[["x", "y"]].to_numpy()).query(places)[1]
            for group, kind in zip(one.groups, one.pairs, strict=True):
                if len(group) == 2:
                    rows = pairs[pairs[["site_1", "site_2"]].isin(own[list(group)]).all(axis=1)]
                    said[kind].append(bool(rows["coupled"].any()) if len(rows) else None)
        print(f"  {dose:5g} e/Å²: ", end="")
        for kind, values in said.items():
            told = [value for value in values if value is not None]
            print(f"{kind} pairs coupled {sum(told)} of {len(values)} ({len(told)} with both sites found); ", end="")
        print()


def print_peers(movies: dict[int, Movie], doses) -> None:
    """Frames taken one by one, with the true places, the true motion and the best setting."""
    for dose in doses:
        best: dict[str, list] = {}
        for one in movies.values():
            frames = one.recorded(dose)
            duration = (len(frames) - 1) * FRAME_TIME
            truth = peers.rates_of(one.states, duration)
            ways = {"thresholds": peers.thresholded(frames, one, one.places)}
            for threshold in (0.3, 0.5):
                columns = peers.atomap_columns(frames, one.pixel, threshold)
                ways[f"atomap, {threshold}"] = peers.occupied(columns, one, one.places)
            columns = peers.trackpy_columns(frames, one.pixel, 0.5)
            ways["trackpy"] = peers.occupied(columns, one, one.places)
            for name, states in ways.items():
                occupancy, events = peers.rates_of(states, duration)
                best.setdefault(name, []).append((occupancy - truth[0], events, truth[1]))
        for name, values in best.items():
            difference, events, true = (np.concatenate(part) for part in zip(*values, strict=True))
            rms, factor = np.sqrt((difference**2).mean()), np.median(events[true > 0] / true[true > 0])
            print(f"  {dose:5g} {name:12} occupancy rms {rms:.3f}, events times {factor:.1f}")


def print_speed(folder, seed: int) -> None:
    """Seconds for 300 frames of 280 x 280, and memory of lazy movies of two lengths."""
    import dask.array as da

    rng = np.random.default_rng(0)
    one = movie(seed, 300, folder)
    counts = one.recorded(310.0)
    frames = np.pad(counts, ((0, 0), (50, 50), (50, 50)), mode="wrap").astype(np.float32)
    started = time.perf_counter()
    signal = signal_of(frames, one.pixel)
    table = signal.track_columns(show_progressbar=False)
    middle = time.perf_counter()
    table.surface_dynamics(signal)
    ended = time.perf_counter()
    print(f"  {frames.shape}: {middle - started:.0f} s to track columns, {ended - middle:.0f} s for their states")
    for count in (60, 180):
        array = da.from_array(rng.poisson(counts[:60]), chunks=(8, -1, -1))
        lazy = signal_of(da.concatenate([array] * (count // 60)), one.pixel).as_lazy()
        tracemalloc.start()
        table = lazy.track_columns(show_progressbar=False)
        table.compute(show_progressbar=False)
        table.surface_dynamics(lazy)
        print(f"  lazy, {count} frames: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB at most")
        tracemalloc.stop()


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.surface", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--cache", default="cache/surface-benchmark", help="folder of the simulations")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0, 4, 7, 9, 11, 13, 17], help="particles and what happens to them"
    )
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--first", type=int, help="analyse so many of the frames")
    parser.add_argument("--pixel", type=float, default=0.2, help="Å (default: 0.2)")
    parser.add_argument("--defocus", type=float, help="Å, columns are dark at 70; by default drawn about -80")
    parser.add_argument("--doses", nargs="+", type=float, default=list(DOSES), help="e/Å² a frame")
    options = parser.parse_args(arguments)
    settings = {"pixel": options.pixel, "defocus": options.defocus}
    movies = {
        seed: movie(seed, options.frames, options.cache, **settings).first(options.first or options.frames)
        for seed in options.seeds
    }
    known: dict = {}

    def results(seed: int, dose: float, evidence: str = "filters"):
        if (seed, dose, evidence) not in known:
            known[seed, dose, evidence] = analysed(movies[seed], dose, evidence)
        return known[seed, dose, evidence]

    parts = {
        "sums": lambda: print_sums(options.seeds, options.cache),
        "accuracy": lambda: print_accuracy(movies, options.doses, results),
        "coverage": print_coverage,
        "evidence": lambda: print_evidence(movies, options.doses, results),
        "pairs": lambda: print_pairs(movies, options.doses, results),
        "ceria": print_ceria,
        "peers": lambda: print_peers(movies, options.doses),
        "speed": lambda: print_speed(options.cache, options.seeds[0]),
    }
    for name in options.parts:
        print(name)
        parts[name]()


if __name__ == "__main__":
    main()
