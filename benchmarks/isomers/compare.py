"""The network and the atlas on the same hard images."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.isomers.atlas import Atlas, fit_offsets
from benchmarks.isomers.record import hard_conditions, record
from benchmarks.isomers.simulations import DISORDER, REMOVED, SEED, SIZES, draw_hard
from particlespy_ml.classification.preprocess import standardise
from particlespy_ml.models.model import Model
from particlespy_ml.simulation.atoms.structures import ISOMERS
from particlespy_ml.training.isomer.batches import Item, model_items
from particlespy_ml.training.isomer.evaluate import accuracy_with_interval

DOSES = (100.0, 300.0, 1e3, 1e4)  # electrons per Å²
FILTERS = tuple((low, high) for low in (0.0, 0.4) for high in (2.0, 4.0, np.inf))  # Å, see Atlas.correlations
TUNING = (36, 3)  # structures, realisations


TITLES = {
    "hard": f"Hard: {', '.join(map(str, SIZES))} atoms, {REMOVED:.0%} of the surface removed, {DISORDER} Å of disorder",
    "in_range": "Isomers of any size and surface, drawn as for training; the atlas has closed shells of three sizes,\n"
    "and its filter and offsets are those for the hard particles",
}


def main(sets: dict[str, list[Item]], model: Model, realisations: int, matched: int, step: float) -> None:
    """Print accuracy and time of both, with the detector of the hard images.

    Parameters
    ----------
    sets
        Simulated particles, of "hard", of "in_range" or of both.
    model
        The network.
    realisations
        Images of each particle at each dose for the network.
    matched
        How many of them the atlas gets too.
    step
        Distance of the orientations of the atlas in degrees.
    """
    started = time.perf_counter()
    atlas, others = Atlas.ideal(SIZES, step), tuning_items()
    atlas.prepare({item.window for items in [others, *sets.values()] for item in items})
    settings = {dose: tune(atlas, others, dose, SEED + 500 + number) for number, dose in enumerate(DOSES)}
    filters = ", ".join(f"{low:g} to {high:g} at {dose:g}" for dose, (low, high, _) in settings.items())
    print(f"Atlas: {len(atlas.labels)} templates, tuned on {TUNING[0]} others; filter in Å at e/Å²: {filters}; "
          f"{time.perf_counter() - started:.0f} s for both\n")  # fmt: skip
    for name, items in sets.items():
        print(TITLES[name])
        _compare(items, model, atlas, settings, realisations, matched)


def _compare(items, model, atlas, settings, realisations: int, matched: int) -> None:
    labels = np.array([item.label for item in items])[:, None]
    rows, classes, seconds = [], [], {"network": 0.0, "atlas": 0.0}
    for number, dose in enumerate(DOSES):
        answers = _answers(items, model, atlas, dose, settings[dose], realisations, matched, SEED + number, seconds)
        right = {name: found == labels for name, found in answers.items()}
        same = right["network"][:, :matched]
        others = [right[name] for name in ("best template", "with offsets")]
        gains = ["{:+.3f} ({:+.3f} to {:+.3f})".format(*interval_of_mean(same.mean(1) - o.mean(1))) for o in others]
        rows.append([f"{dose:g}", *map(_share, (right["network"], same, *others)), *gains])
        for name, values in (("network", same), ("atlas with offsets", right["with offsets"])):
            each = [f"{values[labels[:, 0] == label].mean():.3f}" for label in range(len(ISOMERS))]
            classes.append([f"{dose:g}", name, *each])
    n, few = len(items) * realisations, len(items) * matched
    print(f"{len(items)} PRISM structures; the network on {n} images at each dose, then all on the same {few}")
    head = ["e/Å²", "network, all", "network", "best template", "with offsets", "network - best", "network - offsets"]
    print_table(head, rows)
    print(f"Accuracy by isomer, the same {few} images")
    print_table(["e/Å²", "", *ISOMERS], classes)
    print(f"Seconds an image: network {seconds['network'] / n / len(DOSES):.4f}, atlas "
          f"{seconds['atlas'] / few / len(DOSES):.4f}\n")  # fmt: skip


def tuning_items() -> list[Item]:
    """Particles made like the hard ones, but others, whose incoherent images are made when they are recorded."""
    rng = np.random.default_rng([SEED, 1000])
    models = [draw_hard(ISOMERS[row % 4], SIZES[row // 4 % 3], rng).positions for row in range(TUNING[0])]
    return model_items([(points - (points.max(0) + points.min(0)) / 2, row % 4) for row, points in enumerate(models)])


def tune(atlas: Atlas, items: list[Item], dose: float, seed: int) -> tuple[float, float, np.ndarray]:
    """Band-pass and offsets with the smallest cross-entropy on images of the items at a dose."""
    scores, labels = {pair: [] for pair in FILTERS}, []
    for rows, windows in record(items, hard_conditions(dose), TUNING[1], seed):
        labels.extend(items[row].label for row in rows for _ in range(TUNING[1]))
        for pair in FILTERS:
            scores[pair].append(atlas.scores(windows.reshape(-1, *windows.shape[2:]), *pair))
    fits = {pair: fit_offsets(np.concatenate(found), np.array(labels)) for pair, found in scores.items()}
    best = min(fits, key=lambda pair: fits[pair][2])
    return *best, fits[best][1]


def predicted(model: Model, windows: np.ndarray) -> np.ndarray:
    """Probabilities of `ISOMERS` for windows of counts, shape (..., edge, edge), whatever order the model has."""
    flat = model.predict(standardise(windows.reshape(-1, *windows.shape[-2:])))
    return flat[:, [model.classes.index(name) for name in ISOMERS]].reshape(*windows.shape[:-2], len(ISOMERS))


def interval_of_mean(values: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Mean of one value for each structure, and the edges of its 95 % bootstrap interval."""
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(len(values), size=(draws, len(values)))].mean(1)
    return float(values.mean()), *map(float, np.quantile(drawn, [0.025, 0.975]))


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Print rows of text in columns."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


def _share(right: np.ndarray) -> str:
    found = accuracy_with_interval(right)
    return "{:.3f} ({:.3f} to {:.3f})".format(found["accuracy"], *found["interval"])


def _answers(items, model, atlas, dose, settings, realisations, matched, seed, seconds) -> dict[str, np.ndarray]:
    """Index of the isomer that each method finds, shape (items, realisations); seconds spent are added up."""
    low, high, offsets = settings
    network = np.zeros((len(items), realisations), int)
    scores = np.zeros((len(items), matched, len(ISOMERS)))
    for rows, windows in record(items, hard_conditions(dose), realisations, seed):
        started = time.perf_counter()
        network[rows] = predicted(model, windows).argmax(-1)
        seconds["network"] += time.perf_counter() - started
        few = windows[:, :matched]
        started = time.perf_counter()
        scores[rows] = atlas.scores(few.reshape(-1, *few.shape[2:]), low, high).reshape(*few.shape[:2], -1)
        seconds["atlas"] += time.perf_counter() - started
    return {
        "network": network,
        "best template": scores.argmax(-1),
        "with offsets": (scores + offsets).argmax(-1),
    }
