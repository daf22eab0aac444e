"""How well the network tells what is none of the isomers from isomers that are drawn as those it was trained on."""

from __future__ import annotations

import numpy as np

from benchmarks.isomers.compare import interval_of_mean, predicted, print_table
from benchmarks.isomers.record import nominal_conditions, record
from benchmarks.isomers.simulations import FOREIGN, SEED, SETS
from particlespy_ml.models.model import Model
from particlespy_ml.simulation.atoms.out_of_range import OUT_OF_RANGE
from particlespy_ml.training.isomer.batches import Item
from particlespy_ml.training.isomer.evaluate import auroc_with_interval

DOSES = (1e3, 1e4)  # electrons per Å²


def main(sets: dict[str, list[Item]], model: Model, realisations: int) -> None:
    """Print, for every kind, the area under the curve of the largest probability and the share left undefined.

    Parameters
    ----------
    sets
        Items of "in_range", of `OUT_OF_RANGE` and of `FOREIGN`.
    model
        The network.
    realisations
        Images of each structure at each dose.
    """
    print(f"Out of range: largest class probability against {len(sets['in_range'])} isomers, 95 % intervals over "
          f"structures, {realisations} images of each; undefined is below {model.min_probability:g}")  # fmt: skip
    rows = []
    for dose in DOSES:
        found = {name: _largest(items, model, dose, realisations, SEED + SETS.index(name))
                 for name, items in sets.items()}  # fmt: skip
        known = found.pop("in_range")
        groups = {
            "in range": known,
            **found,
            "all of out_of_range": np.concatenate([found[name] for name in OUT_OF_RANGE]),
            "all foreign kinds": np.concatenate([found[name] for name in FOREIGN]),
        }
        for name, values in groups.items():
            area = auroc_with_interval(known, values, draws=500)
            shown = "{:.3f} ({:.3f} to {:.3f})".format(area["auroc"], *area["interval"])
            undefined = interval_of_mean((values < model.min_probability).mean(1))
            rows.append([f"{dose:g}", name, str(len(values)), "" if values is known else shown,
                         "{:.3f} ({:.3f} to {:.3f})".format(*undefined)])  # fmt: skip
    print_table(["e/Å²", "kind", "structures", "AUROC", "undefined"], rows)


def _largest(items: list[Item], model: Model, dose: float, realisations: int, seed: int) -> np.ndarray:
    """Largest class probability, shape (items, realisations)."""
    result = np.zeros((len(items), realisations))
    for rows, windows in record(items, nominal_conditions(dose), realisations, seed):
        result[rows] = predicted(model, windows).max(-1)
    return result
