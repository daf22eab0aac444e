"""Rates, fractions and barriers from simulated movies beside the truth they were made from.

``python -m benchmarks.dynamics [--movies 200] [--series 40] [--workers 2]``. Each movie has 2000 frames of one particle
with three or four classes; the classifier is right in 90 % of the frames. Its probabilities are those of Bayes' rule
for classes that are Gaussian in what it sees, so they are calibrated; how much it sees varies from frame to frame.
Intervals behind coverages are binomial for one value of each movie, and otherwise from resampled movies.
"""

from __future__ import annotations

import argparse
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context

import numpy as np
from scipy.stats import binomtest

from particlespy_ml.dynamics import fit_barriers, fit_enthalpies, fractions, markov
from particlespy_ml.dynamics.rates import fit_rates
from particlespy_ml.tables.table import make_table, object_array

FRAMES, FRAME_TIME, ACCURACY = 2000, 0.1, 0.9
TEMPERATURES = (600.0, 612.0, 624.0, 636.0, 648.0)  # K
CLASSES = ("icosahedron", "decahedron", "cuboctahedron")
LEVELS = np.array([0.0, 0.03, 0.06])  # eV, enthalpies of the classes
STATES = np.array([1.0, 1.3, 0.8])  # exp(S / k) of the classes
SADDLES = np.array([[0, 1.60, 1.63], [1.60, 0, 1.66], [1.63, 1.66, 0]])  # eV, between the classes
PREFACTOR = 1e12  # 1/s
PARTICLES = 8  # in each movie of a temperature series


class Classifier:
    """A classifier of K classes with calibrated probabilities.

    Parameters
    ----------
    k
        Number of classes.
    accuracy
        Mean share of frames that it gets right when classes are equally frequent.
    """

    def __init__(self, k: int, accuracy: float = ACCURACY):
        # classes differ in how well they are told apart
        self._means = np.eye(k) * np.linspace(0.85, 1.15, k)
        low, high = 0.1, 30.0
        for _ in range(30):
            self._separation = np.sqrt(low * high)
            confusion = self.confusion(20_000)
            low, high = (self._separation, high) if np.trace(confusion) / k < accuracy else (low, self._separation)

    def probabilities(self, states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Probabilities of the classes for true states, shape (frames, K)."""
        quality = self._separation * rng.lognormal(0, 0.4, (len(states), 1, 1))
        means = quality * self._means  # (frames, class, feature)
        seen = means[np.arange(len(states)), states] + rng.normal(size=(len(states), self._means.shape[1]))
        logits = -0.5 * ((seen[:, None] - means) ** 2).sum(-1)
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True)

    def confusion(self, n: int) -> np.ndarray:
        """Confusion matrix over n frames of each class."""
        k = len(self._means)
        rng = np.random.default_rng(0)
        rows = [np.bincount(self.probabilities(np.full(n, s), rng).argmax(-1), minlength=k) / n for s in range(k)]
        return np.array(rows)


@lru_cache
def classifier(k: int) -> tuple[Classifier, np.ndarray]:
    """A classifier of K classes and its confusion matrix."""
    made = Classifier(k)
    return made, made.confusion(100_000)


def random_rates(k: int, dwell: float, rng: np.random.Generator) -> np.ndarray:
    """Rates in 1/s between K states that are left after so many frames on average, within a factor of two or so."""
    rates = rng.lognormal(0, 0.5, (k, k))
    np.fill_diagonal(rates, 0)
    rates *= 1 / (dwell * FRAME_TIME * rates.sum(1).mean())
    return rates - np.diag(rates.sum(1))


def run_movie(seed: int) -> dict:
    """Fit one movie; true and found values of its rates and fractions."""
    rng = np.random.default_rng(seed)
    k, fast = 3 + seed % 2, seed % 4 < 2
    network, confusion = classifier(k)
    truth = random_rates(k, rng.uniform(10, 20) if fast else rng.uniform(30, 100), rng)
    states = markov.simulate_states(truth, FRAMES, FRAME_TIME, rng)
    probabilities = network.probabilities(states, rng)
    labels = probabilities.argmax(-1)
    emissions = markov.log_emissions(probabilities)[None]
    fit = fit_rates(emissions, FRAME_TIME)
    smooth = markov.most_probable_path(emissions, fit.transition, fit.initial)[0]
    off = ~np.eye(k, dtype=bool)
    result = {"fast": fast, "accuracy": np.mean(labels == states), "smoothed": np.mean(smooth == states)}
    result |= {"truth": truth[off], "count": _steps(states, k)[off], "low": fit.low[off], "high": fit.high[off]}
    result["time"] = np.repeat(np.bincount(states, minlength=k) * FRAME_TIME, k - 1)
    result["HMM"] = fit.rates[off]
    result["unsmoothed labels"] = _rates_of_steps(labels, k)[off]
    result["true states"] = _rates_of_steps(states, k)[off]
    balance = markov.stationary_distribution(truth)
    observed = fractions.class_fractions(labels[None], k)
    rough = np.array([rng.multinomial(100, row) for row in confusion]) / 100
    for name, found in {
        "raw": observed,
        "corrected": fractions.correct_fractions(observed, confusion),
        "corrected, matrix of 100 images a class": fractions.correct_fractions(observed, rough),
    }.items():
        covered = (found.low <= balance) & (balance <= found.high)
        result[name] = (found.values - balance, covered, found.high - found.low)
    return result


def _steps(states: np.ndarray, k: int) -> np.ndarray:
    counts = np.zeros((k, k))
    np.add.at(counts, (states[:-1], states[1:]), 1)
    return counts


def _rates_of_steps(states: np.ndarray, k: int) -> np.ndarray:
    """Rates as steps between frames over the time spent, as from labels that are taken for the truth."""
    counts = _steps(states, k)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1) / FRAME_TIME


def rates_at(temperature: float) -> np.ndarray:
    """Rates in 1/s by Arrhenius' law, with the equilibrium of `LEVELS` and `STATES`."""
    thermal = fractions.BOLTZMANN_EV * temperature
    rates = PREFACTOR / STATES[:, None] * np.exp(-(SADDLES - LEVELS[:, None]) / thermal)
    np.fill_diagonal(rates, 0)
    return rates - np.diag(rates.sum(1))


def movie_table(probabilities: np.ndarray, confusion: np.ndarray):
    """A tracked table of probabilities of the shape (particles, frames, K), as `classify_particles` makes it."""
    dtype = [("track", "i4"), ("class_index", "i1"), ("probability", "f4")]
    dtype += [(f"probability_{name}", "f4") for name in CLASSES]
    probabilities = probabilities.swapaxes(0, 1)
    rows = np.zeros(probabilities.shape[:2], dtype)
    rows["track"] = np.arange(rows.shape[1])
    rows["class_index"], rows["probability"] = probabilities.argmax(-1), probabilities.max(-1)
    for k, name in enumerate(CLASSES):
        rows[f"probability_{name}"] = probabilities[..., k]
    axis = {"name": "time", "size": len(rows), "scale": FRAME_TIME, "units": "s", "navigate": True}
    record = {"classes": list(CLASSES), "model": {"confusion_matrix": confusion.ravel().tolist()}}
    return make_table(object_array(list(rows), (len(rows),)), [axis], {name: "" for name, _ in dtype}, record)


def run_series(seed: int) -> dict:
    """Barriers, enthalpies and entropies of movies at several temperatures, each as truth, value, low and high."""
    rng = np.random.default_rng(10_000 + seed)
    network, confusion = classifier(len(CLASSES))
    tables = []
    for temperature in TEMPERATURES:
        rates = rates_at(temperature)
        states = [markov.simulate_states(rates, FRAMES, FRAME_TIME, rng) for _ in range(PARTICLES)]
        tables.append(movie_table(np.stack([network.probabilities(part, rng) for part in states]), confusion))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Barriers are apparent")
        barriers = fit_barriers(tables, TEMPERATURES)
    enthalpies = fit_enthalpies(tables, TEMPERATURES)
    from_, to = np.transpose(barriers.pairs)
    above, below = np.transpose(enthalpies.pairs)[::-1]
    result = {}
    for fits, name, truth in (
        (barriers, "energy", SADDLES[from_, to] - LEVELS[from_]),
        (barriers, "log10_prefactor", np.log10(PREFACTOR / STATES[from_])),
        (enthalpies, "enthalpy", LEVELS[above] - LEVELS[below]),
        (enthalpies, "entropy", np.log(STATES[above] / STATES[below])),
    ):
        found = fits.to_dataframe()[[name, f"{name}_low", f"{name}_high"]].to_numpy().T
        result[name] = np.array([truth, *found])
    differences = []
    for temperature, table in zip(TEMPERATURES, tables, strict=True):
        frame = table.free_energy_differences(temperature)
        energy = LEVELS - fractions.BOLTZMANN_EV * temperature * np.log(STATES)
        number = {name: n for n, name in enumerate(CLASSES)}
        i, j = frame["from"].map(number).to_numpy(), frame["to"].map(number).to_numpy()
        found = frame[["difference", "low", "high"]].to_numpy().T
        differences.append(np.array([energy[j] - energy[i], *found])[:, i < j])
    result["free energy"] = np.concatenate(differences, 1)
    return result


def report_rates(results: list[dict]) -> None:
    """Print errors of rates and coverage of their intervals."""
    for name, chosen in {
        "all movies": results,
        "fast, classes are left after 10 to 20 frames": [r for r in results if r["fast"]],
        "slow, after 30 to 100 frames": [r for r in results if not r["fast"]],
    }.items():
        count = [r["count"].sum() for r in chosen]
        accuracy, smoothed = (np.mean([r[key] for r in chosen]) for key in ("accuracy", "smoothed"))
        print(f"Rates: {name} ({len(chosen)} of {FRAMES} frames)")
        print(f"  frames that are right: {accuracy:.3f} by themselves, {smoothed:.3f} smoothed")
        print(f"  transitions in a movie: median {np.median(count):.0f}, {min(count):.0f} to {max(count):.0f}")
        print("                      pooled     all transitions of a movie     |error| of single rates, median (mean)")
        bins = [(0, 10), (10, 30), (30, np.inf)]
        counts = np.concatenate([r["count"] for r in chosen])
        sizes = [((counts >= low) & (counts < high)).sum() for low, high in bins]
        print("                      rate/truth median |error| within 15 %     ", end="")
        print(
            "".join(
                f"{f'{name} seen: {n}':20s}" for name, n in zip(("0-9", "10-29", "30+"), sizes, strict=True)
            ).rstrip()
        )
        for source in ("HMM", "true states", "unsmoothed labels"):
            weighted = np.array([[(r[key] * r["time"]).sum() for key in (source, "truth")] for r in chosen])
            pooled, total = np.divide(*weighted.sum(0)), abs(weighted[:, 0] / weighted[:, 1] - 1)
            error = np.concatenate([abs(r[source] / r["truth"] - 1) for r in chosen])
            line = f"  {source:18s} {pooled:8.3f} {np.median(total):12.3f} {np.mean(total <= 0.15):15.2f}           "
            for low, high in bins:
                part = error[(counts >= low) & (counts < high)]
                line += f"{f'{np.median(part):.2f} ({part.mean():.2f})' if len(part) else '':20s}"
            print(line.rstrip())
        covered = [(r["low"] <= r["truth"]) & (r["truth"] <= r["high"]) for r in chosen]
        print(
            f"  coverage of the 95 % intervals: all rates {_clustered(covered)}; one rate of each movie {_one(covered)}"
        )


def report_fractions(results: list[dict]) -> None:
    """Print errors of fractions and coverage of their intervals."""
    for name, wanted in {"fast": True, "slow": False}.items():
        chosen = [r for r in results if r["fast"] == wanted]
        print(f"Fractions: {len(chosen)} {name} movies")
        for source in ("raw", "corrected", "corrected, matrix of 100 images a class"):
            errors, covered, widths = ([r[source][n] for r in chosen] for n in range(3))
            print(
                f"  {source}: root mean square error {np.sqrt(np.mean(np.concatenate(errors) ** 2)):.3f}, median width "
                f"{np.median(np.concatenate(widths)):.3f}, coverage {_clustered(covered)}; one class of each movie "
                f"{_one(covered)}"
            )


def report_series(results: list[dict]) -> None:
    """Print errors of energies and coverage of their intervals."""
    temperatures = ", ".join(f"{t:g}" for t in TEMPERATURES)
    print(f"Temperature series: {len(results)} of one movie of {PARTICLES} particles at each of {temperatures} K")
    for key, name in {
        "energy": "barriers (eV)",
        "log10_prefactor": "log10 of the prefactors",
        "enthalpy": "enthalpy differences (eV)",
        "entropy": "entropy differences (k)",
        "free energy": "free energy differences (eV)",
    }.items():
        truth, value, low, high = np.concatenate([r[key] for r in results], 1)
        finite = np.isfinite(value)
        error = (value - truth)[finite]
        covered = [(r[key][2] <= r[key][0]) & (r[key][0] <= r[key][3]) for r in results]
        print(
            f"  {name}: truth {truth.min():.2f} to {truth.max():.2f}, mean error {error.mean():+.3f}, median |error| "
            f"{np.median(abs(error)):.3f}, median half-width {np.median((high - low)[finite]) / 2:.3f}, coverage "
            f"{_clustered(covered)}"
        )


def _one(covered: list[np.ndarray]) -> str:
    """Coverage of one value of each movie, a different one from movie to movie."""
    return _binomial([c[n % len(c)] for n, c in enumerate(covered)])


def _binomial(covered) -> str:
    covered = np.asarray(covered, dtype=bool)
    interval = binomtest(int(covered.sum()), len(covered)).proportion_ci(method="wilson")
    return f"{covered.mean():.3f} ({interval.low:.3f} to {interval.high:.3f}, n={len(covered)})"


def _clustered(covered: list[np.ndarray]) -> str:
    """Coverage over all values with its 95 % interval from resampled movies."""
    rng = np.random.default_rng(0)
    hits, sizes = np.array([c.sum() for c in covered]), np.array([len(c) for c in covered])
    draws = rng.integers(0, len(covered), (2000, len(covered)))
    low, high = np.percentile(hits[draws].sum(1) / sizes[draws].sum(1), (2.5, 97.5))
    return f"{hits.sum() / sizes.sum():.3f} ({low:.3f} to {high:.3f}, n={sizes.sum()})"


def main(arguments: list[str] | None = None) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--movies", type=int, default=200)
    parser.add_argument("--series", type=int, default=40, help="temperature series")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        movies = list(pool.map(run_movie, range(options.movies), chunksize=4))
        series = list(pool.map(run_series, range(options.series)))
    report_rates(movies)
    report_fractions(movies)
    report_series(series)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
